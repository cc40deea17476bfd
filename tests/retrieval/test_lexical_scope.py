"""BM25 over what is visible equals BM25 of an index that holds nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.lexical import LexicalIndex

WORDS = ("loan", "rate", "bank", "book", "weather", "年假", "利率表")


def index_of(texts: dict[int, str]) -> LexicalIndex:
    index = LexicalIndex()
    index.add(list(texts), list(texts.values()))
    return index


passages = st.lists(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join), min_size=1, max_size=9)


@settings(max_examples=60, deadline=None)
@given(passages, passages, st.lists(st.sampled_from(WORDS), min_size=1, max_size=4))
def test_hidden_passages_leave_no_trace(visible: list[str], hidden: list[str], query: list[str]):
    ours = {2 * number: text for number, text in enumerate(visible)}
    theirs = {2 * number + 1: text for number, text in enumerate(hidden)}
    alone = index_of(ours).search(" ".join(query), 20, None)
    both = index_of(ours | theirs)
    together = both.search(" ".join(query), 20, np.array([i % 2 == 0 for i in both.ids]))
    assert {i: pytest.approx(score, abs=1e-4) for i, score in alone} == dict(together)
    best = [score for _, score in together]
    assert best == sorted(best, reverse=True)


def test_nobody_finds_nothing():
    index = index_of({1: "loan rate", 2: "loan"})
    assert index.search("loan", 5, np.zeros(2, dtype=np.bool_)) == []


def test_a_copy_keeps_its_lengths():
    index = index_of({1: "loan rate", 2: "loan book book", 3: "weather"})
    index.ready()
    twin = index.copy()
    allowed = np.array([True, True, False])
    assert twin.search("loan book", 5, allowed) == index.search("loan book", 5, allowed)
    twin.add([4], ["a loan of a bank"])
    assert len(index.search("loan", 5, allowed)) == 2
    assert len(twin.search("loan", 5, np.array([True, True, False, True]))) == 3


def test_a_term_that_only_the_hidden_have_weighs_nothing():
    index = index_of({1: "loan rate", 2: "secret"})
    assert index.search("secret", 5, np.array([True, False])) == []
    with_it, without = (index.search(query, 5, np.array([True, False])) for query in ("loan secret", "loan"))
    assert with_it == without


def test_fewer_may_be_allowed_than_count():
    texts = {1: "loan rate", 2: "loan book", 3: "weather", 4: "loan loan"}
    index, ours = index_of(texts), index_of({i: texts[i] for i in (1, 2, 3)})
    counted = np.array([True, True, True, False])
    found = index.search("loan rate", 5, np.array([False, True, False, False]), counted=counted)
    alone = dict(ours.search("loan rate", 5, None))
    assert found == [(2, pytest.approx(alone[2], abs=1e-5))]
    everything = index.search("loan rate", 5, np.array([False, True, False, False]), counted=np.ones(4, dtype=np.bool_))
    assert everything == [(2, pytest.approx(dict(index.search("loan rate", 5, None))[2], abs=1e-5))]


def test_rarity_counts_what_is_counted():
    index = index_of({1: "loan rate", 2: "loan book", 3: "weather", 4: "rate rate"})
    counted = np.array([True, True, False, False])
    alone = index_of({1: "loan rate", 2: "loan book"})
    assert index.rarity(["loan", "rate", "weather", "never"], counted) == pytest.approx(
        alone.rarity(["loan", "rate", "weather", "never"])
    )
    assert index.rarity(["loan"], np.ones(4, dtype=np.bool_)) == index.rarity(["loan"])
