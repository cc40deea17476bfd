"""A passage together with what its reader would know about it: which document it is from, and under which headings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

__all__ = ["in_context"]

_EXTENSION: Final = re.compile(r"\.[A-Za-z0-9]{1,5}$")
_JOINT: Final = re.compile(r"[_\s]+")


def in_context(text: str, *, document: str, headings: Sequence[str]) -> str:
    """Return the text that is embedded and indexed for a passage: document name and heading path, then its own text.

    "Total revenue | 4,796" names neither company nor year; "ADOBE_2015_10K.pdf" does. Callers are shown, and cite, the
    passage's own text alone.
    """
    name = _JOINT.sub(" ", _EXTENSION.sub("", document)).strip()
    path = " > ".join([name, *headings] if name else headings)
    return f"{path}\n{text}" if path else text
