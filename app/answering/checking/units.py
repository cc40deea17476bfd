"""Units and scales as English and Chinese texts write them, each by one canonical name.

Not covered: conversion between units. 1 g and 1000 mg, or 12 months and 1 year, do not compare as equal: a claim should
use the words of its passage.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

__all__ = [
    "CURRENCY",
    "SCALES",
    "TABLE_SCALE",
    "UNIT",
    "currency_of",
    "is_currency",
    "scale_of",
    "table_scales",
    "unit_of",
]

_CURRENCIES: Final = {
    "USD": ("us$", "$", "usd", "dollars", "dollar", "美元", "美金"),
    "CNY": ("rmb", "cny", "yuan", "人民币", "元人民币", "元"),
    "HKD": ("hk$", "hkd", "港元", "港币"),
    "EUR": ("€", "eur", "euros", "euro", "欧元"),
    "GBP": ("£", "gbp", "pounds sterling", "英镑"),
    "JPY": ("jpy", "yen", "日元"),
    "": ("¥", "￥"),  # yuan or yen: compares with any currency
}
_MEASURES: Final = {
    "%": ("%", "percent", "per cent"),
    "pp": ("percentage points", "percentage point", "pp", "个百分点", "百分点"),
    "bp": ("basis points", "basis point", "bps", "bp", "个基点", "基点"),
    "mcg": ("mcg", "µg", "μg", "ug", "micrograms", "microgram", "微克"),
    "mg": ("mg", "milligrams", "milligram", "毫克"),
    "g": ("g", "grams", "gram", "克"),
    "kg": ("kg", "kilograms", "kilogram", "千克", "公斤"),
    "ml": ("ml", "millilitres", "milliliters", "毫升"),
    "l": ("l", "litres", "liters", "升"),
    "mmhg": ("mmhg", "毫米汞柱"),
    "mmol/l": ("mmol/l",),
    "mg/dl": ("mg/dl",),
    "mg/kg": ("mg/kg",),
    "km": ("km", "kilometres", "kilometers", "公里", "千米"),
    "hour": ("hours", "hour", "小时"),
    "minute": ("minutes", "minute", "分钟"),
    "day": ("days", "day", "天", "日"),
    "week": ("weeks", "week", "周", "个星期"),
    "month": ("months", "month", "个月"),
    "year": ("years", "year", "年", "岁"),
    "times": ("times", "倍"),
}
_SCALE_WORDS: Final = {
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
    "mn": 10**6,
    "bn": 10**9,
    "万亿": 10**12,
    "千亿": 10**11,
    "百亿": 10**10,
    "十亿": 10**9,
    "亿": 10**8,
    "千万": 10**7,
    "百万": 10**6,
    "十万": 10**5,
    "万": 10**4,
    "千": 10**3,
}
_SHORT_SCALES: Final = {"k": 10**3, "m": 10**6, "b": 10**9}

_CURRENCY_OF: Final = {alias: name for name, aliases in _CURRENCIES.items() for alias in aliases}
_UNIT_OF: Final = _CURRENCY_OF | {alias: name for name, aliases in _MEASURES.items() for alias in aliases}


def _any_of(aliases: list[str]) -> str:
    """Return a pattern of the aliases, longest first; a Latin alias must end where its word ends."""
    ordered = sorted(aliases, key=len, reverse=True)
    return "|".join(re.escape(alias) + (r"(?![A-Za-z])" if alias[-1].isascii() else "") for alias in ordered)


CURRENCY: Final = "|".join(
    re.escape(alias)
    for alias in sorted(
        ("us$", "hk$", "$", "€", "£", "¥", "￥", "usd", "eur", "gbp", "hkd", "jpy", "rmb", "cny", "人民币"), key=len
    )[::-1]
)
"""Pattern of a currency before its amount."""

SCALES: Final = _any_of(list(_SCALE_WORDS))
"""Pattern of a scale word after its number."""

UNIT: Final = _any_of(list(_UNIT_OF))
"""Pattern of a unit after its number and scale."""

TABLE_SCALE: Final = re.compile(
    r"""\bin\s+(?:[a-z$€£.]+\s+){0,2}?(?P<en>thousand|million|billion)s?\b
      | \((?:us\$|hk\$|\$|€|£|¥|usd|eur|gbp|rmb|cny)\s*(?P<short>k|m|mn|bn|thousand|million|billion)s?\)
      | (?:单位|金额单位)\s*[:：]?\s*(?:人民币)?\s*(?P<zh>千|万|百万|千万|亿)(?:美|港|欧|日)?元
      | [（(]\s*(?:人民币)?(?P<zh2>千|万|百万|千万|亿)(?:美|港|欧|日)?元\s*[)）]
      | 人民币(?P<zh3>千|万|百万|亿)元(?!\d)""",
    re.VERBOSE | re.IGNORECASE,
)
"""How a table says that its numbers are in thousands, millions, 万元."""


def currency_of(symbol: str) -> str:
    """Return the code of a currency's symbol or word; "" for one that several currencies share."""
    return _CURRENCY_OF[symbol.lower()]


def unit_of(word: str) -> str:
    """Return the canonical name of a unit or currency."""
    return _UNIT_OF[re.sub(r"\s+", " ", word.lower())]


def is_currency(unit: str | None) -> bool:
    """Say whether a canonical unit is a currency."""
    return unit is not None and unit in _CURRENCIES


def scale_of(word: str) -> Decimal:
    """Return the factor of a scale word, or of the short forms k, m and b."""
    word = word.lower()
    return Decimal(_SCALE_WORDS.get(word) or _SHORT_SCALES[word])


def table_scales(text: str) -> frozenset[Decimal]:
    """Return the factors that a text declares for its bare numbers."""
    return frozenset(scale_of(word) for match in TABLE_SCALE.finditer(text) for word in match.groups() if word)
