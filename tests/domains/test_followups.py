"""Follow-ups made to stand alone, in both languages."""

from __future__ import annotations

import pytest

from domains.contract import Question, Turn
from domains.followups import leans, only_a_year, queries, stand_alone
from retrieval.language import language_of
from retrieval.types import Scope
from tests.domains.test_general import REVENUE, REVENUE_ZH, ask


@pytest.mark.parametrize(
    "text", ["and in 2022?", "What about 2022?", "And for 2022", "2022?", "in FY2022?", "How about in 2022?"]
)
def test_a_bare_year_takes_the_place_of_the_year_before(text):
    assert stand_alone(ask(text, REVENUE)) == "What was the revenue of Larkfield Paper in 2022?"


@pytest.mark.parametrize("text", ["那2022年呢？", "2022年呢？", "2022年的呢", "那么2022年度呢？", "2022年情况呢？"])
def test_a_bare_year_takes_the_place_of_the_year_before_in_chinese(text):
    assert stand_alone(ask(text, REVENUE_ZH)) == "青禾纸业2022年的营业收入是多少？"


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("And the costs?", REVENUE),
        ("Why?", REVENUE),
        ("Who audits it?", REVENUE),
        ("What are their main products?", "Who competes with Larkfield Paper?"),
        ("Is it growing?", REVENUE),
        ("in 2022?", "Who chairs Larkfield Paper?"),
        ("那成本呢？", REVENUE_ZH),
        ("为什么？", REVENUE_ZH),
        ("它的审计师是谁？", REVENUE_ZH),
        ("该公司的总部在哪里？", REVENUE_ZH),
    ],
)
def test_what_continues_or_points_back_is_put_behind_the_question_before(text, before):
    whole = stand_alone(ask(text, before))
    assert whole is not None
    assert whole.startswith(before)
    assert whole.endswith(text)


@pytest.mark.parametrize(
    "text",
    [
        "What is the maximum daily dose of ibuprofen for adults?",
        "How many employees did Orrin Bay have at the end of 2020?",
        "客户经理多久之内应当完成首次检查？",
        "信用贷款的最高额度是多少万元？",
    ],
)
def test_a_whole_question_is_left_alone_whatever_came_before(text):
    assert stand_alone(ask(text, REVENUE, REVENUE_ZH)) is None


def test_only_the_last_question_is_carried_over_and_not_more_than_its_beginning():
    assert "1999" not in (stand_alone(ask("Why?", "What was it in 1999?", REVENUE)) or "")
    assert len(stand_alone(ask("Why?", "word " * 2000)) or "") < 500


@pytest.mark.parametrize("piece", ["(", " ", "and ", "那", "2022", "?", "it "])
def test_a_question_of_one_piece_is_read_as_fast_as_any_other(piece):
    made = stand_alone(ask(piece * 4000, REVENUE))
    assert made is None or made.startswith("What was the revenue")


def talk(text: str, *turns: tuple[str, str]) -> Question:
    history = tuple(Turn(*turn) for turn in turns)
    return Question(text=text, language=language_of(text), scope=Scope.nobody(), history=history)


def test_a_chain_of_follow_ups_is_followed_back_to_a_question_that_stands_alone():
    asked = ask("And the margin?", "Who audits Orrin Bay?", REVENUE, "And the costs?")
    assert stand_alone(asked) == f"{REVENUE} And the costs? And the margin?"


def test_what_stood_alone_before_ends_the_chain():
    assert "Orrin" not in (stand_alone(ask("And the margin?", "Who audits Orrin Bay?", REVENUE)) or "")


def test_a_chain_in_chinese_is_joined_without_blanks():
    asked = ask("那毛利率呢？", REVENUE_ZH, "那成本呢？")
    assert stand_alone(asked) == f"{REVENUE_ZH}那成本呢？那毛利率呢？"


@pytest.mark.parametrize(
    "text", ["Is this fee refundable for a student visa?", "What does the same policy say of mergers?"]
)
def test_what_points_at_something_that_was_said_leans(text):
    assert leans(text, "en")


def test_a_follow_up_is_searched_with_the_questions_before_it_and_with_the_answer():
    subject = ("Who makes the Aldon valve?", "It is made by Corvath.")
    asked = talk("Where are they based?", subject, ("And the pump?", "The pump is made by Ferro Lane [1]."))
    spoken, told = queries(asked)
    assert spoken == "Who makes the Aldon valve? And the pump? Where are they based?"
    assert told == "And the pump? The pump is made by Ferro Lane [1]. Where are they based?"


def test_a_long_answer_is_searched_by_its_beginning():
    asked = talk("Where is it?", ("Who makes it?", "x" * 5000))
    assert max(map(len, queries(asked))) < 400


def test_a_question_that_stands_alone_is_searched_alone():
    asked = talk("Who audits Orrin Bay?", (REVENUE, "It was 5 million."))
    assert queries(asked) == ("Who audits Orrin Bay?",)


def test_only_a_year_is_told_from_other_follow_ups():
    assert only_a_year(ask("and in 2022?", REVENUE))
    assert not only_a_year(ask("and in 2022?", "Who chairs Larkfield Paper?"))
    assert not only_a_year(ask("and the costs?", REVENUE))
    assert not only_a_year(ask("2022?"))
