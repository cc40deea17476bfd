"""Hybrid search: by words and by meaning, fused, under a scope.

English queries are searched both ways; queries in a language that the embedding model does not know by words alone,
since fusing a ranking made of unknown tokens only hurts. The scope is inside both searches and again in the SQL that
fetches the text, so that a passage that was hidden a moment ago is not shown either.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from retrieval.catalog import Catalog
from retrieval.fusion import reciprocal_rank_fusion
from retrieval.index import PassageIndex
from retrieval.language import language_of
from retrieval.types import Evidence, Passage, Scope

__all__ = ["HybridSearch"]

_DEPTH: Final = 100
"""Places of each list that are fused."""


class HybridSearch:
    """The search that the pipeline and the domains use. Safe to share between threads."""

    def __init__(self, catalog: Catalog, index: PassageIndex, *, depth: int = _DEPTH) -> None:
        self._catalog = catalog
        self._index = index
        self._depth = depth

    def search(self, queries: Sequence[str], scope: Scope, *, k: int) -> list[Evidence]:
        """Return the `k` best passages that the scope may see, best first, with ids "1" to "k".

        All lists of all queries are fused with equal weight. Passages with the same words, however spaced, count once.
        `Evidence.score` is the fused score: it orders one search and says nothing of relevance as such.
        """
        self._index.refresh()
        depth = max(self._depth, k)
        rankings = [self._index.by_words(query, depth, scope) for query in queries]
        for embedder in self._index.embedders:
            known = [query for query in queries if language_of(query) in embedder.languages]
            if known:
                vectors = embedder.embed(known)
                rankings += [self._index.by_vector(embedder, vector, depth, scope) for vector in vectors]
        fused = reciprocal_rank_fusion([[passage_id for passage_id, _ in ranking] for ranking in rankings])
        return self._evidence(fused, scope, k=k)

    def nearest(self, query: str, scope: Scope) -> float | None:
        """Return the cosine of the nearest passage that the scope may see: a sign of whether anything is relevant.

        Costs one more embedding of the query, by the first model that knows its language. None where none does, or
        where the scope sees no embedded passage.
        """
        language = language_of(query)
        embedder = next((one for one in self._index.embedders if language in one.languages), None)
        if embedder is None:
            return None
        self._index.refresh()
        hits = self._index.by_vector(embedder, embedder.embed([query])[0], 1, scope)
        return hits[0][1] if hits else None

    def _evidence(self, fused: Sequence[tuple[int, float]], scope: Scope, *, k: int) -> list[Evidence]:
        found: list[Evidence] = []
        seen: set[str] = set()
        step = 2 * k  # duplicates are few, so the first portion is nearly always enough
        for at in range(0, len(fused), max(step, 1)):
            portion = dict(fused[at : at + step])
            for passage in self._catalog.passages(list(portion), scope):
                words = " ".join(passage.text.split())
                if words not in seen and len(found) < k:
                    seen.add(words)
                    found.append(_evidence(str(len(found) + 1), passage, score=portion[passage.id]))
            if len(found) == k:
                break
        return found


def _evidence(name: str, passage: Passage, *, score: float) -> Evidence:
    return Evidence.of(name, passage.text, passage.locator, passage_id=passage.id, score=score)
