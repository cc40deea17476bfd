"""The parts of the FAISS store, each by itself: cells, codes, rows, sights, the tail, merging, migration."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from retrieval.stores._clusters import Cells, cells_for
from retrieval.stores._codes import Codes
from retrieval.stores._merge import merged, to_merge
from retrieval.stores._migration import Migration, Stopped
from retrieval.stores._rows import FileRows, MemoryRows
from retrieval.stores._segment import Segment, best
from retrieval.stores._sight import Sights, bitmap, everything_alive
from retrieval.stores._tail import Tail
from retrieval.visibility import RUN, Group, Visibility
from tests.contracts.vector_store import CROWD, crowd_vectors, unit
from tests.retrieval.house import seeing

STAFF = seeing("staff")


def rows_of(count: int, seed: int = 0, width: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32)


def segment(ids, name: str = "0" * 16) -> Segment:
    ids = np.asarray(ids, dtype=np.int64)
    return Segment.fresh(name, ids, MemoryRows(np.repeat(ids[:, None], 8, axis=1).astype("<f4")))


def everyone(ids) -> Visibility:
    return Visibility.of([Group(label="staff", collection="c", ids=ids)])


# cells and codes


def test_cells_are_about_as_many_as_wanted_and_none_is_lost():
    vectors = crowd_vectors()
    cells = Cells.trained(vectors, 60)
    assert 50 <= len(cells.centres) <= 70
    assert cells.starts[0] == 0
    assert cells.starts[-1] == len(cells.centres)
    assert np.isfinite(cells.centres).all()


def test_nearly_every_vector_gets_its_nearest_cell():
    vectors = crowd_vectors()
    cells = Cells.trained(vectors, 60)
    exact = np.argmin(((vectors[:, None] - cells.centres[None]) ** 2).sum(axis=2), axis=1)
    assert (cells.assign(vectors) == exact).mean() > 0.97


@pytest.mark.parametrize("count", [1, 2, 7])
def test_cells_of_very_few_vectors(count: int):
    vectors = rows_of(count)
    assert set(Cells.trained(vectors, count).assign(vectors).tolist()) <= set(range(count))


def test_cells_of_vectors_that_are_all_the_same():
    vectors = np.ones((50, 8), dtype=np.float32)
    cells = Cells.trained(vectors, 9)
    assert np.isfinite(cells.centres).all()
    assert len(set(cells.assign(vectors).tolist())) == 1


@pytest.mark.parametrize(("count", "cells"), [(0, 1), (1, 1), (100, 12), (10_000, 200), (10_000_000, 6324)])
def test_how_many_cells(count: int, cells: int):
    assert cells_for(count) == cells


def test_giving_up_is_possible_in_the_middle_of_training():
    def stop() -> None:
        raise Stopped

    with pytest.raises(Stopped):
        Cells.trained(crowd_vectors(), 60, pause=stop)


@pytest.fixture(scope="module")
def codes() -> Codes:
    rows = MemoryRows(crowd_vectors().astype("<f2"))
    return Codes.built(rows.blocks, crowd_vectors(), CROWD)


def test_codes_name_each_row_once_and_the_query_itself_first(codes: Codes):
    for row in (0, 17, CROWD - 1):
        found = codes.candidates(crowd_vectors()[row], 50, None, None, wider=1)
        assert len(found) == len(set(found.tolist())) == 50
        assert row in found[:5]


def test_codes_find_only_what_is_selected_and_all_of_it_when_wide(codes: Codes):
    flags = np.zeros(CROWD, dtype=np.bool_)
    flags[::97] = True
    visible = np.bincount(codes.cells[flags], minlength=len(codes.sizes))
    found = codes.candidates(unit(0), CROWD, visible, bitmap(flags), wider=1e9)
    assert sorted(found.tolist()) == np.flatnonzero(flags).tolist()


def test_cells_without_a_visible_row_are_not_looked_into(codes: Codes):
    visible = np.zeros_like(codes.sizes)
    visible[3] = codes.sizes[3]
    assert codes._nearest_cells(np.arange(len(visible), dtype=np.float32), visible, 1.0).tolist() == [3]
    assert codes._nearest_cells(np.arange(len(visible), dtype=np.float32), visible * 0, 1.0).tolist() == []


# rows


@pytest.mark.parametrize("dtype", ["f2", "f4"])
@pytest.mark.parametrize(
    "where", [[], [0], [4999], [0, 1, 2, 3], [0, 9, 18, 27, 4999], [5, 6, 30, 31, 100, 4000], list(range(0, 5000, 7))]
)
def test_rows_of_a_file_are_those_of_memory(tmp_path: Path, dtype: str, where: list[int]):
    array = rows_of(5000).astype("<" + dtype)
    (tmp_path / "rows").write_bytes(array.tobytes())
    file = FileRows.at(tmp_path / "rows", dtype=dtype, dimension=8)
    memory = MemoryRows(array)
    at = np.array(where, dtype=np.int64)
    assert file.count == memory.count == 5000
    assert np.array_equal(file.take(at), memory.take(at))
    assert file.take(at).dtype == memory.take(at).dtype == np.float32
    assert np.array_equal(file.in_memory().array, array)
    blocks = [list(rows.blocks()) for rows in (file, memory)]
    for found in blocks:
        assert np.array_equal(np.concatenate([vectors for _, vectors in found]), array.astype(np.float32))
    (tmp_path / "rows").unlink()
    assert np.array_equal(file.take(at), memory.take(at))


def test_a_file_that_became_shorter_is_an_error(tmp_path: Path):
    (tmp_path / "rows").write_bytes(rows_of(10).tobytes())
    file = FileRows.at(tmp_path / "rows", dtype="f4", dimension=8)
    (tmp_path / "rows").write_bytes(b"")
    with pytest.raises(EOFError):
        file.take(np.array([3]))


# sights


def test_a_sight_is_kept_until_something_that_it_saw_changes():
    ids = np.arange(10, 3 * RUN, 3)
    cells = (ids % 5).astype(np.int32)
    sights = Sights(ids, cells, np.bincount(cells, minlength=5))
    alive, seen = everything_alive(ids), everyone(ids[::2])
    first = sights.of(seen, STAFF, alive)
    assert first.rows.tolist() == list(range(0, len(ids), 2))
    assert sights.of(seen, STAFF, alive) is first
    elsewhere = seen.changed([Group(label="board", collection="c", ids=[1, 10 * RUN])])
    assert sights.of(elsewhere, STAFF, alive) is first
    for after in (seen.changed(gone=ids[:5]), everyone(ids), seen):
        fresh = Sights(ids, cells, np.bincount(cells, minlength=5)).of(after, STAFF, alive)
        kept = sights.of(after, STAFF, alive)
        assert np.array_equal(kept.flags, fresh.flags)
        assert kept.count == fresh.count == kept.flags.sum()
        assert np.array_equal(kept.in_cells, np.bincount(cells[kept.flags], minlength=5))


def test_a_scope_never_gets_the_sight_of_another_one():
    ids = np.arange(100)
    sights = Sights(ids, None, None)
    seen = Visibility.of(
        [Group(label="staff", collection="c", ids=ids[:60]), Group(label="board", collection="d", ids=ids[60:])]
    )
    alive = everything_alive(ids)
    counts = {"staff": 60, "board": 40, "*": 100, "nobody": 0}
    for _ in range(2):
        for label, count in counts.items():
            assert sights.of(seen, seeing(label), alive).count == count
        assert sights.of(seen, seeing("*", collections=("c",)), alive).count == 60
        assert sights.of(seen, seeing("staff", collections=("d",)), alive).count == 0


def test_only_so_many_sights_are_kept():
    ids = np.arange(100)
    sights, seen = Sights(ids, None, None), everyone(ids)
    for number in range(300):
        assert sights.of(seen, seeing("staff", str(number)), everything_alive(ids)).count == 100
    assert len(sights._kept) == 256


# the tail, segments and merging


def test_what_a_reader_holds_of_the_tail_does_not_change():
    one = Tail.empty(8).added(np.array([5, 3]), rows_of(2))
    two = one.added(np.arange(100, 200), rows_of(100)).without(np.array([3, 150, 999]))
    assert one.ids.tolist() == [5, 3]
    assert len(two.ids) == 100
    assert two.without(np.array([999])) is two
    sealed = two.sealed("0" * 16)
    assert sealed.ids.tolist() == [5, *(i for i in range(100, 200) if i != 150)]
    assert np.array_equal(sealed.rows.take(np.array([0]))[0], rows_of(2)[0])


def test_a_segment_shares_what_a_removal_did_not_touch():
    whole = segment(np.arange(3 * RUN))
    less = whole.without(np.array([1, 2, 5 * RUN]))
    assert (whole.living, less.living, less.dead) == (3 * RUN, 3 * RUN - 2, 2)
    assert [a is b for a, b in zip(whole.alive, less.alive, strict=True)] == [False, True, True]
    assert less.without(np.array([1])) is less
    assert whole.living_ids()[:3].tolist() == [0, 1, 2]
    assert less.living_ids()[:3].tolist() == [0, 3, 4]


def test_the_best_are_in_order_and_equals_by_id():
    ids, cosines = np.array([4, 9, 2, 7]), np.array([0.5, 0.9, 0.5, 0.5], dtype=np.float32)
    assert best(ids, cosines, 3)[0].tolist() == [9, 2, 4]
    assert best(ids, cosines, 9)[0].tolist() == [9, 2, 4, 7]
    assert best(ids[:0], cosines[:0], 3)[0].tolist() == []


@pytest.mark.parametrize(
    ("sizes", "chosen"),
    [
        ([], []),
        ([5], []),
        ([100], [100]),
        ([5, 5], [5, 5]),
        ([3, 5], []),
        ([3, 5, 8], [3, 5, 8]),
        ([1, 1, 50, 200], [1, 1]),
        ([40, 30, 50, 60], [30, 40, 50, 60]),
    ],
)
def test_what_is_merged(sizes: list[int], chosen: list[int]):
    segments = [segment(np.arange(size) + 1000 * place) for place, size in enumerate(sizes)]
    assert [s.living for s in to_merge(segments, flat_below=100)] == chosen


def test_a_segment_of_which_a_quarter_is_dead_is_written_anew():
    whole = segment(np.arange(80))
    assert to_merge([whole.without(np.arange(20))], flat_below=100) == []
    assert to_merge([whole.without(np.arange(21))], flat_below=100) != []


def test_each_vector_is_written_no_more_often_than_sizes_double():
    segments: list[Segment] = []
    written = 0
    for place in range(256):
        segments.append(segment(np.arange(10) + 10 * place))
        while due := to_merge(segments, flat_below=10**9):
            ids = np.sort(np.concatenate([s.ids for s in due]))
            written += len(ids)
            names = {id(s) for s in due}
            segments = [s for s in segments if id(s) not in names] + [segment(ids)]
    assert len(segments) <= 9
    assert written <= 2560 * 9


def test_merging_keeps_the_living_rows_and_their_order(tmp_path: Path):
    one, two = segment([1, 5, 9]).without(np.array([5])), segment([2, 5, 700])
    made = merged("0" * 16, [one, two], folder=tmp_path, flat_below=100, in_memory=lambda _: True)
    assert made.ids.tolist() == [1, 2, 5, 9, 700]
    assert made.rows.take(np.arange(5))[:, 0].tolist() == [1, 2, 5, 9, 700]
    assert made.codes is None
    assert list(tmp_path.iterdir()) == []
    nothing = segment([4]).without(np.array([4]))
    assert merged("0" * 16, [nothing], folder=tmp_path, flat_below=9, in_memory=lambda _: True).living == 0


# migration


def test_a_step_runs_until_there_is_nothing_to_do_and_again_when_asked():
    left, done = [3], threading.Event()

    def step(pause) -> bool:
        pause()
        left[0] -= 1
        done.set()
        return left[0] > 0

    migration = Migration(step)
    migration.start()
    migration.wait()
    assert left == [0]
    left[0] = 2
    migration.start()
    migration.wait()
    assert left == [0]


def test_a_step_is_told_to_give_up_and_none_begins_after_that():
    begun, steps = threading.Event(), list[int]()

    def step(pause) -> bool:
        steps.append(1)
        begun.set()
        while True:
            pause()

    migration = Migration(step)
    migration.start()
    assert begun.wait(30)
    migration.stop()
    migration.start()
    migration.wait()
    assert steps == [1]


@pytest.mark.parametrize("error", [OSError("full"), RuntimeError("from FAISS"), MemoryError()])
def test_a_step_that_fails_can_be_tried_again(error: Exception):
    tries = list[int]()

    def step(pause) -> bool:
        tries.append(1)
        if len(tries) == 1:
            raise error
        return False

    migration = Migration(step)
    migration.start()
    migration.wait()
    migration.start()
    migration.wait()
    assert len(tries) == 2
