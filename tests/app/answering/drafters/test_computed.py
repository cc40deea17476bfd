"""Answers that code computes, through the whole pipeline with a model that speaks from a script."""

from __future__ import annotations

import asyncio

import pytest

from app.answering.drafters.bare import Bare
from app.answering.drafters.computed import Computed
from app.answering.drafters.prose import Prose
from app.answering.types import Verdict
from app.identity.principal import OPERATOR
from domains.contract import Question, Style
from retrieval.language import language_of
from retrieval.types import EvidenceKind

WAYS = (Computed(), Bare(), Prose())
TABLE = """Revenue of Larkfield Paper (in thousands):
| | 2022 | 2021 |
|---|---|---|
| Card | $5,200 | $5,000 |
| Board | 1,840 | 2,100 |"""
TEXT = "Larkfield Paper paid freight of 320 thousand in 2022 to carriers. Freight rose because of higher fuel prices."
FUND = "青禾基金A最新净值为1.2500元，管理费率为0.15%，昨日收益率为-1.18%。"
CHANGE = "What was the percentage change in board of Larkfield Paper from 2021 to 2022?"
OPEN = "What was the sum of freight and board of Larkfield Paper in 2022?"


def answered(desk, passages, asked, *replies, style=Style.FULL, choices=()):
    made = desk(passages, *replies, drafters=WAYS)
    question = Question(
        text=asked, language=language_of(asked), scope=OPERATOR.scope(), style=style, choices=tuple(choices)
    )
    return asyncio.run(made.pipeline.answer(question, principal=OPERATOR)), made


def test_a_question_that_its_words_and_the_table_settle_needs_no_model(desk):
    answer, made = answered(desk, [TABLE], CHANGE, "Never asked.")
    assert made.chat.seen == []
    [claim] = answer.claims
    assert claim.verdict is Verdict.SUPPORTED
    assert "-12.38%" in claim.text
    computation = answer.evidence[-1]
    assert computation.kind is EvidenceKind.COMPUTATION
    assert computation.id in claim.cites
    assert computation.locator.cell == "Board, 2022; Board, 2021"
    assert "1,840" in computation.text
    assert answer.short is None
    assert made.sink.entries[-1].body["drafter"] == "computed"


def test_the_bare_result_is_given_where_it_is_asked_for(desk):
    answer, _ = answered(desk, [TABLE], CHANGE, style=Style.SHORT)
    assert answer.short == "-12.38%"
    answer, _ = answered(desk, [TABLE], "What was the change in card from 2021 to 2022?", style=Style.SHORT)
    assert answer.short == "$200 thousand"


def test_else_the_model_copies_figures_and_code_computes(desk):
    reply = "a = 320 thousand  # freight, 2022 [2]\nb = 1,840  # Board, 2022 [1]\nanswer = a + b  # thousand"
    answer, made = answered(desk, [TABLE, TEXT], OPEN, reply, style=Style.SHORT)
    assert answer.short == "2,160 thousand"
    assert len(made.chat.seen) == 1
    assert answer.claims[0].verdict is Verdict.SUPPORTED


def test_a_reply_that_cannot_be_used_is_asked_for_once_more_with_the_reason(desk):
    good = "a = 320  # freight [2]\nb = 1,840  # Board [1]\nanswer = a + b"
    answer, made = answered(desk, [TABLE, TEXT], OPEN, "a = 999 # [1]\nanswer = a * 2", good, style=Style.SHORT)
    assert "stands in no passage" in str(made.chat.seen[1][-1].content)
    assert answer.claims[0].verdict is Verdict.SUPPORTED


@pytest.mark.parametrize(
    "bad",
    [
        "a = 999 # [1]\nb = 1,840 # [1]\nanswer = a + b",
        "a = 320 # [2]\nb = 1,840 # [1]\nanswer = a / (b - b)",
        "a = 320 # [2]\nanswer = __import__('os').system('id')",
        "a = 320 # [2]\nanswer = a ** 9999",
        "a = " + "9" * 1200 + " # [2]\nanswer = a + 1",
        "I cannot answer that.",
        "",
    ],
)
def test_after_two_useless_replies_the_question_goes_on_to_prose(desk, bad):
    prose = "Larkfield Paper paid freight of 320 thousand in 2022 [2]."
    answer, made = answered(desk, [TABLE, TEXT], OPEN, bad, bad, prose)
    assert made.sink.entries[-1].body["drafter"] == "prose"
    assert len(made.chat.seen) == 3
    assert not [item for item in answer.evidence if item.kind is EvidenceKind.COMPUTATION]


def test_a_figure_as_it_stands_is_no_computation(desk):
    prose = "Larkfield Paper paid freight of 320 thousand in 2022 [2]."
    _, made = answered(desk, [TABLE, TEXT], OPEN, "a = 320 # [2]\nanswer = a", prose)
    assert made.sink.entries[-1].body["drafter"] == "prose"


def test_a_question_with_choices_or_without_a_figure_is_not_computed(desk):
    for asked, choices in ((CHANGE, ("yes", "no")), ("Why did freight of Larkfield Paper rise?", ())):
        _, made = answered(
            desk, [TABLE, TEXT], asked, "Freight rose because of higher fuel prices [2].", choices=choices
        )
        assert made.sink.entries[-1].body["drafter"] == "prose"


def test_an_amount_of_the_question_goes_into_the_computation(desk):
    reply = "a = 2000份  # 份额 [问题]\nb = 1.2500元  # 最新净值 [1]\nanswer = a * b  # 元"
    answer, _ = answered(desk, [FUND], "持有青禾基金A 2000份，按最新净值价值多少元？", reply, style=Style.SHORT)
    assert answer.short == "2,500元"
    assert answer.claims[0].verdict is Verdict.SUPPORTED
    assert "问题中给出" in answer.evidence[-1].text


def test_a_bare_answer_is_read_from_the_cell_with_its_scale(desk):
    answer, made = answered(desk, [TABLE], "What was card of Larkfield in 2021?", style=Style.SHORT)
    assert (answer.short, made.chat.seen) == ("$5,000 thousand", [])


def test_words_are_copied_letter_by_letter(desk):
    asked = "Why did freight of Larkfield Paper rise?"
    answer, _ = answered(desk, [TABLE, TEXT], asked, '["because of higher fuel prices"] [2]', style=Style.SHORT)
    assert answer.short == "because of higher fuel prices"
    assert answer.claims[0].text == "Freight rose because of higher fuel prices."


def test_several_words_are_a_list(desk):
    text = "Larkfield Paper has mills at Orrin Bay and at Telmere."
    answer, _ = answered(
        desk, [text], "Where are the mills of Larkfield Paper?", '["Orrin Bay", "Telmere"] [1]', style=Style.SHORT
    )
    assert answer.short == '["Orrin Bay", "Telmere"]'


@pytest.mark.parametrize(
    "reply", ["[]", '["higher wages"] [2]', '["higher fuel prices", "lower prices"] [2]', "fuel", '[""]', '["', ""]
)
def test_words_that_stand_nowhere_are_no_answer(desk, reply):
    asked = "Why did freight of Larkfield Paper rise?"
    answer, made = answered(desk, [TABLE, TEXT], asked, reply, "NOT_FOUND", style=Style.SHORT)
    assert answer.short is None
    assert made.sink.entries[-1].body["drafter"] == "prose"


def test_a_sentence_that_computes_by_itself_gets_its_computation_as_evidence(desk):
    text = "Larkfield Paper reported revenue of $5.2 million in 2022 and $5.0 million in 2021."
    claim = "Larkfield Paper revenue rose from $5.0 million in 2021 to $5.2 million in 2022, an increase of 4% [1]."
    asked = "What happened to Larkfield Paper revenue between 2021 and 2022?"
    answer, _ = answered(desk, [text], asked, claim)
    assert answer.evidence[-1].kind is EvidenceKind.COMPUTATION
    wrong, _ = answered(desk, [text], asked, claim.replace("4%", "14%"))
    assert not [item for item in wrong.evidence if item.kind is EvidenceKind.COMPUTATION]
    assert wrong.claims[0].verdict is not Verdict.SUPPORTED
