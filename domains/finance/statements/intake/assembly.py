"""From figures as they were brought to one company's `Statements`, with a note for everything that was decided.

Nothing is decided silently:

* A label that names no known item is left aside and listed, with the items whose names resemble it.
* Two figures for one item and period: the one filed later is used and both are kept (`Restated`); a line whose name is
  the item's own title goes before a line with another name for it; the same name twice with different figures is
  refused.
* Costs and payments are sizes here. A filer who shows them in brackets has them turned, and it is said for which items.
  Anything else that cannot be below zero and is, is left out and reported as an error of the figures.
* Figures of another length than the chosen one (a quarter beside years) are left aside and counted. A balance sheet
  without flows of its period is kept when it is whole enough to have total assets: it is the opening one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Final

from domains.finance.statements.concepts import CONCEPTS
from domains.finance.statements.intake.aliases import nearest, normal
from domains.finance.statements.intake.figures import LIMITS, Brought, Figure
from domains.finance.statements.intake.periods import Mark, span
from domains.finance.statements.refusals import InputRefused, LimitExceeded, MixedCurrencies, PeriodConflict, shown
from domains.finance.statements.types import Cell, Period, Source, Statements, unit_of

__all__ = ["SIZES", "Gathered", "Restated", "Unmapped", "gather"]

_SIZES: Final = """
    cost_of_sales selling_expense administrative_expense sga_expense research_development_expense operating_expense
    taxes_and_surcharges staff_cost impairment_loss credit_impairment_loss interest_expense preferred_dividends
    accumulated_depreciation treasury_shares cash_to_suppliers cash_to_employees taxes_paid interest_paid
    capital_expenditure acquisitions debt_repaid shares_repurchased dividends_paid bad_debt_allowance
    inventory_allowance
"""
SIZES: Final = frozenset(_SIZES.split())
"""Items that many filers show as deductions, in brackets, and that are sizes here."""

_KEPT: Final = 10
"""Periods that are kept, the newest; the library looks back no further."""


@dataclass(frozen=True, slots=True)
class Unmapped:
    """A label that names no known item: where it stands first, how many figures it has, what it may have meant."""

    label: str
    place: str
    figures: int
    nearest: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Restated:
    """A figure that was published again with another amount; the later one is used."""

    used: Cell
    earlier: Cell
    filed: date
    filed_before: date


@dataclass(frozen=True, slots=True)
class Gathered:
    """One company's statements and what was decided on the way to them."""

    statements: Statements
    unmapped: tuple[Unmapped, ...] = ()
    restated: tuple[Restated, ...] = ()
    turned: tuple[str, ...] = ()
    """Items shown as deductions whose sign was turned."""

    impossible: tuple[Cell, ...] = ()
    """Figures below zero where there can be none; not used."""

    ambiguous: tuple[Cell, ...] = ()
    """Figures of lines with different names for one item that contradict each other; none is used."""

    summed: tuple[str, ...] = ()
    """Items that were added up from lines reported apart."""

    empty: int = 0
    aside: int = 0
    """Figures of another length, or older than the periods that are kept."""


@dataclass(slots=True)
class _Decisions:
    restated: list[Restated] = field(default_factory=list)
    turned: dict[str, None] = field(default_factory=dict)
    impossible: list[Cell] = field(default_factory=list)
    ambiguous: list[Cell] = field(default_factory=list)
    summed: dict[str, None] = field(default_factory=dict)


def gather(
    brought: Sequence[Brought],
    *,
    company: str | None = None,
    currency: str | None = None,
    industry: str | None = None,
    months: int | None = None,
    peers: tuple[Statements, ...] | None = None,
) -> Gathered:
    """Bring figures of one company together.

    Args:
        brought: What each file or request held.
        company: Its name; by default the one that a file gives.
        currency: Of figures that do not say it.
        industry: A word of the library, or None.
        months: Length of the periods to assess; by default the one that most flows have.
        peers: Statements of other companies, to compare with.

    Raises:
        InputRefused: there is nothing to assess, or no currency.
        MixedCurrencies: amounts in more than one currency.
        PeriodConflict: one line gives two figures for a period.
        LimitExceeded: more periods than the limit.
        StatementsError: periods overlap.
    """
    figures = [figure for one in brought for figure in one.figures]
    known = [figure for figure in figures if figure.concept is not None]
    if not known:
        raise _nothing(figures)
    code = _currency(known, currency)
    length = months or _usual(known)
    placed, aside = _placed(known, length)
    decided = _Decisions()
    cells = [cell for group in _groups(placed).values() if (cell := _decide(group, code, decided)) is not None]
    periods = tuple(sorted({cell.period for cell in cells}))
    if not cells:
        raise _nothing(figures)
    name = company or next((one.company for one in brought if one.company), None) or "?"
    return Gathered(
        Statements(name, code, periods, tuple(cells), industry, peers),
        unmapped=_unmapped(figures),
        restated=tuple(decided.restated),
        turned=tuple(decided.turned),
        impossible=tuple(decided.impossible),
        ambiguous=tuple(decided.ambiguous),
        summed=tuple(decided.summed),
        empty=sum(one.empty for one in brought),
        aside=aside,
    )


def _nothing(figures: Sequence[Figure]) -> InputRefused:
    found = ", ".join(shown(figure.label) for figure in figures[:3])
    return InputRefused(
        f"No figure of a known line item was found{f' (found: {found})' if found else ''}.",
        remedy="Name the items as the statements do, put one period in a column with its date or year above, "
        "or see GET /v1/finance/items for the names that are known.",
    )


def _currency(figures: Iterable[Figure], given: str | None) -> str:
    money = [figure for figure in figures if CONCEPTS[figure.concept or ""].unit in ("currency", "per_share")]
    found = {figure.currency or given for figure in money} | ({given} if given else set())
    known = sorted(code for code in found if code)
    if len(known) > 1:
        raise MixedCurrencies(
            f"The figures are in more than one currency: {', '.join(known[:5])}.",
            remedy="Give all figures in one currency; translate them first at the rates that your rules prescribe.",
        )
    if not known:
        raise InputRefused(
            "It is not said in which currency the figures are.",
            remedy='Give "currency", such as "CNY", or write it above the table (单位：人民币万元).',
        )
    return known[0]


def _usual(figures: Iterable[Figure]) -> int:
    flows = Counter(
        figure.mark.months
        for figure in figures
        if figure.mark.months and CONCEPTS[figure.concept or ""].nature == "flow"
    )
    return max(flows, key=lambda length: (flows[length], length)) if flows else 12


def _placed(figures: Sequence[Figure], length: int) -> tuple[list[tuple[Figure, Period]], int]:
    """Give each figure its period; return them and how many were left aside."""
    flows = [f for f in figures if CONCEPTS[f.concept or ""].nature == "flow" and f.mark.months in (None, length)]
    stocks = [f for f in figures if CONCEPTS[f.concept or ""].nature == "stock"]
    ends = {figure.mark.end for figure in flows}
    whole = {figure.mark.end for figure in stocks if figure.concept == "total_assets"}
    if ends:
        ends |= {end for end in whole if _fits(end, ends, length)}
    else:
        ends = whole or {figure.mark.end for figure in stocks}
    kept = sorted(ends)[-_KEPT:]
    if len(ends) > LIMITS.periods and not any(figure.filed for figure in figures):
        raise LimitExceeded(f"There are more than {LIMITS.periods} periods.", remedy="Give the newest ones.")
    placed = [
        (figure, span(Mark(figure.mark.end, length), length)) for figure in (*flows, *stocks) if figure.mark.end in kept
    ]
    return placed, len(figures) - len(placed)


def _fits(end: date, ends: Iterable[date], length: int) -> bool:
    """Say whether a balance sheet stands a whole number of periods from the others."""
    days = length * 30.4375
    return all(abs((end - other).days - round((end - other).days / days) * days) <= 8 for other in ends)


def _groups(
    placed: Iterable[tuple[Figure, Period]],
) -> dict[tuple[str, Period, str | None], list[tuple[Figure, Period]]]:
    found: dict[tuple[str, Period, str | None], list[tuple[Figure, Period]]] = {}
    for figure, period in placed:
        found.setdefault((figure.concept or "", period, figure.member), []).append((figure, period))
    return found


def _decide(group: Sequence[tuple[Figure, Period]], currency: str, decided: _Decisions) -> Cell | None:
    """Return the one cell of an item and period, and note what was decided."""
    whole = [pair for pair in group if not pair[0].part]
    if not whole:
        return _checked(_sum(group, currency, decided), decided)
    best = min(figure.rank for figure, _ in whole)
    candidates = [pair for pair in whole if pair[0].rank == best]
    newest = max((figure.filed for figure, _ in candidates if figure.filed), default=None)
    last = [pair for pair in candidates if pair[0].filed == newest]
    used = _one_of(last, currency, decided)
    if used is None:
        return None
    if newest is not None:
        _note_restated(used, newest, candidates, currency, decided)
    return _checked(used, decided)


def _one_of(pairs: Sequence[tuple[Figure, Period]], currency: str, decided: _Decisions) -> Cell | None:
    amounts = {figure.amount for figure, _ in pairs}
    if len(amounts) == 1:
        return _cell(*pairs[0], currency)
    by_name: dict[str, set[Decimal]] = {}
    for figure, _ in pairs:
        by_name.setdefault(normal(figure.label), set()).add(figure.amount)
    first, period = pairs[0]
    doubled = next((name for name, found in by_name.items() if len(found) > 1), None)
    if doubled is not None:
        places = ", ".join(shown(figure.source.place) for figure, _ in pairs[:2])
        raise PeriodConflict(
            f"{first.concept} is given twice for the period to {period.end}, with different figures ({places}).",
            remedy="Keep one figure, or give each its day of filing; then the later one counts as restated.",
        )
    own = {normal(title) for title in (first.concept or "", *CONCEPTS[first.concept or ""].titles.values())}
    titled = [pair for pair in pairs if normal(pair[0].label) in own]
    if titled:
        return _cell(*titled[0], currency)
    decided.ambiguous.extend(_cell(figure, period, currency) for figure, period in pairs)
    return None


def _note_restated(
    used: Cell, filed: date, pairs: Sequence[tuple[Figure, Period]], currency: str, decided: _Decisions
) -> None:
    earlier = [pair for pair in pairs if pair[0].filed and pair[0].filed < filed and pair[0].amount != used.value]
    if earlier:
        figure, period = max(earlier, key=lambda pair: pair[0].filed or filed)
        decided.restated.append(Restated(used, _cell(figure, period, currency), filed, figure.filed or filed))


def _sum(group: Sequence[tuple[Figure, Period]], currency: str, decided: _Decisions) -> Cell:
    lines: dict[str, tuple[Figure, Period]] = {}
    for figure, period in group:
        before = lines.setdefault(normal(figure.label), (figure, period))
        if before[0].amount != figure.amount:
            raise PeriodConflict(
                f"{shown(figure.label)!r} is given twice for the period to {period.end}, with different figures.",
                remedy="Keep one figure a line and period.",
            )
    figures = [figure for figure, _ in lines.values()]
    total = replace(
        figures[0],
        amount=sum((figure.amount for figure in figures), Decimal(0)),
        source=Source(figures[0].source.document, place=" + ".join(figure.source.place for figure in figures)),
    )
    decided.summed[figures[0].concept or ""] = None
    return _cell(total, group[0][1], currency)


def _cell(figure: Figure, period: Period, currency: str) -> Cell:
    concept = figure.concept or ""
    return Cell(concept, period, figure.amount, unit_of(concept, currency), figure.source, figure.member)


def _checked(cell: Cell, decided: _Decisions) -> Cell | None:
    if cell.value >= 0 or CONCEPTS[cell.concept].sign == "signed":
        return cell
    if cell.concept in SIZES:
        decided.turned[cell.concept] = None
        return replace(cell, value=-cell.value)
    decided.impossible.append(cell)
    return None


def _unmapped(figures: Iterable[Figure]) -> tuple[Unmapped, ...]:
    counted: dict[str, tuple[str, int]] = {}
    for figure in figures:
        if figure.concept is None:
            place, count = counted.get(figure.label, (figure.source.place, 0))
            counted[figure.label] = (place, count + 1)
    return tuple(Unmapped(label, place, count, nearest(label)) for label, (place, count) in list(counted.items())[:200])
