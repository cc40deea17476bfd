"""Hybrid search: by words and by meaning, fused, looked at again, under a scope.

Each query is searched by words and, where a model knows its language, by that model's vectors; a model that does not
would only drag the ranking down. Scores are fused with weights of the language, and the best candidates are scored
again with their texts and names. A question that names a company looks in the documents of that company first.

The scope is inside every search and again in the SQL that fetches the text, so that a passage that was hidden a moment
ago is not shown either. Passages that the screen withheld are in no index.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import numpy as np

from retrieval.catalog import Catalog
from retrieval.embedding import TextEmbedder, Vectors
from retrieval.filing.directory import Directory
from retrieval.fusion import reciprocal_rank_fusion, weighted_fusion, weights_for
from retrieval.index import PassageIndex
from retrieval.language import language_of
from retrieval.rerank import Reranker, rescored, share_of
from retrieval.types import Evidence, Passage, Scope

__all__ = ["HybridSearch"]

_DEPTH: Final = 100
"""Places of each list that are fused."""

_LOOKED_AT: Final = 40
"""Candidates that are scored again. On SciFact 30 are as good as 200."""

_READ: Final = 20
"""Candidates that a cross-encoder reads."""

Hits = list[tuple[int, float]]


class HybridSearch:
    """The search that the pipeline and the domains use. Safe to share between threads."""

    def __init__(
        self, catalog: Catalog, index: PassageIndex, *, depth: int = _DEPTH, reranker: Reranker | None = None
    ) -> None:
        """Wire the parts.

        Args:
            catalog: the truth about passages and who may see them.
            index: what is searched.
            depth: places of each list that are fused.
            reranker: a model that reads query and passage together, for machines that have one.
        """
        self._catalog = catalog
        self._index = index
        self._depth = depth
        self._reranker = reranker
        self._directory: tuple[Mapping[str, Any], Directory] | None = None

    def search(self, queries: Sequence[str], scope: Scope, *, k: int) -> list[Evidence]:
        """Return the `k` best passages that the scope may see, best first, with ids "1" to "k".

        The rankings of several queries are fused with equal weight. Passages with the same words, however spaced, count
        once. `Evidence.score` orders one search and says nothing of relevance as such.
        """
        self._index.refresh()
        run = _Run(self._catalog, self._index, scope, depth=max(self._depth, k), reranker=self._reranker)
        rankings = [self._ranking(query, run) for query in dict.fromkeys(queries)]
        if len(rankings) == 1:
            return run.evidence(rankings[0], k=k)
        return run.evidence(reciprocal_rank_fusion([[i for i, _ in ranking] for ranking in rankings]), k=k)

    def nearest(self, query: str, scope: Scope) -> float | None:
        """Return the cosine of the nearest passage that the scope may see: a sign of whether anything is relevant.

        Costs one more embedding of the query, by the first model that knows its language. None where none does, or
        where the scope sees no embedded passage.
        """
        embedder = self._index.embedder_for(query)
        if embedder is None:
            return None
        self._index.refresh()
        hits = self._index.by_vector(embedder, embedder.embed([query])[0], 1, scope)
        return hits[0][1] if hits else None

    def _ranking(self, query: str, run: _Run) -> Hits:
        """Rank for one query: in the documents that it means first, then in the others of that company, then in all."""
        narrowing = self._documents().narrow(query, run.scope)
        if narrowing is None:
            return run.ranking(query, None)
        first, others = narrowing.tiers[0], [one for tier in narrowing.tiers[1:] for one in tier]
        steps: list[tuple[str, Sequence[str] | None]] = [(narrowing.expansion, first)]
        steps += [("", others)] if others else []
        steps.append(("", None))
        found: dict[int, float] = {}
        for level, (expansion, documents) in enumerate(steps):
            for passage_id, score in run.ranking(query, documents, expansion=expansion):
                found.setdefault(passage_id, score + 2.0 * (len(steps) - level))  # a score is at most 1.2
            if len(found) >= run.depth:
                break
        return list(found.items())

    def _documents(self) -> Directory:
        documents = self._index.documents
        if self._directory is None or self._directory[0] is not documents:
            self._directory = (documents, Directory(documents))
        return self._directory[1]


class _Run:
    """One call of `search`: what it may see, and what it has fetched so far."""

    def __init__(
        self, catalog: Catalog, index: PassageIndex, scope: Scope, *, depth: int, reranker: Reranker | None
    ) -> None:
        self.scope = scope
        self.depth = depth
        self._catalog = catalog
        self._index = index
        self._reranker = reranker
        self._passages: dict[int, Passage] = {}
        self._vectors: dict[tuple[str, str], Vectors] = {}

    def ranking(self, query: str, documents: Sequence[str] | None, *, expansion: str = "") -> Hits:
        """Rank passages, best first.

        Args:
            query: what is asked.
            documents: only passages of these; None: of all.
            expansion: what these documents write for what is asked: more words, and a meaning beside the query's.
        """
        words = f"{query} {expansion}".strip()
        weights, rarity = weights_for(language_of(query)), partial(self._index.rarity, scope=self.scope)
        whole = share_of(words, rarity) or 1.0
        matched = self._index.by_words(words, self.depth, self.scope, documents=documents)
        near = self._by_vector(query, documents, expansion)
        fused = weighted_fusion([(i, score / whole) for i, score in matched], near, weights)
        head, tail = self._fetched([i for i, _ in fused[:_LOOKED_AT]]), fused[_LOOKED_AT:]
        cosines, least = dict(near), min((cosine for _, cosine in near), default=0.0)
        meaning = [cosines.get(passage.id, least) for passage in head]
        scores = rescored(words, head, meaning, rarity=rarity, weights=weights)
        best = sorted(zip(head, scores, strict=True), key=lambda pair: (-pair[1], pair[0].id))
        ranked = self._read(query, [(passage.id, score) for passage, score in best])
        floor = min((score for _, score in ranked), default=0.0)
        return ranked + [(i, min(score, floor)) for i, score in tail]

    def evidence(self, ranked: Sequence[tuple[int, float]], *, k: int) -> list[Evidence]:
        """Return the first `k` that differ in their words."""
        found: list[Evidence] = []
        seen: set[str] = set()
        step = 2 * k  # duplicates are few, so the first portion is nearly always enough
        for at in range(0, len(ranked), max(step, 1)):
            portion = dict(ranked[at : at + step])
            for passage in self._fetched(list(portion)):
                words = " ".join(passage.text.split())
                if words not in seen and len(found) < k:
                    seen.add(words)
                    found.append(_evidence(str(len(found) + 1), passage, score=portion[passage.id]))
            if len(found) == k:
                break
        return found

    def _by_vector(self, query: str, documents: Sequence[str] | None, expansion: str) -> Hits:
        embedder = self._index.embedder_for(query)
        if embedder is None:
            return []
        vector = self._vector(query, embedder)
        if expansion:  # the mean of both did better than one vector of both texts, and than either alone
            vector = vector + self._vector(expansion, embedder)
            vector /= np.linalg.norm(vector) or 1.0
        return self._index.by_vector(embedder, vector, self.depth, self.scope, documents=documents)

    def _vector(self, text: str, embedder: TextEmbedder) -> Vectors:
        key = (embedder.identity, text)
        if key not in self._vectors:
            self._vectors[key] = embedder.embed([text])[0]
        return self._vectors[key]

    def _read(self, query: str, ranked: Hits) -> Hits:
        """Let the cross-encoder, where there is one, order the first; they keep the scores of their places."""
        if self._reranker is None or not ranked:
            return ranked
        first = ranked[:_READ]
        marks = self._reranker.scores(query, [self._passages[i].text for i, _ in first])
        order = sorted(range(len(first)), key=lambda at: (-marks[at], at))
        return [(first[at][0], first[place][1]) for place, at in enumerate(order)] + ranked[_READ:]

    def _fetched(self, ids: Sequence[int]) -> list[Passage]:
        """Return passages in the order of their ids, less those that are gone or hidden by now."""
        new = [i for i in ids if i not in self._passages]
        if new:
            self._passages.update((passage.id, passage) for passage in self._catalog.passages(new, self.scope))
        return [self._passages[i] for i in ids if i in self._passages]


def _evidence(name: str, passage: Passage, *, score: float) -> Evidence:
    return Evidence.of(name, passage.text, passage.locator, passage_id=passage.id, score=score)
