"""Turns bytes into text: by byte order mark, then UTF-8, then what the document declares, then by its statistics."""

from __future__ import annotations

import codecs
import re
from typing import Final

import charset_normalizer

from retrieval.errors import DamagedFile

__all__ = ["decode"]

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark begins it
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED: Final = re.compile(rb"charset\s*=\s*[\"']?\s*([A-Za-z0-9_-]{2,20})", re.IGNORECASE)
_SUPERSET: Final = {"gb2312": "gb18030", "gbk": "gb18030", "big5": "big5hkscs", "iso-8859-1": "cp1252"}
_GUESSED: Final = ["gb18030", "big5hkscs", "cp1252", "utf_16_le", "utf_16_be", "shift_jis", "euc_kr", "cp1251"]
_SAMPLE: Final = 1 << 16


def decode(data: bytes, *, declared: bool = False, charset: str | None = None) -> str:
    """Decode the bytes of a text file.

    Args:
        data: The whole file.
        declared: Whether to believe a `charset=` near the beginning, as HTML writes it.
        charset: The encoding that something outside of the bytes names, as a mail does; it is tried before UTF-8,
            since the encodings of seven bits look like UTF-8.

    Raises:
        DamagedFile: No encoding fits the bytes.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _strictly(data, encoding)
    named = _DECLARED.search(data[:4096]) if declared else None
    names = (charset, "utf-8", named.group(1).decode("ascii") if named else None)
    for name in filter(None, names):
        try:
            return data.decode(_SUPERSET.get(name.lower(), name))
        except (LookupError, ValueError):
            pass  # the next in line is asked; a declaration may be wrong, or no name of an encoding at all
    return _strictly(data, _guess(data))


def _guess(data: bytes) -> str:
    sample = data[:_SAMPLE]
    if len(data) > _SAMPLE:
        sample = sample[: sample.rfind(b"\n") + 1] or sample  # a line end never stands inside a character
    match = charset_normalizer.from_bytes(sample, cp_isolation=_GUESSED).best()
    return match.encoding if match is not None else "gb18030"


def _strictly(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise DamagedFile(
            "The text is in no encoding that is known here.", remedy="Save it as UTF-8 and add it again."
        ) from error
