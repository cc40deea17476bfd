"""Benford's law on the first and second digits of reported figures.

    P(first digit = d)  = log10(1 + 1/d)                          d = 1..9
    P(second digit = d) = sum over e = 1..9 of log10(1 + 1/(10 e + d))    d = 0..9

Figures that nobody chose spread over several powers of ten and follow the law; invented or steered ones often do not.
A deviation is a reason to look, never proof: totals repeat parts, and a hundred figures are a small sample.

Statistics (Nigrini, Benford's Law, Wiley 2012): the mean absolute deviation of the observed shares, chi-square,
the largest distance of the cumulated shares, and for one digit ``z = (|observed - expected| - 1/(2n)) / sqrt(p (1 - p)
/ n)``, the correction left out where it exceeds the difference.

Not covered: last digits, pairs of digits, round numbers (statements are published in thousands or 万元, which rounds
all of them), duplicates.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

from domains.finance.statements.arithmetic import exact

__all__ = ["EXPECTED", "LEAST", "chi_square", "counts", "deviation", "distance", "score"]

LEAST: Final = 50
"""Fewest figures on which a test is made: with 50, the rarest first digit is expected 2.3 times."""


def _expected() -> dict[int, tuple[Decimal, ...]]:
    with exact():
        first = tuple((1 + Decimal(1) / digit).log10() for digit in range(1, 10))
        second = tuple(
            sum(((1 + Decimal(1) / (10 * before + digit)).log10() for before in range(1, 10)), Decimal(0))
            for digit in range(10)
        )
    return {1: (Decimal(0), *first), 2: second}


EXPECTED: Final = _expected()
"""For position 1 and 2, the probability of each digit 0..9; a first digit is never 0."""


def counts(values: Iterable[Decimal], position: int) -> list[int]:
    """Return how often each digit 0..9 stands at a position.

    Figures without a whole digit there are left out: below 1 for the first, below 10 for the second.
    """
    found = [0] * 10
    for value in values:
        if value and value.adjusted() >= position - 1:
            digits = value.as_tuple().digits  # 1000 may be kept as the one digit 1 with an exponent
            found[digits[position - 1] if len(digits) >= position else 0] += 1
    return found


def _shares(found: Sequence[int], position: int) -> list[tuple[Decimal, Decimal]]:
    """Return the observed and the expected share of each digit that the position can have."""
    total = sum(found)
    first = 2 - position
    return [(Decimal(found[digit]) / total, EXPECTED[position][digit]) for digit in range(first, 10)]


def deviation(found: Sequence[int], position: int) -> Decimal:
    """Return the mean absolute deviation of the observed from the expected shares."""
    shares = _shares(found, position)
    return sum((abs(seen - expected) for seen, expected in shares), Decimal(0)) / len(shares)


def chi_square(found: Sequence[int], position: int) -> Decimal:
    """Return Pearson's chi-square statistic, with 8 degrees of freedom for first digits and 9 for second ones."""
    shares = _shares(found, position)
    return sum(found) * sum(((seen - expected) ** 2 / expected for seen, expected in shares), Decimal(0))


def distance(found: Sequence[int], position: int) -> Decimal:
    """Return the Kolmogorov-Smirnov distance: the largest difference of the cumulated shares."""
    running = largest = Decimal(0)
    for seen, expected in _shares(found, position):
        running += seen - expected
        largest = max(largest, abs(running))
    return largest


def score(found: Sequence[int], position: int, digit: int) -> Decimal:
    """Return Nigrini's z statistic of one digit."""
    total = sum(found)
    expected = EXPECTED[position][digit]
    gap = abs(Decimal(found[digit]) / total - expected)
    correction = Decimal(1) / (2 * total)
    if correction < gap:
        gap -= correction
    return gap / (expected * (1 - expected) / total).sqrt()
