"""The words of the evidence that a verdict rests on, exactly as they stand there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from retrieval.types import Evidence

__all__ = ["LONGEST", "quoted"]

LONGEST: Final = 600
"""Characters of a quotation; the rest of a longer one is left out, and a mark says so."""

_BETWEEN: Final = " … "


def quoted(cited: Sequence[Evidence], windows: Sequence[Sequence[str]]) -> str | None:
    """Return the neighbouring sentences of each piece of evidence that a claim was held against, or None.

    Args:
        cited: The evidence.
        windows: Of each, the sentences as `support.best_window` gives them.
    """
    found = [text for item, window in zip(cited, windows, strict=True) if (text := _span(item.text, window))]
    whole = _BETWEEN.join(found)
    return None if not whole else whole if len(whole) <= LONGEST else whole[:LONGEST].rstrip() + "…"


def _span(text: str, window: Sequence[str]) -> str:
    """Return the text from the first of some neighbouring sentences to the end of the last, blanks and all."""
    if not window:
        return ""
    start = text.find(window[0])
    while start >= 0:  # a sentence may stand in a text more than once; its neighbours tell which one it is
        end = _end(text, start, window)
        if end is not None:
            return text[start:end]
        start = text.find(window[0], start + 1)
    return " ".join(window)


def _end(text: str, start: int, window: Sequence[str]) -> int | None:
    at = start
    for part in window:
        while at < len(text) and text[at].isspace():
            at += 1
        if not text.startswith(part, at):
            return None
        at += len(part)
    return at
