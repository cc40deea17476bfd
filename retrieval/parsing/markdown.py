"""Reads Markdown (CommonMark with tables): what it means, without its marks. Raw HTML in it is read as HTML.

Not covered: front matter, footnotes and other extensions, which come out as the text they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

from retrieval.parsing.clean import clean, one_line
from retrieval.parsing.decode import decode
from retrieval.parsing.flow import Piece, paginate, remarked
from retrieval.parsing.html import pieces_of
from retrieval.parsing.page_text import CELL
from retrieval.parsing.smuggled import smuggled
from retrieval.parsing.types import BlockKind, ParsedPage

__all__ = ["read"]

_BREAKS: Final = frozenset({"softbreak", "hardbreak"})
_SHOWN: Final = frozenset({"text", "code_inline"})


def read(path: Path, *, max_pages: int) -> tuple[int, Iterator[ParsedPage]]:
    """Return the number of pages and the pages, which are cut as `retrieval.parsing.flow` says."""
    text = decode(path.read_bytes())
    tokens = MarkdownIt("commonmark").enable("table").parse(clean(text))
    total, pages = paginate(_pieces(tokens), max_pages=max_pages)
    return total, remarked(pages, smuggled(text))


def _pieces(tokens: Sequence[Token]) -> Iterator[Piece]:
    level, lists, table = 0, 0, list[Token]()
    for token in tokens:
        if token.type == "table_close":
            yield Piece(BlockKind.TABLE, _rows(table))
            table = []
        elif table or token.type == "table_open":
            table.append(token)
        elif token.type in ("heading_open", "heading_close"):
            level = int(token.tag[1:]) if token.nesting == 1 else 0
        elif token.type in ("list_item_open", "list_item_close"):
            lists += token.nesting
        elif token.type == "inline":
            kind = BlockKind.LIST_ITEM if lists else BlockKind.PARAGRAPH
            yield Piece(BlockKind.HEADING if level else kind, _shown(token), level)
        elif token.type in ("fence", "code_block"):
            yield Piece(BlockKind.PARAGRAPH, token.content.strip("\n"))
        elif token.type == "html_block":
            yield from pieces_of(token.content)


def _rows(tokens: Sequence[Token]) -> str:
    rows = list[list[str]]()
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and rows:
            rows[-1].append(_shown(token))
    return "\n".join(CELL.join(cell for cell in cells if cell) for cells in rows)


def _shown(token: Token) -> str:
    """Return what a reader sees of a line: no marks, no addresses of links, no HTML tags; pictures by their words."""
    text = list[str]()
    for child in token.children or ():
        if child.type in _BREAKS:
            text.append(" ")
        elif child.type in _SHOWN:
            text.append(child.content)
        elif child.type == "image":
            text.append(_shown(child))
    return one_line("".join(text))
