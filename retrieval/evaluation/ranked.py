"""Suites that rank documents: short texts, one a line, and questions that name those that are relevant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from retrieval.evaluation.reading import laid_out_page, lines
from retrieval.evaluation.suite import EVERYWHERE, Ask, Question, Suite
from retrieval.metrics import ndcg_at, recall_at
from retrieval.trial import Source

__all__ = ["MEDQUAD", "SCIFACT", "STARD"]

_PLACES: Final = 200
"""Passages that are asked for: several of one document still leave room for a hundred documents."""


def _measure(question: Question, ask: Ask) -> dict[str, float]:
    places = ask(question.text, EVERYWHERE, k=_PLACES)
    ranking = list(dict.fromkeys(place.document for place in places))
    return {
        "ndcg@10": ndcg_at(10, ranking, question.relevant),
        "recall@100": recall_at(100, ranking, question.relevant),
    }


def _documents(files: str, title: str, text: str) -> Callable[[Path], Iterator[Source]]:
    def read(data: Path) -> Iterator[Source]:
        for path in sorted(data.glob(files)):
            for row in lines(path):
                yield Source(id=row["id"], name=row[title], pages=[laid_out_page(1, row[text])])

    return read


def _questions(file: str, text: str) -> Callable[[Path], Iterator[Question]]:
    def read(data: Path) -> Iterator[Question]:
        for row in lines(data / file):
            yield Question(text=row[text], relevant=frozenset(row["relevant"]))

    return read


SCIFACT: Final = Suite(
    name="scifact",
    sources=_documents("corpus.jsonl.gz", "title", "text"),
    questions=_questions("queries_test.jsonl", "query"),
    measure=_measure,
)
STARD: Final = Suite(
    name="stard",
    sources=_documents("corpus_*.jsonl.gz", "name", "text"),
    questions=_questions("queries.jsonl", "question"),
    measure=_measure,
)
MEDQUAD: Final = Suite(
    name="medquad",
    sources=_documents("corpus.jsonl.gz", "focus", "answer"),
    questions=_questions("queries.jsonl", "question"),
    measure=_measure,
)
