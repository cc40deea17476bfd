"""Fusion by rank and by score, against sums made by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.fusion import WEIGHTS, Weights, reciprocal_rank_fusion, weighted_fusion, weights_for


def test_scores_are_sums_of_reciprocal_ranks():
    fused = reciprocal_rank_fusion([[1, 2, 3], [3, 1]])
    assert fused == [
        (1, pytest.approx(1 / 61 + 1 / 62)),
        (3, pytest.approx(1 / 63 + 1 / 61)),
        (2, pytest.approx(1 / 62)),
    ]


def test_nothing_fuses_to_nothing():
    assert reciprocal_rank_fusion([]) == []
    assert reciprocal_rank_fusion([[], []]) == []


def test_equal_scores_are_ordered_by_item():
    assert [item for item, _ in reciprocal_rank_fusion([[9], [4], [7]])] == [4, 7, 9]


@given(st.lists(st.lists(st.integers(0, 50), unique=True, max_size=20), max_size=4))
def test_one_list_alone_keeps_its_order_and_every_item_comes_once(rankings: list[list[int]]):
    fused = [item for item, _ in reciprocal_rank_fusion(rankings)]
    assert sorted(fused) == sorted({item for ranking in rankings for item in ranking})
    for ranking in rankings[:1]:
        assert [item for item, _ in reciprocal_rank_fusion([ranking])] == ranking


HALVES = Weights(words=0.5, meaning=0.5, phrases=0.0)


def test_scores_are_weighed_and_added():
    fused = weighted_fusion([(1, 0.8), (2, 0.4)], [(2, 0.6), (1, 0.2)], Weights(words=0.25, meaning=0.75, phrases=0.0))
    assert [item for item, _ in fused] == [2, 1]
    assert [score for _, score in fused] == pytest.approx([0.25 * 0.4 + 0.75 * 0.6, 0.25 * 0.8 + 0.75 * 0.2])


def test_what_one_list_lacks_is_no_better_there_than_its_last():
    fused = dict(weighted_fusion([(1, 0.8), (2, 0.4)], [(3, 0.9), (1, 0.5)], HALVES))
    assert fused == pytest.approx({1: 0.65, 2: 0.45, 3: 0.65})


@pytest.mark.parametrize(("words", "meaning"), [([(4, 0.9), (3, 0.2)], []), ([], [(4, 0.9), (3, 0.2)])])
def test_one_side_decides_alone_where_the_other_is_empty(words, meaning):
    assert [item for item, _ in weighted_fusion(words, meaning, HALVES)] == [4, 3]
    assert weighted_fusion([], [], HALVES) == []


def test_equal_sums_are_ordered_by_item():
    assert [item for item, _ in weighted_fusion([(9, 0.5), (2, 0.5)], [], HALVES)] == [2, 9]


def test_every_supported_language_has_weights_and_others_get_those_of_english():
    assert set(WEIGHTS) == {"en", "zh"}
    assert weights_for("fr") == weights_for("en") == WEIGHTS["en"]
    assert weights_for("zh") == WEIGHTS["zh"]
