"""Turns the rows of a PDF page into headings, paragraphs, list items and tables.

A heading is set larger than most of the document, or is bold and short. Its level follows from its size, so that pages
can be read one after the other, and from its number: "2.1 Scope" stands one level below "2 Terms" of the same size.
"""

from __future__ import annotations

import itertools
import re
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from retrieval.parsing.columns import Carry, Columns, columns_of, unit_of
from retrieval.parsing.layout import Row
from retrieval.parsing.lines import join_lines
from retrieval.parsing.marks import begins_item
from retrieval.parsing.page_text import PageText
from retrieval.parsing.tables import find_tables
from retrieval.parsing.types import BlockKind
from retrieval.types import Box

__all__ = ["add_region"]

_LARGER: Final = 1.15  # a heading's size over the size of most text
_LEVELS: Final = ((1.8, 1), (1.4, 2), (_LARGER, 3))
_BOLD_LEVEL: Final = 4
_HEADING_WORDS: Final = 30  # a longer one is a paragraph in large type
_BOLD_WORDS: Final = 14
_SAME_SIZE: Final = 0.12  # code in a line of prose is often set a tenth smaller
_PITCH: Final = 1.3  # a wider step between two lines parts paragraphs
_WIDEST_PITCH: Final = 2.2  # steps beyond this many type sizes say nothing about line spacing
_SHORT: Final = 0.8  # a line that fills less of its column may end a paragraph
_ABOVE: Final = 2  # lines above a table in which its unit is looked for
_INDENT: Final = 0.8  # type sizes
_ENDS: Final = re.compile(r"[.!?:;。！？：；][\"'”’」）)\]]*$")
_LEADER: Final = re.compile(r"(?:\.\s?){4}|…{2}")  # a line of a table of contents
_NUMBER: Final = re.compile(r"(?:\d{1,3}(?:\.\d{1,3}){0,4}\.?|第[一二三四五六七八九十百\d]+[章节条])\s*")


@dataclass(slots=True)
class _Line:
    text: str
    box: Box
    size: float
    bold: bool

    @classmethod
    def over(cls, rows: list[Row], text: str, *, flat: bool = False) -> _Line:
        """Make one line of several rows; a `flat` one stands above them without a place of its own."""
        line = cls.of(Row([run for row in rows for run in row.runs], rows[0].top, rows[-1].bottom), text)
        if flat:
            line.box = line.box.model_copy(update={"bottom": line.box.top})
        return line

    @classmethod
    def of(cls, row: Row, text: str) -> _Line:
        first = row.runs[0].box
        box = Box(
            x0=min(run.box.x0 for run in row.runs),
            top=min(run.box.top for run in row.runs),
            x1=max(run.box.x1 for run in row.runs),
            bottom=max(run.box.bottom for run in row.runs),
        )
        largest = max(row.runs, key=lambda run: len(run.text))
        return cls(text, box if len(row.runs) > 1 else first, largest.size, all(run.bold for run in row.runs))


def add_region(
    page: PageText, rows: list[Row], *, body: float, vocabulary: frozenset[str], carry: Carry | None = None
) -> None:
    """Append the blocks of one region of a page.

    Args:
        page: The page that grows.
        rows: Rows from top to bottom, of one column.
        body: Type size of most of the document so far, in points.
        vocabulary: Lower-case words of the page, by which a hyphen at a line's end is judged.
        carry: The table that the page before ended with, and that this one will end with.
    """
    done = 0
    for first, last in [*find_tables(rows), (len(rows), len(rows))]:
        prose = [_Line.of(row, " ".join(run.text for run in row.runs)) for row in rows[done:first]]
        for paragraph in _paragraphs(prose):
            _add_prose(page, paragraph, body=body, vocabulary=vocabulary)
        if last > first:
            unit = next(filter(None, (unit_of(line.text) for line in reversed(prose[-_ABOVE:]))), "")
            table = columns_of(rows[first:last], unit=unit)
            _add_table(page, carry.continued(table, blocks=page.count) if carry is not None else table)
        done = last


def _add_table(page: PageText, table: Columns) -> None:
    rows = [row for line in table.lines for row in line.rows]
    lines = [_Line.over(line.rows or rows[:1], line.text, flat=not line.rows) for line in table.lines if line.text]
    starts, text = list[int](), ""
    for line in lines:
        text += "\n" if text else ""
        starts.append(len(text))
        text += line.text
    page.add(BlockKind.TABLE, text, boxes=[line.box for line in lines], lines=starts)


def _add_prose(page: PageText, lines: list[_Line], *, body: float, vocabulary: frozenset[str]) -> None:
    text, starts = join_lines([line.text for line in lines], vocabulary=vocabulary)
    boxes = [line.box for line in lines]
    level = _heading_level(text, lines, body=body)
    if level:
        page.add(BlockKind.HEADING, text, level=level, boxes=boxes, lines=starts)
    else:
        kind = BlockKind.LIST_ITEM if begins_item(text) else BlockKind.PARAGRAPH
        page.add(kind, text, boxes=boxes, lines=starts)


def _heading_level(text: str, lines: list[_Line], *, body: float) -> int:
    """Return the level of a heading, from 1 for the largest type, or 0 for what is none."""
    words = len(text.split()) + len(text) // 12  # the second part counts for Chinese, which has no spaces
    if not any(char.isalpha() for char in text) or words > 2 * _HEADING_WORDS or _LEADER.search(text):
        return 0
    ratio = min(line.size for line in lines) / body if body else 1.0
    number = _NUMBER.match(text)
    depth = number.group().rstrip(". ").count(".") if number else 0
    for at_least, level in _LEVELS:
        if ratio >= at_least:
            return level + depth
    bold = all(line.bold for line in lines) and ratio > 1 - _SAME_SIZE
    return _BOLD_LEVEL + depth if bold and words <= 2 * _BOLD_WORDS and text[-1] not in ".,;。，；" else 0


def _paragraphs(lines: list[_Line]) -> Iterator[list[_Line]]:
    if not lines:
        return
    left, right = min(line.box.x0 for line in lines), max(line.box.x1 for line in lines)
    pitch = _usual_pitch(lines)
    paragraph = [lines[0]]
    for above, line in itertools.pairwise(lines):
        if _parts(above, line, pitch=pitch, width=right - left, left=left, opened=len(paragraph) == 1):
            yield paragraph
            paragraph = []
        paragraph.append(line)
    yield paragraph


def _usual_pitch(lines: list[_Line]) -> float:
    steps = [
        below.box.bottom - above.box.bottom
        for above, below in itertools.pairwise(lines)
        if 0 < below.box.bottom - above.box.bottom <= _WIDEST_PITCH * max(above.size, below.size, 1.0)
    ]
    return statistics.median(steps) if steps else _PITCH * max(lines[0].size, 1.0)


def _parts(above: _Line, line: _Line, *, pitch: float, width: float, left: float, opened: bool) -> bool:
    """Say whether a new paragraph begins with `line`."""
    step = line.box.bottom - above.box.bottom
    if step > _PITCH * pitch or step <= 0 or above.bold != line.bold:
        return True
    if abs(above.size - line.size) > _SAME_SIZE * max(above.size, line.size) or begins_item(line.text):
        return True
    if _ENDS.search(above.text) is None:
        return False
    short = above.box.x1 - left < _SHORT * width
    indent = line.box.x0 - above.box.x0 > _INDENT * line.size and not opened
    return short or indent
