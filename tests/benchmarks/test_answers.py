"""What the benchmark of answers adds up, and that no contender finds its passages in the model's cache."""

from __future__ import annotations

import asyncio

from app.answering.checking.verify import Verifier
from app.answering.evaluation.assistant import Assistant, evidence_of
from benchmarks.answers import Waits, _ask, _unseen
from domains.registry import load
from tests.scripted_chat import ScriptedChat

TEXT = "Larkfield Paper reported revenue of $5.2 million in 2022."
ITEM = {"question": "What was the revenue of Larkfield Paper in 2022?", "language": "en"}


def assistant(reply: str) -> Assistant:
    return Assistant(ScriptedChat(replies=[reply]), 4000, load(only=["general"]), Verifier())


def test_a_row_has_the_median_and_the_slow_tenth_of_what_was_measured():
    row = Waits(first_token=[1.0] * 9 + [5.0], full=[2.0] * 10).row("vouch")
    assert row["first_token_p50_s"] == 1.0
    assert 1.0 < row["first_token_p90_s"] < 5.0
    assert row["full_p90_s"] == 2.0
    assert "first_claim_p50_s" not in row, "nothing was measured of it"


def test_only_the_name_of_the_first_passage_changes():
    found = evidence_of([TEXT, "Another."])
    marked = _unseen(found, "0.1.vouch")
    assert [one.text for one in marked] == [one.text for one in found]
    assert marked[0].locator.document == "0.1.vouch passage 1"
    assert marked[1] is found[1]


def test_each_contender_asks_the_model_once_and_only_ours_checks():
    for name, checked in (("vouch", True), ("draft", False), ("naive", False)):
        one = assistant("Revenue was $5.2 million [1].")
        first, claim, full = asyncio.run(_ask(name, one, ITEM, evidence_of([TEXT])))
        assert 0 < first <= full
        assert (claim is not None) is checked
        assert TEXT in str(one.chat.seen[0][-1].content)


def test_an_answer_without_the_model_says_so():
    first, claim, _ = asyncio.run(_ask("vouch", assistant("Never asked."), ITEM, evidence_of(["The cat sat."])))
    assert (first, claim) == (0.0, None)
