"""Questions that leave open what they are about."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.answering.clarify import open_word, question_back
from domains.contract import Style
from tests.app.answering.conftest import passage, question

TWO = [passage("The mill.", number=1, name="a.pdf"), passage("The office.", number=2, name="b.pdf")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("What awards has the actor received?", "actor"),
        ("What services does this outpatient clinic provide?", "outpatient clinic"),
        ("What is the company's revenue?", "company"),
        ("What are the rewards of this credit card?", "credit card"),
        ("该公司的营业收入是多少？", "公司"),
        ("这个基金的费率是多少？", "基金"),
    ],
)
def test_one_of_a_kind_without_a_name_is_open(text, words):
    assert open_word(question(text), TWO) == words


@pytest.mark.parametrize(
    "text",
    [
        "What awards has the actor Tom Reed received?",
        "Who is the director of the mill?",
        "What is the company that owns the mill called?",
        "Which city hosted the tournament in 2008?",
        "When did Larkfield Paper open, and what does the company make?",
        "What is the purpose?",
        "Who founded Larkfield Paper?",
        "青禾纸业的营业收入是多少？",
        "《青禾》这本书的作者是谁？",
        "",
    ],
)
def test_what_is_named_or_told_is_not(text):
    assert open_word(question(text), TWO) is None


def test_the_conversation_or_a_single_document_tells_which():
    asked = question("What awards has the actor received?", history=[("Who is Tom Reed?", "Tom Reed is an actor [1].")])
    assert open_word(asked, TWO) is None
    assert open_word(question("What is the term of this contract?"), TWO[:1]) is None
    assert open_word(question("What is the term of this contract?"), []) == "contract"


def test_choices_bare_answers_and_long_cases_are_never_asked_back():
    asked = question("Does the drug help the patient?")
    assert open_word(asked, TWO) is not None
    assert open_word(replace(asked, choices=("yes", "no")), TWO) is None
    assert open_word(replace(asked, style=Style.SHORT), TWO) is None
    assert open_word(replace(asked, text="x " * 200 + asked.text), TWO) is None


def test_the_question_back_holds_words_of_the_user_and_names_of_documents():
    assert question_back("actor", TWO, "en") == "Which actor do you mean? The nearest documents are: a.pdf, b.pdf."
    assert question_back("基金", TWO, "zh") == "您指的是哪一个“基金”？最接近的文档是：a.pdf、b.pdf。"
    assert question_back("actor", [], "en") == "Which actor do you mean?"


def test_a_document_named_like_a_link_stays_text():
    named = [passage("x", name="[a](https://example.org)")]
    assert "](" not in question_back("actor", named, "en")
