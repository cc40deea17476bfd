"""What every parser returns: pages of clean text, cut into blocks that know where they stand on the page.

The values are frozen pydantic models, because they cross a process border: the child that reads a hostile file writes
them as JSON, and the parent validates them again before it trusts a single offset.
"""

from __future__ import annotations

import itertools
from enum import StrEnum
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from retrieval.types import Box, Remark

__all__ = [
    "CCDA",
    "CSV",
    "DOCX",
    "EML",
    "FHIR",
    "HTML",
    "JSON",
    "MARKDOWN",
    "PDF",
    "PPTX",
    "TEXT",
    "XLSX",
    "Block",
    "BlockKind",
    "Limits",
    "ParsedDocument",
    "ParsedPage",
]

PDF: Final = "application/pdf"
DOCX: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX: Final = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV: Final = "text/csv"
HTML: Final = "text/html"
EML: Final = "message/rfc822"
JSON: Final = "application/json"
MARKDOWN: Final = "text/markdown"
TEXT: Final = "text/plain"
FHIR: Final = "application/fhir+json"
CCDA: Final = "application/hl7-cda+xml"


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BlockKind(StrEnum):
    """What a run of text is on its page."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST_ITEM = "list_item"
    TABLE = "table"


class Block(_Value):
    """A heading, paragraph, list item or table on one page.

    `start` and `end` are half-open offsets into the text of the page. `boxes` holds one box a line and `lines` the
    offset at which the text of each of these lines begins; both are empty for formats without a layout. A table has
    one row a line of text, its cells separated by " | ". `level` is 1 for the outermost heading and 0 for all else.
    """

    kind: BlockKind
    start: int = Field(ge=0)
    end: int = Field(ge=0)
    boxes: tuple[Box, ...] = ()
    level: int = Field(default=0, ge=0)
    lines: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end < self.start:
            raise ValueError("a block ends before it starts")
        if len(self.lines) != len(self.boxes):
            raise ValueError("a block has as many line offsets as boxes")
        if any(not self.start <= line < self.end for line in self.lines):
            raise ValueError("a line lies outside its block")
        return self


class ParsedPage(_Value):
    """One page: `number` counts from 1; `width` and `height` are points as shown, 0 for formats without pages.

    Blocks are in reading order, do not overlap, and cover every character of `text` that is not a space. `remarks` are
    what a reader of the document should know about this page, such as text on it that no reader sees.
    """

    number: int = Field(ge=1)
    text: str
    width: float = Field(ge=0, allow_inf_nan=False)
    height: float = Field(ge=0, allow_inf_nan=False)
    blocks: tuple[Block, ...]
    remarks: tuple[Remark, ...] = ()

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.blocks and self.blocks[-1].end > len(self.text):
            raise ValueError("a block ends after its page")
        if any(after.start < before.end for before, after in itertools.pairwise(self.blocks)):
            raise ValueError("the blocks of a page overlap")
        return self


class ParsedDocument(_Value):
    """A whole file: its media type by content, and its pages in order. Pages without text are kept, to keep numbers."""

    media_type: str
    pages: tuple[ParsedPage, ...]


class Limits(_Value):
    """What reading one file may cost.

    `max_bytes` and `max_pages` are told before anything is parsed; `timeout_s` is wall-clock seconds and `memory_mb`
    the address space of the child process in MiB, of which the interpreter and a parser take about 60.
    """

    max_bytes: int = Field(gt=0)
    max_pages: int = Field(gt=0)
    timeout_s: float = Field(gt=0)
    memory_mb: int = Field(gt=0)
