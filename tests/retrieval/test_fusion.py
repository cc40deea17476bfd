"""Reciprocal rank fusion, against sums made by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.fusion import reciprocal_rank_fusion


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
