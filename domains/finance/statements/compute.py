"""Computes factors for a company: for every factor and period a value, or the reason why there is none.

    found = compute(statements)                     # the whole library, about a thousand factors
    found["current_ratio"][-1].value                # of the newest period
    found["current_ratio"][-1].inputs               # the cells that it rests on

A factor that does not apply (its industry, its currency, the length of its periods) says so before anything else. No
value leaves this module that is not finite or is beyond `BOUND`.

Errors: none of its own; figures that could not be taken have been refused by `Statements`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Final

from domains.finance.statements.concepts import CONCEPTS
from domains.finance.statements.definitions import parsed
from domains.finance.statements.evaluation import Evaluation, Point
from domains.finance.statements.plan import Plan
from domains.finance.statements.types import Cell, Computed, Factor, Reason, Statements

__all__ = ["BOUND", "compute"]

BOUND: Final = Decimal(10) ** 24
"""No factor of figures below 10 to the 21st means anything beyond this."""

_ZERO: Final = Decimal(0)
_NAMES: Final = tuple(CONCEPTS)


@lru_cache(maxsize=8)
def _plan(formulas: tuple[str, ...]) -> Plan:
    return Plan(parsed(formula) for formula in formulas)


def compute(statements: Statements, *, factors: Sequence[Factor] | None = None) -> Mapping[str, tuple[Computed, ...]]:
    """Return each factor's results by its id, one for every period, in the order of the periods.

    Args:
        statements: The company, with its peers if it is to be compared.
        factors: Which factors; the whole library if left out.
    """
    if factors is None:
        from domains.finance.statements.factors import FACTORS

        factors = tuple(FACTORS.values())
    plan = _plan(tuple(factor.formula for factor in factors))
    run = Evaluation(plan, statements)
    cells = _Cells(run)
    found: dict[str, tuple[Computed, ...]] = {}
    for factor, root in zip(factors, plan.roots, strict=True):
        barred = _barred(factor, statements)
        points = run.points[root]
        found[factor.id] = tuple(
            _computed(factor, point, place, barred=barred, cells=cells) for place, point in enumerate(points)
        )
    return found


def _barred(factor: Factor, statements: Statements) -> Reason | None:
    """Return why a factor says nothing of this company at all, if so."""
    needs = factor.applicability
    if statements.industry is not None and statements.industry in needs.excluded:
        return Reason("industry", (statements.industry,))
    if needs.currency is not None and statements.currency != needs.currency:
        return Reason("currency", (needs.currency,))
    if needs.months is not None and statements.periods[0].months != needs.months:
        return Reason("months", (str(needs.months),))
    return None


def _computed(factor: Factor, point: Point, place: int, *, barred: Reason | None, cells: _Cells) -> Computed:
    period = cells.run.statements.periods[place]
    value, reason, used = point
    inputs, assumed = cells.known.get(used) or cells.read(used)
    if barred is not None:
        return Computed(factor, period, None, barred, inputs, assumed)
    if value is not None and value.copy_abs() > BOUND:
        value, reason = None, Reason("out_of_range", (factor.id,))
    if reason is not None:
        return Computed(factor, period, None, _told(reason, factor, cells.run.end(place)), inputs, assumed)
    return Computed(factor, period, value or _ZERO, None, inputs, assumed)  # -0 and 0E-30 are 0


def _told(reason: Reason, factor: Factor, end: str) -> Reason:
    """Return a reason as the reader of this factor and period needs it."""
    if reason.code == "needs_periods":  # a part of the formula needs fewer than the whole
        return Reason("needs_periods", (str(factor.applicability.periods),))
    if reason.code == "missing":
        return Reason("missing", tuple(detail.removesuffix(f" {end}") for detail in reason.details))
    return reason


class _Cells:
    """The cells and the assumptions behind a set of used figures; most factors share theirs with others."""

    def __init__(self, run: Evaluation) -> None:
        self.run = run
        self.known: dict[int, tuple[tuple[Cell, ...], tuple[str, ...]]] = {}
        self._slots: list[tuple[Cell, ...] | str | None] = [None] * (len(_NAMES) * run.count)

    def read(self, used: int) -> tuple[tuple[Cell, ...], tuple[str, ...]]:
        """Return the cells in the order of the statements, the oldest period first, and the items taken as nil."""
        bits = bin(used)[:1:-1]  # the lowest first; searching text is faster than arithmetic on some 700 bits
        inputs: list[Cell] = []
        assumed: list[str] = []
        place = -1
        while (place := bits.find("1", place + 1)) >= 0:
            slot = self._slots[place]
            if slot is None:
                slot = self._slots[place] = self._slot(*divmod(place, self.run.count))
            if isinstance(slot, str):
                assumed.append(slot)
            else:
                inputs.extend(slot)
        found = self.known[used] = (tuple(inputs), tuple(assumed))
        return found

    def _slot(self, item: int, place: int) -> tuple[Cell, ...] | str:
        """Return the cells of an item in a period, or the words for an item that was taken as nil."""
        name, statements = _NAMES[item], self.run.statements
        period = statements.periods[place]
        if CONCEPTS[name].by_member:
            return statements.members(name, period)
        cell = statements.cell(name, period)
        return f"{name} {period.end.isoformat()}" if cell is None else (cell,)
