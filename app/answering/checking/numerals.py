"""Numbers that are written as words: "twenty-five", 一百二十, 三亿五千万.

Not covered: English above ninety-nine except with a scale word beside it ("three million" is read by `values`),
ordinals ("third"), fractions ("two-thirds", 三分之一) and the formal Chinese digits of cheques (壹贰叁).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

__all__ = ["CHINESE", "ENGLISH", "chinese_number", "english_number"]

_BELOW_TWENTY: Final = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen
"""
_ONES: Final = _BELOW_TWENTY.split()
_TENS: Final = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_WORDS: Final = {word: number for number, word in enumerate(_ONES)} | {
    word: number for number, word in zip(range(20, 100, 10), _TENS, strict=True)
}

ENGLISH: Final = rf"(?:(?:{'|'.join(_TENS)})(?:[-\s](?:{'|'.join(_ONES[1:10])}))?|{'|'.join(reversed(_ONES))})"
"""Pattern of an English number word below one hundred, in lower case."""

CHINESE: Final = r"[零〇一二两三四五六七八九十百千万亿]+(?:点[零〇一二三四五六七八九]+)?"
"""Pattern of a Chinese number."""

_DIGITS: Final = {
    "零": 0,
    "〇": 0,
    "一": 1,
    "二": 2,
    "两": 2,
    "三": 3,
    "四": 4,
    "五": 5,
    "六": 6,
    "七": 7,
    "八": 8,
    "九": 9,
}
_PLACES: Final = {"十": 10, "百": 100, "千": 1000}
_MYRIADS: Final = {"万": 10**4, "亿": 10**8}


def english_number(words: str) -> Decimal:
    """Read what `ENGLISH` matches.

    Raises:
        ValueError: a word is no number.
    """
    try:
        return Decimal(sum(_WORDS[word] for word in words.lower().replace("-", " ").split()))
    except KeyError as error:
        raise ValueError(f"not a number word: {error}") from None


def chinese_number(numerals: str) -> Decimal:
    """Read what `CHINESE` matches; digits without places are read one by one (二〇二二 is 2022).

    Raises:
        ValueError: a character is no numeral, or a place stands where none can (万 alone).
    """
    whole, _, fraction = numerals.partition("点")
    if any(mark not in _DIGITS for mark in fraction):
        raise ValueError("not a Chinese fraction")
    tail = "".join(str(_DIGITS[mark]) for mark in fraction)
    return Decimal(f"{_whole(whole)}.{tail}" if tail else _whole(whole))


def _whole(numerals: str) -> int:
    if numerals and all(mark in _DIGITS for mark in numerals):
        return int("".join(str(_DIGITS[mark]) for mark in numerals))
    total = section = digit = 0
    for place, mark in enumerate(numerals):
        if mark in _DIGITS:
            digit = _DIGITS[mark]
        elif mark in _PLACES:
            if digit == 0 and not (mark == "十" and section == 0):
                raise ValueError("a place without a digit")
            section += (digit or 1) * _PLACES[mark]
            digit = 0
        elif mark in _MYRIADS:
            section += digit
            if not total and not section:
                raise ValueError("a place without a digit")
            if mark == "亿":  # 万亿: what stands before counts as a whole
                total, section = (total + section) * _MYRIADS[mark], 0
            else:
                total, section = total + section * _MYRIADS[mark], 0
            digit = 0
        else:
            raise ValueError(f"not a numeral at {place}")
    if not numerals:
        raise ValueError("no numeral")
    return total + section + digit
