"""Reads the files of a set: JSON lines, and texts that become pages as a parser would give them."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from retrieval.parsing.page_text import CELL
from retrieval.parsing.page_text import PageText as PageBuilder
from retrieval.parsing.types import Block, BlockKind, ParsedPage

__all__ = ["flowing_page", "laid_out_page", "lines"]

_LEADERS: Final = re.compile(r"(?:\.\s?){4,}")
_GAP: Final = re.compile(r" {2,}|\t")
_PARAGRAPH: Final = re.compile(r"\n[ \t]*\n\s*")


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file of JSON lines, gzipped or not."""
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as rows:
        for row in rows:
            yield json.loads(row)


def laid_out_page(number: int, text: str) -> ParsedPage:
    """Return a page of text with layout: paragraphs, and tables where lines have gaps."""
    page = PageBuilder()
    for paragraph in _PARAGRAPH.split(_LEADERS.sub("  ", text)):
        rows = [_GAP.sub(CELL, line.strip()) for line in paragraph.split("\n") if line.strip()]
        cells = sum(CELL in row for row in rows)
        page.add(BlockKind.TABLE if 2 * cells > len(rows) else BlockKind.PARAGRAPH, "\n".join(rows))
    return page.page(number)


def flowing_page(text: str) -> ParsedPage:
    """Return a whole text as one page of paragraphs, every character at the offset that it has in `text`."""
    blocks: list[Block] = []
    at = 0
    for gap in [*(match.span() for match in _PARAGRAPH.finditer(text)), (len(text), len(text))]:
        paragraph = text[at : gap[0]]
        start = at + len(paragraph) - len(paragraph.lstrip())
        end = start + len(paragraph.strip())
        if end > start:
            blocks.append(Block(kind=BlockKind.PARAGRAPH, start=start, end=end))
        at = gap[1]
    return ParsedPage(number=1, text=text, width=0.0, height=0.0, blocks=tuple(blocks))
