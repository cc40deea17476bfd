"""Reads the colours that documents write, and says which two are one to a reader."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["WHITE", "Colour", "colour_of", "near"]

Colour = tuple[int, int, int]
"""Red, green and blue, each from 0 to 255."""

WHITE: Final[Colour] = (255, 255, 255)

_NEAR: Final = 24  # of 255 in each channel: closer colours have a contrast below 1.3
_NAMED: Final[dict[str, Colour]] = {
    "white": WHITE,
    "snow": (255, 250, 250),
    "ivory": (255, 255, 240),
    "whitesmoke": (245, 245, 245),
    "ghostwhite": (248, 248, 255),
    "floralwhite": (255, 250, 240),
    "black": (0, 0, 0),
    "red": (255, 0, 0),
    "green": (0, 128, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "gray": (128, 128, 128),
    "grey": (128, 128, 128),
    "silver": (192, 192, 192),
    "navy": (0, 0, 128),
}
_HEX: Final = re.compile(r"#?([0-9a-f]{3}|[0-9a-f]{6})(?:[0-9a-f]|[0-9a-f]{2})?", re.IGNORECASE)
_RGB: Final = re.compile(r"rgba?\(\s*(\d{1,3})\s*[, ]\s*(\d{1,3})\s*[, ]\s*(\d{1,3})\s*[,/)]", re.IGNORECASE)


def colour_of(written: str) -> Colour | None:
    """Return the colour of "#fff", "FFFFFF", "rgb(255, 255, 255)" or a common name, or None for another text."""
    text = written.strip().lower()
    if text in _NAMED:
        return _NAMED[text]
    if found := _RGB.match(text):
        red, green, blue = (min(int(part), 255) for part in found.groups())
        return red, green, blue
    if found := _HEX.fullmatch(text):
        digits = found.group(1) if len(found.group(1)) == 6 else "".join(char * 2 for char in found.group(1))
        return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)
    return None


def near(one: Colour, other: Colour) -> bool:
    """Say whether a reader cannot tell letters of one colour from a ground of the other."""
    return max(abs(a - b) for a, b in zip(one, other, strict=True)) <= _NEAR
