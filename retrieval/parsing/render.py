"""Draws a PDF page with highlights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from retrieval.parsing.types import Limits
from retrieval.types import Box

__all__ = ["render_page"]


def render_page(path: Path, page: int, *, boxes: Sequence[Box] = (), scale: float = 1.5, limits: Limits) -> bytes:
    """Return a PNG of one page."""
    raise NotImplementedError
