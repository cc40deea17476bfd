"""Cuts a parsed document into passages."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from retrieval.parsing.types import ParsedDocument
from retrieval.types import Box

__all__ = ["Chunk", "chunk"]


class Chunk(BaseModel):
    """A passage before it has an identity."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    page: int
    start: int
    end: int
    boxes: tuple[Box, ...]
    headings: tuple[str, ...]
    language: str


def chunk(document: ParsedDocument, *, words: int = 160) -> list[Chunk]:
    """Cut a document into passages of about `words` words."""
    raise NotImplementedError
