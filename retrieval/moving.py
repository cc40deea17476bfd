"""Moves the vectors of one embedding model into another store, and compares what both find.

The vectors come from the catalog, as those of every store do, in batches; after each the store can be left and gone on
with (see `VectorStore.resume`). Where documents come and go meanwhile, the difference is moved as well, until nothing
is left. Then the same queries go to both: stored vectors with a little noise, half of them under the scope of one label
in one collection.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from sqlalchemy import Engine

from retrieval.catalog import Catalog
from retrieval.embedding import TextEmbedder, Vectors
from retrieval.errors import IndexDamaged, RetrievalError
from retrieval.filling import Filled, embedded_ids, fill, vectors_of
from retrieval.stores.contract import VectorStore
from retrieval.types import EVERYTHING, Scope
from retrieval.visibility import Group, Ids, Visibility

__all__ = ["Comparison", "Moved", "compare", "move", "visibility_of"]

_K: Final = 10
_PASSES: Final = 10
_KEPT_EVERY: Final = 50_000  # vectors after which what is there is kept, should the move break off
_UNFINISHED: Final = -1  # generation of what is kept on the way: no catalog's
_NOISE: Final = 0.3  # of a unit vector's length: the nearest is still its own, the rest is drawn anew
_SAME: Final = 1e-3  # cosines that float16 cannot tell apart
_LEAST_OVERLAP: Final = 0.95  # approximate indexes miss a few of ten
_MOST_DIFFERENCE: Final = 0.01
_EVERYTHING: Final = Scope(subject="moving", labels=frozenset({EVERYTHING}), collections=frozenset({EVERYTHING}))


@dataclass(frozen=True, slots=True)
class Comparison:
    """What both stores found for the same queries.

    `overlap` is the mean share of the ten best that both have, where one that is as good as the last counts; `least`
    the smallest; `difference` the greatest between two cosines of one passage.
    """

    queries: int
    overlap: float
    least: float
    difference: float

    @property
    def agrees(self) -> bool:
        """Whether what one store answered, the other may answer too."""
        return self.overlap >= _LEAST_OVERLAP and self.difference <= _MOST_DIFFERENCE


@dataclass(frozen=True, slots=True)
class Moved:
    """What was moved: `there` were in the store before; `passes` over the catalog were needed."""

    embedder: str
    generation: int
    vectors: int
    there: int
    added: int
    removed: int
    passes: int
    seconds: float

    def body(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return asdict(self)


def move(
    engine: Engine,
    embedder: TextEmbedder,
    target: VectorStore,
    *,
    done: Callable[[int, int], None] = lambda _done, _of: None,
) -> Moved:
    """Fill a store with the vectors of a model, say who may see them, and write its snapshot.

    Args:
        engine: the catalog's database.
        embedder: whose vectors are moved.
        target: the store; what an earlier try left in it is kept.
        done: told after each batch: vectors that are there, of all.

    Raises:
        RetrievalError: documents come in so fast that the store was never of one moment (code ``retrieval_busy``).
        StoreUnavailable: the store cannot be used; call again to go on.
    """
    started = time.monotonic()
    catalog = Catalog(engine)
    try:
        target.resume()
    except IndexDamaged:
        target.clear()
    there = kept = len(target.ids())
    total = Filled(0, 0)

    def step(now: int, of: int) -> None:
        nonlocal kept
        if now - kept >= _KEPT_EVERY:
            target.snapshot(_UNFINISHED)
            kept = now
        done(now, of)

    for passes in range(1, _PASSES + 1):
        generation = catalog.generation()
        target.visibility = visibility_of(catalog)  # first, so that each row is written once
        filled = fill(target, engine, embedder, done=step)
        total = Filled(total.added + filled.added, total.removed + filled.removed)
        if generation == catalog.generation():
            target.snapshot(generation)
            return Moved(
                embedder=embedder.identity,
                generation=generation,
                vectors=len(target.ids()),
                there=there,
                added=total.added,
                removed=total.removed,
                passes=passes,
                seconds=round(time.monotonic() - started, 3),
            )
    raise RetrievalError(
        "Documents come in so fast that the move never ended.", remedy="Go on with the same command when fewer come in."
    )


def visibility_of(catalog: Catalog) -> Visibility:
    """Return who may see which passage, from the catalog."""
    _, documents = catalog.searchable()
    places = {document.id: (document.label, document.collection) for document in documents}
    groups: dict[tuple[str, str], list[int]] = {}
    for entry in catalog.contents(list(places), embedders=()):
        groups.setdefault(places[entry.document_id], []).append(entry.id)
    return Visibility.of(Group(label=label, collection=name, ids=ids) for (label, name), ids in groups.items())


def compare(
    engine: Engine, embedder: TextEmbedder, one: VectorStore, other: VectorStore, *, queries: int, seed: int = 0
) -> Comparison:
    """Ask both stores the same, and say how far their answers agree.

    Args:
        engine: the catalog's database, where the queries are drawn from.
        embedder: whose vectors both hold.
        one: a store that is of the catalog as it is.
        other: likewise.
        queries: how many; fewer when there are fewer vectors.
        seed: of the draw.
    """
    overlaps, differences = [1.0], [0.0]
    for query, scope in _drawn(engine, embedder, queries=queries, seed=seed):
        first, second = (dict(store.nearest(query, _K, scope)) for store in (one, other))
        overlaps.append(min(_shared(first, second), _shared(second, first)))
        differences += [abs(first[i] - second[i]) for i in first.keys() & second.keys()]
    asked = len(overlaps) - 1
    return Comparison(
        queries=asked,
        overlap=float(np.mean(overlaps[1:])) if asked else 1.0,
        least=min(overlaps),
        difference=max(differences),
    )


def _shared(first: dict[int, float], second: dict[int, float]) -> float:
    """Return the share of the first's hits that the second has, or has as good ones in place of."""
    if not first:
        return 1.0
    last = min(second.values(), default=np.inf)
    full = len(second) >= len(first)
    return sum(i in second or (full and score <= last + _SAME) for i, score in first.items()) / len(first)


def _drawn(engine: Engine, embedder: TextEmbedder, *, queries: int, seed: int) -> Iterator[tuple[Vectors, Scope]]:
    random = np.random.default_rng(seed)
    ids = embedded_ids(engine, embedder.identity)
    chosen: Ids = random.choice(ids, size=min(queries, len(ids)), replace=False) if len(ids) else ids
    _, documents = Catalog(engine).searchable()
    places = sorted({(document.label, document.collection) for document in documents})
    for some, rows in vectors_of(engine, embedder, np.sort(chosen)):
        for number in range(len(some)):
            noise = random.standard_normal(embedder.dimension).astype(np.float32)
            query = rows[number] + _NOISE * noise / np.linalg.norm(noise)
            yield query / np.linalg.norm(query), _scope(places, random, narrow=number % 2 == 1)


def _scope(places: Sequence[tuple[str, str]], random: np.random.Generator, *, narrow: bool) -> Scope:
    if not narrow:
        return _EVERYTHING
    label, collection = places[int(random.integers(len(places)))]
    return Scope(subject="moving", labels=frozenset({label}), collections=frozenset({collection}))
