"""Makes text of any format plain: what a reader cannot see does not reach an index or a model.

Characters that show nothing can carry instructions past a reader (Unicode tag characters) or split a word so that no
search finds it (zero-width space). The bidirectional controls can show a text in another order than it is read by a
machine (CVE-2021-42574, "Trojan Source").

Not covered: letters of other scripts that look alike, text in the colour of the paper, joiners that emoji and some
scripts need (they are lost with the zero-width characters).
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

__all__ = ["clean", "has_words", "one_line"]

_DROPPED: Final = (
    *range(0x09),
    *range(0x0E, 0x20),
    *range(0x7F, 0x85),
    *range(0x86, 0xA0),
    0xAD,  # soft hyphen
    0x061C,
    0x180E,
    *range(0x200B, 0x2010),  # zero width, and the marks of direction
    *range(0x202A, 0x202F),
    *range(0x2060, 0x2070),
    *range(0xD800, 0xE000),  # half of a surrogate pair cannot be written as UTF-8
    *range(0xFDD0, 0xFDF0),
    *range(0xFE00, 0xFE10),  # variation selectors, each of which can stand for a byte
    0xFEFF,
    *range(0xFFF0, 0xFFFC),
    0xFFFE,
    0xFFFF,
    *range(0xE0000, 0xE0080),
    *range(0xE0100, 0xE01F0),
)

_TABLE: Final[dict[int, str | None]] = {
    **dict.fromkeys(_DROPPED),
    **dict.fromkeys((0x0B, 0x0C, 0x85, 0x2028, 0x2029), "\n"),
    **dict.fromkeys((0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F), " "),
    # Fonts often name a glyph by its ligature or its radical; nobody types these into a search.
    **{code: unicodedata.normalize("NFKC", chr(code)) for code in (*range(0xFB00, 0xFB07), *range(0x2F00, 0x2FD6))},
    0xF0B7: "\u2022",  # the bullet of the Symbol font
}

_LINE_ENDS: Final = re.compile(r"\r\n?")
_SPACES: Final = re.compile(r"\s+")
_WORD: Final = re.compile(r"[^\W_]")


def clean(text: str) -> str:
    """Return the text without control, zero-width, tag and direction characters; line ends become a line feed."""
    return _LINE_ENDS.sub("\n", text).translate(_TABLE)


def one_line(text: str) -> str:
    """Return the clean text with every run of white space made one space."""
    return _SPACES.sub(" ", clean(text)).strip()


def has_words(text: str) -> bool:
    """Say whether a text holds at least one letter, ideograph or digit."""
    return _WORD.search(text) is not None
