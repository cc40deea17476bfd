"""Computes the steps of a plan for one company: a point for every step and period.

A point is ``(value, reason, used)``: a finite decimal and no reason, or None and the reason. `used` is a set of
(item, period) as the bits of a whole number, so that joining the figures of two operands is one machine operation:
a set bit whose figure was reported is an input, one that was not is an item taken as nil.

Where both operands have no value, what is missing is named before what is impossible, and missing items are joined:
the reader who supplies figures needs the whole list.

Not covered: a company compared with peers at another time; a peer counts where a period of the same length ends
within half a year of the company's.
"""

from __future__ import annotations

import decimal
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cached_property
from itertools import pairwise
from typing import Final, NamedTuple

from domains.finance.statements import arithmetic, digits
from domains.finance.statements.concepts import CONCEPTS
from domains.finance.statements.plan import Plan, Step
from domains.finance.statements.types import Cell, Period, Reason, Statements

__all__ = ["PEERS", "Evaluation", "Point"]

PEERS: Final = 3
"""Fewest peers for a comparison: with two, a deviation is a difference by another name."""

_HALF_A_YEAR: Final = 184
"""Days: the longer half, July to December."""

_ZERO: Final = Decimal(0)
_PLACES: Final = {name: place for place, name in enumerate(CONCEPTS)}
_PRESENT: Final = {
    "income": ("revenue", "net_income"),
    "balance": ("total_assets",),
    "cash_flow": ("net_cash_operating",),
}
"""Items of which one must stand in a statement for the statement to count as reported."""


class Point(NamedTuple):
    """A step's value in one period."""

    value: Decimal | None
    reason: Reason | None
    used: int


_RANK: Final = ("missing", "needs_periods", "gap")


def worse(first: Reason | None, second: Reason | None) -> Reason | None:
    """Return the reason to show of two: missing items joined, else what history lacks, else the first."""
    if first is None:
        return second
    if second is None:
        return first
    if first.code == second.code == "missing":
        return Reason("missing", tuple(dict.fromkeys((*first.details, *second.details))))
    for code in _RANK:
        for reason in (first, second):
            if reason.code == code:
                return reason
    return first


_Compute = Callable[["Evaluation", Step, int], Point]


class Evaluation:
    """The points of one company. Steps outside `only` are not computed."""

    def __init__(self, plan: Plan, statements: Statements, *, only: tuple[int, ...] | None = None) -> None:
        self.plan = plan
        self.statements = statements
        self.count = len(statements.periods)
        self.history = _history(statements)
        self.ends = tuple(period.end.isoformat() for period in statements.periods)
        self._figures: dict[int, tuple[tuple[list[int], int], ...]] = {}
        self.points: list[list[Point]] = [[]] * len(plan.steps)
        with arithmetic.exact():
            for number in range(len(plan.steps)) if only is None else only:
                step = plan.steps[number]
                if step.operation in _TWO:
                    self.points[number] = self._pairs(step)
                else:
                    compute = _STEPS[step.operation]
                    self.points[number] = [self._point(compute, step, place) for place in range(self.count)]

    def _point(self, compute: _Compute, step: Step, place: int) -> Point:
        try:
            return compute(self, step, place)
        except decimal.DecimalException:
            used = 0
            for child in step.children:
                used |= self.points[child][place].used
            return Point(None, Reason("out_of_range", (step.text or step.operation,)), used)

    def _pairs(self, step: Step) -> list[Point]:
        """Compute an operation on two operands for all periods; most steps are one, so they are worth a loop."""
        operation, text = _TWO[step.operation], step.text
        left, right = (self.points[child] for child in step.children)
        row = []
        for (one, first, used), (two, second, more) in zip(left, right, strict=True):
            used |= more
            if one is None or two is None:
                row.append(Point(None, worse(first, second), used))
                continue
            try:
                result = operation(one, two, text)
            except decimal.DecimalException:
                result = Reason("out_of_range", (text or step.operation,))
            row.append(_point(result, used))
        return row

    def bit(self, concept: str, place: int) -> int:
        """Return the bit of an item in a period."""
        return 1 << (_PLACES[concept] * self.count + place)

    def end(self, place: int) -> str:
        """Return the last day of a period."""
        return self.ends[place]

    def short(self, place: int, back: int) -> Reason | None:
        """Return the reason for which `back` periods before cannot be reached, if there is one."""
        if back <= self.history[place]:
            return None
        if back > place:
            return Reason("needs_periods", (str(back + 1),))
        return Reason("gap", (self.end(place - self.history[place]),))

    @cached_property
    def peers(self) -> tuple[Evaluation, ...]:
        """The peers' own points, of the steps that are compared."""
        plan = self.plan
        return tuple(Evaluation(plan, peer, only=plan.peer_steps) for peer in self.statements.peers or ())

    @cached_property
    def matches(self) -> tuple[tuple[tuple[Evaluation, int], ...], ...]:
        """For each period, the peers that can be compared and which of their periods."""
        return tuple(
            tuple((peer, place) for peer in self.peers if (place := _match(peer.statements, own)) is not None)
            for own in self.statements.periods
        )

    def figures(self, position: int) -> tuple[tuple[list[int], int], ...]:
        """Return for each period the digits at a position of all amounts up to it, and which figures these are."""
        if position not in self._figures:
            by_period: dict[Period, list[Cell]] = {period: [] for period in self.statements.periods}
            for cell in self.statements.cells:
                if CONCEPTS[cell.concept].unit == "currency":
                    by_period[cell.period].append(cell)
            running, used, found = [0] * 10, 0, []
            for place, cells in enumerate(by_period.values()):
                fresh = digits.counts((cell.value for cell in cells), position)
                running = [before + more for before, more in zip(running, fresh, strict=True)]
                for cell in cells:
                    used |= self.bit(cell.concept, place)
                found.append((running, used))
            self._figures[position] = tuple(found)
        return self._figures[position]


def _match(peer: Statements, own: Period) -> int | None:
    distances = [
        (abs((other.end - own.end).days), place)
        for place, other in enumerate(peer.periods)
        if other.months == own.months
    ]
    nearest = min(distances, default=(_HALF_A_YEAR + 1, 0))
    return nearest[1] if nearest[0] <= _HALF_A_YEAR else None


def _history(statements: Statements) -> tuple[int, ...]:
    """Return for each period how many adjacent ones lie before it."""
    found = [0]
    for earlier, later in pairwise(statements.periods):
        found.append(found[-1] + 1 if later.follows(earlier) else 0)
    return tuple(found)


# ---- single operations: each returns the point of a step in one period


def _number(run: Evaluation, step: Step, place: int) -> Point:
    return Point(step.constant, None, 0)


def _days(run: Evaluation, step: Step, place: int) -> Point:
    return Point(Decimal(365 * run.statements.periods[place].months) / 12, None, 0)


def _item(run: Evaluation, step: Step, place: int) -> Point:
    cell = run.statements.cell(step.concept, run.statements.periods[place])
    if cell is None:
        return Point(None, Reason("missing", (f"{step.concept} {run.end(place)}",)), 0)
    return Point(cell.value, None, run.bit(step.concept, place))


def _opt(run: Evaluation, step: Step, place: int) -> Point:
    point = _item(run, step, place)
    if point.reason is None:
        return point
    period = run.statements.periods[place]
    present = _PRESENT[CONCEPTS[step.concept].statement]
    if any(run.statements.cell(name, period) is not None for name in present):
        return Point(_ZERO, None, run.bit(step.concept, place))
    return point


def _negative(run: Evaluation, step: Step, place: int) -> Point:
    value, reason, used = run.points[step.children[0]][place]
    return Point(None if value is None else -value + 0, reason, used)


def _divide(left: Decimal, right: Decimal, text: str) -> Decimal | Reason:
    if not right:
        return Reason("zero_denominator", (text,))
    return left / right if right > 0 else Reason("negative_denominator", (text,))


def _quotient(left: Decimal, right: Decimal, text: str) -> Decimal | Reason:
    return left / right if right else Reason("zero_denominator", (text,))


def _square_root(value: Decimal, text: str) -> Decimal | Reason:
    return value.sqrt() if value > 0 else Reason("not_positive", (text,))


def _logarithm(value: Decimal, text: str) -> Decimal | Reason:
    return value.ln() if value > 0 else Reason("not_positive", (text,))


_ONE: Final[Mapping[str, Callable[[Decimal, str], Decimal | Reason]]] = {
    "abs": lambda value, text: abs(value),
    "exp": lambda value, text: value.exp(),
    "sqrt": _square_root,
    "ln": _logarithm,
}

_TWO: Final[Mapping[str, Callable[[Decimal, Decimal, str], Decimal | Reason]]] = {
    "+": lambda left, right, text: arithmetic.difference(left, -right),
    "-": lambda left, right, text: arithmetic.difference(left, right),
    "*": lambda left, right, text: left * right,
    "/": _divide,
    "quotient": _quotient,
    "min": lambda left, right, text: min(left, right),
    "max": lambda left, right, text: max(left, right),
    "less": lambda left, right, text: Decimal(arithmetic.difference(left, right) < 0),
}


def _point(result: Decimal | Reason, used: int) -> Point:
    return Point(None, result, used) if isinstance(result, Reason) else Point(result, None, used)


def _one(run: Evaluation, step: Step, place: int) -> Point:
    value, reason, used = run.points[step.children[0]][place]
    return Point(None, reason, used) if value is None else _point(_ONE[step.operation](value, step.text), used)


def _first(run: Evaluation, step: Step, place: int) -> Point:
    points = [run.points[child][place] for child in step.children]
    # only a missing item opens the next way; a way that is there and has no value is the answer
    return next((point for point in points if point.reason is None or point.reason.code != "missing"), points[0])


def _prior(run: Evaluation, step: Step, place: int) -> Point:
    back = step.numbers[0] if step.numbers else 1
    if (reason := run.short(place, back)) is not None:
        return Point(None, reason, 0)
    return run.points[step.children[0]][place - back]


# ---- windows: functions of the last values, the oldest first


def _growth(values: list[Decimal], text: str) -> Decimal | Reason:
    if values[0] <= 0:
        return Reason("not_positive", (f"prior({text})",))
    return arithmetic.difference(values[1], values[0]) / values[0]


def _cagr(values: list[Decimal], text: str) -> Decimal | Reason:
    if values[0] <= 0 or values[-1] <= 0:
        return Reason("not_positive", (text,))
    if values[0] == values[-1]:
        return _ZERO
    return arithmetic.difference((values[-1] / values[0]) ** (Decimal(1) / (len(values) - 1)), Decimal(1))


def _to_mean(part: Callable[[list[Decimal]], Decimal]) -> Callable[[list[Decimal], str], Decimal | Reason]:
    def related(values: list[Decimal], text: str) -> Decimal | Reason:
        centre = arithmetic.mean(values)
        return part(values) / centre if centre > 0 else Reason("not_positive", (f"mean({text}, {len(values)})",))

    return related


_WINDOWS: Final[Mapping[str, Callable[[list[Decimal], str], Decimal | Reason]]] = {
    "avg": lambda values, text: arithmetic.mean(values),
    "change": lambda values, text: arithmetic.difference(values[1], values[0]),
    "growth": _growth,
    "cagr": _cagr,
    "slope": lambda values, text: arithmetic.slope(values),
    "trend": _to_mean(arithmetic.slope),
    "sd": lambda values, text: arithmetic.sample_deviation(values),
    "cv": _to_mean(arithmetic.sample_deviation),
    "mean": lambda values, text: arithmetic.mean(values),
    "sum": lambda values, text: sum(values, _ZERO),
    "turns": lambda values, text: arithmetic.turns(values),
}


def _window(run: Evaluation, step: Step, place: int) -> Point:
    back = (step.numbers[0] if step.numbers else 2) - (step.operation != "cagr")
    if (reason := run.short(place, back)) is not None:
        return Point(None, reason, 0)
    used = 0
    values: list[Decimal] = []
    for value, why, bits in run.points[step.children[0]][place - back : place + 1]:
        used |= bits
        if value is None:
            reason = worse(reason, why)
        else:
            values.append(value)
    if reason is not None:
        return Point(None, reason, used)
    return _point(_WINDOWS[step.operation](values, step.text), used)


# ---- parts of items, digits of all figures, peers


def _entropy(values: list[Decimal]) -> Decimal:
    total = sum(values, _ZERO)
    return sum((value / total * (total / value).ln() for value in values), _ZERO)


_PARTS: Final[Mapping[str, Callable[[list[Decimal], int], Decimal]]] = {
    "parts_sum": lambda values, count: sum(values, _ZERO),
    "parts_squares": lambda values, count: sum((value * value for value in values), _ZERO),
    "parts_count": lambda values, count: Decimal(len(values)),
    "entropy": lambda values, count: _entropy(values),
    "top": lambda values, count: sum(sorted(values, reverse=True)[:count], _ZERO),
}


def _parts(run: Evaluation, step: Step, place: int) -> Point:
    cells = run.statements.members(step.concept, run.statements.periods[place])
    used = run.bit(step.concept, place) if cells else 0
    if any(cell.value < 0 for cell in cells):
        return Point(None, Reason("not_positive", (step.concept,)), used)
    values = [cell.value for cell in cells if cell.value]
    if not values:
        return Point(None, Reason("needs_members", (step.concept,)), used)
    return Point(_PARTS[step.operation](values, step.numbers[0] if step.numbers else 0), None, used)


def _digits(run: Evaluation, step: Step, place: int) -> Point:
    position = step.numbers[0]
    found, used = run.figures(position)[place]
    if sum(found) < digits.LEAST:
        return Point(None, Reason("needs_cells", (str(digits.LEAST),)), used)
    match step.operation:
        case "digit_mad":
            value = digits.deviation(found, position)
        case "digit_chi2":
            value = digits.chi_square(found, position)
        case "digit_ks":
            value = digits.distance(found, position)
        case _:
            value = digits.score(found, position, step.numbers[1])
    return Point(value, None, used)


def _peers(run: Evaluation, step: Step, place: int) -> Point:
    value, reason, used = run.points[step.children[0]][place]
    if value is None:
        return Point(None, reason, used)
    found = (peer.points[step.children[0]][other].value for peer, other in run.matches[place])
    others = [other for other in found if other is not None]
    if len(others) < PEERS:
        return Point(None, Reason("needs_peers", (str(PEERS),)), used)
    if step.operation == "peer_rank":
        return Point(arithmetic.ranked(value, others), None, used)
    if not arithmetic.difference(max(others), min(others)):
        return Point(None, Reason("no_variation", (step.text,)), used)
    return Point(arithmetic.standardised(value, others), None, used)


_STEPS: Final[Mapping[str, _Compute]] = {
    "number": _number,
    "days": _days,
    "item": _item,
    "opt": _opt,
    "negative": _negative,
    "first": _first,
    "prior": _prior,
    **dict.fromkeys(_ONE, _one),
    **dict.fromkeys(_WINDOWS, _window),
    **dict.fromkeys(_PARTS, _parts),
    **dict.fromkeys(("digit_mad", "digit_chi2", "digit_ks", "digit_z"), _digits),
    **dict.fromkeys(("peer_z", "peer_rank"), _peers),
}
