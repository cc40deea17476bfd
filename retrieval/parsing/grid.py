"""Writes rows with named columns as tables that keep their header on every page.

A number means something only beside its column's name, so each piece of a long table begins with the header, and a
cell without a value keeps its place. A column that no row fills is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from retrieval.parsing.clean import one_line
from retrieval.parsing.flow import PAGE_CHARS, Piece
from retrieval.parsing.page_text import CELL
from retrieval.parsing.types import BlockKind

__all__ = ["grid"]

_FULL = PAGE_CHARS - PAGE_CHARS // 5  # a piece stays short enough to share its page with the heading above it


def grid(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[Piece]:
    """Yield the table in pieces, each with the header as its first row; nothing if no cell is filled.

    Args:
        header: one name a column. All may be empty: then the rows stand alone.
        rows: cells of any text; missing cells at the end of a row are empty.
    """
    width = len(header)
    cells = [[_cell(text) for text in row[:width]] + [""] * (width - len(row)) for row in rows]
    filled = [column for column in range(width) if any(row[column] for row in cells)]
    if not filled:
        return
    names = [_cell(header[column]) for column in filled]
    head = CELL.join(names).strip() if any(names) else ""
    lines, size = list[str](), 0
    for row in cells:
        line = CELL.join(row[column] for column in filled).strip()
        if line.strip("| ") == "":
            continue
        if lines and size + len(line) > _FULL - len(head):
            yield _table(head, lines)
            lines, size = [], 0
        lines.append(line)
        size += len(line) + 1
    yield _table(head, lines)


def _table(head: str, lines: list[str]) -> Piece:
    return Piece(BlockKind.TABLE, "\n".join([head, *lines] if head else lines))


def _cell(text: str) -> str:
    """Return a cell's text on one line; a bar inside of it must not begin another cell."""
    return one_line(text).replace(CELL.strip(), "/")
