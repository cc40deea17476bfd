"""Finds characters that show nothing in numbers or kinds that carry a message.

`retrieval.parsing.clean` drops them everywhere. A single zero-width space is how web pages break lines and no remark
is due; tag characters, which mirror ASCII and which nothing else needs any more, and long rows of zero-width
characters or variation selectors, each of which can stand for a byte, are there to be read by a machine.
"""

from __future__ import annotations

import re
from typing import Final

from retrieval.types import Remark

__all__ = ["count_smuggled", "smuggled"]

_FLAG: Final = re.compile("\U0001f3f4[\U000e0061-\U000e007a]{2,6}\U000e007f")  # the flags of Scotland and its like
_CARRIERS: Final = re.compile(
    "[\U000e0000-\U000e007f]+|[\u200b-\u200f\u2060-\u2064\ufe00-\ufe0f\ufeff\U000e0100-\U000e01ef]{8,}"
)


def count_smuggled(text: str) -> int:
    """Return how many characters of a text show nothing and look like a message."""
    if text.isascii():
        return 0
    return sum(len(found) for found in _CARRIERS.findall(_FLAG.sub("", text)))


def smuggled(text: str) -> list[Remark]:
    """Return what is to be said of a text before it is cleaned: how many such characters it holds, if any."""
    count = count_smuggled(text)
    return [Remark(code="hidden_text", detail=f"{count} characters that show nothing")] if count else []
