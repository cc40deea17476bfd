"""The formats that are read, as people name them and as files are named: one list for every text that tells them."""

from __future__ import annotations

from typing import Final

__all__ = ["SPOKEN", "SUFFIXES"]

SUFFIXES: Final = (
    *(".pdf", ".docx", ".pptx", ".xlsx", ".csv", ".tsv", ".html", ".htm", ".eml", ".md", ".markdown", ".txt"),
    *(".json", ".jsonl", ".ndjson", ".xml"),  # of XML, only records of patients (C-CDA)
)
"""Endings of the files that a folder is searched for. What a file is, its content says."""

SPOKEN: Final = (
    "PDF, Word (.docx), PowerPoint (.pptx), Excel (.xlsx), CSV, HTML, mail (.eml), Markdown, plain text, JSON, "
    "FHIR (JSON) or C-CDA"
)
"""The formats, in a sentence's words."""
