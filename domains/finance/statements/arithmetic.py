"""Exact decimal arithmetic for formulas, and the few statistics that they use.

Why decimals. Statements are decimal: a sum of reported figures is exact, a balance that is zero is zero, and what the
verifier recomputes from the printed digits is the same number. Figures have at most 34 digits and so has the context;
a quotient is rounded in its 34th digit. Differences that vanish in the first 30 digits of their operands are zero, so
that rounding in the 34th can neither turn an unchanged ratio into a change nor pass for a denominator.

Inputs are non-empty sequences of finite decimals, the oldest first. All functions run in the context of `exact`.

Errors: `decimal.DecimalException` (overflow, division by zero, root or logarithm of what has none). The evaluation
turns it into a stated reason.
"""

from __future__ import annotations

import decimal
from collections.abc import Sequence
from contextlib import AbstractContextManager
from decimal import Decimal
from itertools import pairwise
from typing import Final

__all__ = ["DIGITS", "difference", "exact", "mean", "ranked", "sample_deviation", "slope", "standardised", "turns"]

DIGITS: Final = 34
"""Digits of the context: those of IEEE 754 decimal128."""

_SAME: Final = 30
"""Leading digits in which two numbers must agree to be equal."""

_ZERO: Final = Decimal(0)

_CONTEXT: Final = decimal.Context(
    prec=DIGITS,
    rounding=decimal.ROUND_HALF_EVEN,
    Emin=-6143,
    Emax=6144,
    capitals=1,
    traps=[decimal.DivisionByZero, decimal.Overflow, decimal.InvalidOperation],
)


def exact() -> AbstractContextManager[decimal.Context]:
    """Return the context in which formulas are computed, to be entered with ``with``."""
    return decimal.localcontext(_CONTEXT)


def difference(left: Decimal, right: Decimal) -> Decimal:
    """Return `left` less `right`, zero where they agree in their first 30 digits."""
    result = left - right
    if result and result.adjusted() < max(left.adjusted(), right.adjusted()) - _SAME:
        return _ZERO
    return result


def mean(values: Sequence[Decimal]) -> Decimal:
    """Return the mean; of equal values, that value to its last digit."""
    if min(values) == max(values):
        return values[0]
    return sum(values, _ZERO) / len(values)


def slope(values: Sequence[Decimal]) -> Decimal:
    """Return the slope of the least-squares line through equally spaced values, per step; needs two."""
    count = len(values)
    # pairs at equal distance from the middle; the squared distances of n positions sum to n (n^2 - 1) / 12
    weighted = _ZERO
    for place in range(count // 2):
        weighted += (count - 1 - 2 * place) * difference(values[count - 1 - place], values[place])
    return 6 * weighted / (count * (count * count - 1))


def sample_deviation(values: Sequence[Decimal]) -> Decimal:
    """Return the standard deviation with n - 1 below the line; needs two values."""
    centre = mean(values)
    return (sum(((value - centre) ** 2 for value in values), _ZERO) / (len(values) - 1)).sqrt()


def turns(values: Sequence[Decimal]) -> Decimal:
    """Return how often the sign changes, zeros left out."""
    signs = [value > 0 for value in values if value]
    return Decimal(sum(before != after for before, after in pairwise(signs)))


def standardised(value: Decimal, others: Sequence[Decimal]) -> Decimal:
    """Return the distance of `value` from the mean of the others in their sample deviations; they must differ."""
    return difference(value, mean(others)) / sample_deviation(others)


def ranked(value: Decimal, others: Sequence[Decimal]) -> Decimal:
    """Return the share of the others that lie below `value`, ties counted half."""
    distances = [difference(value, other) for other in others]
    below = sum(distance > 0 for distance in distances)
    return (below + Decimal(sum(not distance for distance in distances)) / 2) / len(others)
