"""Benford tests: do the reported figures begin as figures that nobody chose?

All amounts up to the period are pooled, since one statement alone has too few; see `digits`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from domains.finance.statements.factors.declare import declare
from domains.finance.statements.types import Factor

__all__ = ["BENFORD"]

_ORDER: Final = {1: ("first", "首位"), 2: ("second", "第二位")}
_TESTS: Final = {
    "mad": ("mean absolute deviation", "平均绝对偏差"),
    "chi2": ("chi-square", "卡方统计量"),
    "ks": ("Kolmogorov-Smirnov distance", "柯尔莫哥洛夫距离"),
}


def _tests() -> Iterator[Factor]:
    for position, (english, chinese) in _ORDER.items():
        for test, (name, title) in _TESTS.items():
            table = f"""
benford_{english}_{test} score - nigrini2012 any L
    digit_{test}({position})
    Benford, {english} digits: {name} | 本福特{chinese}数字：{title}
"""
            yield from declare("benford", table)
        for digit in range(2 - position, 10):
            table = f"""
benford_{english}_z{digit} z - nigrini2012 any L
    digit_z({position}, {digit})
    Benford, {english} digit {digit}: z statistic | 本福特{chinese}数字 {digit}：z 统计量
"""
            yield from declare("benford", table)


BENFORD: Final = tuple(_tests())
"""Tests of the digits of all reported amounts."""
