"""Company facts as the SEC publishes them (``companyfacts``): all facts of one filer, by element, unit and filing.

    {"cik": 24741, "entityName": "…", "facts": {"us-gaap": {"Assets": {"units": {"USD": [
        {"end": "2022-12-31", "val": 29499000000, "accn": "…", "fy": 2022, "fp": "FY", "form": "10-K",
         "filed": "2023-02-13"}]}}}}}

The same fact stands once for each filing that repeats it; figures keep the day of filing, and the newest is used. A
fact with a beginning is a flow over its span; whether a span is a year or a quarter is told from its days, not from
``fy`` and ``fp``, which describe the filing and not the fact.

Amounts are whole units already. Facts of unknown elements are counted, not listed: a filer has hundreds.

Not covered: facts with dimensions (the SEC leaves them out of this form), IFRS elements.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final

from domains.finance.statements.concepts import CONCEPTS
from domains.finance.statements.intake.amounts import bounded
from domains.finance.statements.intake.figures import LIMITS, Brought, Figure, Limits
from domains.finance.statements.intake.periods import LENGTHS, Mark, read_date
from domains.finance.statements.intake.tags import RANK, concept_of_tag
from domains.finance.statements.refusals import FileRefused, InputRefused, LimitExceeded, shown
from domains.finance.statements.types import Source

__all__ = ["is_companyfacts", "months_of", "read_companyfacts"]

_TAXONOMIES: Final = ("us-gaap", "dei")
_SLACK_DAYS: Final = 10
"""How far a span may be from its length in months: a year of 52 weeks has 364 days, one of 53 has 371."""


def is_companyfacts(data: object) -> bool:
    """Say whether a JSON value has this form."""
    return isinstance(data, Mapping) and isinstance(data.get("facts"), Mapping) and "entityName" in data


def read_companyfacts(data: Mapping[str, Any], *, document: str, limits: Limits = LIMITS) -> Brought:
    """Return the figures of a filer.

    Raises:
        FileRefused: it has not the form above.
        InputRefused: a fact of a known element cannot be read.
        LimitExceeded: more facts than the limit.
    """
    facts = data["facts"]
    figures: list[Figure] = []
    unknown: list[str] = []
    counted = 0
    for taxonomy in _TAXONOMIES:
        for tag, element in _items(facts.get(taxonomy, {})):
            concepts = concept_of_tag(tag)
            if not concepts:
                unknown.append(tag)
                continue
            for unit, fact in _facts(element):
                counted += 1
                if counted > limits.facts:
                    raise LimitExceeded(
                        f"There are more than {limits.facts} facts.", remedy="Send the facts of one company."
                    )
                figures.extend(_figures(tag, concepts, unit, fact, document))
    name = data.get("entityName")
    return Brought(tuple(figures), company=str(name)[:200] if name else None, unread=tuple(unknown))


def _figures(
    tag: str, concepts: tuple[str, ...], unit: str, fact: Mapping[str, Any], document: str
) -> Iterator[Figure]:
    place = f"{tag} {unit} {shown(fact.get('accn', ''))}".strip()
    currency = _currency(unit, CONCEPTS[concepts[0]].unit)
    if currency is None:
        return  # a fact of another kind, such as a share count under an element of money
    mark = _mark(fact, place)
    if mark is None:
        return
    amount = _amount(fact.get("val"), place)
    filed = read_date(str(fact["filed"])) if fact.get("filed") else None
    source = Source(document, place=f"{shown(fact.get('form', ''))} {shown(fact.get('accn', ''))}".strip(), tag=tag)
    for concept in concepts:
        if (CONCEPTS[concept].nature == "stock") == ("start" not in fact):
            yield Figure(tag, mark, amount, source, concept, currency or None, filed=filed, rank=RANK[concept, tag])


def _currency(unit: str, kind: str) -> str | None:
    """Return the currency of a unit ("" for numbers), or None where the unit does not fit the kind of the item."""
    head, _, tail = unit.partition("/")
    if kind == "shares":
        return "" if unit == "shares" else None
    if kind == "pure":
        return "" if unit == "pure" else None
    if len(head) != 3 or not head.isupper():
        return None
    return head if (tail == "shares") == (kind == "per_share") and tail in ("", "shares") else None


def _mark(fact: Mapping[str, Any], place: str) -> Mark | None:
    try:
        end = read_date(str(fact["end"]))
        if "start" not in fact:
            return Mark(end)
        months = months_of(read_date(str(fact["start"])), end)
    except KeyError as error:
        raise FileRefused(
            f"A fact of {place} has no end.", remedy="Send companyfacts as the SEC publishes them."
        ) from error
    return None if months is None else Mark(end, months)


def months_of(start: date, end: date) -> int | None:
    """Return the length of a span in months if it is one that statements have."""
    days = (end - start).days + 1
    return next((months for months in LENGTHS if abs(days - months * 30.4375) <= _SLACK_DAYS), None)


def _amount(value: object, place: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise InputRefused(f"A fact of {place} has no number.", remedy="Send companyfacts as the SEC publishes them.")
    return bounded(Decimal(str(value)), place=place)


def _items(found: object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if not isinstance(found, Mapping):
        raise FileRefused(
            "The facts of a taxonomy are no object.", remedy="Send companyfacts as the SEC publishes them."
        )
    for tag, element in found.items():
        if isinstance(element, Mapping):
            yield str(tag), element


def _facts(element: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    units = element.get("units")
    if not isinstance(units, Mapping):
        raise FileRefused("An element has no units.", remedy="Send companyfacts as the SEC publishes them.")
    for unit, facts in units.items():
        if not isinstance(facts, list):
            raise FileRefused("A unit has no list of facts.", remedy="Send companyfacts as the SEC publishes them.")
        for fact in facts:
            if isinstance(fact, Mapping):
                yield str(unit), fact
