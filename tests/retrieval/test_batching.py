"""Batches over several documents: each text once, the short ones first, the oldest always moving."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.batching import Batches


def drained(batches: Batches[str], most: int = 10_000) -> list:
    found = []
    while (batch := batches.next()) is not None:
        found.append(batch)
        assert len(found) < most
    return found


def texts(batch) -> dict[str, int]:
    return {part.key: part.end - part.start for part in batch.parts}


@given(
    documents=st.lists(st.dictionaries(st.sampled_from(["a", "b"]), st.integers(0, 40), max_size=2), max_size=8),
    size=st.integers(4, 16),
)
def test_each_text_comes_once_and_each_document_ends_once(documents: list[dict[str, int]], size: int):
    batches: Batches[str] = Batches(size)
    wanted = {
        (str(number), model, place)
        for number, counts in enumerate(documents)
        for model, count in counts.items()
        for place in range(count)
    }
    open_ones = {str(number) for number, counts in enumerate(documents) if batches.add(str(number), counts)}
    assert open_ones == {key for key, _, _ in wanted}
    given_out, ended = [], []
    for batch in drained(batches):
        assert 0 < sum(texts(batch).values()) <= size
        given_out += [(p.key, batch.model, place) for p in batch.parts for place in range(p.start, p.end)]
        ended += batch.last
        assert all(key not in {k for k, _, _ in wanted - set(given_out)} for key in batch.last)
    assert len(given_out) == len(set(given_out))
    assert set(given_out) == wanted
    assert sorted(ended) == sorted(open_ones)


def test_a_short_document_is_done_with_the_next_batch_whatever_else_waits():
    batches: Batches[str] = Batches(64)
    batches.add("long", {"m": 13_000})
    batches.add("longer", {"m": 26_000})
    assert texts(batches.next()) == {"long": 64}
    batches.add("page", {"m": 4})
    batch = batches.next()
    assert texts(batch) == {"long": 60, "page": 4}
    assert batch.last == ("page",)


def test_the_oldest_goes_on_under_a_stream_of_short_ones():
    batches: Batches[str] = Batches(64)
    batches.add("long", {"m": 160})
    left, number = 160, 0
    while left:
        batches.add(f"short {number}", {"m": 64})
        share = texts(batches.next())["long"]
        assert share >= min(16, left)
        left, number = left - share, number + 1
    assert number <= 10


def test_many_short_documents_share_a_batch():
    batches: Batches[int] = Batches(32)
    for number in range(20):
        batches.add(number, {"m": 2})
    assert [len(batch.last) for batch in drained(batches)] == [16, 4]


def test_models_take_turns_and_a_document_ends_with_its_last_one():
    batches: Batches[str] = Batches(8)
    batches.add("x", {"en": 12, "all": 9})
    found = drained(batches)
    assert [batch.model for batch in found] == ["en", "all", "en", "all"]
    assert [batch.last for batch in found] == [(), (), (), ("x",)]


def test_a_dropped_document_comes_no_more():
    batches: Batches[str] = Batches(8)
    batches.add("x", {"m": 20})
    batches.add("y", {"m": 3})
    batches.next()
    batches.drop("x")
    batches.drop("never there")
    assert batches.next() is None
    assert not batches.add("empty", {"m": 0})
    assert not batches.add("none", {})


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="at least 4"):
        Batches(3)
    batches: Batches[str] = Batches(4)
    batches.add("x", {"m": 1})
    with pytest.raises(ValueError, match="there already"):
        batches.add("x", {"m": 1})
