"""Joins the lines of a paragraph to running text, and undoes the hyphens that stand only for a line's end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

__all__ = ["join_lines", "words_of"]

_WIDE: Final = re.compile(r"[\u3000-\u303f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef]")
_HYPHENATED: Final = re.compile(r"([^\W\d_]{2,})-$")
_FIRST_WORD: Final = re.compile(r"[^\W\d_]+")
_WORDS: Final = re.compile(r"[^\W_]+(?:-[^\W_]+)*")

_COMPOUND: Final = frozenset(
    {"cross", "fair", "first", "fixed", "full", "half", "high", "large", "long", "low", "mid", "non", "one", "peer"}
    | {"quasi", "risk", "second", "self", "semi", "short", "single", "small", "third", "three", "two", "well", "zero"}
)
"""First parts that keep their hyphen when the page does not tell: "long-term", "non-current", "risk-weighted"."""

_SYLLABLE: Final = 3  # letters after the hyphen up to which a first part is no word of its own: "low-er", "high-est"


def words_of(text: str) -> frozenset[str]:
    """Return the lower-case words of a text, those with a hyphen whole."""
    return frozenset(word.lower() for word in _WORDS.findall(text))


def join_lines(lines: Sequence[str], *, vocabulary: frozenset[str]) -> tuple[str, list[int]]:
    """Join lines, and return the text with the offset at which each line begins in it.

    Chinese lines are joined without a space. A hyphen at the end of a line goes when the next line begins in lower
    case, unless the page writes the word with its hyphen elsewhere or its first part usually keeps it.
    """
    text, starts = "", list[int]()
    for line in lines:
        if text:
            text = _join(text, line, vocabulary)
        starts.append(len(text))
        text += line
    return text, starts


def _join(text: str, line: str, vocabulary: frozenset[str]) -> str:
    """Return `text` as it must end for `line` to follow."""
    if text.endswith("-") and text[-2:-1].isalnum() and line[:1].islower():
        return text[:-1] if _is_line_end_hyphen(text, line, vocabulary) else text
    if text.endswith(("-", "/")) and line[:1].isalnum() and text[-2:-1].isalnum():
        return text
    if _WIDE.match(text[-1:]) and _WIDE.match(line[:1]):
        return text
    return text + " "


def _is_line_end_hyphen(text: str, line: str, vocabulary: frozenset[str]) -> bool:
    before, after = _HYPHENATED.search(text[-40:]), _FIRST_WORD.match(line)
    if before is None or after is None:
        return False
    first, second = before.group(1).lower(), after.group().lower()
    if first + second in vocabulary:
        return True
    if f"{first}-{second}" in vocabulary:
        return False
    return first not in _COMPOUND or len(second) <= _SYLLABLE
