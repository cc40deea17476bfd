"""The rule by which two results are the same."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.sql.match import is_match

TABLE = [
    # accepted, found, ordered, the same?
    ([(1,)], [(1,)], False, True),
    ([(1,)], [(2,)], False, False),
    ([], [], False, True),
    ([], [(1,)], False, False),
    ([(1,)], [], False, False),
    # rows: a multiset
    ([(1,), (2,)], [(2,), (1,)], False, True),
    ([(1,), (2,)], [(2,), (1,)], True, False),
    ([(1,), (1,), (2,)], [(1,), (2,), (2,)], False, False),
    ([(1,), (1,)], [(1,)], False, False),
    # columns: any order, no more and no fewer
    ([(1, "a")], [("a", 1)], False, True),
    ([(1, "a")], [("a", 1)], True, True),
    ([(1, "a"), (2, "b")], [("b", 2), ("a", 1)], False, True),
    ([(1, "a"), (2, "b")], [("b", 2), ("a", 1)], True, False),
    ([(1,)], [(1, 1)], False, False),
    ([(1, 1)], [(1,)], False, False),
    ([(1, 2), (2, 1)], [(1, 2), (2, 1)], False, True),
    ([(1, 2), (2, 2)], [(1, 2), (2, 1)], False, False),
    # the same columns each, but other rows
    ([(1, 1), (2, 2)], [(1, 2), (2, 1)], False, False),
    ([(1, 1, 1), (2, 2, 2)], [(1, 1, 2), (2, 2, 1)], False, False),
    ([(1, 2, 1), (2, 1, 1)], [(1, 1, 2), (1, 2, 1)], False, True),
    # values
    ([(1,)], [(1.0,)], False, True),
    ([(0.1 + 0.2,)], [(0.3,)], False, True),
    ([(1 / 3,)], [(0.3333,)], False, False),
    ([(0.0,)], [(-0.0,)], False, True),
    ([(1e-300,)], [(0.0,)], False, False),
    ([(10**17,)], [(10**17 + 1,)], False, True),  # beyond ten digits
    ([(math.inf,)], [(math.inf,)], False, True),
    ([(math.inf,)], [(-math.inf,)], False, False),
    ([(None,)], [(None,)], False, True),
    ([(None,)], [(0,)], False, False),
    ([(None,)], [("",)], False, False),
    ([("1",)], [(1,)], False, False),
    ([("a",)], [("A",)], False, False),
    ([("a",)], [("a ",)], False, False),
    ([(b"a",)], [("a",)], False, False),
    ([("inf",)], [(math.inf,)], False, False),
    ([("北京",)], [("北京",)], False, True),
]


@pytest.mark.parametrize(("accepted", "found", "ordered", "same"), TABLE)
def test_the_table_of_the_rule(accepted: list[tuple], found: list[tuple], ordered: bool, same: bool) -> None:
    assert is_match(accepted, found, ordered=ordered) is same


@pytest.mark.parametrize(
    ("accepted", "found", "ordered", "held"),
    [
        ([(1,)], [(1, "a")], False, True),
        ([(1,)], [("a", 1)], False, True),
        ([(1, "a")], [("b", "a", 1)], False, True),
        ([(1, "a")], [(1,)], False, False),
        ([(1,), (2,)], [(1, 5), (3, 5)], False, False),
        ([(1,), (2,)], [("x", 2), ("y", 1)], False, True),
        ([(1,), (2,)], [("x", 2), ("y", 1)], True, False),
        ([(1,)], [(1, 2), (1, 3)], False, False),  # more rows is another answer
        ([], [], False, False),  # an empty result is held by everything, so it counts for nothing
    ],
)
def test_more_columns_may_be_allowed(accepted: list[tuple], found: list[tuple], ordered: bool, held: bool) -> None:
    assert is_match(accepted, found, ordered=ordered, more_columns=True) is held


def test_many_equal_columns_take_no_time() -> None:
    same = [(1,) * 30, (2,) * 30]
    assert is_match(same, same, ordered=False)
    assert not is_match(same, [(1,) * 29 + (2,), (2,) * 29 + (1,)], ordered=False)


def test_many_columns_with_the_same_values_in_other_rows_end() -> None:
    rows = [tuple((i + j) % 12 for j in range(12)) for i in range(12)]
    assert is_match(rows, [tuple(reversed(row)) for row in rows], ordered=False)


VALUES = st.one_of(st.none(), st.integers(-3, 3), st.sampled_from(["a", "b"]), st.sampled_from([0.5, 1.5]))


@st.composite
def tables(draw: st.DrawFn) -> list[tuple]:
    width = draw(st.integers(1, 4))
    return draw(st.lists(st.tuples(*[VALUES] * width), max_size=6))


@given(tables(), st.randoms(use_true_random=False))
def test_shuffled_rows_and_columns_are_the_same_result(rows: list[tuple], random) -> None:
    order = list(range(len(rows[0]))) if rows else []
    random.shuffle(order)
    moved = [tuple(row[place] for place in order) for row in rows]
    assert is_match(rows, moved, ordered=True)
    random.shuffle(moved)
    assert is_match(rows, moved, ordered=False)


@given(tables(), tables())
def test_the_rule_is_symmetric(one: list[tuple], other: list[tuple]) -> None:
    assert is_match(one, other, ordered=False) is is_match(other, one, ordered=False)
