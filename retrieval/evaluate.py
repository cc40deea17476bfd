"""Retrieval quality on public sets, measured through the catalog, the index and the search that answer questions.

Only parsing is left out, since the sets come as text: their pages are cut, embedded, stored and searched as any
upload's.
A suite takes a folder and works on any other folder of the same format. The sets are not part of this project.
"""

from __future__ import annotations

import gzip
import json
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from retrieval.embedding import Embedder
from retrieval.embedding_cache import CachedEmbedder
from retrieval.metrics import hit_at, interval, mean, ndcg_at, recall_at
from retrieval.parsing.page_text import CELL
from retrieval.parsing.page_text import PageText as PageBuilder
from retrieval.parsing.types import BlockKind, ParsedPage
from retrieval.trial import DEPTH, LABEL, Corpus, Report, Source
from retrieval.types import EVERYTHING, Evidence, Scope

__all__ = ["SUITES"]

_PAGES: Final = 5  # distinct pages among which one must be evidence
_EVERYTHING: Final = Scope(subject="evaluation", labels=frozenset({LABEL}), collections=frozenset({EVERYTHING}))
_LEADERS: Final = re.compile(r"(?:\.\s?){4,}")
_GAP: Final = re.compile(r" {2,}|\t")
_PARAGRAPH: Final = re.compile(r"\n[ \t]*\n\s*")
_EVERY: Final = 25  # questions between two reports


@dataclass(frozen=True, slots=True)
class _Query:
    text: str
    relevant: frozenset[str]
    collection: str | None = None


def _ranked(
    suite: str,
    sources: Callable[[Path], Iterator[Source]],
    queries: Callable[[Path], Iterator[_Query]],
    data: Path,
    *,
    limit: int | None,
    seed: int,
    embedder_folder: Path,
    workdir: Path,
    report: Report,
) -> dict[str, Any]:
    """Rank documents for each query: nDCG@10 and recall@100."""
    started = time.monotonic()
    asked = _drawn(list(queries(data)), limit=limit, seed=seed)
    with _corpus(workdir, embedder_folder) as corpus:
        corpus.fill(list(sources(data)), report)
        rankings = []
        for at, query in enumerate(asked):
            if at % _EVERY == 0:
                report(f"{at} of {len(asked)} questions are searched")
            rankings.append(corpus.ranking(query.text, _EVERYTHING, of=lambda document, _: document))
        scores = {
            "ndcg@10": [ndcg_at(10, r, q.relevant) for r, q in zip(rankings, asked, strict=True)],
            "recall@100": [recall_at(100, r, q.relevant) for r, q in zip(rankings, asked, strict=True)],
        }
        return _result(suite, data, scores, corpus, seed=seed, limit=limit, started=started)


def _finance_pages(
    data: Path, *, limit: int | None, seed: int, embedder_folder: Path, workdir: Path, report: Report
) -> dict[str, Any]:
    """Find an evidence page among the first five distinct pages: of all filings, and of the right filing alone."""
    started = time.monotonic()
    asked = _drawn(list(_finance_questions(data)), limit=limit, seed=seed)
    with _corpus(workdir, embedder_folder) as corpus:
        corpus.fill(list(_filings(data)), report)
        scores: dict[str, list[float]] = {"hit@5_shared": [], "hit@5_filing": []}
        for at, query in enumerate(asked):
            if at % _EVERY == 0:
                report(f"{at} of {len(asked)} questions are searched")
            filing = _EVERYTHING.within(str(query.collection))
            for name, scope in (("hit@5_shared", _EVERYTHING), ("hit@5_filing", filing)):
                ranking = corpus.ranking(query.text, scope, of=_page_name)
                scores[name].append(hit_at(_PAGES, ranking, query.relevant))
        return _result("finance-pages", data, scores, corpus, seed=seed, limit=limit, started=started)


def _result(
    suite: str,
    data: Path,
    scores: Mapping[str, list[float]],
    corpus: Corpus,
    *,
    seed: int,
    limit: int | None,
    started: float,
) -> dict[str, Any]:
    return {
        "suite": suite,
        "data": data.name,
        "n": max(map(len, scores.values())),
        "metrics": {name: mean(values) for name, values in scores.items()},
        "intervals": {name: list(interval(values, seed=seed)) for name, values in scores.items()},
        "settings": {"seed": seed, "limit": limit, "depth": DEPTH, **corpus.describe()},
        "seconds": round(time.monotonic() - started, 1),
    }


@contextmanager
def _corpus(workdir: Path, embedder_folder: Path) -> Iterator[Corpus]:
    workdir.mkdir(parents=True, exist_ok=True)
    embedder = CachedEmbedder(Embedder(embedder_folder), workdir / "embeddings.db")
    try:
        with Corpus.open(workdir, [embedder]) as corpus:
            yield corpus
    finally:
        embedder.close()


def _drawn(queries: list[_Query], *, limit: int | None, seed: int) -> list[_Query]:
    if limit is None or limit >= len(queries):
        return queries
    return random.Random(seed).sample(queries, limit)  # noqa: S311 - a sample, not a secret


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _page(number: int, text: str) -> ParsedPage:
    """Return a page of text with layout: paragraphs, and tables where lines have gaps."""
    page = PageBuilder()
    for paragraph in _PARAGRAPH.split(_LEADERS.sub("  ", text)):
        lines = [_GAP.sub(CELL, line.strip()) for line in paragraph.split("\n") if line.strip()]
        rows = sum(CELL in line for line in lines)
        page.add(BlockKind.TABLE if 2 * rows > len(lines) else BlockKind.PARAGRAPH, "\n".join(lines))
    return page.page(number)


def _simple(corpus: str, title: str, text: str) -> Callable[[Path], Iterator[Source]]:
    """Return a reader of a set with one short document a line."""

    def read(data: Path) -> Iterator[Source]:
        for path in sorted(data.glob(corpus)):
            for row in _lines(path):
                yield Source(id=row["id"], name=row[title], pages=[_page(1, row[text])])

    return read


def _questions(name: str, text: str) -> Callable[[Path], Iterator[_Query]]:
    def read(data: Path) -> Iterator[_Query]:
        for row in _lines(data / name):
            yield _Query(text=row[text], relevant=frozenset(row["relevant"]))

    return read


def _filings(data: Path) -> Iterator[Source]:
    pages: dict[str, list[ParsedPage]] = {}
    for row in _lines(data / "pages.jsonl.gz"):
        pages.setdefault(row["doc_name"], []).append(_page(int(row["page"]) + 1, row["text"]))
    for filing, own in pages.items():
        yield Source(id=filing, name=filing, pages=own, collection=filing)


def _finance_questions(data: Path) -> Iterator[_Query]:
    for row in _lines(data / "questions.jsonl"):
        if row["pdf_in_snapshot"]:
            relevant = frozenset(f"{item['doc_name']}:{int(item['page']) + 1}" for item in row["evidence"])
            yield _Query(text=row["question"], relevant=relevant, collection=row["doc_name"])


def _page_name(document: str, evidence: Evidence) -> str:
    return f"{document}:{evidence.locator.page}"


SUITES: Final[Mapping[str, Callable[..., dict[str, Any]]]] = {
    "scifact": partial(
        _ranked, "scifact", _simple("corpus.jsonl.gz", "title", "text"), _questions("queries_test.jsonl", "query")
    ),
    "stard": partial(
        _ranked, "stard", _simple("corpus_*.jsonl.gz", "name", "text"), _questions("queries.jsonl", "question")
    ),
    "medquad": partial(
        _ranked, "medquad", _simple("corpus.jsonl.gz", "focus", "answer"), _questions("queries.jsonl", "question")
    ),
    "finance-pages": _finance_pages,
}
"""Suites by name. Each is called as ``suite(data, limit=…, seed=…, embedder_folder=…, workdir=…, report=…)``.

`limit` draws that many questions, never documents; `workdir` keeps embeddings between runs; `report` hears how far
the suite is.
"""
