"""What any vector store must do. A backend's tests subclass this and say how to build one on a folder."""

from __future__ import annotations

import functools
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from retrieval.errors import IndexDamaged
from retrieval.stores.contract import VectorStore
from retrieval.types import EVERYTHING, Locator, Passage, Scope
from retrieval.visibility import Group, Visibility
from tests.retrieval.word_embedder import DIMENSION, WordEmbedder

ALL = Scope(subject="all", labels=frozenset({EVERYTHING}), collections=frozenset({EVERYTHING}))
STAFF = Scope(subject="staff", labels=frozenset({"staff"}), collections=frozenset({EVERYTHING}))

CROWD = 1000
"""Enough that a store which turns approximate by a threshold of the test's can be made to do so."""

TEXTS = {1: "loan rate", 2: "loan book", 3: "weather report", 4: "loan rate secret"}


class Texts:
    """Passages by id, under the same scopes as the vectors."""

    def passages(self, ids: Sequence[int], scope: Scope) -> list[Passage]:
        seen = [i for i in ids if i in TEXTS and scope.allows(label="board" if i == 4 else "staff", collection="c")]
        return [
            Passage(
                id=i,
                document_id="d",
                ordinal=i,
                text=TEXTS[i],
                locator=Locator(document_id="d", document="d.txt", page=i),
                language="en",
            )
            for i in seen
        ]


class VectorStoreContract(ABC):
    @abstractmethod
    def build(self, folder: Path, embedder: WordEmbedder) -> VectorStore:
        """Return a store with `Texts` on a folder."""

    def settled(self, store: VectorStore) -> None:  # noqa: B027 - most stores do nothing in the background
        """Wait until what the store does in the background is done."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> VectorStore:
        return self.build(tmp_path, WordEmbedder())

    @pytest.fixture
    def full(self, store: VectorStore) -> VectorStore:
        fill(store)
        return store

    @pytest.fixture
    def crowd(self, store: VectorStore) -> VectorStore:
        store.add(range(1, CROWD + 1), crowd_vectors())
        return store

    def everyone(self, store: VectorStore) -> Scope:
        """Let the staff see the whole crowd."""
        store.visibility = Visibility.of([Group(label="staff", collection="c", ids=range(1, CROWD + 2))])
        return STAFF

    def test_an_empty_store_finds_nothing(self, store: VectorStore):
        assert store.nearest(unit(0), 5, ALL) == []
        assert len(store.ids()) == 0

    def test_nobody_sees_anything_before_it_is_said_who_may(self, store: VectorStore):
        store.add([1], np.stack([unit(0)]))
        assert store.nearest(unit(0), 5, ALL) == []

    def test_cosines_best_first(self, store: VectorStore):
        store.add([7, 8, 9], np.stack([unit(0), (unit(0) + unit(1)) / np.sqrt(2), -unit(0)]).astype(np.float32))
        store.visibility = Visibility.of([Group(label="staff", collection="c", ids=[7, 8, 9])])
        assert [i for i, _ in store.nearest(unit(0), 5, ALL)] == [7, 8, 9]
        assert [c for _, c in store.nearest(unit(0), 5, ALL)] == pytest.approx([1.0, np.sqrt(0.5), -1.0], abs=1e-6)

    @pytest.mark.parametrize("k", [0, 1, 2, 4, 100])
    def test_no_more_than_asked_for(self, full: VectorStore, k: int):
        assert len(full.nearest(WordEmbedder().embed(["loan"])[0], k, ALL)) == min(k, 4)

    def test_what_the_scope_hides_takes_no_place(self, full: VectorStore):
        query = WordEmbedder().embed(["loan rate secret"])[0]
        assert full.nearest(query, 1, ALL)[0][0] == 4
        assert full.nearest(query, 1, STAFF)[0][0] == 1
        assert 4 not in [i for i, _ in full.nearest(query, 100, STAFF)]
        assert len(full.nearest(query, 100, STAFF)) == 3
        assert full.nearest(query, 100, Scope.nobody()) == []

    def test_a_revealed_vector_is_found(self, full: VectorStore):
        full.visibility = Visibility.of([Group(label="staff", collection="c", ids=list(TEXTS))])
        assert full.nearest(WordEmbedder().embed(["loan rate secret"])[0], 1, STAFF)[0][0] == 4

    def test_a_hidden_crowd_does_not_crowd_out(self, store: VectorStore):
        store.add(range(1, 501), np.stack([unit(0)] * 499 + [unit(1)]))
        groups = [
            Group(label="board", collection="c", ids=range(1, 500)),
            Group(label="staff", collection="c", ids=[500]),
        ]
        store.visibility = Visibility.of(groups)
        assert [i for i, _ in store.nearest(unit(0), 5, STAFF)] == [500]

    def test_only_within_what_is_asked_for_and_never_beyond_the_scope(self, full: VectorStore):
        query = WordEmbedder().embed(["loan rate secret"])[0]
        within = np.array([4, 3, 2, 99], dtype=np.int64)
        assert full.nearest(query, 10, ALL, within=within)[0][0] == 4
        assert sorted(i for i, _ in full.nearest(query, 10, ALL, within=within)) == [2, 3, 4]
        assert sorted(i for i, _ in full.nearest(query, 10, STAFF, within=within)) == [2, 3]
        assert full.nearest(query, 10, ALL, within=within[:0]) == []

    @pytest.mark.parametrize("share", [1.0, 0.5, 0.1, 0.01, 0.002])
    def test_k_results_when_k_are_visible_at_any_share(self, crowd: VectorStore, share: float):
        self.settled(crowd)
        seen = np.random.default_rng(8).permutation(np.arange(1, CROWD + 1))[: int(CROWD * share)]
        crowd.visibility = Visibility.of([Group(label="staff", collection="c", ids=seen)])
        for axis, k in ((0, 1), (1, 10), (2, CROWD)):
            found = [i for i, _ in crowd.nearest(unit(axis), k, STAFF)]
            assert len(found) == len(set(found)) == min(k, len(seen))
            assert set(found) <= set(seen.tolist())

    def test_what_is_visible_far_from_the_query_is_found_too(self, crowd: VectorStore):
        self.settled(crowd)
        far = [i for i, _ in crowd.nearest(-unit(0), 30, self.everyone(crowd))]
        crowd.visibility = Visibility.of([Group(label="staff", collection="c", ids=far)])
        assert sorted(i for i, _ in crowd.nearest(unit(0), 30, STAFF)) == sorted(far)

    def test_nearly_all_of_the_nearest_are_found(self, crowd: VectorStore):
        self.settled(crowd)
        vectors = crowd_vectors()
        for share in (1.0, 0.3):
            seen = np.random.default_rng(9).permutation(CROWD)[: int(CROWD * share)]
            crowd.visibility = Visibility.of([Group(label="staff", collection="c", ids=seen + 1)])
            found = 0
            for query in vectors[:40]:
                exact = set((seen[np.argsort(-(vectors[seen] @ query))[:10]] + 1).tolist())
                found += len(exact & {i for i, _ in crowd.nearest(query, 10, STAFF)})
            assert found >= 0.95 * 400

    def test_a_revocation_and_a_removal_hold_from_the_next_call(self, crowd: VectorStore):
        self.settled(crowd)
        everyone = self.everyone(crowd)
        first = crowd.nearest(unit(0), 3, everyone)
        crowd.remove([first[0][0]])
        assert first[0][0] not in [i for i, _ in crowd.nearest(unit(0), 3, everyone)]
        left = [i for i in crowd.visibility.ids.tolist() if i != first[1][0]]
        crowd.visibility = Visibility.of([Group(label="staff", collection="c", ids=left)])
        now = [i for i, _ in crowd.nearest(unit(0), 3, everyone)]
        assert first[1][0] not in now
        assert now[0] == first[2][0]

    def test_a_large_snapshot_comes_back_with_what_was_removed_and_replaced(self, crowd: VectorStore, tmp_path: Path):
        self.settled(crowd)
        everyone = self.everyone(crowd)
        crowd.snapshot(1)
        crowd.remove([5, 6, 7])
        crowd.add([8, CROWD + 1], np.stack([unit(4), unit(5)]))
        crowd.snapshot(2)
        again = self.build(tmp_path, WordEmbedder())
        again.restore(2)
        again.visibility = crowd.visibility
        assert sorted(again.ids()) == sorted({*range(1, CROWD + 2)} - {5, 6, 7})
        assert again.nearest(unit(4), 1, everyone) == [(8, pytest.approx(1.0, abs=1e-3))]
        for axis in range(4):
            ours, theirs = again.nearest(unit(axis), 5, everyone), crowd.nearest(unit(axis), 5, everyone)
            assert [i for i, _ in ours] == [i for i, _ in theirs]

    def test_searches_go_on_while_a_crowd_comes_in(self, store: VectorStore):
        store.visibility = Visibility.of([Group(label="staff", collection="c", ids=range(1, CROWD + 1))])
        store.add([1], crowd_vectors()[:1])
        stop, sizes, failures = threading.Event(), list[int](), list[BaseException]()

        def search() -> None:
            try:
                while not stop.is_set():
                    found = store.nearest(unit(0), 5, STAFF)
                    sizes.append(len(found))
                    assert len({i for i, _ in found}) == len(found)
            except BaseException as failure:
                failures.append(failure)
                raise

        searcher = threading.Thread(target=search)
        searcher.start()
        for at in range(1, CROWD, 100):
            store.add(np.arange(at, min(at + 100, CROWD)) + 1, crowd_vectors()[at : min(at + 100, CROWD)])
        self.settled(store)
        stop.set()
        searcher.join()
        assert not failures
        assert sizes == sorted(sizes)
        assert len(store.nearest(unit(0), 5, STAFF)) == 5
        assert len(store.ids()) == CROWD

    def test_the_same_id_again_has_the_new_vector(self, full: VectorStore):
        full.add([1], np.stack([unit(3)]))
        assert len(full.ids()) == 4
        assert full.nearest(unit(3), 1, ALL) == [(1, pytest.approx(1.0))]

    def test_removed_vectors_are_gone_and_unknown_ids_are_no_error(self, full: VectorStore):
        full.remove([1, 99])
        full.remove([])
        assert sorted(full.ids()) == [2, 3, 4]
        assert 1 not in [i for i, _ in full.nearest(WordEmbedder().embed(["loan rate"])[0], 10, ALL)]

    @pytest.mark.parametrize("shape", [(1, DIMENSION), (2, DIMENSION + 1), (2, DIMENSION - 1)])
    def test_vectors_of_the_wrong_shape_are_refused(self, store: VectorStore, shape: tuple[int, int]):
        with pytest.raises(ValueError, match="shape"):
            store.add([1, 2], np.ones(shape, dtype=np.float32))
        assert len(store.ids()) == 0

    def test_a_snapshot_comes_back(self, full: VectorStore, tmp_path: Path):
        full.snapshot(7)
        assert full.verify() == 7
        again = self.build(tmp_path, WordEmbedder())
        again.restore(7)
        again.visibility = full.visibility
        query = WordEmbedder().embed(["loan rate"])[0]
        assert again.nearest(query, 4, ALL) == full.nearest(query, 4, ALL)
        again.add([50], np.stack([unit(0)]))
        again.remove([1])
        assert sorted(again.ids()) == [2, 3, 4, 50]

    def test_an_empty_snapshot_comes_back(self, store: VectorStore, tmp_path: Path):
        store.snapshot(0)
        again = self.build(tmp_path, WordEmbedder())
        again.restore(0)
        assert len(again.ids()) == 0

    def test_a_snapshot_replaces_the_one_before(self, full: VectorStore, tmp_path: Path):
        full.snapshot(1)
        full.remove([1])
        full.snapshot(2)
        again = self.build(tmp_path, WordEmbedder())
        again.restore(2)
        assert sorted(again.ids()) == [2, 3, 4]

    @pytest.mark.parametrize("generation", [6, 8])
    def test_a_snapshot_of_another_generation_is_not_taken(self, full: VectorStore, tmp_path: Path, generation: int):
        full.snapshot(7)
        again = self.build(tmp_path, WordEmbedder())
        with pytest.raises(IndexDamaged):
            again.restore(generation)
        assert len(again.ids()) == 0

    def test_a_snapshot_of_another_model_is_not_taken(self, full: VectorStore, tmp_path: Path):
        full.snapshot(7)
        again = self.build(tmp_path, WordEmbedder("words@2"))
        with pytest.raises(IndexDamaged, match="model"):
            again.verify()
        with pytest.raises(IndexDamaged, match="model"):
            again.restore(7)

    def test_what_was_left_is_resumed_whatever_its_generation(self, full: VectorStore, tmp_path: Path):
        full.snapshot(3)
        again = self.build(tmp_path, WordEmbedder())
        again.resume()
        assert sorted(again.ids()) == [1, 2, 3, 4]
        again.add([5], np.stack([unit(0)]))
        again.snapshot(4)
        third = self.build(tmp_path, WordEmbedder())
        third.resume()
        assert sorted(third.ids()) == [1, 2, 3, 4, 5]
        with pytest.raises(IndexDamaged, match="model"):
            self.build(tmp_path, WordEmbedder("words@2")).resume()

    def test_there_is_no_snapshot_before_the_first(self, store: VectorStore):
        with pytest.raises(IndexDamaged):
            store.verify()
        with pytest.raises(IndexDamaged):
            store.restore(0)

    def test_a_cleared_store_is_empty_and_works(self, full: VectorStore):
        full.clear()
        assert full.nearest(unit(0), 5, ALL) == []
        full.add([2], np.stack([unit(0)]))
        assert full.nearest(unit(0), 5, ALL) == [(2, pytest.approx(1.0))]

    def test_searches_beside_changes_see_whole_vectors(self, full: VectorStore):
        stop, seen = threading.Event(), list[float]()
        full.visibility = Visibility.of([Group(label="staff", collection="c", ids=range(1, 200))])

        def search() -> None:
            while not stop.is_set():
                seen.extend(cosine for _, cosine in full.nearest(unit(0), 3, STAFF))

        searchers = [threading.Thread(target=search) for _ in range(3)]
        for searcher in searchers:
            searcher.start()
        for number in range(100, 160):
            full.add([number], np.stack([unit(0)]))
            full.remove([number])
        stop.set()
        for searcher in searchers:
            searcher.join()
        assert seen
        assert all(-1.001 <= cosine <= 1.001 for cosine in seen)
        assert sorted(full.ids()) == [1, 2, 3, 4]

    # LangChain's interface

    def test_langchain_finds_passages_under_a_scope(self, full: VectorStore):
        found = full.similarity_search("loan rate secret", k=2, scope=STAFF)
        assert [document.page_content for document in found] == ["loan rate", "loan book"]
        assert found[0].metadata["page"] == 1
        best, cosine = full.similarity_search_with_score("loan rate secret", k=1, scope=ALL)[0]
        assert (best.id, cosine) == ("4", pytest.approx(1.0))
        vector = full.embeddings.embed_query("weather report")
        assert full.similarity_search_by_vector(vector, k=1, scope=ALL)[0].page_content == "weather report"

    def test_langchain_without_a_scope_finds_nothing_but_an_error(self, full: VectorStore):
        for search in (full.similarity_search, full.similarity_search_with_score):
            with pytest.raises(TypeError, match="scope"):
                search("loan")
        with pytest.raises(TypeError, match="scope"):
            full.similarity_search_by_vector(unit(0).tolist())
        with pytest.raises(TypeError, match="scope"):
            full.as_retriever().invoke("loan")

    def test_a_langchain_retriever_is_bound_to_its_scope(self, full: VectorStore):
        retriever = full.as_retriever(search_kwargs={"scope": STAFF, "k": 10})
        assert "loan rate secret" not in [document.page_content for document in retriever.invoke("loan rate secret")]

    def test_langchain_adds_and_deletes_by_passage_id(self, store: VectorStore):
        assert store.add_texts(["loan rate", "loan book"], ids=["1", "2"]) == ["1", "2"]
        assert sorted(store.ids()) == [1, 2]
        assert store.delete(["1"])
        assert store.ids().tolist() == [2]
        assert not store.delete()

    def test_a_text_without_a_passage_is_refused(self, store: VectorStore):
        with pytest.raises(TypeError, match="ids"):
            store.add_texts(["loose"])
        with pytest.raises(TypeError, match="label"):
            type(store).from_texts(["loose"], store.embeddings)


@functools.cache
def crowd_vectors() -> np.ndarray:
    """Unit vectors in 20 clusters, (CROWD, dimension); those of the ids from 1 on."""
    rng = np.random.default_rng(7)
    centres = rng.standard_normal((20, DIMENSION))
    vectors = centres[rng.integers(0, 20, CROWD)] + 0.7 * rng.standard_normal((CROWD, DIMENSION))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def unit(axis: int) -> np.ndarray:
    """A unit vector along one axis."""
    return np.eye(DIMENSION, dtype=np.float32)[axis]


def fill(store: VectorStore) -> None:
    """Add the vectors of `TEXTS`; number 4 is for the board alone."""
    store.add(list(TEXTS), WordEmbedder().embed(list(TEXTS.values())))
    store.visibility = Visibility.of(
        [Group(label="staff", collection="c", ids=[1, 2, 3]), Group(label="board", collection="c", ids=[4])]
    )
