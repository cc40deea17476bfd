"""Proves a sentence: every figure in it is read back from the text and computed anew from the cells.

    prove(spoken.text, spoken.said, statements)      -> None, or the reason for which the sentence must go
    prove_free(text, allowed, statements)            -> the same for words that a model wrote

`prove` is for sentences that code made: their figures must stand in the order in which they were said, each with the
decimals, unit, currency and direction that its kind has. `prove_free` is for a model's sentences: each figure must be
one of the allowed quantities, with no more precision lost than to two significant digits, and neither the direction
words nor a number in words may say what no quantity says.

The text alone is believed in nothing: a digit that belongs to no figure that could be read, in any script, fails it.
The cells are the only source: change one that a figure rests on and the sentence fails.

Not covered: what a sentence says beside its figures and directions ("because of the new warehouse").
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from domains.finance.statements.narrative.recompute import median, recompute
from domains.finance.statements.narrative.spoken import DECIMALS, Kind, Quantity, Said, label, rounded
from domains.finance.statements.types import Period, Statements
from retrieval.language import Language

__all__ = ["prove", "prove_free"]

_DOWN: Final = r"down|fell|fall(?:s|en|ing)?|decreas\w*|declin\w*|dropp?\w*|下降|减少|下滑|降低|跌"
_UP: Final = r"up|rose|ris(?:es|en|ing|e)|increas\w*|gr(?:ew|ow\w*)|climb\w*|上升|增加|增长|提高|涨"
_FIGURE: Final = re.compile(
    rf"""(?P<date>(?<!\d)\d{{4}}-\d{{2}}-\d{{2}}(?!\d))
      | (?P<year>(?<![\d-])(?<!\d[.,])(?:19|20)\d\d(?![\d.,]\d|\d)
            (?!\s?(?:%|个|天|倍|亿|万|元|days|[mb]illion|thousand)))年?
      | (?:(?P<down>(?:{_DOWN})\s?(?:by\s)?(?:了)?)|(?P<up>(?:{_UP})\s?(?:by\s)?(?:了)?))?
        (?P<currency>[A-Z]{{3}}\s)?
        (?P<sign>-)?(?P<figures>(?:\d{{1,3}}(?:,\d{{3}})+|\d+)(?:\.\d+)?)
        \s?(?P<unit>%|percentage\ points|个百分点|million|thousand|billion|亿|万|days|天|个月|months)?
        \s?(?P<name>元|美元|港元|欧元|英镑|日元|[A-Z]{{3}}(?![A-Za-z]))?""",
    re.VERBOSE,
)
_SCALE: Final = {"million": 10**6, "thousand": 10**3, "billion": 10**9, "亿": 10**8, "万": 10**4}
_DECIMALS_OF_SCALE: Final = {"million": 1, "thousand": 1}
_NAMES: Final = {"元": "CNY", "美元": "USD", "港元": "HKD", "欧元": "EUR", "英镑": "GBP", "日元": "JPY"}
_SIGNIFICANT: Final = 2

_IN_WORDS: Final = re.compile(
    r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|hundred|thousand|million|billion|half|"
    r"halved|third|thirds|(?:a|one) quarter of|twice|double[ds]?|doubling|triple[ds]?|tenfold|\w+fold)\b"
    r"|[一二三四五六七八九十百千万亿两半]+(?:成|倍|个|家|天|年|月|元|分之)|翻[一二两]?番|翻倍|一半|过半|百分之|减半",
    re.IGNORECASE,
)
_DIRECTIONS: Final = (re.compile(_DOWN), re.compile(_UP))


@dataclass(frozen=True, slots=True)
class _Read:
    """One figure as the text has it."""

    date: str = ""
    number: Decimal = Decimal(0)
    decimals: int = 0
    unit: str = ""
    currency: str = ""
    direction: int = 0

    @property
    def significant(self) -> int:
        """Digits without leading zeros."""
        return len(self.number.as_tuple().digits)


def prove(text: str, said: Sequence[Said], statements: Statements, *, language: Language) -> str | None:
    """Return why a sentence does not hold, or None when every figure of it does."""
    found = _figures(text)
    if isinstance(found, str):
        return found
    expected: list[tuple[_Read | None, Quantity | None]] = []
    for item in said:
        if isinstance(item, Period):
            own = _figures(label(item, language))
            expected.extend([] if isinstance(own, str) else [(read, None) for read in own])
        else:
            expected.append((None, item))
    if len(found) != len(expected):
        return f"{len(found)} figures where {len(expected)} were computed"
    for read, (period, quantity) in zip(found, expected, strict=True):
        if period is not None:
            if read != period:
                return f"the period {read.date or read.number} is not the one that was computed"
        elif quantity is not None and (why := _differs(read, quantity, statements, strict=True)):
            return why
    return None


def prove_free(text: str, allowed: Sequence[Said], statements: Statements, *, language: Language) -> str | None:
    """Return why a sentence of a model does not hold, or None when each of its figures is an allowed quantity."""
    found = _figures(text)
    if isinstance(found, str):
        return found
    if words := _IN_WORDS.search(_FIGURE.sub(" ", text)):
        return f"a number in words that cannot be recomputed ({words[0]})"
    quantities = [item for item in allowed if isinstance(item, Quantity)]
    periods: list[_Read] = []
    for item in allowed:
        own = _figures(label(item if isinstance(item, Period) else item.period, language))
        periods.extend(own if not isinstance(own, str) else [])
    for read in found:
        if read in periods:
            continue
        if all(_differs(read, quantity, statements, strict=False) for quantity in quantities):
            return f"the figure {read.date or read.number} is none that was computed"
    return _turned(text, quantities, statements)


def _turned(text: str, quantities: Sequence[Quantity], statements: Statements) -> str | None:
    """Say whether a text speaks of a direction that no computed change has."""
    signs = {
        (value > 0) - (value < 0)
        for quantity in quantities
        if quantity.kind in ("change", "points") and (value := _anew(quantity, statements)) is not None
    }
    for sign, words in zip((-1, 1), _DIRECTIONS, strict=True):
        found = words.search(text)
        if found and sign not in signs:
            return f"a direction that no computed change has ({found[0]})"
    return None


def _differs(read: _Read, quantity: Quantity, statements: Statements, *, strict: bool) -> str | None:
    if read.date:
        return "a date where a figure was computed"
    value = _anew(quantity, statements)
    if value is None:
        return f"{quantity.formula} cannot be computed from the cells"
    if why := _unlike(read, quantity.kind, statements.currency, strict=strict):
        return why
    scaled = value / _SCALE.get(read.unit, 1) if quantity.kind == "money" else value
    if quantity.kind in ("percent", "points", "change"):
        scaled = value * 100
    number = read.number * (read.direction or 1)
    if not strict and not read.direction and quantity.kind in ("change", "points"):
        scaled, number = abs(scaled), abs(number)
    near = abs(scaled - number) <= Decimal(5).scaleb(-read.decimals - 1)  # a person rounds halves up, we to even
    if rounded(scaled, read.decimals) != number and (strict or not near):
        return f"{read.number} is not {rounded(scaled, max(read.decimals, 2))}, which {quantity.formula} gives"
    return None


def _anew(quantity: Quantity, statements: Statements) -> Decimal | None:
    if quantity.over == "own":
        return recompute(quantity.formula, statements, quantity.period)
    return median(
        [
            value
            for peer in statements.peers or ()
            if (period := _nearest(peer, quantity.period)) is not None
            and (value := recompute(quantity.formula, peer, period)) is not None
        ]
    )


def _nearest(peer: Statements, own: Period) -> Period | None:
    """Return the peer's period that is compared: as long, and ended within half a year."""
    near = [(abs((other.end - own.end).days), other) for other in peer.periods if other.months == own.months]
    distance, period = min(near, default=(184, own))
    return period if distance <= 183 else None


def _unlike(read: _Read, kind: Kind, currency: str, *, strict: bool) -> str | None:
    units = {
        "money": ("", *_SCALE),
        "percent": ("%",),
        "change": ("%",),
        "points": ("percentage points", "个百分点"),
        "ratio": ("",),
        "days": ("days", "天"),
        "count": ("",),
    }[kind]
    if read.unit not in units:
        return f"a figure in {read.unit or 'no unit'} where {kind} was computed"
    if (read.currency or (currency if not strict and kind == "money" else "")) != (currency if kind == "money" else ""):
        return "a figure in another currency than the statements"
    if strict and kind == "change" and not read.direction:
        return "a change without its direction"
    if strict and read.decimals != (_DECIMALS_OF_SCALE.get(read.unit, 2) if kind == "money" else DECIMALS[kind]):
        return "a figure with other decimals than it was given"
    if not strict and read.significant < _SIGNIFICANT and kind != "count":
        return "a figure with fewer than two significant digits"
    return None


def _figures(text: str) -> list[_Read] | str:
    """Return the figures of a text in order, or why they cannot all be read."""
    if any(_is_numeral(mark) and not unicodedata.normalize("NFKC", mark).isdecimal() for mark in text):
        return "a numeral that is no digit"
    plain = unicodedata.normalize("NFKC", text.replace("，", "、"))  # a pause, never a thousands separator
    found: list[_Read] = []
    covered = 0
    for match in _FIGURE.finditer(plain):
        if any(map(_is_numeral, plain[covered : match.start()])):
            return "a digit that belongs to no figure"
        covered = match.end()
        found.append(_read(match))
    if any(map(_is_numeral, plain[covered:])):
        return "a digit that belongs to no figure"
    return found


def _is_numeral(mark: str) -> bool:
    return mark.isnumeric() and not "一" <= mark <= "鿿" and mark not in "〇零"


def _read(match: re.Match[str]) -> _Read:
    if match["date"]:
        return _Read(date=match["date"])
    if match["year"]:
        return _Read(date=match["year"])
    figures = match["figures"].replace(",", "")
    number = Decimal(figures)
    name = (match["name"] or match["currency"] or "").strip()
    return _Read(
        number=-number if match["sign"] else number,
        decimals=len(figures.partition(".")[2]),
        unit=match["unit"] or "",
        currency=_NAMES.get(name, name),
        direction=-1 if match["down"] else 1 if match["up"] else 0,
    )
