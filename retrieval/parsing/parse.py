"""Reads one file in a limited child process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from retrieval.parsing.types import Limits, ParsedDocument

__all__ = ["parse"]


def parse(path: Path, *, name: str, limits: Limits, report: Callable[[int, int], None] | None = None) -> ParsedDocument:
    """Read a file into pages."""
    raise NotImplementedError
