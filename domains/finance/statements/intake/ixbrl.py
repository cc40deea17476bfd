"""Inline XBRL: the figures of a filing's own page, each with its element and context.

Read are ``ix:nonFraction`` elements of the us-gaap and dei taxonomies whose context has no dimensions: a fact of a
segment is not a fact of the company. The amount is the text by its format (``num-dot-decimal``, ``num-comma-decimal``,
``fixed-zero`` and their older names), times ten to the ``scale``, negated when ``sign`` is "-". ``nil`` facts are not
reported.

The file is read as XML by a parser that refuses entities and external references, one element at a time, so that a page
of 30 MB does not become a tree of 300.

Source: Inline XBRL 1.1 (XBRL International, 2013), Transformation Registry 4.

Not covered: ``ix:fraction``, tuples, target documents other than the default, figures that a page continues elsewhere,
plain XBRL instances.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, iterparse

from domains.finance.statements.concepts import CONCEPTS
from domains.finance.statements.intake.amounts import bounded
from domains.finance.statements.intake.companyfacts import months_of
from domains.finance.statements.intake.figures import LIMITS, Brought, Figure, Limits
from domains.finance.statements.intake.periods import Mark, read_date
from domains.finance.statements.intake.tags import RANK, concept_of_tag
from domains.finance.statements.refusals import FileRefused, InputRefused, LimitExceeded, shown
from domains.finance.statements.types import Source

__all__ = ["is_ixbrl", "read_ixbrl"]

_IX: Final = re.compile(r"^\{http://www\.xbrl\.org/(?:2008|2013)/inlineXBRL\}")
_XBRLI: Final = "{http://www.xbrl.org/2003/instance}"
_XBRLDI: Final = "{http://xbrl.org/2006/xbrldi}"
_NIL: Final = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_TAXONOMIES: Final = frozenset({"us-gaap", "dei"})
_ZERO: Final = frozenset({"fixed-zero", "zerodash", "numdash"})
_DEEPEST: Final = 200
_SCALES: Final = range(-12, 16)


@dataclass(slots=True)
class _Context:
    start: date | None = None
    end: date | None = None
    dimensions: bool = False

    @property
    def mark(self) -> Mark | None:
        if self.end is None or self.dimensions:
            return None
        if self.start is None:
            return Mark(self.end)
        months = months_of(self.start, self.end)
        return None if months is None else Mark(self.end, months)


@dataclass(slots=True)
class _Fact:
    name: str
    context: str
    unit: str
    text: str
    attributes: dict[str, str]


@dataclass(slots=True)
class _Page:
    contexts: dict[str, _Context] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    facts: list[_Fact] = field(default_factory=list)
    company: str | None = None


def is_ixbrl(head: bytes) -> bool:
    """Say whether the beginning of a file declares inline XBRL."""
    return b"inlineXBRL" in head


def read_ixbrl(data: bytes, *, document: str, limits: Limits = LIMITS) -> Brought:
    """Return the figures of an inline XBRL page.

    Raises:
        FileRefused: no well-formed XML, with entities or external references, or nested beyond reason.
        InputRefused: a fact of a known element cannot be read.
        LimitExceeded: more facts than the limit.
    """
    page = _page(data, limits)
    figures: list[Figure] = []
    unknown: dict[str, None] = {}
    for fact in page.facts:
        prefix, _, tag = fact.name.partition(":")
        concepts = concept_of_tag(tag) if prefix in _TAXONOMIES else ()
        if not concepts:
            unknown[fact.name] = None
            continue
        figures.extend(_figures(fact, tag, concepts, page, document))
    return Brought(tuple(figures), company=page.company, unread=tuple(unknown))


def _page(data: bytes, limits: Limits) -> _Page:
    page = _Page()
    depth = inside = 0
    try:
        for event, element in iterparse(io.BytesIO(data), events=("start", "end"), forbid_dtd=False):
            name = element.tag
            keeps = _keeps(name)
            if event == "start":
                depth += 1
                inside += keeps
                if depth > _DEEPEST:
                    raise FileRefused(
                        "The page is nested beyond reason.", remedy="Send the filing as it was published."
                    )
                continue
            depth -= 1
            inside -= keeps
            if keeps:
                _keep(page, name, element)
                if len(page.facts) > limits.facts:
                    raise LimitExceeded(f"There are more than {limits.facts} facts.", remedy="Send one filing.")
            if not inside:
                element.clear()
    except DefusedXmlException as error:
        raise FileRefused(
            "The page declares entities or external references, which no filing does.",
            remedy="Send the filing as it was published.",
        ) from error
    except (ParseError, ValueError, RecursionError) as error:
        raise FileRefused(
            "The page is not well-formed XHTML, as inline XBRL must be.", remedy="Send the filing as it was published."
        ) from error
    return page


def _keeps(name: object) -> bool:
    if not isinstance(name, str):
        return False
    local = _IX.sub("", name)
    return (local != name and local in ("nonFraction", "nonNumeric")) or name in (f"{_XBRLI}context", f"{_XBRLI}unit")


def _keep(page: _Page, name: str, element: Any) -> None:
    if name == f"{_XBRLI}context":
        page.contexts[element.get("id", "")] = _context(element)
    elif name == f"{_XBRLI}unit":
        page.units[element.get("id", "")] = _unit(element)
    elif name.endswith("}nonNumeric"):
        if element.get("name") == "dei:EntityRegistrantName" and page.company is None:
            page.company = " ".join("".join(element.itertext()).split())[:200] or None
    elif element.get(_NIL) not in ("true", "1"):
        text = "".join(element.itertext()).strip()
        page.facts.append(
            _Fact(
                element.get("name", ""), element.get("contextRef", ""), element.get("unitRef", ""), text, element.attrib
            )
        )


def _context(element: Any) -> _Context:
    found = _Context()
    for child in element.iter():
        if child.tag in (f"{_XBRLI}instant", f"{_XBRLI}endDate"):
            found.end = read_date(child.text or "")
        elif child.tag == f"{_XBRLI}startDate":
            found.start = read_date(child.text or "")
        elif isinstance(child.tag, str) and child.tag.startswith(_XBRLDI):
            found.dimensions = True
    return found


def _unit(element: Any) -> str:
    """Return "USD", "shares", "pure" or "USD/shares"."""
    measures = [(child.text or "").strip().rpartition(":")[2] for child in element.iter(f"{_XBRLI}measure")]
    return "/".join(measures[:2])


def _figures(fact: _Fact, tag: str, concepts: tuple[str, ...], page: _Page, document: str) -> Iterator[Figure]:
    context = page.contexts.get(fact.context)
    if context is None:
        raise FileRefused(
            f"The fact {shown(fact.name)} names a context that the page does not have.",
            remedy="Send the whole filing as it was published.",
        )
    mark = context.mark
    if mark is None:
        return
    unit = page.units.get(fact.unit, "")
    place = f"{fact.name} in context {shown(fact.context)}"
    amount = _amount(fact, place)
    for concept in concepts:
        kind = CONCEPTS[concept]
        fits = {"currency": unit.isalpha() and len(unit) == 3, "per_share": "/" in unit}.get(
            kind.unit, unit == kind.unit
        )
        if fits and (kind.nature == "stock") == (context.start is None):
            currency = unit.partition("/")[0] if kind.unit in ("currency", "per_share") else None
            source = Source(document, place=f"context {shown(fact.context)}", tag=fact.name)
            yield Figure(tag, mark, amount, source, concept, currency, rank=RANK[concept, tag])


def _amount(fact: _Fact, place: str) -> Decimal:
    form = fact.attributes.get("format", "").rpartition(":")[2].lower()
    scale = fact.attributes.get("scale", "0")
    if not re.fullmatch(r"[-+]?\d{1,2}", scale) or int(scale) not in _SCALES:
        raise InputRefused(f"The scale of {place} is no small whole number.", remedy="Send the filing as published.")
    if form in _ZERO:
        return Decimal(0)
    text = re.sub(r"[\s\u00a0']", "", fact.text)
    if form in ("num-comma-decimal", "numcommadecimal", "numcommadot"):
        text = text.replace(".", "").replace(",", ".") if form != "numcommadot" else text.replace(",", "")
    else:
        text = text.replace(",", "")
    if not re.fullmatch(r"\d{1,24}(?:\.\d{1,12})?|\.\d{1,12}", text):
        raise InputRefused(
            f"The text of {place} is no number of a format that is known here.",
            remedy="Send the filing as it was published, or its figures as JSON.",
        )
    try:
        amount = Decimal(text).scaleb(int(scale))
    except InvalidOperation as error:
        raise InputRefused(f"The text of {place} is no number.", remedy="Send the filing as published.") from error
    return bounded(-amount if fact.attributes.get("sign") == "-" else amount, place=place)
