"""The suite that finds a clause inside its contract: of the first five passages, does one touch a labelled span?

Vouch and its rivals are asked the same words: for `hit@5` the name of the clause type with its usual wording, as
`retrieval.clauses` gives it and as a reviewer would ask; for `hit@5_name` the bare name. A longer passage touches more,
so `hit@5_2500` counts no more than the first 2,500 characters of what is shown, which is five pieces of 500.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from retrieval.clauses import as_query
from retrieval.evaluation.reading import flowing_page, lines
from retrieval.evaluation.suite import EVERYWHERE, Ask, Question, Suite
from retrieval.trial import Place, Source

__all__ = ["CUAD"]

_PASSAGES: Final = 5
_CHARACTERS: Final = 2500
_ENOUGH: Final = 25  # passages that surely hold 2,500 characters

Span = tuple[int, int]


def _measure(question: Question, ask: Ask) -> dict[str, float]:
    contract = EVERYWHERE.within(str(question.collection))
    places = ask(as_query(question.text), contract, k=_ENOUGH)
    named = ask(question.text, contract, k=_ENOUGH)
    return {
        "hit@5": _hit(places[:_PASSAGES], question.spans),
        "hit@5_2500": _hit(_shown(places), question.spans),
        "hit@5_name": _hit(named[:_PASSAGES], question.spans),
        "hit@5_name_2500": _hit(_shown(named), question.spans),
    }


def _hit(places: Sequence[Place], spans: Sequence[Span]) -> float:
    return float(any(start < place.end and place.start < end for place in places for start, end in spans))


def _shown(places: Sequence[Place]) -> list[Place]:
    """Return what of the places lies within the first 2,500 characters that a reader is shown."""
    shown, left = list[Place](), _CHARACTERS
    for place in places:
        size = min(left, place.end - place.start)
        if size <= 0:
            break
        shown.append(Place(place.document, place.page, place.start, place.start + size))
        left -= size
    return shown


def _contracts(data: Path) -> Iterator[Source]:
    for row in lines(data / "contracts.jsonl.gz"):
        yield Source(id=row["id"], name=row["id"], pages=[flowing_page(row["text"])], collection=row["id"])


def _questions(data: Path) -> Iterator[Question]:
    for row in lines(data / "labels.jsonl.gz"):
        if row["spans"]:
            spans = tuple((int(start), int(end)) for start, end in row["spans"])
            yield Question(text=row["category"], spans=spans, collection=row["contract"], group=row["contract"])


CUAD: Final = Suite(name="cuad", sources=_contracts, questions=_questions, measure=_measure, whole=False)
