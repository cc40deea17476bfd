"""Each format goes the whole way: taken in, told by its content, read, cut, indexed, found again."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from retrieval.parsing.formats import SPOKEN, SUFFIXES
from retrieval.parsing.sniff import sniff
from retrieval.parsing.types import CCDA, CSV, DOCX, EML, FHIR, HTML, JSON, MARKDOWN, PDF, PPTX, TEXT, XLSX
from retrieval.types import DocumentState
from tests.retrieval.house import ALL, House
from tests.retrieval.parsing.seeds import CANARY, FORMATS, name_of, seeds_of

MEDIA = dict(zip(FORMATS, (PDF, DOCX, PPTX, XLSX, CSV, HTML, EML, MARKDOWN, TEXT, JSON, FHIR, CCDA), strict=True))


@pytest.fixture
def house(tmp_path, sqlite_engine):
    return House.at(tmp_path, sqlite_engine)


def test_every_format_is_found_by_its_words(house):
    submitted = {}
    for kind in FORMATS:
        name = f"{kind}{Path(name_of(kind)).suffix}"
        taken = house.ingestor.submit(io.BytesIO(seeds_of(kind)[0]), name=name, collection="default", label="internal")
        submitted[taken.id] = kind
    while house.ingestor.run_once():
        pass
    documents = {kind: house.catalog.get(identity, ALL) for identity, kind in submitted.items()}
    assert {kind: (one.state, one.error) for kind, one in documents.items()} == dict.fromkeys(
        FORMATS, (DocumentState.READY, None)
    )
    assert {kind: one.media_type for kind, one in documents.items()} == MEDIA
    found = {submitted[one.locator.document_id] for one in house.find(CANARY, k=40)}
    assert found == set(FORMATS)
    assert {remark.code for remark in documents["eml"].remarks} == {"attachment_unread"}
    assert {remark.code for remark in documents["xlsx"].remarks} == {"hidden_text", "formula_unread"}


def test_each_listed_ending_is_that_of_a_format(put_named):
    endings = {Path(name_of(kind)).suffix for kind in FORMATS}
    others = {".htm", ".markdown", ".tsv", ".jsonl", ".ndjson"}
    assert set(SUFFIXES) == endings | others
    assert len(SUFFIXES) == len(set(SUFFIXES))
    for kind in FORMATS:
        assert sniff(put_named(name_of(kind), seeds_of(kind)[0])) == MEDIA[kind]


def test_the_sentence_names_each_format():
    for word in ("PDF", "docx", "pptx", "xlsx", "CSV", "HTML", "eml", "Markdown", "text", "JSON", "FHIR", "C-CDA"):
        assert word in SPOKEN


@pytest.fixture
def put_named(tmp_path):
    def put(name: str, content: bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return put
