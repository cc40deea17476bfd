"""Text that is nothing but text: what a stranger could make act, see or hide in it is taken apart, and stays readable.

Three rules, each in one place, for every way in and out:

- `visible` leaves out what a reader cannot see: control, format and unassigned characters, so zero-width ones, marks
  that turn the direction of writing, tag characters and variation selectors (OWASP LLM01:2026 asks for it at each
  boundary). Commands hide in them, and words that look alike differ by them.
- `harmless` is for a prompt: nothing in the text can pass for a citation mark, a chat-control token or the fence.
- `defang` is for a reader: pictures and links of Markdown, tags and addresses become words that no program that shows
  them renders, follows or fetches: ``https[:]//example[.]org`` as security notices write it. `Defanger` does the same
  to a text that comes in pieces, wherever it is cut.

Not covered: a reader who puts an address together again by hand; addresses without scheme and without ``www.``, which
mail programs may make into links; joiners that some scripts and emoji need are left out like all other hidden marks.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from app.answering.claims import MARK

__all__ = ["Defanger", "defang", "harmless", "visible"]

_HIDDEN: Final = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Marks that show nothing though Unicode counts them as letters or accents: joiners, fillers, variation selectors."""

_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_CHAT_TOKEN: Final = re.compile(r"<(?=\s*[|｜/!]|\s*[A-Za-z_]+\s*>)|(?<=[|｜])>|\[(?=/?INST\])", re.IGNORECASE)
_FENCE: Final = re.compile(r"[<＜‹〈]\s*/?\s*(?=passages?\b)", re.IGNORECASE)

_ACTIVE: Final = re.compile(
    r"!(?=\[)|\](?=[(:])|<(?=[A-Za-z/!?])|://|www\.(?=[^\W_])|(?:javascript|vbscript|data):(?=[A-Za-z/,;%+])",
    re.IGNORECASE,
)
_WORDS: Final = ("javascript:", "vbscript:", "data:", "www.", "://", "!", "]", "<")
_LONGEST: Final = max(map(len, _WORDS))


def visible(text: str) -> str:
    """Return a text without the characters that a reader cannot see; line ends and tabs stay."""
    if text.isascii():
        return _CONTROLS.sub("", text)
    seen = (char for char in text if char in "\n\t" or not unicodedata.category(char).startswith("C"))
    return _HIDDEN.sub("", "".join(seen))


def harmless(text: str) -> str:
    """Return foreign text so that nothing in it can pass for a citation mark, a chat-control token or the fence."""
    marked = MARK.sub(r"(\g<ids>)", visible(text))
    spaced = _CHAT_TOKEN.sub(lambda match: f"{match[0]} " if match[0] != ">" else " >", marked)
    return _FENCE.sub("(", spaced)


def defang(text: str) -> str:
    """Return a text in which no picture, link, tag or address acts in any program that shows it."""
    return _ACTIVE.sub(_apart, visible(text))


def _apart(match: re.Match[str]) -> str:
    found = match[0]
    if found == "://":
        return "[:]//"
    if len(found) == 1:
        return f"{found} "
    return f"{found[:-1]}[{found[-1]}]"


class Defanger:
    """Defangs a text that comes in pieces. The pieces given back join to what `defang` gives for the whole."""

    def __init__(self) -> None:
        self._kept = ""

    def feed(self, piece: str) -> str:
        """Take the next piece and return what nothing that follows can change; the rest is kept."""
        text = self._kept + visible(piece)
        cut = len(text) - _pending(text)
        self._kept = text[cut:]
        return _ACTIVE.sub(_apart, text[:cut])

    def flush(self) -> str:
        """Return what is kept when the text has ended."""
        text, self._kept = self._kept, ""
        return _ACTIVE.sub(_apart, text)


def _pending(text: str) -> int:
    """Return how many characters at the end could be the beginning of something active, or of several in a row."""
    held = 0
    while begun := _begun(text[: len(text) - held]):
        held += begun
    return held


def _begun(text: str) -> int:
    tail = text[-_LONGEST:].lower()
    return max((size for size in range(1, len(tail) + 1) if any(w.startswith(tail[-size:]) for w in _WORDS)), default=0)
