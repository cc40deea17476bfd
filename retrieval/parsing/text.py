"""Reads plain text: paragraphs are parted by empty lines, or by every line end where there are no empty lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from retrieval.parsing.clean import clean
from retrieval.parsing.decode import decode
from retrieval.parsing.flow import Piece, paginate, remarked
from retrieval.parsing.lines import join_lines, words_of
from retrieval.parsing.marks import begins_item
from retrieval.parsing.smuggled import smuggled
from retrieval.parsing.types import BlockKind, ParsedPage

__all__ = ["pieces_of", "read"]

_EMPTY_LINES: Final = re.compile(r"\n[ \t]*\n\s*")
_WRAPPED: Final = 100  # characters; text with longer lines was not wrapped by hand


def read(path: Path, *, max_pages: int) -> tuple[int, Iterator[ParsedPage]]:
    """Return the number of pages and the pages, which are cut as `retrieval.parsing.flow` says."""
    text = decode(path.read_bytes())
    total, pages = paginate(pieces_of(clean(text)), max_pages=max_pages)
    return total, remarked(pages, smuggled(text))


def pieces_of(text: str) -> Iterator[Piece]:
    """Yield the paragraphs and list items of a clean text."""
    paragraphs = _EMPTY_LINES.split(text)
    if len(paragraphs) == 1 or max(map(len, text.split("\n"))) > _WRAPPED:
        paragraphs = text.split("\n")
    for paragraph in paragraphs:
        lines = [line.strip() for line in paragraph.split("\n") if line.strip()]
        for joined in _items(lines):
            kind = BlockKind.LIST_ITEM if begins_item(joined) else BlockKind.PARAGRAPH
            yield Piece(kind, joined)


def _items(lines: list[str]) -> Iterator[str]:
    """Join the lines of a paragraph, beginning anew at each list item."""
    item = list[str]()
    for line in lines:
        if item and begins_item(line):
            yield _joined(item)
            item = []
        item.append(line)
    if item:
        yield _joined(item)


def _joined(lines: list[str]) -> str:
    return join_lines(lines, vocabulary=words_of("\n".join(lines)))[0]
