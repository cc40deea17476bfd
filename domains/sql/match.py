"""Whether two results answer the same question: the execution match of the text-to-SQL field.

The rule is that of Spider's test suites (Zhong, Yu and Klein, "Semantic Evaluation for Text-to-SQL with Distilled Test
Suites", EMNLP 2020; ``result_eq`` in taoyds/test-suite-sql-eval):

- Results are multisets of rows; their order counts only when the accepted query sorts its outermost rows.
- Names of columns do not count, nor does their order: one order of the predicted columns must make the results equal.
- Two empty results are equal, whatever their columns.

The rule of defog's sql-eval (``subset_df``) goes further and is reported apart: columns beyond the accepted ones are
allowed, and an empty accepted result matches nothing.

Where this departs from them: DISTINCT is left as it is written (Spider's script takes it out of both queries) and rows
that repeat count (defog's drops them); numbers are equal when they agree to 10 significant digits, integer or not,
since an average may be computed in more than one order; an ORDER BY at the outermost level decides, not those words
anywhere in the text. NULL equals NULL and nothing else; a text never equals a number, nor another text in another case.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Final

from domains.sql.execute import Row, Value

__all__ = ["is_match"]

_DIGITS: Final = 10
_Column = tuple[Hashable, ...]


def is_match(accepted: Sequence[Row], found: Sequence[Row], *, ordered: bool, more_columns: bool = False) -> bool:
    """Say whether a result is the accepted one.

    Args:
        accepted: rows of a query that is known to be right.
        found: rows of the query in question.
        ordered: whether the rows must come in the same order.
        more_columns: allow columns that the accepted result does not have (defog's rule).
    """
    if len(accepted) != len(found):
        return False
    if not accepted:
        return not more_columns
    wanted, offered = _columns(accepted), _columns(found)
    if len(offered) < len(wanted) or (len(offered) > len(wanted) and not more_columns):
        return False
    return _placed(wanted, offered, (), ordered=ordered)


def _columns(rows: Sequence[Row]) -> list[_Column]:
    return [tuple(_canonical(value) for value in column) for column in zip(*rows, strict=True)]


def _canonical(value: Value) -> Hashable:
    """Return what two values that count as equal share, and others do not."""
    if isinstance(value, int | float):
        if not math.isfinite(value):
            return (0, str(value))
        return (0, f"{value:.{_DIGITS}g}" if value else "0")
    return value


def _placed(wanted: Sequence[_Column], offered: Sequence[_Column], taken: tuple[int, ...], *, ordered: bool) -> bool:
    """Find an offered column for each wanted one, so that all rows agree; `taken` are those of the first ones."""
    at = len(taken)
    if at == len(wanted):
        return True
    tried: set[_Column] = set()
    for place, column in enumerate(offered):
        if place in taken or column in tried:
            continue
        tried.add(column)  # a column with the same values would fail in the same way
        chosen = (*taken, place)
        if _agree(wanted[: at + 1], [offered[one] for one in chosen], ordered=ordered) and _placed(
            wanted, offered, chosen, ordered=ordered
        ):
            return True
    return False


def _agree(left: Sequence[_Column], right: Sequence[_Column], *, ordered: bool) -> bool:
    if ordered:
        return left[-1] == right[-1]  # those before it agree already
    if Counter(left[-1]) != Counter(right[-1]):
        return False
    return len(left) == 1 or Counter(zip(*left, strict=True)) == Counter(zip(*right, strict=True))
