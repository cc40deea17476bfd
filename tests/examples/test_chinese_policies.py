"""The Chinese policies are numbered without gaps, and their tables say what their articles say."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import docx
import pytest

_NUMERALS = "一二三四五六七八九"


def _number(text: str) -> int:
    tens, mark, ones = text.rpartition("十")
    ten = 0 if not mark else 1 if not tens else _NUMERALS.index(tens) + 1
    return 10 * ten + (_NUMERALS.index(ones) + 1 if ones else 0)


@pytest.fixture(scope="module")
def policy(examples: Path) -> docx.document.Document:
    return docx.Document(str(examples / "documents/信贷风险管理办法.docx"))


def test_chapters_are_headings_in_order(policy: docx.document.Document) -> None:
    names = [paragraph.text for paragraph in policy.paragraphs if paragraph.style.name == "Heading 1"]
    found = [re.fullmatch(r"第(.+)章　\S+", name) for name in names]
    assert [_number(match[1]) for match in found] == list(range(1, len(names) + 1))
    assert len(names) == 9


def test_articles_are_numbered_through_all_chapters(policy: docx.document.Document) -> None:
    marks = [re.match(r"第(.{1,3})条　", paragraph.text) for paragraph in policy.paragraphs]
    numbers = [_number(mark[1]) for mark in marks if mark]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 30


def test_tables_are_full_and_repeat_their_header(policy: docx.document.Document) -> None:
    assert len(policy.tables) == 3
    for table in policy.tables:
        assert all(cell.text for row in table.rows for cell in row.cells)
        assert "w:tblHeader" in table.rows[0]._tr.xml


def test_levels_of_approval_follow_on_each_other(policy: docx.document.Document) -> None:
    limits = [row.cells[1].text.replace(",", "") for row in policy.tables[0].rows][1:]
    assert limits[0] == "不超过300"
    for lower, upper in pairwise(limits):
        top = re.search(r"不超过(\d+)", lower)[1]
        assert upper.startswith(f"超过{top}")


def test_days_overdue_follow_on_each_other(policy: docx.document.Document) -> None:
    spans = [row.cells[1].text for row in policy.tables[2].rows][2:]
    ends = [0]
    for span in spans[:-1]:
        first, last = re.fullmatch(r"(\d+)至(\d+)天", span).groups()
        assert int(first) == ends[-1] + 1
        ends.append(int(last))
    assert spans[-1] == f"超过{ends[-1]}天"


def test_expense_rules_have_a_heading_a_section_in_order(examples: Path) -> None:
    text = (examples / "documents/费用报销制度.md").read_text(encoding="utf-8")
    marks = re.findall(r"^## (.)、", text, re.MULTILINE)
    assert "".join(marks) == _NUMERALS[: len(marks)]
    assert len(marks) == 7
