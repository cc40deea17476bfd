"""The answer cache: what is the same question, in the same place, and what never is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.answering.cache import AnswerCache, Kept, normalised, place_of, same_question
from domains.contract import Question, Style, Turn
from retrieval.types import Scope

ASKED = "What was the revenue of Larkfield Paper in 2022?"
SCOPE = Scope(subject="ann", labels=frozenset({"internal"}), collections=frozenset({"default"}))
QUESTION = Question(text=ASKED, language="en", scope=SCOPE)
VERSIONS = {"vouch": "1", "model": {"digest": "aa"}, "index_generation": 7, "prompt": "2", "checks": "2"}
PLACE = place_of(QUESTION, domain="general", versions=VERSIONS)


def kept(answer_id: str = "a1") -> Kept:
    return Kept(answer_id, 3, (), (), None, None, "prose")


def filled(**options) -> AnswerCache:
    cache = AnswerCache(entries=4, **options)
    cache.keep(PLACE, ASKED, kept())
    return cache


@pytest.mark.parametrize(
    "text",
    [
        ASKED,
        "  What was  the revenue of Larkfield Paper in 2022 ",
        "What was the revenue of Larkfield Paper in 2022？",
        "What was the revenue\nof Larkfield Paper in 2022?!",
    ],
)
def test_the_same_words_are_found_again(text):
    found = filled().find(PLACE, text)
    assert found is not None
    assert found.answer_id == "a1"


@pytest.mark.parametrize(
    "text",
    [
        "What was the revenue of Larkfield Paper in 2021?",
        "What was the revenue of larkfield paper in 2022?",
        "What was the 2022 revenue of Larkfield Paper?",
        "Was 10² the revenue?",
        "",
    ],
)
def test_other_words_are_not(text):
    assert filled().find(PLACE, text) is None


def test_a_power_is_not_a_longer_number():
    assert normalised("Is it 10²?") != normalised("Is it 102?")
    assert normalised("caf\u00e9") == normalised("cafe\u0301")


@pytest.mark.parametrize(
    "changed",
    [
        {"scope": SCOPE.model_copy(update={"subject": "bob"})},
        {"scope": SCOPE.model_copy(update={"labels": frozenset({"internal", "board"})})},
        {"scope": SCOPE.model_copy(update={"collections": frozenset()})},
        {"language": "zh"},
        {"style": Style.SHORT},
        {"choices": ("yes", "no")},
        {"parameters": {"company": "x"}},
        {"history": (Turn("Who?", "They."),)},
    ],
)
def test_each_part_of_a_place_makes_another_place(changed):
    assert place_of(replace(QUESTION, **changed), domain="general", versions=VERSIONS) != PLACE


@pytest.mark.parametrize(
    "changed",
    [{"index_generation": 8}, {"model": {"digest": "bb"}}, {"vouch": "2"}, {"prompt": "3"}, {"checks": "3"}],
)
def test_a_change_of_documents_model_prompt_or_checks_makes_another_place(changed):
    assert place_of(QUESTION, domain="general", versions=VERSIONS | changed) != PLACE
    assert place_of(QUESTION, domain="finance", versions=VERSIONS) != PLACE


def test_sets_have_no_order_in_a_place():
    one = SCOPE.model_copy(update={"labels": frozenset({"a", "b"})})
    other = SCOPE.model_copy(update={"labels": frozenset({"b", "a"})})
    assert place_of(replace(QUESTION, scope=one), domain="general", versions={}) == place_of(
        replace(QUESTION, scope=other), domain="general", versions={}
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What was the revenue of Larkfield Paper in 2022?", "In 2022, what was Larkfield Paper's revenue?"),
        ("Which fees does the policy cover?", "What fee is covered by the policy?"),
        ("青禾纸业2022年的营业收入是多少？", "青禾纸业2022年营业收入是多少"),
    ],
)
def test_the_same_words_in_another_form_are_one_question(one, other):
    assert same_question(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What was the gross margin in 2022?", "What was the net margin in 2022?"),
        ("What was the margin in 2022?", "What was the margin in 2021?"),
        ("What is the fee over 5 million?", "What is the fee over 5 billion?"),
        ("Did Corvath acquire Ferro Lane?", "Did Ferro Lane acquire Corvath?"),
        ("Which loans are insured?", "Which loans are not insured?"),
        ("What is the maximum loan?", "What is the minimum loan?"),
        ("Who pays before closing?", "Who pays after closing?"),
        ("What may the tenant do?", "What must the tenant do?"),
        ("甲公司收购了乙公司吗？", "乙公司收购了甲公司吗？"),
        ("青禾纸业的毛利率是多少？", "红禾纸业的毛利率是多少？"),
        ("哪些贷款有担保？", "哪些贷款没有担保？"),
        ("最高额度是多少？", "最低额度是多少？"),
        ("Why?", "How?"),
    ],
)
def test_one_word_that_says_something_makes_another_question(one, other):
    assert not same_question(one, other)


def test_near_wordings_are_found_only_with_an_embedding_that_agrees():
    other = "In 2022, what was Larkfield Paper's revenue?"
    assert filled().find(PLACE, other) is None
    assert filled(embed=lambda _text: (1.0, 0.0)).find(PLACE, other) is not None
    apart = filled(embed=lambda text: (1.0, 0.0) if text == ASKED else (0.6, 0.8))
    assert apart.find(PLACE, other) is None
    assert apart.find(PLACE, ASKED) is not None


def test_an_embedding_alone_is_never_enough():
    blind = filled(embed=lambda _text: (1.0, 0.0))
    assert blind.find(PLACE, "What was the cost of Larkfield Paper in 2022?") is None
    assert blind.find("another place", "In 2022, what was Larkfield Paper's revenue?") is None


def test_what_was_erased_is_not_given_again_and_is_forgotten():
    there = {"a1"}
    cache = filled(holds=there.__contains__)
    assert cache.find(PLACE, ASKED) is not None
    there.clear()
    assert cache.find(PLACE, ASKED) is None
    assert len(cache) == 0


def test_the_longest_not_asked_for_goes_first():
    cache = AnswerCache(entries=2)
    for name in ("a", "b"):
        cache.keep(PLACE, name, kept(name))
    cache.find(PLACE, "a")
    cache.keep(PLACE, "c", kept("c"))
    assert [cache.find(PLACE, name) is not None for name in "abc"] == [True, False, True]


def test_the_newest_answer_to_a_question_is_the_one_that_is_given():
    cache = filled()
    cache.keep(PLACE, ASKED, kept("a2"))
    found = cache.find(PLACE, ASKED)
    assert found is not None
    assert (found.answer_id, len(cache)) == ("a2", 1)


@pytest.mark.parametrize("options", [{"entries": 0}, {"entries": 1, "near_from": 0.0}, {"entries": 1, "near_from": 2}])
def test_a_cache_without_room_or_sense_is_refused(options):
    with pytest.raises(ValueError, match="give at least one"):
        AnswerCache(**options)
