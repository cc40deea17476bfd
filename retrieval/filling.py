"""Brings a vector store to what the catalog has: what it lacks is added in batches, what it has too much is removed.

A passage keeps its id and its vector for good, so two sets of ids say everything. That makes a store that was left
half-way, or that is of an older catalog, as good as the difference is small; and it makes moving to another store
something that can be broken off and gone on with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from retrieval.embedding import TextEmbedder, Vectors
from retrieval.packing import unpack
from retrieval.statements import portions
from retrieval.stores.contract import VectorStore
from retrieval.tables import DocumentRow, PassageRow, VectorRow
from retrieval.types import DocumentState
from retrieval.visibility import Ids

__all__ = ["Filled", "embedded_ids", "fill", "vectors_of"]

_VECTORS_A_STEP: Final = 5_000  # 8 MB at 384 dimensions
_ROWS_A_FETCH: Final = 10_000


@dataclass(frozen=True, slots=True)
class Filled:
    """What was needed: vectors added, and vectors removed."""

    added: int
    removed: int


def embedded_ids(engine: Engine, embedder: str) -> Ids:
    """Return the ids of all passages that may be found and have a vector of this model, ascending."""
    wanted = select(VectorRow.passage_id).join(PassageRow, PassageRow.id == VectorRow.passage_id)
    wanted = wanted.join(DocumentRow, DocumentRow.id == PassageRow.document_id)
    ready = DocumentRow.state == DocumentState.READY.value
    wanted = wanted.where(VectorRow.embedder == embedder, PassageRow.withheld.is_(None), ready)
    with Session(engine) as session:
        rows = session.scalars(wanted.order_by(VectorRow.passage_id).execution_options(yield_per=_ROWS_A_FETCH))
        return np.fromiter(rows, dtype=np.int64)


def fill(
    store: VectorStore,
    engine: Engine,
    embedder: TextEmbedder,
    *,
    done: Callable[[int, int], None] = lambda _done, _of: None,
) -> Filled:
    """Make the store hold the vectors of the catalog, and no others.

    Args:
        store: of this model; what it holds already is kept.
        engine: the catalog's database.
        embedder: whose vectors these are.
        done: told after each batch: vectors that are there, of all.
    """
    wanted = embedded_ids(engine, embedder.identity)
    there = store.ids()
    extra = np.setdiff1d(there, wanted)
    store.remove(extra)
    missing = np.setdiff1d(wanted, there)
    added = 0
    for ids, rows in vectors_of(engine, embedder, missing):
        store.add(ids, rows)
        added += len(ids)
        done(len(wanted) - len(missing) + added, len(wanted))
    return Filled(added, len(extra))


def vectors_of(engine: Engine, embedder: TextEmbedder, ids: Ids) -> Iterator[tuple[list[int], Vectors]]:
    """Give ids and their unit vectors, (n, dimension), in batches; what went meanwhile is left out."""
    for at in range(0, len(ids), _VECTORS_A_STEP):
        found: dict[int, bytes] = {}
        with Session(engine) as session:
            for some in portions(ids[at : at + _VECTORS_A_STEP].tolist()):
                wanted = select(VectorRow.passage_id, VectorRow.vector).where(VectorRow.embedder == embedder.identity)
                found.update((i, row) for i, row in session.execute(wanted.where(VectorRow.passage_id.in_(some))))
        if found:
            yield list(found), unpack(found.values(), dimension=embedder.dimension)
