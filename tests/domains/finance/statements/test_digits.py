"""Benford's law: its probabilities, the counting of digits, and statistics worked by hand."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.finance.statements import digits
from domains.finance.statements.arithmetic import exact


def test_the_law_is_the_published_one() -> None:
    """First digits 30.1 % to 4.6 %, second digits 12.0 % to 8.5 %, as in every table of the law."""
    first = [0.301, 0.176, 0.125, 0.097, 0.079, 0.067, 0.058, 0.051, 0.046]
    second = [0.120, 0.114, 0.109, 0.104, 0.100, 0.097, 0.093, 0.090, 0.088, 0.085]
    assert [round(float(p), 3) for p in digits.EXPECTED[1][1:]] == first
    assert [round(float(p), 3) for p in digits.EXPECTED[2]] == second
    assert digits.EXPECTED[1][0] == 0
    for position in (1, 2):
        assert math.isclose(sum(digits.EXPECTED[position]), 1, rel_tol=1e-30)


@pytest.mark.parametrize(
    ("figure", "first", "second"),
    [
        ("7", 7, None),
        ("70", 7, 0),
        ("-123", 1, 2),
        ("123456789012345678901", 1, 2),
        ("1E+3", 1, 0),
        ("1.9E+3", 1, 9),
        ("10.5", 1, 0),
        ("9.99", 9, None),
        ("0.5", None, None),
        ("0", None, None),
        ("0.00", None, None),
        ("0099", 9, 9),
    ],
)
def test_the_digits_of_a_figure(figure: str, first: int | None, second: int | None) -> None:
    for position, digit in ((1, first), (2, second)):
        expected = [0] * 10
        if digit is not None:
            expected[digit] = 1
        assert digits.counts([Decimal(figure)], position) == expected


@given(st.lists(st.integers(-(10**20), 10**20), max_size=80), st.sampled_from([1, 2]))
def test_digits_are_those_that_are_written(values: list[int], position: int) -> None:
    texts = [str(abs(value)) for value in values if abs(value) >= 10 ** (position - 1)]
    expected = [sum(text[position - 1] == str(digit) for text in texts) for digit in range(10)]
    assert digits.counts(map(Decimal, values), position) == expected


def test_statistics_of_an_even_sample_by_hand() -> None:
    """Nine figures, each first digit once: shares 1/9 against log10(1 + 1/d)."""
    found = [0, *[1] * 9]
    law = [math.log10(1 + 1 / digit) for digit in range(1, 10)]
    with exact():
        assert math.isclose(digits.deviation(found, 1), sum(abs(1 / 9 - p) for p in law) / 9, rel_tol=1e-12)
        assert math.isclose(digits.chi_square(found, 1), sum((1 - 9 * p) ** 2 / (9 * p) for p in law), rel_tol=1e-12)
        # the cumulated distance is largest after 3: log10(4) - 1/3
        assert math.isclose(digits.distance(found, 1), math.log10(4) - 1 / 3, rel_tol=1e-12)


def test_nigrinis_z_by_hand() -> None:
    """Of 100 figures 40 begin with 1: (0.4 - 0.30103 - 0.005) / sqrt(0.30103 x 0.69897 / 100) = 2.0486."""
    found = [0, 40, 60, 0, 0, 0, 0, 0, 0, 0]
    with exact():
        assert math.isclose(digits.score(found, 1, 1), 2.0486, rel_tol=1e-4)
        # 30 of 100 lie nearer than the correction of 0.005, which is then left out: 0.00103 / 0.045870
        assert math.isclose(digits.score([0, 30, 70, *[0] * 7], 1, 1), 0.0224557, rel_tol=1e-4)


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=60), st.sampled_from([1, 2]))
def test_statistics_are_within_their_bounds(values: list[int], position: int) -> None:
    found = digits.counts(map(Decimal, values), position)
    if not sum(found):
        return
    with exact():
        assert 0 <= digits.deviation(found, position) <= 1
        assert 0 <= digits.distance(found, position) <= 1
        assert digits.chi_square(found, position) >= 0
        for digit in range(2 - position, 10):
            assert digits.score(found, position, digit) >= 0


def test_powers_of_two_follow_the_law() -> None:
    found = digits.counts((Decimal(2**power) for power in range(1000)), 1)
    with exact():
        assert digits.deviation(found, 1) < Decimal("0.002")
        assert digits.chi_square(found, 1) < 1
