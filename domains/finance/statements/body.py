"""From the JSON of a request to figures: the same road as a file's, so that nothing is read in two ways."""

from __future__ import annotations

import json
from typing import Any

from domains.finance.statements.concepts import CONCEPTS
from domains.finance.statements.industries import read_industry
from domains.finance.statements.intake.amounts import factor_of, read_amount, read_currency
from domains.finance.statements.intake.assembly import Gathered, gather
from domains.finance.statements.intake.figures import Brought, Figure
from domains.finance.statements.intake.grid import item_of
from domains.finance.statements.intake.periods import Mark, read_date, read_period
from domains.finance.statements.refusals import FileRefused, InputRefused, shown
from domains.finance.statements.schema import PeriodIn, StatementsIn
from domains.finance.statements.types import Source, Statements

__all__ = ["gather_request", "refuse_doubled_keys"]


def gather_request(request: StatementsIn, *, peers: tuple[Statements, ...] | None = None) -> Gathered:
    """Return the statements of a request.

    Raises:
        StatementsError: a figure, a period, a unit or a currency cannot be read, or they contradict each other.
    """
    currency = None if request.currency is None else read_currency(request.currency)
    empty = 0
    figures: list[Figure] = []
    for number, period in enumerate(request.periods):
        found, nothing = _figures(period, number, request, currency)
        figures.extend(found)
        empty += nothing
    return gather(
        [Brought(tuple(figures), empty=empty)],
        company=request.company,
        currency=currency,
        industry=read_industry(request.industry),
        months=request.months,
        peers=peers,
    )


def _figures(period: PeriodIn, number: int, request: StatementsIn, currency: str | None) -> tuple[list[Figure], int]:
    read = read_period(period.end)
    if read is None:
        raise InputRefused(
            f"periods[{number}].end is no period: {shown(period.end)!r}.", remedy="Write it like 2023-12-31 or 2023."
        )
    mark = Mark(read.end, period.months or read.months or request.months)
    money, shares = factor_of(period.unit or request.unit), factor_of(request.share_unit)
    code = read_currency(period.currency) if period.currency else currency
    filed = read_date(period.filed) if period.filed else None
    figures: list[Figure] = []
    empty = 0
    lines: list[tuple[str, str | None, Any]] = [(label, None, amount) for label, amount in period.figures.items()]
    lines += [(label, part, amount) for label, parts in period.parts.items() for part, amount in parts.items()]
    for label, part, raw in lines:
        concept, named_part, summed = item_of(label)
        kind = CONCEPTS[concept].unit if concept else "currency"
        factor = {"currency": money, "shares": shares}.get(kind, 1)
        place = f"periods[{number}] {shown(label)}"
        amount = read_amount(raw, factor=factor, place=place)
        if amount is None:
            empty += concept is not None
            continue
        source = Source(period.source or "request", place=place)
        figures.append(Figure(label, mark, amount, source, concept, code, part or named_part, filed, part=summed))
    return figures, empty


def refuse_doubled_keys(body: bytes) -> None:
    """Refuse a JSON body in which an object has a key twice: the reader would keep the last one without a word.

    Raises:
        FileRefused: a key stands twice, or the body is no JSON.
    """
    try:
        json.loads(body or b"null", object_pairs_hook=_single)
    except (ValueError, RecursionError) as error:
        raise FileRefused("The body is no JSON.", remedy="Check that it is complete and valid.") from error


def _single(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        doubled = next(name for name in names if names.count(name) > 1)
        raise InputRefused(
            f"{shown(doubled)!r} stands twice in one object, so one of its values would be lost.",
            remedy="Give each line item once a period; give a restated period again with its day of filing.",
        )
    return found
