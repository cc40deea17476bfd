"""From a scope to the ids that it may see."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from retrieval.types import EVERYTHING, Scope
from retrieval.visibility import RUN, Group, Visibility
from tests.retrieval.house import ALL, seeing

GROUPS = (
    Group(label="staff", collection="hr", ids=[7, 1]),
    Group(label="board", collection="hr", ids=[4]),
    Group(label="staff", collection="risk", ids=[9, 2]),
    Group(label="staff", collection="empty", ids=[]),
)


def test_labels_and_collections_must_both_hold():
    seen = Visibility.of(GROUPS)
    assert seen.ids.tolist() == [1, 2, 4, 7, 9]
    assert seen.allowed(ALL).tolist() == [1, 2, 4, 7, 9]
    assert seen.allowed(seeing("staff")).tolist() == [1, 2, 7, 9]
    assert seen.allowed(seeing("staff", collections=("hr",))).tolist() == [1, 7]
    assert seen.allowed(seeing(EVERYTHING, collections=("hr",))).tolist() == [1, 4, 7]
    assert seen.allowed(seeing("board", collections=("risk",))).tolist() == []
    assert seen.allowed(seeing("unknown")).tolist() == []
    assert seen.allowed(Scope.nobody()).tolist() == []


def test_flags_follow_the_order_that_they_are_asked_in():
    seen = Visibility.of(GROUPS)
    order = np.array([9, 4, 100, 1], dtype=np.int64)
    assert seen.flags(order, seeing("staff")).tolist() == [True, False, False, True]
    assert seen.flags(order, ALL).tolist() == [True, True, False, True]


def test_no_passages_at_all():
    seen = Visibility.of(())
    assert seen.allowed(ALL).tolist() == []
    assert seen.flags(np.array([1], dtype=np.int64), ALL).tolist() == [False]


names = st.sampled_from(["a", "b", "c", EVERYTHING])


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), max_size=12),
    st.frozensets(names),
    st.frozensets(names),
)
def test_it_agrees_with_the_scope_itself(rows, labels, collections):
    scope = Scope(subject="s", labels=labels, collections=collections)
    groups = [Group(label=label, collection=collection, ids=[at]) for at, (label, collection) in enumerate(rows)]
    expected = [at for at, (label, group) in enumerate(rows) if scope.allows(label=label, collection=group)]
    assert Visibility.of(groups).allowed(scope).tolist() == expected


def test_a_change_shares_what_it_did_not_touch():
    before = Visibility.of([Group(label="staff", collection="hr", ids=range(3 * RUN))])
    after = before.changed([Group(label="board", collection="hr", ids=[5, 3 * RUN])], gone=[7])
    assert [after.run(n) is before.run(n) for n in (0, 1, 2)] == [False, True, True]
    assert after.flags(np.array([5, 6, 7, RUN, 3 * RUN]), seeing("staff")).tolist() == [False, True, False, True, False]
    assert after.flags(np.array([5, 6, 7, RUN, 3 * RUN]), seeing("board")).tolist() == [True, False, False, False, True]
    assert before.flags(np.array([5, 7]), seeing("staff")).tolist() == [True, True]
    assert len(after.ids) == 3 * RUN


def test_a_run_that_empties_is_dropped():
    seen = Visibility.of([Group(label="staff", collection="hr", ids=[1, RUN])]).changed(gone=[RUN, 99])
    assert seen.run(1) is None
    assert seen.ids.tolist() == [1]


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3 * RUN)), max_size=30),
    st.lists(st.integers(0, 3 * RUN), max_size=10),
    st.lists(st.integers(0, 3 * RUN), max_size=20),
)
def test_changes_one_after_the_other_are_the_same_as_all_at_once(rows, gone, asked):
    seen, expected = Visibility.of(()), dict[int, str]()
    for label, at in rows:
        seen, expected[at] = seen.changed([Group(label=label, collection="x", ids=[at])]), label
    seen = seen.changed(gone=gone)
    left = {at for at, label in expected.items() if label == "a"} - set(gone)
    assert seen.allowed(seeing("a")).tolist() == sorted(left)
    assert seen.flags(np.array(asked, dtype=np.int64), seeing("a")).tolist() == [at in left for at in asked]
