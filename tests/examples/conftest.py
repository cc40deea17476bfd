"""The example files as text, page by page."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docx
import pypdfium2
import pytest
from bs4 import BeautifulSoup

_EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="session")
def examples() -> Path:
    return _EXAMPLES


@pytest.fixture(scope="session")
def questions() -> list[dict[str, Any]]:
    return json.loads((_EXAMPLES / "questions.json").read_text(encoding="utf-8"))["questions"]


@pytest.fixture(scope="session")
def pages_of() -> Callable[[str], list[str]]:
    """Return the text of each page, lines kept; what has no pages is one."""
    known: dict[str, list[str]] = {}

    def read(name: str) -> list[str]:
        if name not in known:
            path = _EXAMPLES / "documents" / name
            known[name] = _READERS[path.suffix](path)
        return known[name]

    return read


def _pdf(path: Path) -> list[str]:
    document = pypdfium2.PdfDocument(path)
    try:
        return [_page_text(document, number) for number in range(len(document))]
    finally:
        document.close()


def _page_text(document: pypdfium2.PdfDocument, number: int) -> str:
    page = document[number]
    text_page = page.get_textpage()
    try:
        return text_page.get_text_range().replace("\r\n", "\n")
    finally:
        text_page.close()
        page.close()


def _docx(path: Path) -> list[str]:
    document = docx.Document(str(path))
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    return ["\n".join([paragraph.text for paragraph in document.paragraphs] + cells)]


def _html(path: Path) -> list[str]:
    return [BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser").get_text(" ")]


def _markdown(path: Path) -> list[str]:
    return [path.read_text(encoding="utf-8")]


_READERS: dict[str, Callable[[Path], list[str]]] = {".pdf": _pdf, ".docx": _docx, ".html": _html, ".md": _markdown}
