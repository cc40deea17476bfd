"""What a suite is made of, and how one is run: all contenders answer the same questions on the same documents.

A suite reads a folder and works on any other folder of the same format. Beside Vouch's search stand those that it has
to justify itself against: each of its two sides alone, the plain fusion of both, and the pipeline of a tutorial.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from retrieval.embedding import TextEmbedder
from retrieval.errors import EmptyFile
from retrieval.evaluation.models import Models, opened
from retrieval.evaluation.result import Answers, result
from retrieval.evaluation.tutorial import Tutorial
from retrieval.rivals import Rivals
from retrieval.trial import LABEL, Corpus, Place, Report, Source
from retrieval.types import EVERYTHING, Scope

__all__ = ["EVERYWHERE", "Ask", "Measure", "Question", "Suite"]

EVERYWHERE: Final = Scope(subject="evaluation", labels=frozenset({LABEL}), collections=frozenset({EVERYTHING}))
"""All documents of a set."""

VOUCH: Final = "vouch"
_EVERY: Final = 25  # questions between two reports


@dataclass(frozen=True, slots=True)
class Question:
    """A question, what answers it in the set's own terms, and where it may be looked for.

    `relevant` holds what the suite's measure understands: ids of documents, names of pages, spans. `group` names what
    questions share and are therefore not independent in: a contract, say.
    """

    text: str
    relevant: frozenset[str] = frozenset()
    spans: tuple[tuple[int, int], ...] = ()
    collection: str | None = None
    group: str | None = None


class Ask(Protocol):
    """One contender: a question in, places out, best first."""

    def __call__(self, query: str, scope: Scope, *, k: int) -> list[Place]:
        """Return up to `k` places in the documents that the scope allows."""
        ...


Measure = Callable[[Question, Ask], Mapping[str, float]]
"""Asks one contender what it needs to and returns the figures of that question by name of the metric."""


@dataclass(frozen=True, slots=True)
class Suite:
    """A set's reader and its metrics. Call it to run it.

    `sources` and `questions` read a folder. `whole` is true where all documents are searched together: then a limit
    draws questions and keeps all documents; else it draws groups of questions, and only their collections are filled.
    """

    name: str
    sources: Callable[[Path], Iterable[Source]]
    questions: Callable[[Path], Iterable[Question]]
    measure: Measure
    whole: bool = True

    def __call__(
        self,
        data: Path,
        *,
        limit: int | None,
        seed: int,
        embedders: Sequence[TextEmbedder],
        workdir: Path,
        report: Report,
        rivals: str = Rivals.SEARCH,
    ) -> dict[str, Any]:
        """Measure all contenders and return the result of `./vouch eval`.

        Args:
            data: the set's folder.
            limit: most questions, drawn with the seed; None asks all.
            seed: of the draw and the intervals.
            embedders: the models of the installation.
            workdir: keeps embeddings between runs.
            report: hears how far it is.
            rivals: one of `Rivals`.

        Raises:
            EmptyFile: the set holds no question.
        """
        started = time.monotonic()
        asked = self._drawn(list(self.questions(data)), limit=limit, seed=seed)
        if not asked:
            raise EmptyFile("The set holds no question.", remedy="Give the folder of a set of this suite with --data.")
        with opened(workdir, embedders) as models, Corpus.open(workdir, models.embedders) as corpus:
            sources = self._needed(list(self.sources(data)), asked)
            corpus.fill(sources, report)
            answers: dict[str, Answers] = {}
            for name, ask in _contenders(corpus, sources, models, Rivals(rivals), report):
                answers[name] = self._answered(name, ask, asked, report)
            settings = {"limit": limit, "rivals": str(rivals), **corpus.describe()}
        ours = answers.pop(VOUCH)
        groups = [question.group for question in asked] if any(question.group for question in asked) else None
        measured = result(ours, answers, groups=groups, seed=seed, settings=settings)
        seconds = round(time.monotonic() - started, 1)
        return {"suite": self.name, "data": data.name, "n": len(asked), **measured, "seconds": seconds}

    def _answered(self, name: str, ask: Ask, asked: Sequence[Question], report: Report) -> Answers:
        answers = Answers()
        for at, question in enumerate(asked):
            if at % _EVERY == 0:
                report(f"{name}: {at} of {len(asked)} questions are searched")
            started = time.perf_counter()
            figures = self.measure(question, ask)
            answers.add(figures, seconds=time.perf_counter() - started)
        return answers

    def _drawn(self, questions: list[Question], *, limit: int | None, seed: int) -> list[Question]:
        if limit is None or limit >= len(questions):
            return questions
        draw = random.Random(seed)  # noqa: S311 - a sample, not a secret
        if self.whole:
            return draw.sample(questions, limit)
        groups = sorted({str(question.group) for question in questions})
        rank = {group: place for place, group in enumerate(draw.sample(groups, len(groups)))}
        return sorted(questions, key=lambda question: rank[str(question.group)])[:limit]

    def _needed(self, sources: list[Source], asked: Sequence[Question]) -> list[Source]:
        if self.whole:
            return sources
        collections = {question.collection for question in asked}
        return [source for source in sources if source.collection in collections]


def _contenders(
    corpus: Corpus, sources: Sequence[Source], models: Models, rivals: Rivals, report: Report
) -> Iterator[tuple[str, Ask]]:
    yield VOUCH, corpus.ask
    if rivals is not Rivals.NONE:
        yield "bm25", corpus.ask_by_words
        yield "dense", corpus.ask_by_vector
        yield "rrf", corpus.ask_by_both
    if rivals is Rivals.ALL:
        yield "tutorial", Tutorial(sources, models.tutorial, report).ask
