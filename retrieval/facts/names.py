"""Names of companies, in the forms in which people write them.

"AMERICAN WATER WORKS COMPANY, INC." is asked for as American Water Works, "The Coca-Cola Company" as Coca Cola, "Foot
Locker, Inc." as Footlocker, 青禾纸业股份有限公司 as 青禾纸业. So names are compared without their legal form, their
punctuation and their spaces.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from retrieval.language import CJK

__all__ = ["GENERIC", "core_of", "joined", "short_forms_in", "tokens_of"]

_TOKEN: Final = re.compile(rf"{CJK.pattern}+|[^\W_]+")
_LEGAL_LIST: Final = """
    ab ag asa bv co company companies corp corporation gmbh group holding holdings inc incorporated international
    limited llc llp lp ltd na nv oyj plc pte pty sa se spa subsidiaries the and trust
"""
_LEGAL: Final = frozenset(_LEGAL_LIST.split())
_LEGAL_HAN: Final = re.compile(
    r"(?:股份有限公司|有限责任公司|集团有限公司|控股有限公司|集团公司|有限公司|股份公司|总公司|公司)+$"
)
_PLACE_HAN: Final = re.compile(r"[（(][^（）()]{1,6}[）)]")

_GENERIC_LIST: Final = """
    advanced agreement america american annual asia asian associated at bank best big block british capital central
    china chinese city commercial consolidated contract data day digital direct document draft eagle east eastern
    energy enterprise eu euro europe european exhibit federal file final financial first form fourth free general
    global gold golden great green group health home image in industrial industries infra inter international
    invoice key letter life local main market medical memo micro mid modern my national net new next north northern
    note notes old on one open our pacific page part people policy power premier prime pro public q1 q2 q3 q4
    quarterly red regional report reports royal safe scan second service services silver smart social south southern
    special square standard state statement sun super target technology third top total trade trans union united
    universal up us usa value version vision water west western white world
"""
GENERIC: Final = frozenset(_GENERIC_LIST.split())
"""Words that begin the names of many companies, or that are words of everyday: alone they name none."""


def tokens_of(text: str) -> list[str]:
    """Return the words of a text in lower case, each run of ideographs as one, without possessive endings."""
    plain = re.sub(r"['’]s\b", "", unicodedata.normalize("NFKC", text))
    return [token.lower() for token in _TOKEN.findall(plain)]


def joined(tokens: Sequence[str]) -> str:
    """Return words as one, which is how names are compared."""
    return "".join(tokens)


def core_of(name: str) -> tuple[str, ...]:
    """Return the words of a name without its legal form; all of them when nothing else is left.

    "The" and the like go at both ends only: "Bank of the West" keeps its own.
    """
    tokens = tokens_of(_PLACE_HAN.sub("", name))
    words = [_LEGAL_HAN.sub("", token) or token for token in tokens]
    start, end = 0, len(words)
    while start < end and words[start] in ("the", "and"):
        start += 1
    while end > start and (
        words[end - 1] in _LEGAL or (len(words[end - 1]) == 1 and words[end - 1].isalpha() and end > 2)
    ):
        end -= 1
    return tuple(words[start:end] or tokens)


def short_forms_in(text: str, name: str) -> list[str]:
    """Return the names that a text itself gives a company: contractions and initials that it uses again and again.

    A contraction takes the beginnings of the first two words, at least two letters each ("Amex", "FedEx"); initials
    take the first letter of each of three words or more. A Chinese name of four characters is shortened to its first
    and last (招行), a longer one to its first four. The text must use a form at least three times.
    """
    if CJK.match(name):
        return _short_forms_han(text, core_of(name)[0])
    words = [word for word in core_of(name) if word.isascii() and word.isalpha()]
    if len(words) < 2:
        return []
    patterns = []
    if all(len(word) > 3 for word in words[:2]):
        first, second = (_beginnings(word) for word in words[:2])
        patterns.append(rf"\b(?i:{first})(?i:{second})\b")
    if len(words) > 2:
        patterns.append(rf"\b{''.join(word[0].upper() for word in words)}\b")
    found = []
    for pattern in patterns:
        uses = [use for use in re.findall(pattern, text) if use[0].isupper() and use.lower() not in words]
        if len(uses) >= 3:
            found.append(max(set(uses), key=lambda use: (uses.count(use), use)))
    return found


def _short_forms_han(text: str, core: str) -> list[str]:
    if len(core) == 4:
        form, pattern = core[0] + core[3], re.escape(core[0] + core[3])
    elif len(core) > 4:
        form, pattern = core[:4], f"{core[:4]}(?!{core[4]})"
    else:
        return []
    return [form] if len(re.findall(pattern, text)) >= 3 else []


def _beginnings(word: str) -> str:
    """Return a pattern of two to four first letters."""
    return f"{word[:2]}(?:{word[2]}(?:{word[3]})?)?"
