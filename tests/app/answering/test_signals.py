"""The figures that speak for and against an answer."""

from __future__ import annotations

import pytest

from app.answering.signals import NAMES, asked_for, read, typed
from app.answering.types import Claim, Verdict
from tests.app.answering.conftest import passage

MILL = passage("The mill at Orrin Bay was opened in May 2016. It employs 240 people.", number=1)
OTHER = passage("The mill at Telmere makes cardboard.", number=2)
EVIDENCE = {"1": MILL, "2": OTHER}


def claim(text, cites=("1",), verdict=Verdict.SUPPORTED, score=0.9):
    return Claim(text=text, cites=cites, verdict=verdict, score=score)


def signals(question, *claims, **more):
    return read(question, claims, EVIDENCE, language=more.pop("language", "en"), **more)


@pytest.mark.parametrize(
    ("question", "sort"),
    [
        ("Who founded it?", "person"),
        ("When was it founded?", "time"),
        ("What is the release date?", "time"),
        ("How many people work there?", "number"),
        ("What does it make?", None),
        ("谁创办了它？", "person"),
        ("它是哪一年成立的？", "time"),
        ("有多少员工？", "number"),
        ("它生产什么？", None),
    ],
)
def test_the_sort_of_thing_that_is_asked_for(question, sort):
    assert asked_for(question) == sort


@pytest.mark.parametrize(
    ("question", "said", "figure"),
    [
        ("When was the mill opened?", "It was opened in May 2016.", 1.0),
        ("When was the mill opened?", "It makes cardboard.", -1.0),
        ("When was the mill of 2016 opened?", "It is the mill of 2016.", -1.0),
        ("How many people work there?", "It employs 240 people.", 1.0),
        ("Who runs the mill?", "Ines Varga runs the mill.", 1.0),
        ("Who runs the mill?", "the mill runs.", -1.0),
        ("What does it make?", "It makes paper.", 0.0),
        ("有多少员工？", "该厂有240人。", 1.0),
        ("什么时候投产？", "该厂生产纸板。", -1.0),
    ],
)
def test_it_has_to_be_new_in_the_answer(question, said, figure):
    assert typed(question, said) == figure


def test_an_answer_on_the_subject_covers_the_question_better_than_one_beside_it():
    on = signals("When was the mill at Orrin Bay opened?", claim("The mill at Orrin Bay was opened in May 2016."))
    off = signals("When was the mill at Orrin Bay opened?", claim("The mill at Telmere makes cardboard.", ("2",)))
    assert on.covered > off.covered
    assert on.named > off.named
    assert on.typed > off.typed


def test_struck_claims_and_the_least_score_are_seen():
    found = signals(
        "Who?", claim("A b c.", score=0.7), claim("D e f.", score=0.9), claim("x", verdict=Verdict.UNSUPPORTED)
    )
    assert found.support == 0.7
    assert found.struck == pytest.approx(1 / 3)


def test_what_could_not_be_asked_stays_open():
    found = signals("Who?", claim("The mill makes paper."))
    assert found.sentinel is None
    assert found.alike is None
    assert len(found.values()) == len(NAMES)


def test_log_odds_are_bounded_and_similarity_is_asked_in_the_language():
    asked = []
    found = signals(
        "谁？", claim("x y z."), sentinel=99.0, language="zh", similarity=lambda a, b, lang: asked.append(lang) or 0.4
    )
    assert (found.sentinel, found.alike, found.chinese) == (12.0, 0.4, 1.0)
    assert asked == ["zh"]


def test_nothing_supported_has_no_signals():
    with pytest.raises(ValueError, match="supported"):
        signals("Who?", claim("x", verdict=Verdict.CONTRADICTED))


def test_other_passages_that_say_the_same_agree():
    twice = {"1": MILL, "2": passage("Opened in May 2016.", number=2)}
    said = [claim("The mill was opened in May 2016.")]
    alone = read("When was the mill opened?", said, EVIDENCE, language="en")
    both = read("When was the mill opened?", said, twice, language="en")
    assert both.agreed > alone.agreed


def test_a_citation_of_nothing_covers_nothing():
    assert signals("Who runs the mill?", claim("The mill makes paper.", ("9",))).covered == 0.0
