"""Milvus under the contract, by its own client against Milvus Lite, and what only a store on a server must stand."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.errors import IndexDamaged, StoreUnavailable
from retrieval.stores import milvus_store as module
from retrieval.stores._milvus_scope import expression, place_of
from retrieval.stores.contract import VectorStore
from retrieval.stores.faiss_store import FaissStore
from retrieval.stores.milvus_store import MilvusStore
from retrieval.types import EVERYTHING, Scope
from retrieval.visibility import Group, Visibility
from tests.contracts.vector_store import ALL, STAFF, Texts, VectorStoreContract, fill, unit
from tests.retrieval.word_embedder import DIMENSION, WordEmbedder

lite = pytest.importorskip("milvus_lite.server_manager", reason="Milvus Lite is not installed; see the extra `dev`")

NASTY = ('x" or true or "', "x' or 1 == 1 or '", "\\", '"]', '*"', "{label}", "标签", "a\x00b", "", " staff")


def build(folder: Path, embedder: WordEmbedder | None = None, **options: Any) -> MilvusStore:
    embedder = embedder or WordEmbedder()
    options = {"name": "passages", "index": "FLAT"} | options
    return MilvusStore(str(folder / "milvus.db"), embedder=embedder, passages=Texts(), **options)


@pytest.fixture(autouse=True, scope="module")
def _servers() -> Iterator[None]:
    yield
    lite.server_manager_instance.release_all()


class TestMilvusStore(VectorStoreContract):
    def build(self, folder: Path, embedder: WordEmbedder) -> VectorStore:
        return build(folder, embedder)


@pytest.fixture
def store(tmp_path: Path) -> MilvusStore:
    return build(tmp_path)


@pytest.fixture
def saved(tmp_path: Path) -> MilvusStore:
    """A store whose four rows are vouched for as of generation 7."""
    store = build(tmp_path)
    fill(store)
    store.snapshot(7)
    return store


def scope_of(*labels: str, collections: tuple[str, ...] = (EVERYTHING,)) -> Scope:
    return Scope(subject="someone", labels=frozenset(labels), collections=frozenset(collections))


def seen(store: MilvusStore, scope: Scope) -> list[int]:
    return sorted(i for i, _ in store.nearest(unit(0), 100, scope))


# permission


@pytest.mark.parametrize("label", NASTY)
def test_a_label_of_any_name_lets_through_itself_alone(store: MilvusStore, label: str):
    store.add([1, 2, 3], np.stack([unit(0)] * 3))
    store.visibility = Visibility.of(
        [
            Group(label="staff", collection="c", ids=[1]),
            Group(label=label, collection="c", ids=[2]),
            Group(label="staff", collection=label, ids=[3]),
        ]
    )
    assert seen(store, scope_of(label)) == [2]
    assert seen(store, scope_of("staff", collections=("c",))) == [1]
    assert seen(store, scope_of("staff", collections=(label,))) == [3]
    assert seen(store, scope_of("unknown", f"{label}x")) == []
    assert seen(store, ALL) == [1, 2, 3]


@settings(max_examples=40, deadline=None)
@given(st.frozensets(st.text(max_size=9), max_size=3), st.frozensets(st.text(max_size=9), max_size=3))
def test_an_expression_holds_digests_and_fixed_words_only(labels: frozenset[str], collections: frozenset[str]):
    said = expression(Scope(subject="s", labels=labels, collections=collections))
    if not labels or not collections:
        assert said is None
    else:
        some = r'in \["[0-9a-f]{32}"(, "[0-9a-f]{32}")*\]|!= ""'
        assert said is not None
        assert re.fullmatch(f"label ({some}) and collection ({some})", said)


def test_a_label_is_no_collection():
    assert len({*place_of("a", "a"), *place_of("b", "b")}) == 4


def test_the_leak_shows_when_the_expression_and_the_second_look_are_off(
    saved: MilvusStore, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as partly:
        partly.setattr(module, "expression", lambda _scope: "id > 0")
        assert seen(saved, STAFF) == [1, 2, 3], "what Milvus should not have given is held back"
    with monkeypatch.context() as partly:
        partly.setattr(Visibility, "granted", lambda self, _scope: np.ones(len(self.groups) + 1, dtype=np.bool_))
        assert seen(saved, STAFF) == [1, 2, 3], "Milvus does not give it"
        partly.setattr(module, "expression", lambda _scope: "id > 0")
        assert seen(saved, STAFF) == [1, 2, 3, 4]


def test_a_hidden_crowd_that_milvus_gives_takes_no_place(store: MilvusStore, monkeypatch: pytest.MonkeyPatch):
    """During a change of permissions Milvus still filters by the older ones; the store asks for more then."""
    store.add(range(1, 41), np.stack([unit(0)] * 39 + [unit(1)]))
    crowd = [Group(label="board", collection="c", ids=range(1, 40)), Group(label="staff", collection="c", ids=[40])]
    store.visibility = Visibility.of(crowd)
    monkeypatch.setattr(module, "expression", lambda _scope: "id > 0")
    assert [i for i, _ in store.nearest(unit(0), 2, STAFF)] == [40]


def test_what_milvus_could_not_be_told_is_hidden_and_told_again(saved: MilvusStore, monkeypatch: pytest.MonkeyPatch):
    moved = Visibility.of([Group(label="board", collection="c", ids=[1, 2, 3, 4])])

    def away(*_call: object) -> None:
        raise StoreUnavailable("away", remedy="wait")

    with monkeypatch.context() as broken:
        broken.setattr(saved._rows, "place", away)
        with pytest.raises(StoreUnavailable):
            saved.visibility = moved
    assert seen(saved, STAFF) == []
    saved.visibility = moved
    assert seen(saved, scope_of("board")) == [1, 2, 3, 4]


# writing once


def counted(store: MilvusStore, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Record each write of rows: its kind and how many."""
    calls: list[tuple[str, int]] = []
    for name in ("put", "place"):
        real = getattr(store._rows, name)

        def count(ids: Any, *rest: Any, _real: Any = real, _name: str = name) -> None:
            if len(ids):
                calls.append((_name, len(ids)))
            _real(ids, *rest)

        monkeypatch.setattr(store._rows, name, count)
    return calls


def test_a_row_is_written_once_when_somebody_may_see_it(store: MilvusStore, monkeypatch: pytest.MonkeyPatch):
    calls = counted(store, monkeypatch)
    fill(store)
    assert sorted(calls) == [("put", 1), ("put", 3)]
    store.visibility = store.visibility.changed([Group(label="board", collection="c", ids=[3])])
    assert calls[2:] == [("place", 1)]
    store.add([3], np.stack([unit(0)]))
    assert calls[3:] == [("put", 1)]
    assert 3 in seen(store, scope_of("board"))


def test_too_many_waiting_rows_are_written_as_nobodys(store: MilvusStore, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_MOST_WAITING", 2)
    store.add([1, 2, 3], np.stack([unit(0)] * 3))
    assert store._rows.count() == 3
    assert sorted(store.ids()) == [1, 2, 3]
    assert seen(store, ALL) == []
    store.visibility = Visibility.of([Group(label="staff", collection="c", ids=[1, 3])])
    assert seen(store, ALL) == [1, 3]


def test_a_waiting_row_can_be_removed_and_replaced(store: MilvusStore):
    store.add([1, 2], np.stack([unit(0)] * 2))
    store.add([1, 1], np.stack([unit(2), unit(1)]))
    store.remove([2])
    store.visibility = Visibility.of([Group(label="staff", collection="c", ids=[1, 2])])
    assert store.nearest(unit(1), 5, STAFF) == [(1, pytest.approx(1.0))]


# whose the rows are


def test_rows_are_not_adopted_without_a_restore(saved: MilvusStore, tmp_path: Path):
    again = build(tmp_path)
    again.visibility = saved.visibility
    assert seen(again, ALL) == []
    assert again.verify() == 7
    again.add([9], np.stack([unit(0)]))
    assert again.ids().tolist() == [9]
    again.visibility = Visibility.of([Group(label="staff", collection="c", ids=[1, 2, 3, 4, 9])])
    assert seen(again, ALL) == [9]


def test_restored_rows_know_their_places(saved: MilvusStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    again = build(tmp_path)
    again.restore(7)
    assert seen(again, ALL) == [], "nobody sees anything before it is said who may"
    calls = counted(again, monkeypatch)
    again.visibility = saved.visibility
    assert calls == []
    assert seen(again, STAFF) == [1, 2, 3]
    again.visibility = Visibility.of([Group(label="staff", collection="c", ids=[1, 4])])
    assert sorted(calls) == [("place", 1), ("place", 2)]
    assert seen(again, STAFF) == [1, 4]


@pytest.mark.parametrize(
    "change",
    [
        lambda store: store.add([9], np.stack([unit(0)])),
        lambda store: store.remove([1]),
        lambda store: setattr(store, "visibility", Visibility.of([Group(label="board", collection="c", ids=[1])])),
        lambda store: store.clear(),
    ],
    ids=["add", "remove", "visibility", "clear"],
)
def test_the_first_change_opens_the_manifest(saved: MilvusStore, tmp_path: Path, change: Any):
    change(saved)
    assert json.loads(saved._rows.manifest() or "{}")["open"] is True
    with pytest.raises(IndexDamaged, match="manifest"):
        build(tmp_path).verify()
    saved.snapshot(8)
    assert build(tmp_path).verify() == 8


def test_what_was_left_in_the_middle_is_resumed(saved: MilvusStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    saved.remove([1])
    saved.add([9], np.stack([unit(0)]))
    saved.visibility = saved.visibility.changed([Group(label="staff", collection="c", ids=[9])])
    again = build(tmp_path)
    again.resume()
    assert sorted(again.ids()) == [2, 3, 4, 9]
    calls = counted(again, monkeypatch)
    again.visibility = saved.visibility
    assert calls == []
    again.snapshot(8)
    third = build(tmp_path)
    third.resume()
    assert third.verify() == 8


def test_rows_of_another_model_are_not_resumed(saved: MilvusStore, tmp_path: Path):
    with pytest.raises(IndexDamaged, match="model"):
        build(tmp_path, WordEmbedder("words@2")).resume()
    with pytest.raises(IndexDamaged, match="manifest"):
        build(tmp_path, name="never").resume()


def test_rows_of_another_installation_are_neither_taken_nor_dropped(tmp_path: Path):
    first, second = build(tmp_path, owner="first"), build(tmp_path, owner="second")
    fill(first)
    first.snapshot(7)
    for take in (second.verify, second.resume):
        with pytest.raises(IndexDamaged, match="another installation"):
            take()
    for drop in (second.clear, lambda: second.add([1], np.stack([unit(0)])), lambda: second.snapshot(1)):
        with pytest.raises(StoreUnavailable, match="another installation"):
            drop()
    assert second.nearest(unit(0), 5, ALL) == []
    assert first.verify() == 7
    build(tmp_path, owner="first").restore(7)


def test_nothing_changed_is_no_change(saved: MilvusStore):
    saved.remove([99])
    saved.visibility = saved.visibility.changed([Group(label="staff", collection="c", ids=[50])])
    assert saved.verify() == 7


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("count", 5, "as many"),
        ("format", 2, "another version"),
        ("dimension", 31, "model"),
        ("embedder", "other@1", "model"),
        ("generation", "x", "read"),
    ],
)
def test_a_manifest_that_does_not_fit_is_told(saved: MilvusStore, tmp_path: Path, key: str, value: object, words: str):
    saved._rows.vouch(json.dumps(json.loads(saved._rows.manifest() or "") | {key: value}))
    again = build(tmp_path)
    with pytest.raises(IndexDamaged, match=words):
        again.verify()
    with pytest.raises(IndexDamaged, match=words):
        again.restore(7)
    assert len(again.ids()) == 0


def test_rows_that_another_removed_are_told(saved: MilvusStore, tmp_path: Path):
    saved._rows.remove(np.array([2]))
    with pytest.raises(IndexDamaged, match="as many"):
        build(tmp_path).restore(7)


def test_two_models_have_a_collection_each(saved: MilvusStore, tmp_path: Path):
    other = build(tmp_path, WordEmbedder("words@2"), name="others")
    other.add([1], np.stack([unit(0)]))
    other.snapshot(3)
    assert (saved.verify(), other.verify()) == (7, 3)
    other.clear()
    assert saved.verify() == 7


# searching


@pytest.mark.parametrize("within", [[1, 2, 4, 50, 99], list(range(1, 20)), [], [1000]])
def test_within_gives_what_the_embedded_store_gives(tmp_path: Path, within: list[int], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MOST_HITS", 7)  # several expressions
    rows = np.random.default_rng(3).standard_normal((60, DIMENSION)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    groups = [Group(label="ab"[n % 2], collection="c", ids=range(1 + n * 10, 11 + n * 10)) for n in range(6)]
    stores = [build(tmp_path), FaissStore(tmp_path / "faiss", embedder=WordEmbedder(), passages=Texts())]
    for store in stores:
        store.add(range(1, 61), rows)
        store.visibility = Visibility.of(groups)
    for scope in (ALL, scope_of("a"), scope_of("b", collections=("c",))):
        ours, theirs = (s.nearest(rows[0], 5, scope, within=np.array(within, dtype=np.int64)) for s in stores)
        assert [i for i, _ in ours] == [i for i, _ in theirs]
        assert [c for _, c in ours] == pytest.approx([c for _, c in theirs], abs=1e-5)


def test_the_graph_index_is_built_and_searched(tmp_path: Path):
    store = build(tmp_path, index="HNSW")
    fill(store)
    assert seen(store, STAFF) == [1, 2, 3]
    with pytest.raises(ValueError, match="index"):
        build(tmp_path, index="NONE")


# what is missing


def test_a_server_that_is_not_there_is_told_without_its_address(tmp_path: Path):
    store = MilvusStore(
        "http://127.0.0.1:9", token="root:secret", name="p", embedder=WordEmbedder(), passages=Texts(), timeout_s=0.2
    )
    with pytest.raises(StoreUnavailable) as told:
        store.add([1], np.stack([unit(0)]))
    assert "127.0.0.1" not in told.value.message + told.value.remedy
    assert "secret" not in told.value.message + told.value.remedy
    assert store.nearest(unit(0), 5, ALL) == []


def test_a_client_that_is_not_installed_is_told(store: MilvusStore, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pymilvus", None)
    with pytest.raises(StoreUnavailable, match="not installed"):
        store.verify()


def test_the_model_is_not_needed_to_build_a_store(tmp_path: Path):
    from retrieval.embedding import Embedder

    store = MilvusStore("http://nowhere", name="p", embedder=Embedder(tmp_path / "not-yet-there"), passages=Texts())
    assert store.nearest(unit(0), 5, ALL) == []


def test_a_closed_store_opens_again(saved: MilvusStore):
    saved.close()
    assert seen(saved, STAFF) == [1, 2, 3]
