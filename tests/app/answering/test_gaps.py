"""Which part of a question an answer leaves out."""

from __future__ import annotations

import pytest

from app.answering.gaps import parts, unanswered
from app.answering.types import Claim, Verdict
from app.answering.wording import left_out


def claims(*texts, verdict=Verdict.SUPPORTED):
    return [Claim(text=text, cites=("1",), verdict=verdict, score=1.0) for text in texts]


@pytest.mark.parametrize(
    ("question", "language", "found"),
    [
        (
            "When was the mill opened, and how many people work there?",
            "en",
            ("When was the mill opened", "how many people work there"),
        ),
        ("Who runs it? Where is its office?", "en", ("Who runs it", "Where is its office")),
        ("松河工厂什么时候投产？有多少员工？", "zh", ("松河工厂什么时候投产", "有多少员工")),
        ("谁是董事长，总部在哪里？", "zh", ("谁是董事长", "总部在哪里")),
        ("Who runs it?", "en", ()),
        ("What are the price and weight of the mill?", "en", ()),
        ("谁是董事长？", "zh", ()),
        ("", "en", ()),
    ],
)
def test_a_question_is_cut_where_another_one_begins(question, language, found):
    assert parts(question, language) == found


TWO = "When was the mill opened, and how many people work there?"


def test_the_part_without_an_answer_is_named():
    assert unanswered(TWO, claims("The mill was opened in May 2016."), "en") == ("how many people work there",)
    assert unanswered(TWO, claims("240 people work at the mill."), "en") == ("When was the mill opened",)
    assert unanswered("松河工厂什么时候投产？有多少员工？", claims("松河工厂于2016年5月投产。"), "zh") == (
        "有多少员工",
    )


def test_nothing_is_missing_when_both_are_answered_or_neither():
    both = claims("The mill was opened in May 2016.", "240 people work there.")
    assert unanswered(TWO, both, "en") == ()
    assert unanswered(TWO, claims("Cardboard is brown."), "en") == ()
    assert unanswered(TWO, [], "en") == ()


def test_what_was_struck_out_answers_nothing():
    struck = claims("240 people work there.", verdict=Verdict.UNSUPPORTED)
    assert unanswered(TWO, [*claims("The mill was opened in May 2016."), *struck], "en") == (
        "how many people work there",
    )


def test_a_yes_or_no_part_is_left_to_the_reader():
    assert unanswered("Is it open? When was it built?", claims("It was built in 2016."), "en") == ()


def test_it_is_said_in_the_words_of_the_question():
    assert left_out(("how many people work there",), "en") == "\nThe documents do not say: how many people work there."
    assert left_out(("有多少员工",), "zh") == "\n文档没有说明：有多少员工。"
    assert left_out((), "en") == ""


def test_a_link_in_the_question_does_not_become_one_in_the_answer():
    assert "](" not in left_out(("what is [this](https://example.org)",), "en")
