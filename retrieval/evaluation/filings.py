"""The suite that finds the page of a filing: among all filings, and within the right one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from retrieval.evaluation.reading import laid_out_page, lines
from retrieval.evaluation.suite import EVERYWHERE, Ask, Question, Suite
from retrieval.metrics import hit_at
from retrieval.parsing.types import ParsedPage
from retrieval.trial import Place, Source
from retrieval.types import Scope

__all__ = ["FINANCE_PAGES"]

_PAGES: Final = 5  # distinct pages among which one must be evidence
_PLACES: Final = 200


def _measure(question: Question, ask: Ask) -> dict[str, float]:
    def hit(scope: Scope) -> float:
        pages = dict.fromkeys(_name(place) for place in ask(question.text, scope, k=_PLACES))
        return hit_at(_PAGES, list(pages), question.relevant)

    return {"hit@5_shared": hit(EVERYWHERE), "hit@5_filing": hit(EVERYWHERE.within(str(question.collection)))}


def _name(place: Place) -> str:
    return f"{place.document}:{place.page}"


def _filings(data: Path) -> Iterator[Source]:
    pages: dict[str, list[ParsedPage]] = {}
    for row in lines(data / "pages.jsonl.gz"):
        pages.setdefault(row["doc_name"], []).append(laid_out_page(int(row["page"]) + 1, row["text"]))
    for filing, own in pages.items():
        yield Source(id=filing, name=filing, pages=own, collection=filing)


def _questions(data: Path) -> Iterator[Question]:
    for row in lines(data / "questions.jsonl"):
        if row["pdf_in_snapshot"]:
            relevant = frozenset(f"{item['doc_name']}:{int(item['page']) + 1}" for item in row["evidence"])
            yield Question(text=row["question"], relevant=relevant, collection=row["doc_name"])


FINANCE_PAGES: Final = Suite(name="finance-pages", sources=_filings, questions=_questions, measure=_measure)
