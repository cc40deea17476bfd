"""Cuts a format without pages into pages of about 3,000 characters, at the ends of blocks.

DOCX, HTML, Markdown and plain text do not say where a page ends: that depends on paper and printer. A passage needs a
place all the same, and progress a measure, so such a document is given pages of about the length of a printed one.
They have no width and height, and their blocks no boxes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from retrieval.errors import TooManyPages
from retrieval.parsing.page_text import PageText
from retrieval.parsing.types import BlockKind, ParsedPage

__all__ = ["PAGE_CHARS", "Piece", "paginate"]

PAGE_CHARS: Final = 3000


@dataclass(frozen=True, slots=True)
class Piece:
    """A block before it has a page. `text` is clean; `level` is that of a heading, else 0."""

    kind: BlockKind
    text: str
    level: int = 0


def paginate(pieces: Iterable[Piece], *, max_pages: int) -> tuple[int, Iterator[ParsedPage]]:
    """Return the number of pages and the pages.

    A heading begins a new page rather than ending one. A block longer than a page is cut at its line ends where it has
    any, which keeps the rows of a long table whole.

    Raises:
        TooManyPages: There are more than `max_pages`; told as soon as it is known.
    """
    pages, page = list[ParsedPage](), PageText()
    for piece in (part for whole in pieces for part in _parts(whole)):
        full = len(page) + len(piece.text) > PAGE_CHARS
        ending = piece.kind is BlockKind.HEADING and len(page) > PAGE_CHARS * 3 // 4
        if len(page) and (full or ending):
            pages.append(page.page(len(pages) + 1))
            page = PageText()
            if len(pages) >= max_pages:
                raise TooManyPages(
                    f"The document has more than {max_pages} pages of {PAGE_CHARS} characters.",
                    remedy="Split the document.",
                )
        page.add(piece.kind, piece.text, level=piece.level)
    if len(page) or not pages:
        pages.append(page.page(len(pages) + 1))
    return len(pages), iter(pages)


def _parts(piece: Piece) -> Iterator[Piece]:
    if len(piece.text) <= PAGE_CHARS:
        yield piece
        return
    lines, size = list[str](), 0
    for line in piece.text.split("\n"):
        if lines and size + len(line) > PAGE_CHARS:
            yield Piece(piece.kind, "\n".join(lines), piece.level)
            lines, size = [], 0
        lines.append(line)
        size += len(line) + 1
    yield Piece(piece.kind, "\n".join(lines), piece.level)
