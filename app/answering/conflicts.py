"""Passages that say otherwise: where two documents give different values for the same thing, both are shown.

A claim's value may be right for its passage and still not be the whole truth: last year's report says another figure.
For each shown claim with a number or a date of its own, every other passage is looked at for a sentence that has the
claim's other words, the same years, and another value of the same sort instead. The two stand side by side in the
answer with what dates them, and the reader decides.

Not covered: values that differ in wording only on one side ("about a fifth"), and contradictions without a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from app.answering.checking.support import around, best_window, coverage, informative, sentences
from app.answering.checking.values import Value, ValueKind, extract, missing
from app.answering.types import Claim, Conflict, Side, Verdict
from retrieval.types import Evidence

__all__ = ["conflicts"]

_ALIKE: Final = 0.75
"""Share of the claim's words, without its values, that the other sentence must hold to be about the same thing."""

_MOST: Final = 3
"""Conflicts that are shown."""

_YEAR: Final = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")


def conflicts(question: str, claims: Sequence[Claim], evidence: Mapping[str, Evidence]) -> tuple[Conflict, ...]:
    """Return where the evidence says otherwise than a shown claim, at most three.

    Args:
        question: What it names is given and no value of the claim.
        claims: Checked; only supported ones are shown.
        evidence: What the model saw, by id.
    """
    found: list[Conflict] = []
    for claim in claims:
        cited = [evidence[id_] for id_ in claim.cites if id_ in evidence]
        if claim.verdict is not Verdict.SUPPORTED or not cited:
            continue
        own = _own_values(question, claim)
        others = [item for id_, item in evidence.items() if id_ not in claim.cites]
        if len(own) == 1:  # with several it is not known which one another passage has instead
            found += _of_claim(claim, own[0], cited[0], others)
    return tuple(found[:_MOST])


def _own_values(question: str, claim: Claim) -> list[Value]:
    asked = {value.text for value in extract(question)}
    return [
        value
        for value in extract(claim.text)
        if value.text not in asked and value.kind is not ValueKind.CODE and not _YEAR.fullmatch(value.text)
    ]


def _of_claim(claim: Claim, value: Value, cited: Evidence, others: Iterable[Evidence]) -> list[Conflict]:
    bare = claim.text.replace(value.text, " ")
    terms = {term: weight for term, weight in informative(bare).items() if not any(mark.isdigit() for mark in term)}
    if not terms:
        return []
    years = set(_YEAR.findall(bare)) or set(_YEAR.findall(around(cited)))
    mine = " ".join(best_window(terms, sentences(cited.text), size=1))
    found = []
    for item in others:
        if item.locator.document_id == cited.locator.document_id:
            continue  # two figures of one document differ by what they are about, as its own words say
        for sentence in sentences(item.text):
            if coverage(terms, [sentence]) < _ALIKE or not missing([value], sentence, unsigned=True):
                continue
            rivals = [
                other for other in extract(sentence) if _same_sort(value, other) and not _YEAR.fullmatch(other.text)
            ]
            same_year = not _YEAR.search(bare) or years <= set(_YEAR.findall(f"{around(item)} {sentence}"))
            if len(rivals) == 1 and same_year and missing(rivals, mine, unsigned=True):
                found.append(Conflict(here=_side(cited, mine, value), there=_side(item, sentence, rivals[0])))
                break
    return found


def _same_sort(one: Value, other: Value) -> bool:
    return one.kind is other.kind and one.unit == other.unit


def _side(item: Evidence, sentence: str, value: Value) -> Side:
    dated = _YEAR.findall(f"{around(item)}") or _YEAR.findall(item.text)
    return Side(cite=item.id, quote=sentence, value=value.text, dated=dated[-1] if dated else None)
