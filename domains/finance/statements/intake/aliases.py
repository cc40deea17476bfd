"""What filers call the line items of `concepts`, in English and Chinese, and how a name is looked up.

    concept_of("Net sales")      -> "revenue"
    concept_of("一、营业总收入")   -> "revenue"
    concept_of("Turnover days")  -> None
    nearest("应收帐款")           -> ("trade_receivables",)

The names stand in names.toml. One is compared without case, numbering ("一、", "(1)", "加："), notes ("(Note 5)"),
colons and blanks. Only a whole name matches; a name that merely resembles one is *offered*, never taken: "receivables,
gross" is not "receivables, net". An id of `concepts` is a name of itself, and so are its two titles.
A line that is one of several that make up an item of ours (盈余公积 and 未分配利润) stands in `PARTS`.

Not covered: names in other languages; lines that are the sum of two of ours (应收票据及应收账款) stay unmapped and are
reported.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from domains.finance.statements.concepts import CONCEPTS
from domains.finance.statements.intake.amounts import plain

__all__ = ["ALIASES", "PARTS", "concept_of", "nearest", "normal"]


_NAMES: Final[Mapping[str, Mapping[str, list[str]]]] = tomllib.loads(
    files(__package__).joinpath("names.toml").read_text(encoding="utf-8")
)

_NUMBERING: Final = re.compile(
    r"^(?:[一二三四五六七八九十]{1,3}[、.]|[(](?:[一二三四五六七八九十]{1,3}|\d{1,2}|[a-z])[)]|\d{1,2}[.、]|[*·•])\s*"
)
_LEAD: Final = re.compile(r"^(?:加|减|其中|less|add|of which|including)\s*:\s*")
_NOTE: Final = re.compile(r"\s*[(]?(?:note|notes|see note|附注|注释)\s*[\d一二三四五六七八九十,、. and]+[)]?\s*$")
_CHINESE_SIGN: Final = re.compile(r'[(][^()]*以"?-"?号填列[)]')
_QUOTES: Final = str.maketrans({"“": '"', "”": '"', "‘": "'", "`": "'"})

_LONGEST: Final = 160
_OFFERED: Final = 3
_LIKE: Final = 0.75
"""Least similarity of a name that is offered: one wrong letter or ideograph in a short name still passes. Offering too
much costs a glance, and nothing is taken because of it."""


def normal(label: str) -> str:
    """Return a label in the form in which labels are compared."""
    text = plain(label[:_LONGEST].translate(_QUOTES)).lower()
    text = _CHINESE_SIGN.sub("", _NOTE.sub("", text))
    text = _LEAD.sub("", _NUMBERING.sub("", text))
    text = text.strip(" :;.,_")
    return re.sub(r"(?<![a-z0-9&]) | (?![a-z0-9&(])", "", text)


def _read() -> dict[str, str]:
    found: dict[str, str] = {}

    def put(name: str, concept: str) -> None:
        key = normal(name)
        if found.setdefault(key, concept) != concept:
            raise ValueError(f"the name {name!r} stands for {found[key]} and for {concept}")

    for concept in CONCEPTS.values():
        for name in (concept.id, *concept.titles.values()):
            put(name, concept.id)
    for concept_id, names in _NAMES["items"].items():
        for name in names:
            put(name, CONCEPTS[concept_id].id)
    return found


ALIASES: Final[Mapping[str, str]] = MappingProxyType(_read())
"""The id of a line item by each of its names in normal form."""


PARTS: Final[Mapping[str, str]] = MappingProxyType(
    {normal(name): concept for concept, names in _NAMES["parts"].items() for name in names}
)
"""The item that a line is one part of, by the line's name in normal form."""


def concept_of(label: str) -> str | None:
    """Return the line item that a label names, or None."""
    return ALIASES.get(normal(label))


def nearest(label: str) -> tuple[str, ...]:
    """Return the line items whose names resemble a label, best first, to be offered to whoever wrote it."""
    close = difflib.get_close_matches(normal(label), ALIASES, n=3 * _OFFERED, cutoff=_LIKE)
    return tuple(dict.fromkeys(ALIASES[name] for name in close))[:_OFFERED]
