"""Holds a text that somebody else wrote, a person or a model, against a company's figures, sentence by sentence.

A sentence may state any reported amount, any rated or tested measure, the change of each against the period before, and
the factors that the caller names. A figure that is none of these strikes the sentence out.

Not covered: sentences without figures (they pass, since there is nothing to compute), figures of other companies.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from domains.finance.statements.concepts import CONCEPTS
from domains.finance.statements.factors import FACTORS
from domains.finance.statements.narrative.proof import prove_free
from domains.finance.statements.narrative.spoken import Kind, Quantity
from domains.finance.statements.refusals import FactorNotFound, shown
from domains.finance.statements.rules import Rules
from domains.finance.statements.types import Period, Statements
from retrieval.language import language_of
from retrieval.sentences import split_sentences

__all__ = ["Judged", "judge", "quantities"]

_KINDS: Final[dict[str, Kind]] = {
    "ratio": "ratio",
    "percent": "percent",
    "points": "points",
    "days": "days",
    "currency": "money",
    "score": "ratio",
    "count": "count",
    "signal": "count",
}


@dataclass(frozen=True, slots=True)
class Judged:
    """One sentence; `reason` says why it is struck out, None that it holds."""

    text: str
    reason: str | None


def judge(text: str, statements: Statements, rules: Rules, *, factors: Iterable[str] = ()) -> list[Judged]:
    """Return the sentences of a text with what became of each.

    Raises:
        FactorNotFound: a named factor is not in the library.
    """
    allowed = list(quantities(statements, rules, factors))
    found: list[Judged] = []
    for start, end in split_sentences(text):
        sentence = text[start:end].strip()
        if sentence:
            reason = prove_free(sentence, allowed, statements, language=language_of(sentence))
            found.append(Judged(sentence, reason))
    return found


def quantities(statements: Statements, rules: Rules, factors: Iterable[str]) -> Iterator[Quantity]:
    """Yield what a text about a company may state."""
    measures: dict[str, Kind] = {rule.formula: rule.kind for rule in rules.ratings}
    measures |= {rule.formula: rule.kind for rule in rules.risks}
    for name in factors:
        if name not in FACTORS:
            raise FactorNotFound(f"There is no factor {shown(name)!r}.", remedy="See GET /v1/finance/factors.")
        measures[FACTORS[name].formula] = _KINDS.get(FACTORS[name].unit, "ratio")
    amounts = {cell.concept for cell in statements.cells if cell.member is None and _is_money(cell.concept)}
    for period in statements.periods:
        for concept in sorted(amounts):
            yield from _with_change(concept, period, "money")
        for formula, kind in measures.items():
            yield from _with_change(formula, period, kind)


def _with_change(formula: str, period: Period, kind: Kind) -> Iterator[Quantity]:
    yield Quantity(formula, period, kind)
    if kind in ("percent", "points"):
        yield Quantity(f"change({formula})", period, "points")
    yield Quantity(f"growth({formula})", period, "change")


def _is_money(concept: str) -> bool:
    return CONCEPTS[concept].unit == "currency"
