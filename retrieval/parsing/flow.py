"""Cuts a format without pages into pages of about 3,000 characters, at the ends of blocks.

Most formats do not say where a page ends: that depends on paper and printer. A passage needs a place all the same, and
progress a measure, so such a document is given pages of about the length of a printed one. They have no width and
height, and their blocks no boxes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from retrieval.errors import TooManyPages
from retrieval.parsing.page_text import PageText
from retrieval.parsing.types import BlockKind, ParsedPage
from retrieval.types import Remark

__all__ = ["PAGE_CHARS", "Piece", "paginate", "remarked", "too_many_pages"]

PAGE_CHARS: Final = 3000
_HEADER: Final = PAGE_CHARS // 4  # longest first row of a table that is repeated
_REMARKS: Final = 100
_LEAST: Final = PAGE_CHARS // 4  # room on a page from which a long table begins there


@dataclass(frozen=True, slots=True)
class Piece:
    """A block before it has a page.

    `text` is clean; `level` is that of a heading, else 0; `begins_page` asks for a new page, as a sheet of a workbook
    does.
    """

    kind: BlockKind
    text: str
    level: int = 0
    begins_page: bool = False


def paginate(pieces: Iterable[Piece], *, max_pages: int) -> tuple[int, Iterator[ParsedPage]]:
    """Return the number of pages and the pages.

    A heading begins a new page rather than ending one. A block longer than a page is cut at its line ends where it has
    any, which keeps the rows of a long table whole; each part of a table begins with the table's first row, as a
    printed one does. What follows a page's first heading is never parted from it.

    Raises:
        TooManyPages: There are more than `max_pages`; told as soon as it is known.
    """
    pages, page, begun = list[ParsedPage](), PageText(), False
    for whole in pieces:
        for piece in _parts(whole, room=PAGE_CHARS - len(page)):
            full = len(page) + len(piece.text) > PAGE_CHARS and begun
            ending = piece.kind is BlockKind.HEADING and len(page) > PAGE_CHARS * 3 // 4
            if len(page) and (full or ending or piece.begins_page):
                pages.append(page.page(len(pages) + 1))
                page, begun = PageText(), False
                if len(pages) >= max_pages:
                    raise too_many_pages(max_pages)
            page.add(piece.kind, piece.text, level=piece.level)
            begun = begun or piece.kind is not BlockKind.HEADING
    if len(page) or not pages:
        pages.append(page.page(len(pages) + 1))
    return len(pages), iter(pages)


def remarked(pages: Iterator[ParsedPage], remarks: Sequence[Remark]) -> Iterator[ParsedPage]:
    """Yield the pages, with the remarks about the whole document on the first; there are never more than 100."""
    told = tuple(remarks[:_REMARKS])
    if len(remarks) > _REMARKS:
        told = (*told[:-1], Remark(code="truncated", detail=f"{len(remarks) - _REMARKS + 1} more remarks"))
    for page in pages:
        yield page.model_copy(update={"remarks": (*told, *page.remarks)}) if page.number == 1 and told else page


def too_many_pages(max_pages: int) -> TooManyPages:
    """Return the error of a document that is longer than `max_pages` made-up pages."""
    return TooManyPages(
        f"The document has more than {max_pages} pages of {PAGE_CHARS} characters.", remedy="Split the document."
    )


def _parts(piece: Piece, *, room: int) -> Iterator[Piece]:
    """Cut a piece that is longer than a page; the first part of a table takes the room that its page has left."""
    if len(piece.text) <= PAGE_CHARS:
        yield piece
        return
    rows, repeated, most = piece.text.split("\n"), list[str](), PAGE_CHARS
    if piece.kind is BlockKind.TABLE:
        repeated = rows[:1] if len(rows[0]) <= _HEADER else []
        most = room if room > _LEAST and not piece.begins_page else PAGE_CHARS
    lines, size, begins_page = list[str](), 0, piece.begins_page
    for line in rows:
        if len(lines) > len(repeated) and size + len(line) > most:
            yield Piece(piece.kind, "\n".join(lines), piece.level, begins_page)
            lines, begins_page, most = list(repeated), False, PAGE_CHARS
            size = sum(len(row) + 1 for row in lines)
        lines.append(line)
        size += len(line) + 1
    yield Piece(piece.kind, "\n".join(lines), piece.level, begins_page)
