"""Sharing a commit: everybody is served once, in order, whatever happens to one of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import pytest

from app.ledger.gathering import Gathering


def run_all(count: int, work: Callable[[int], None]) -> list[BaseException]:
    failed: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001 - the caller looks at them
            failed.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failed


def test_a_lone_caller_does_not_wait_for_company() -> None:
    batches: list[Sequence[int]] = []
    gathering = Gathering[int](batches.append, most=10)
    for item in range(3):
        gathering.submit(item)
    assert batches == [[0], [1], [2]]


@pytest.mark.parametrize("most", [1, 3, 1000])
def test_everything_is_committed_once_never_two_batches_at_a_time(most: int) -> None:
    busy = threading.Lock()
    batches: list[Sequence[tuple[int, int]]] = []

    def commit(batch: Sequence[tuple[int, int]]) -> None:
        assert busy.acquire(blocking=False)
        assert 1 <= len(batch) <= most
        batches.append(batch)
        busy.release()

    gathering = Gathering[tuple[int, int]](commit, most=most)

    def work(number: int) -> None:
        for n in range(50):
            gathering.submit((number, n))
            assert any((number, n) in batch for batch in reversed(batches))

    assert run_all(16, work) == []
    items = [item for batch in batches for item in batch]
    assert sorted(items) == [(number, n) for number in range(16) for n in range(50)]
    for number in range(16):
        assert [n for who, n in items if who == number] == list(range(50))


def test_those_who_come_during_a_commit_share_the_next() -> None:
    started, go_on = threading.Event(), threading.Event()
    batches: list[Sequence[int]] = []

    def commit(batch: Sequence[int]) -> None:
        batches.append(batch)
        if len(batches) == 1:
            started.set()
            go_on.wait()

    gathering = Gathering[int](commit, most=100)
    threads = [threading.Thread(target=gathering.submit, args=(number,)) for number in range(6)]
    threads[0].start()
    started.wait()
    for thread in threads[1:]:
        thread.start()
    while len(gathering._waiting) < 5:
        threads[1].join(0.01)
    go_on.set()
    for thread in threads:
        thread.join()
    assert [sorted(batch) for batch in batches] == [[0], [1, 2, 3, 4, 5]]


def test_a_commit_that_raises_is_heard_by_one_and_stops_nobody() -> None:
    seen: list[int] = []

    def commit(batch: Sequence[int]) -> None:
        seen.extend(batch)
        if 7 in batch:
            raise RuntimeError("broken")

    gathering = Gathering[int](commit, most=2)
    failed = run_all(16, gathering.submit)
    assert [str(error) for error in failed] == ["broken"]
    assert sorted(seen) == list(range(16))
    gathering.submit(16)
    assert seen[-1] == 16
