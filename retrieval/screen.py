"""Which passages are kept out of every search, because they speak to the assistant and not to the reader.

A passage is withheld when it holds a command to a language model: to drop its instructions, to become another, to show
its hidden prompt, to keep something from the user; when it addresses an assistant by name with an imperative; when it
holds the marks of a chat template or a call of a tool; when a picture's address would carry data away; or when such a
command is written in base64, hexadecimal or binary digits. What it says is judged clause by clause: "the Bank may
disregard prior instructions of the Borrower" has a subject and names whose instructions they are, a command has not.
A phrase in quotation marks after words like "such as" or "attack" is a mention, as a security policy has it.

Not covered: commands that only ask for a task ("write a poem", "answer in French"), which no pattern tells from a
document's own text; paraphrase; other languages than English and Chinese but for a few set phrases; text in pictures.
A screen lowers the number of attacks that arrive; it never proves that a passage is harmless.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from retrieval.screen_patterns import COMMANDS, LINKS, MARKERS, MENTIONS

__all__ = ["screen"]

INSTRUCTION: Final = "instruction_like"
MARKER: Final = "role_marker"
LINK: Final = "exfiltration_link"
ENCODED: Final = "encoded_instruction"

_LONGEST: Final = 100_000  # characters of a passage that are looked at; passages have about a thousand

_QUOTES: Final = {'"': '"', "“": "”", "'": "'", "‘": "’", "«": "»", "`": "`", "「": "」"}
_ALIKE: Final = str.maketrans("аеорсухіјѕԁɡӏ", "aeopcyxijsdgl")  # Cyrillic and others that look like Latin letters
_SPACED: Final = re.compile(r"\b(?:\w[ .\-_]){4,}\w\b")
_BASE64: Final = re.compile(r"(?<![\w+/=])[A-Za-z0-9+/]{24,}={0,2}(?![\w+/=])")
_HEX: Final = re.compile(r"(?<!\w)(?:[0-9a-fA-F]{2}){16,}(?!\w)")
_BINARY: Final = re.compile(r"(?<!\w)(?:[01]{8}\s?){8,}(?!\w)")
_LONG_WORD: Final = 24  # characters of the shortest word that is decoded
_READABLE: Final = 0.9  # share of the characters of a decoded text that are letters, marks or spaces
_DECODED: Final = 8  # texts of one passage that are decoded
_IMPERATIVE: Final = re.compile(
    r"\b(?:ignore|disregard|forget|say|print|reply|respond|state|tell|output|send|visit|click|your account)\b"
)


def screen(text: str) -> str | None:
    """Return the reason why a passage is withheld, as the code of a `Remark`, or None when it may be found."""
    text = text[:_LONGEST]
    plain = _plain(text)
    if any(char in plain for char in "<[{#") and any(marker.search(plain) for marker in MARKERS):
        return MARKER
    if any(link.search(plain) for link in LINKS):
        return LINK
    if _commands(plain):
        return INSTRUCTION
    for hidden in _decoded(text):
        lowered = _plain(hidden)
        if _commands(lowered) or _IMPERATIVE.search(lowered):
            return ENCODED
    return None


def _plain(text: str) -> str:
    """Return a text as it is matched: in lower case, without other forms of letters and without odd spaces."""
    if text.isascii():
        plain = text.lower()
    else:
        plain = unicodedata.normalize("NFKC", text).lower().translate(_ALIKE).replace("’", "'")
    return _SPACED.sub(lambda found: re.sub(r"[ .\-_]", "", found.group()), plain)


def _commands(plain: str) -> bool:
    return any(
        not _mentioned(plain, found.start(), found.end())
        for group in COMMANDS
        if any(word in plain for word in group.words)
        for pattern in group.patterns
        for found in pattern.finditer(plain)
    )


def _mentioned(plain: str, start: int, end: int) -> bool:
    """Say whether a phrase is named and not used: it stands in quotation marks, after words that announce a mention."""
    while start < end and plain[start].isspace():
        start += 1
    opening = start if plain[start] in _QUOTES else start - 1
    if opening < 0 or plain[opening] not in _QUOTES:
        return False
    closing = plain.find(_QUOTES[plain[opening]], opening + 1)
    return end - 1 <= closing <= end + 60 and MENTIONS.search(plain[max(0, opening - 80) : opening]) is not None


def _decoded(text: str) -> Iterator[str]:
    """Yield the texts that are written in base64, hexadecimal or binary digits."""
    long = max(map(len, text.split()), default=0) >= _LONG_WORD
    patterns = ((_BASE64, 64), (_HEX, 16), (_BINARY, 2)) if long else ((_BINARY, 2),)
    found = [(match.group(), kind) for pattern, kind in patterns for match in pattern.finditer(text)]
    for written, kind in found[:_DECODED]:
        try:
            raw = _bytes(written, kind)
            decoded = raw.decode("utf-8")
        except (ValueError, binascii.Error):
            continue
        letters = sum(char.isalpha() or char.isspace() or char in ".,:;!?'\"-()/" for char in decoded)
        if " " in decoded and letters >= _READABLE * len(decoded):
            yield decoded


def _bytes(written: str, kind: int) -> bytes:
    if kind == 64:
        return base64.b64decode(written + "=" * (-len(written) % 4), validate=True)
    digits = re.sub(r"[^0-9a-fA-F]", "", written)
    return bytes.fromhex(digits) if kind == 16 else int(digits, 2).to_bytes(len(digits) // 8, "big")
