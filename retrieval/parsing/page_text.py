"""Builds the text of one page and, beside it, the blocks that say where each part of it stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from retrieval.parsing.types import Block, BlockKind, ParsedPage
from retrieval.types import Box

__all__ = ["CELL", "PageText"]

CELL: Final = " | "
"""Stands between two cells of a table row."""

_BETWEEN: Final = "\n\n"


class PageText:
    """A page that grows block by block. Blocks are parted by an empty line."""

    def __init__(self) -> None:
        self._text = ""
        self._blocks: list[Block] = []

    def __len__(self) -> int:
        return len(self._text)

    @property
    def count(self) -> int:
        """How many blocks were added."""
        return len(self._blocks)

    def add(
        self,
        kind: BlockKind,
        text: str,
        *,
        level: int = 0,
        boxes: Sequence[Box] = (),
        lines: Sequence[int] = (),
    ) -> None:
        """Append a block of clean text; `lines` are offsets into `text` itself. Text of spaces only is left out."""
        if not text.strip():
            return
        if self._text:
            self._text += _BETWEEN
        start = len(self._text)
        self._text += text
        self._blocks.append(
            Block(
                kind=kind,
                start=start,
                end=start + len(text),
                boxes=tuple(boxes),
                level=level,
                lines=tuple(start + line for line in lines),
            )
        )

    def page(self, number: int, *, width: float = 0.0, height: float = 0.0) -> ParsedPage:
        """Return what was added so far as a page."""
        return ParsedPage(number=number, text=self._text, width=width, height=height, blocks=tuple(self._blocks))
