"""How far two replies agree, and what that makes over all questions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.agreement import agreed, compared, questions
from benchmarks.serve_entrants import Place, engine
from model.catalog import DEFAULT_MODEL, card


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [
        ([1, 2, 3, 4], [1, 2, 3, 4], 1.0),
        ([1, 2, 3, 4], [1, 2, 9, 4], 0.5),  # what is equal again behind the first difference is chance
        ([1, 2], [1, 2, 3, 4], 0.5),
        ([1, 2, 3, 4], [1, 2], 0.5),
        ([9], [1], 0.0),
        ([], [1], 0.0),
        ([], [], 1.0),
    ],
)
def test_agreement_ends_at_the_first_difference(one: Sequence[int], other: Sequence[int], share: float) -> None:
    assert agreed(one, other) == share


def test_over_all_questions_it_is_the_mean_and_the_share_of_equals() -> None:
    found = compared([[1, 2], [3, 4], [5, 6]], [[1, 2], [3, 9], [0, 6]])
    assert found == {"questions": 3, "agreement": 0.5, "identical": 0.333}


@pytest.mark.parametrize(("reference", "replies"), [([[1]], []), ([[1]], [[1], [2]]), ([], [])])
def test_replies_that_are_missing_are_no_agreement(
    reference: Sequence[Sequence[int]], replies: Sequence[Sequence[int]]
) -> None:
    with pytest.raises(ValueError, match=r"shorter|longer|nothing to compare"):
        compared(reference, replies)


def test_there_are_fifty_questions_no_two_alike(tiny_checkpoint: Path) -> None:
    made = questions(tiny_checkpoint)
    assert len({tuple(prompt) for prompt in made}) == len(made) == 50


def test_the_reference_runs_without_our_plugin(tmp_path: Path) -> None:
    place = Place(card(DEFAULT_MODEL), tmp_path, tmp_path, print)
    assert engine("vllm_stock_bf16", tmp_path, place).environment["VLLM_PLUGINS"] == ""
