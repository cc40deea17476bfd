"""The grammar of a draft takes what may be cited and nothing else, and drafts are counted as they are."""

from __future__ import annotations

import re

import pytest

from app.answering.checking.verify import Verifier
from app.answering.evaluation.assistant import evidence_of
from benchmarks.constrained_ids import _counted, grammar

TEXT = "Larkfield Paper reported revenue of $5.2 million in 2022."
ITEM = {"question": "What was the revenue of Larkfield Paper in 2022?", "expected": [["5.2 million"]]}


@pytest.mark.parametrize(
    ("draft", "taken"),
    [
        ("Revenue was $5.2 million [1].", True),
        ("营业收入为5.2亿元[2]。", True),
        ("One [1]. Two [2][1]", True),
        ("NOT_FOUND", True),
        ("Revenue was $5.2 million.", False),
        ("Revenue was $5.2 million [3].", False),
        ("One [1]. Two [1]. Three [1]. Four [1].", False),
    ],
)
def test_the_grammar(draft, taken):
    assert bool(re.fullmatch(grammar(["1", "2"]), draft)) is taken


def counted(text):
    return _counted(text, {one.id: one for one in evidence_of([TEXT])}, ITEM, Verifier(), 1.0)


def test_ids_that_do_not_exist_and_sentences_that_cite_nothing_are_counted():
    found = counted("Revenue was $5.2 million in 2022 [7]. It was $5.2 million in 2022 [1].")
    assert (found.unknown_ids, found.claims, found.uncited, found.right) == (1, 2, 1, True)


def test_what_the_checks_strike_out_is_not_right():
    found = counted("Revenue was $7.2 million [1].")
    assert (found.supported, found.right) == (0, False)


def test_saying_that_nothing_was_found_is_no_claim():
    assert counted("NOT_FOUND").claims == 0
