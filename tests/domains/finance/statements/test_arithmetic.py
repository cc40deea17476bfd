"""Decimal arithmetic and statistics against the standard library's, and where rounding must not show."""

from __future__ import annotations

import decimal
import math
import statistics
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.finance.statements import arithmetic
from domains.finance.statements.arithmetic import exact

amounts = st.integers(-(10**15), 10**15).map(Decimal)
series = st.lists(amounts, min_size=2, max_size=10)


@given(amounts, amounts)
def test_differences_of_figures_are_exact(one: Decimal, two: Decimal) -> None:
    with exact():
        assert arithmetic.difference(one, two) == Fraction(one) - Fraction(two)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("1", "1", "0"),
        ("0", "0", "0"),
        ("1", "0", "1"),
        ("0", "-1", "1"),
        ("1E+20", "99999999999999999999", "1"),
        ("1." + "0" * 28 + "1", "1", "0." + "0" * 28 + "1"),  # the 30th digit counts
        ("1." + "0" * 31 + "1", "1", "0"),  # beyond it nothing does
        ("-1." + "0" * 31 + "1", "-1", "0"),
    ],
)
def test_what_vanishes_in_thirty_digits_is_zero(left: str, right: str, expected: str) -> None:
    with exact():
        assert arithmetic.difference(Decimal(left), Decimal(right)) == Decimal(expected)


@given(st.integers(1, 10**12), st.integers(1, 10**12), st.integers(1, 10**6))
def test_equal_ratios_of_different_figures_have_no_difference(top: int, bottom: int, times: int) -> None:
    with exact():
        one = Decimal(top) / bottom
        two = Decimal(top * times) / (bottom * times)
        thirds = Decimal(top) / (3 * bottom)
        assert arithmetic.difference(one, two) == 0
        assert arithmetic.difference(one, thirds + thirds + thirds) == 0


@given(st.integers(1, 10**9), st.integers(1, 997), st.integers(2, 10))
def test_equal_values_have_their_own_mean_and_no_deviation(top: int, bottom: int, count: int) -> None:
    with exact():
        value = Decimal(top) / bottom
        assert arithmetic.mean([value] * count) == value
        assert arithmetic.sample_deviation([value] * count) == 0
        assert arithmetic.slope([value] * count) == 0


@given(series)
def test_slope_is_that_of_least_squares(values: list[Decimal]) -> None:
    count = len(values)
    middle = Fraction(count - 1, 2)
    over = sum((place - middle) * Fraction(value) for place, value in enumerate(values))
    under = sum((place - middle) ** 2 for place in range(count))
    with exact():
        assert math.isclose(arithmetic.slope(values), over / under, rel_tol=1e-15, abs_tol=1e-12)


@given(series)
def test_deviation_and_mean_are_those_of_the_standard_library(values: list[Decimal]) -> None:
    with exact():
        assert math.isclose(arithmetic.mean(values), statistics.mean(map(Fraction, values)), rel_tol=1e-15)
        assert math.isclose(arithmetic.sample_deviation(values), statistics.stdev(map(Fraction, values)), rel_tol=1e-14)


@pytest.mark.parametrize(
    ("values", "turns"),
    [([1, 1, 1], 0), ([1, -1, 1], 2), ([0, 0, 0], 0), ([1, 0, -1], 1), ([1, 0, 1], 0), ([0, -1, 0, 2], 1), ([-5], 0)],
)
def test_turns_count_changes_of_sign_without_zeros(values: list[int], turns: int) -> None:
    assert arithmetic.turns([Decimal(value) for value in values]) == turns


@pytest.mark.parametrize(
    ("value", "others", "rank"),
    [(1, [2, 3], "0"), (4, [2, 3], "1"), (2, [2, 3], "0.25"), (2, [2, 2], "0.5"), (2, [1, 2, 2, 3], "0.5")],
)
def test_rank_counts_ties_half(value: int, others: list[int], rank: str) -> None:
    with exact():
        assert arithmetic.ranked(Decimal(value), [Decimal(other) for other in others]) == Decimal(rank)


@given(amounts, st.lists(amounts, min_size=2, max_size=9, unique=True))
def test_distance_is_counted_in_deviations(value: Decimal, others: list[Decimal]) -> None:
    with exact():
        found = arithmetic.standardised(value, others)
        centre, spread = statistics.mean(map(Fraction, others)), statistics.stdev(map(Fraction, others))
        assert math.isclose(found, float(Fraction(value) - centre) / float(spread), rel_tol=1e-9, abs_tol=1e-9)


def test_the_context_holds_decimal128_and_refuses_what_is_no_number() -> None:
    with exact() as context:
        assert context.prec == arithmetic.DIGITS == 34
        with pytest.raises(decimal.DivisionByZero):
            Decimal(1) / 0
        with pytest.raises(decimal.InvalidOperation):
            Decimal(-1).sqrt()
        with pytest.raises(decimal.Overflow):
            Decimal(10) ** 7000
        assert Decimal(-(10**6)).exp() == 0  # too small to be told from nothing


def test_the_context_is_left_as_it_was_found() -> None:
    before = decimal.getcontext().prec
    with exact():
        assert decimal.getcontext().prec == 34
    assert decimal.getcontext().prec == before
