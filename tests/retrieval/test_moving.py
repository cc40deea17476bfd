"""Moving vectors between stores: in batches, gone on with after a break, and compared at the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine

from retrieval import filling, moving
from retrieval.errors import RetrievalError, StoreUnavailable
from retrieval.filling import embedded_ids, fill, vectors_of
from retrieval.index import PassageIndex
from retrieval.moving import compare, move, visibility_of
from retrieval.stores.contract import VectorStore
from retrieval.stores.faiss_store import FaissStore
from retrieval.stores.milvus_store import MilvusStore
from retrieval.visibility import Visibility
from tests.retrieval.house import ALL, House, seeing


@pytest.fixture
def full(house: House) -> House:
    """Twenty passages under two labels in two collections, one of them in a language that the model does not know."""
    for number in range(9):
        where = {"label": "ab"[number % 2], "collection": "cd"[number // 5]}
        house.put(f"loan {number} rate", f"weather {number} fine", name=f"{number}.txt", **where)
    house.put("员工每年有二十五天带薪年假", language="zh")
    house.index.refresh()
    return house


@pytest.fixture
def milvus(tmp_path: Path) -> Iterator[str]:
    lite = pytest.importorskip("milvus_lite.server_manager", reason="Milvus Lite is not installed; see `dev`")
    yield str(tmp_path / "milvus.db")
    lite.server_manager_instance.release_all()


def faiss_store(house: House, folder: str = "moved") -> FaissStore:
    return FaissStore(house.folder / folder, embedder=house.embedder, passages=house.catalog)


def milvus_store(house: House, uri: str) -> MilvusStore:
    return MilvusStore(uri, name="moved", index="FLAT", embedder=house.embedder, passages=house.catalog)


def source(house: House) -> VectorStore:
    return house.index._stores[0]


def hits(store: VectorStore, house: House, *labels: str) -> list[tuple[int, float]]:
    query = house.embedder.embed(["loan 3 rate"])[0]
    return [(i, round(cosine, 4)) for i, cosine in store.nearest(query, 30, seeing(*labels) if labels else ALL)]


@pytest.mark.parametrize("kind", ["milvus", "faiss"])
def test_everything_is_moved_and_both_find_the_same(
    full: House, sqlite_engine: Engine, kind: str, milvus: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(filling, "_VECTORS_A_STEP", 5)
    told: list[tuple[int, int]] = []
    store = milvus_store(full, milvus) if kind == "milvus" else faiss_store(full)
    moved = move(sqlite_engine, full.embedder, store, done=lambda *step: told.append(step))
    assert (moved.vectors, moved.there, moved.added, moved.removed, moved.passes) == (18, 0, 18, 0, 1)
    assert told == [(5, 18), (10, 18), (15, 18), (18, 18)]
    for labels in ((), ("a",), ("b",), ("nobody",)):
        assert sorted(hits(store, full, *labels)) == sorted(hits(source(full), full, *labels))
    found = compare(sqlite_engine, full.embedder, source(full), store, queries=12)
    assert found.agrees
    assert (found.queries, found.overlap, found.least) == (12, 1.0, 1.0)
    assert found.difference < 1e-3


def test_what_was_moved_is_what_the_next_start_takes(full: House, sqlite_engine: Engine, milvus: str):
    moved = move(sqlite_engine, full.embedder, milvus_store(full, milvus))
    assert moved.generation == full.catalog.generation()
    again = milvus_store(full, milvus)
    index = PassageIndex(full.catalog, [full.embedder], folder=full.folder / "x", store_for=lambda *_: again)
    with pytest.MonkeyPatch.context() as watched:
        written: list[Any] = []
        for name in ("put", "place", "make"):
            watched.setattr(again._rows, name, lambda *call, _name=name: written.append((_name, call)))
        index.load()
    assert written == []
    assert len(index.by_vector(full.embedder, full.embedder.embed(["loan"])[0], 50, ALL)) == 18


@pytest.mark.parametrize("kind", ["milvus", "faiss"])
def test_a_move_that_broke_off_is_gone_on_with(
    full: House, sqlite_engine: Engine, kind: str, milvus: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(filling, "_VECTORS_A_STEP", 5)
    monkeypatch.setattr(moving, "_KEPT_EVERY", 5)
    store: Any = milvus_store(full, milvus) if kind == "milvus" else faiss_store(full)

    def break_off(done: int, _of: int) -> None:
        if done >= 10:
            raise StoreUnavailable("away", remedy="wait")

    with pytest.raises(StoreUnavailable):
        move(sqlite_engine, full.embedder, store, done=break_off)
    again = milvus_store(full, milvus) if kind == "milvus" else faiss_store(full)
    moved = move(sqlite_engine, full.embedder, again)
    assert (moved.there, moved.added, moved.vectors) == (10, 8, 18)
    assert sorted(again.ids()) == embedded_ids(sqlite_engine, full.embedder.identity).tolist()


def test_documents_that_come_and_go_meanwhile_are_moved_too(full: House, sqlite_engine: Engine):
    first = full.catalog.list(ALL, limit=50)[-1]
    changed: list[int] = []

    def change(done: int, _of: int) -> None:
        if not changed:
            changed.append(done)
            full.put("loan late rate", name="late.txt", label="a")
            full.catalog.delete(first.id, ALL)

    store = faiss_store(full)
    moved = move(sqlite_engine, full.embedder, store, done=change)
    assert (moved.passes, moved.vectors, moved.added, moved.removed) == (2, 17, 19, 2)
    assert store.verify() == full.catalog.generation()


def test_a_move_that_never_ends_is_told(full: House, sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch):
    moments = iter(range(100, 200))
    monkeypatch.setattr("retrieval.catalog.Catalog.generation", lambda _self: next(moments))
    with pytest.raises(RetrievalError, match="never ended"):
        move(sqlite_engine, full.embedder, faiss_store(full))


def test_a_store_that_answers_otherwise_is_told_apart(full: House, sqlite_engine: Engine):
    store = faiss_store(full)
    ids = embedded_ids(sqlite_engine, full.embedder.identity)
    [(kept, rows)] = vectors_of(sqlite_engine, full.embedder, ids)
    store.visibility = visibility_of(full.catalog)
    store.add(kept, np.roll(rows, 1, axis=0))  # each passage with its neighbour's vector
    found = compare(sqlite_engine, full.embedder, source(full), store, queries=18)
    assert not found.agrees
    assert found.difference > moving._MOST_DIFFERENCE
    store.visibility = Visibility.of(())
    assert compare(sqlite_engine, full.embedder, source(full), store, queries=18).overlap == 0.0


def test_a_store_that_shows_more_than_it_may_is_told_apart(full: House, sqlite_engine: Engine):
    store = faiss_store(full)
    move(sqlite_engine, full.embedder, store)
    groups = visibility_of(full.catalog)
    store.visibility = groups.changed(gone=groups.allowed(seeing("a")))
    found = compare(sqlite_engine, full.embedder, source(full), store, queries=18)
    assert not found.agrees


def test_nothing_is_moved_out_of_nothing(house: House, sqlite_engine: Engine):
    store = faiss_store(house)
    assert move(sqlite_engine, house.embedder, store).vectors == 0
    assert store.verify() == 0
    assert compare(sqlite_engine, house.embedder, store, store, queries=5).queries == 0


def test_filling_keeps_what_is_right_and_removes_the_rest(full: House, sqlite_engine: Engine):
    store = faiss_store(full)
    store.add([1, 900], full.embedder.embed(["loan 0 rate", "ghost"]))
    filled = fill(store, sqlite_engine, full.embedder)
    assert (filled.added, filled.removed) == (17, 1)
    assert 900 not in store.ids()
