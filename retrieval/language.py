"""Which of the two supported languages a text is in: Chinese or English.

Counting ideographs is enough to choose a tokenizer and the language of a reply; it is no general language detector.
"""

from __future__ import annotations

import re
from typing import Final, Literal

__all__ = ["CJK", "Language", "language_of"]

Language = Literal["en", "zh"]

CJK: Final = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
"""One Han ideograph: Unicode's unified block, extension A and the compatibility block."""

_LATIN_WORD: Final = re.compile(r"[A-Za-z]+")


def language_of(text: str) -> Language:
    """Return "zh" when the text has at least as many ideographs as half of its Latin words, else "en"."""
    return "zh" if 2 * len(CJK.findall(text)) > len(_LATIN_WORD.findall(text)) else "en"
