"""The last word on an answer, through the pipeline and with a model that speaks from a script."""

from __future__ import annotations

import math

import pytest

from app.answering import gate as gate_module
from app.answering.abstain import Reason
from app.answering.assurance import assurance_for
from app.answering.confidence import Confidence
from app.answering.gate import Gate
from app.answering.signals import NAMES

HERE = "The mill at Orrin Bay employs 240 people."
REPLY = "The mill at Orrin Bay employs 240 people [1]."
ASKED = "How many people does the mill at Orrin Bay employ?"


def weighing(bias: float, **weights: float) -> Confidence:
    return Confidence("t", dict.fromkeys(NAMES, 0.0) | weights, dict.fromkeys(NAMES, 0.0), bias)


@pytest.fixture
def told(monkeypatch):
    """What the model tells of next words, and what it was asked."""
    answers = {"NOT_FOUND": -9.0, "Yes": -0.1, "No": -2.4, "是": -0.1, "否": -2.4}
    asked = []

    async def next_words(chat, messages, choices):
        asked.append((list(messages), tuple(choices)))
        return {choice: answers[choice] for choice in choices if choice in answers}

    monkeypatch.setattr(gate_module, "next_words", next_words)
    return answers, asked


def test_a_sure_answer_is_shown_with_what_is_known_of_its_kind(desk, told):
    answer = desk([HERE], REPLY, gate=Gate(weighing(9.0))).answer(ASKED)
    assert not answer.abstained
    assert answer.confidence == pytest.approx(1 / (1 + math.exp(-9)), abs=1e-3)
    assert answer.assurance == assurance_for("general")


def test_an_unsure_one_is_not_and_the_record_says_why(desk, told):
    made = desk([HERE], REPLY, gate=Gate(weighing(-9.0)))
    answer = made.answer(ASKED)
    assert answer.abstained
    assert answer.reason == Reason.NOT_ANSWERED
    assert "do not answer" in answer.text
    body = made.sink.entries[-1].body
    assert body["reason"] == "not_answered"
    assert body["assurance"]["threshold"] == assurance_for("general").threshold
    assert body["assurance"]["confidence"] == answer.confidence
    assert "240" not in str(body["assurance"])


def test_the_models_own_doubt_counts(desk, told):
    answers, asked = told
    by_doubt = Gate(weighing(0.0, sentinel=-1.0))
    assert not desk([HERE], REPLY, gate=by_doubt).answer(ASKED).abstained
    answers["NOT_FOUND"] = -0.01
    assert desk([HERE], REPLY, gate=by_doubt).answer(ASKED).reason == Reason.NOT_ANSWERED
    assert asked[0][1] == ("NOT_FOUND",)


def test_the_judging_question_follows_the_prompt_that_the_cache_has(desk, told):
    _, asked = told
    made = desk([HERE], REPLY, gate=Gate(weighing(9.0)))
    made.answer(ASKED)
    (prompt, _), (judging, choices) = asked
    assert judging[:-1] == prompt[:-1]
    assert str(judging[-1].content).startswith(str(prompt[-1].content))
    assert choices == ("Yes", "No")


def test_a_model_that_tells_nothing_is_done_without(desk, told):
    told[0].clear()
    assert not desk([HERE], REPLY, gate=Gate(weighing(9.0))).answer(ASKED).abstained


def test_languages_that_were_not_calibrated_are_not_judged(desk, told):
    made = desk(["松河工厂有员工240人。"], "松河工厂有员工240人[1]。", gate=Gate(weighing(-9.0)))
    answer = made.answer("松河工厂有多少员工？")
    assert not answer.abstained
    assert answer.confidence is None
    assert answer.assurance is None


def test_other_ways_of_drafting_decide_by_themselves(desk, told):
    answer = desk([HERE], REPLY, gate=Gate(weighing(-9.0), judged=frozenset())).answer(ASKED)
    assert not answer.abstained
    assert answer.confidence is None


def test_without_a_gate_nothing_is_asked(desk, told):
    answer = desk([HERE], REPLY).answer(ASKED)
    assert answer.confidence is None
    assert told[1] == []


@pytest.mark.parametrize(
    ("question", "passage", "reply", "said"),
    [
        (
            "When was the mill at Orrin Bay opened, and how many people does it employ?",
            "The mill at Orrin Bay was opened in May 2016.",
            "The mill at Orrin Bay was opened in May 2016 [1].",
            "The documents do not say: how many people does it employ.",
        ),
        (
            "松河工厂什么时候投产？有多少员工？",
            "松河工厂于2016年5月投产。",
            "松河工厂于2016年5月投产[1]。",
            "文档没有说明：有多少员工。",
        ),
    ],
)
def test_a_partial_answer_says_what_is_missing(desk, told, question, passage, reply, said):
    answer = desk([passage], reply, gate=Gate(weighing(9.0))).answer(question)
    assert said in answer.text
    assert len(answer.missing) == 1


def test_passages_that_differ_are_shown_side_by_side(desk, told):
    there = "The mill at Orrin Bay employs 310 people."
    made = desk([HERE, there], REPLY, gate=Gate(weighing(9.0)), names=["report-2021.pdf", "report-2023.pdf"])
    answer = made.answer(ASKED)
    assert f"“{HERE}” [1] (2021) / “{there}” [2] (2023)" in answer.text
    assert answer.conflicts[0].there.cite == "2"


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("What awards has the actor received?", "Which actor do you mean?"),
        ("该公司的营业收入是多少？", "您指的是哪一个“公司”？"),
    ],
)
def test_an_open_question_is_asked_back_without_the_model(desk, question, said):
    made = desk(["The mill.", "The office."], REPLY)
    answer = made.answer(question)
    assert answer.text.startswith(said)
    assert (answer.abstained, answer.reason) == (True, Reason.UNDERSPECIFIED)
    assert made.chat.seen == []


def test_weights_of_other_signals_are_refused():
    body = {"version": "1", "weights": {"charm": 1.0}, "means": dict.fromkeys(NAMES, 0.0), "bias": 0.0}
    with pytest.raises(ValueError, match="charm"):
        Confidence.of(body)


def test_the_shipped_weights_can_be_read():
    assert Confidence.shipped().version
