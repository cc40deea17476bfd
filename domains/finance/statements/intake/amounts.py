"""Reads the figures and the units of statements as people write them, and refuses what could be read in two ways.

    read_amount("(1,234.5)")        -> -1234.5
    read_amount("１２，３４５")        -> 12345
    read_amount("3.2亿元")           -> 320000000
    read_amount("—")                -> None                     nothing was reported
    read_amount("12.5", factor=10_000) -> 125000
    read_unit("单位：人民币万元")     -> Unit(factor=10_000, currency="CNY")
    read_unit("USD in millions, except per share data") -> Unit(factor=1_000_000, currency="USD")

Full-width characters count as their plain forms. Brackets, a minus before or a minus behind make a figure negative.
Commas, blanks and apostrophes group thousands, and only thousands: ``1.234,56`` and ``12,3456`` are refused, since
they mean different amounts in different places. A dash or an empty cell is *not reported*, never zero. Amounts are
decimal until the last step, so that ``0.1`` times a million is exactly 100,000.

Largest amount: 1e18 after scaling, more than any company reports in any currency. Infinity and NaN are refused.

Not covered: figures in words, percentages (an amount that is a share of something is no amount), fractions, Indian
grouping (12,34,567).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

from domains.finance.statements.refusals import InputRefused, shown
from domains.finance.statements.types import FINEST

__all__ = [
    "CURRENCIES",
    "LARGEST",
    "Unit",
    "bounded",
    "factor_of",
    "plain",
    "read_amount",
    "read_currency",
    "read_unit",
]

LARGEST: Final = Decimal(10) ** 18
"""Largest absolute amount in whole units of the currency. The largest balance sheet in rupiah or yen has 16 digits."""

_LONGEST: Final = 64
_NOTHING: Final = frozenset({"", "-", "--", "---", "n/a", "na", "nil", "none", "nm", "不适用", "无", "/", "*"})
_DASHES: Final = str.maketrans("‐‑‒–—―−﹣", "--------")

_CURRENCY_WORDS: Final = {
    "USD": ("us$", "usd", "u.s. dollars", "us dollars", "dollars", "美元", "$"),
    "CNY": ("rmb", "cny", "yuan", "renminbi", "人民币", "元人民币"),
    "HKD": ("hk$", "hkd", "港元", "港币"),
    "EUR": ("eur", "euros", "euro", "欧元", "€"),
    "GBP": ("gbp", "pounds sterling", "英镑", "£"),
    "JPY": ("jpy", "yen", "日元"),
}
CURRENCIES: Final = tuple(_CURRENCY_WORDS)
"""Currencies that are recognised by their symbols and words; any other is given by its three-letter code."""

_FACTORS: Final = {
    "万亿": 10**12,
    "十亿": 10**9,
    "亿": 10**8,
    "千万": 10**7,
    "百万": 10**6,
    "十万": 10**5,
    "万": 10**4,
    "千": 10**3,
    "trillion": 10**12,
    "billion": 10**9,
    "bn": 10**9,
    "million": 10**6,
    "mn": 10**6,
    "mm": 10**6,
    "m": 10**6,
    "thousand": 10**3,
    "'000": 10**3,
    "000s": 10**3,
    "000": 10**3,
    "k": 10**3,
    "元": 1,
    "one": 1,
    "unit": 1,
}
_CODE: Final = re.compile(r"[A-Z]{3}")
_SYMBOLS: Final = re.compile(r"^(?:us\$|hk\$|\$|€|£|¥|rmb|cny|usd|eur|gbp|hkd|jpy|人民币)\s*", re.IGNORECASE)
_GROUPED: Final = re.compile(r"\d{1,3}(?:([,' ])\d{3})(?:\1\d{3})*(?:\.\d+)?")
_SIMPLE: Final = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d{1,4})?", re.IGNORECASE)
_TAIL: Final = re.compile(
    r"(?P<scale>万亿|十亿|亿|千万|百万|十万|万|千|trillion|billion|million|thousand|bn|mn)?\s*(?:人民币|美|港|欧|日)?(?:元|dollars|usd|yuan)?$",
    re.IGNORECASE,
)
_CHINESE_UNIT: Final = re.compile(r"(万亿|十亿|亿|千万|百万|十万|万|千)?(?:美|港|欧|日)?元")
_ENGLISH_UNIT: Final = re.compile(
    r"(?<![a-z])(trillion|billion|million|thousand|bn|mn|mm)s?(?![a-z])|('000|\b000s|(?<![\d.,])000)(?!\d)"
)
_SHORT_UNIT: Final = re.compile(r"(?:us\$|hk\$|\$|€|£|¥|usd|eur|gbp|rmb|cny|hkd|jpy)\s?(mm|bn|m|k)\b")


@dataclass(frozen=True, slots=True)
class Unit:
    """What one figure of a table is worth: `factor` units of `currency`; None where the text does not say."""

    factor: int | None = None
    currency: str | None = None


def plain(text: str) -> str:
    """Return a text with full-width forms, odd dashes and odd blanks made plain, and its ends cut."""
    return " ".join(unicodedata.normalize("NFKC", text).translate(_DASHES).replace("’", "'").split())


def read_amount(raw: object, *, factor: int = 1, place: str = "") -> Decimal | None:
    """Read one figure in whole units; None when nothing was reported.

    Args:
        raw: A number, or text as a cell holds it.
        factor: What the table says that its figures are worth; a figure with a unit of its own (3.2亿元) has that.
        place: Where it stands, for the message.

    Raises:
        InputRefused: it is no figure, could be read in two ways, is not finite or is too large.
    """
    if raw is None:
        return None
    if isinstance(raw, bool):
        raise _refused(raw, place, "is a truth value")
    if isinstance(raw, int | float | Decimal):
        number = Decimal(str(raw))
        return bounded(number * factor if number.is_finite() else number, place=place)
    text = plain(str(raw))
    if len(text) > _LONGEST:
        raise _refused(text, place, "is too long for a figure")
    if text.lower() in _NOTHING:
        return None
    return bounded(_parse(text, factor, place), place=place)


def _parse(text: str, factor: int, place: str) -> Decimal:
    body, negative = text, False
    if body.startswith("(") and body.endswith(")"):
        body, negative = body[1:-1].strip(), True
    for _ in range(2):  # the sign may stand before or behind the symbol of the currency
        if body.startswith(("-", "+")):
            if negative and body[0] == "-":
                raise _refused(text, place, "has two signs")
            negative, body = negative or body[0] == "-", body[1:].strip()
        body = _SYMBOLS.sub("", body)
    if body.endswith("-") and not negative:
        body, negative = body[:-1].strip(), True
    if body.startswith("(") and body.endswith(")"):  # "$ (1,234)"
        if negative:
            raise _refused(text, place, "has two signs")
        body, negative = body[1:-1].strip(), True
    tail = _TAIL.search(body)
    own = tail[0].strip() if tail else ""
    scale = (factor_of(tail["scale"]) if tail and tail["scale"] else 1) if own else factor
    figures = body[: tail.start()].strip() if tail else body
    if _GROUPED.fullmatch(figures):
        figures = re.sub(r"[,' ]", "", figures)
    elif not _SIMPLE.fullmatch(figures):
        raise _refused(text, place, "is no figure that can be read in one way")
    try:
        amount = Decimal(figures) * scale
    except InvalidOperation as error:
        raise _refused(text, place, "is no figure") from error
    return -amount if negative else amount


def bounded(amount: Decimal, *, place: str = "") -> Decimal:
    """Return an amount that is finite, not absurdly large and no finer than `FINEST`.

    Spreadsheets keep binary fractions (0.30000000000000004); what is finer than twelve decimals is rounded to them.

    Raises:
        InputRefused: it is infinite, not a number, above `LARGEST`, or so small that it would round to nothing.
    """
    if not amount.is_finite():
        raise InputRefused(
            f"A figure{_at(place)} is not a finite number.", remedy="Leave out what was not reported; do not send NaN."
        )
    if abs(amount) > LARGEST:
        raise InputRefused(
            f"A figure{_at(place)} is larger than 1e18.",
            remedy="Check the figure and its unit: no company reports that.",
        )
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int) or exponent >= FINEST:
        return amount
    rounded = round(amount, -FINEST)
    if amount and not rounded:
        raise InputRefused(
            f"A figure{_at(place)} is smaller than any amount of money.", remedy="Check the figure and its unit."
        )
    return rounded


def factor_of(word: str) -> int:
    """Return the factor of a scale word.

    Raises:
        InputRefused: it is no scale.
    """
    key = plain(word).lower().removesuffix("元") or "元"
    factor = _FACTORS.get(key) or _FACTORS.get(key.removesuffix("s"))
    if factor is None:
        raise InputRefused(
            f"{shown(word)!r} is no unit.",
            remedy="Use one of 元, 千元, 万元, 百万元, 亿元, one, thousand, million, billion.",
        )
    return factor


def read_currency(word: str) -> str:
    """Return the ISO 4217 code of a currency's code, symbol or name.

    Raises:
        InputRefused: it is none, or ¥, which is two currencies.
    """
    text = plain(word)
    for code, words in _CURRENCY_WORDS.items():
        if text.lower() in words:
            return code
    if _CODE.fullmatch(text.upper()):
        return text.upper()
    raise InputRefused(f"{shown(word)!r} is no currency.", remedy="Give its three-letter code, such as CNY or USD.")


def read_unit(text: str) -> Unit:
    """Read what a heading or a note says about the unit of a table; each part is None where it says nothing."""
    low = plain(text).lower()
    chinese, english = _CHINESE_UNIT.search(low), _ENGLISH_UNIT.search(low)
    short = _SHORT_UNIT.search(low)
    factor: int | None = None
    if chinese:
        factor = factor_of(chinese[1]) if chinese[1] else 1
    elif english:
        factor = factor_of(english[1] or english[2])
    elif short:
        factor = factor_of(short[1])
    return Unit(factor, _currency_in(low))


def _currency_in(low: str) -> str | None:
    found = {
        code: max((len(word) for word in words if _holds(low, word)), default=0)
        for code, words in _CURRENCY_WORDS.items()
    }
    if found["HKD"] or found["USD"] > 1:  # "$" alone is part of "HK$" and of "US$"
        found["USD"] = found["USD"] if not found["HKD"] or found["USD"] > 1 else 0
    best = max(found, key=lambda code: found[code])
    if found[best]:
        return best
    return "CNY" if _CHINESE_UNIT.search(low) else None


def _holds(low: str, word: str) -> bool:
    if not word.isascii() or not word[0].isalpha():
        return word in low
    return re.search(rf"(?<![a-z]){re.escape(word)}(?![a-z])", low) is not None


def _refused(raw: object, place: str, why: str) -> InputRefused:
    return InputRefused(
        f"{shown(raw)!r}{_at(place)} {why}.",
        remedy="Write amounts like 1234.5, 1,234.5 or (1,234.5); leave a cell empty when nothing was reported.",
    )


def _at(place: str) -> str:
    return f" at {place}" if place else ""
