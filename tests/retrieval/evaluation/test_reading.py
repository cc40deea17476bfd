"""Rows and pages of a set."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from retrieval.evaluation.reading import flowing_page, laid_out_page, lines
from retrieval.parsing.types import BlockKind
from tests.retrieval.evaluation.sets import write


def test_rows_are_read_gzipped_or_not(tmp_path: Path):
    rows = [{"a": 1}, {"a": "二"}]
    for name in ("x.jsonl", "x.jsonl.gz"):
        write(tmp_path / name, rows)
        assert list(lines(tmp_path / name)) == rows


def test_lines_with_gaps_are_a_table():
    page = laid_out_page(3, "A heading\n\nRevenue   1,200\nCosts ....... 900\n\nA remark on both.")
    assert page.number == 3
    assert [block.kind for block in page.blocks] == [BlockKind.PARAGRAPH, BlockKind.TABLE, BlockKind.PARAGRAPH]
    assert "Revenue | 1,200\nCosts | 900" in page.text


@given(st.text(alphabet="ab. \t\n", max_size=80))
def test_a_flowing_page_keeps_every_offset(text: str):
    page = flowing_page(text)
    assert page.text == text
    covered = {i for block in page.blocks for i in range(block.start, block.end)}
    assert all(i in covered for i, character in enumerate(text) if not character.isspace())
    assert all(text[block.start : block.end] == text[block.start : block.end].strip() for block in page.blocks)


def test_paragraphs_are_parted_by_empty_lines():
    page = flowing_page("  one\ntwo\n \n\n three ")
    assert [page.text[block.start : block.end] for block in page.blocks] == ["one\ntwo", "three"]
