"""What marks the beginning of a list item, in English and Chinese."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["begins_item", "is_marker"]

_MARKER: Final = (
    r"(?:[\u2022\u25e6\u25aa\u2023\u00b7\u25cf\u25cb\u25a0\u2013\u2014*-]"
    r"|[(（]?(?:\d{1,3}|[a-zA-Z]|[ivx]{1,5})[.)）]"
    r"|[(（]?[一二三四五六七八九十]{1,3}[、)）])"
)
_ITEM: Final = re.compile(rf"{_MARKER}\s+\S|[(（]?(?:[一二三四五六七八九十]{{1,3}}|\d{{1,3}})[、）]\S")
_ONLY: Final = re.compile(_MARKER)


def begins_item(line: str) -> bool:
    """Say whether a line begins with a bullet or an item's number, with text after it."""
    return _ITEM.match(line) is not None


def is_marker(text: str) -> bool:
    """Say whether a text is nothing but a bullet or an item's number."""
    return _ONLY.fullmatch(text) is not None
