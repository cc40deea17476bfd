"""Closed questions through the whole pipeline: the choice, the sentence that carries it, and when nothing is shown."""

from __future__ import annotations

import asyncio

import pytest

from app.answering.checking.verify import Verifier
from app.answering.drafters.closed import Closed
from app.answering.drafters.contract import Short, Task
from app.answering.drafters.ways import WAYS
from app.answering.evaluation.assistant import Assistant, evidence_of
from app.answering.types import Answer, Verdict
from app.identity.principal import OPERATOR
from domains.contract import Question
from domains.registry import load
from tests.scripted_chat import ScriptedChat
from tests.telling_chat import TellingChat

ASKED = "Does a weekly reminder raise the share of rented bicycles that are returned on time?"
NO_EFFECT = (
    "Rented bicycles were returned on time by 64% with and without a reminder: there was no significant difference."
)
POOR = "With a weekly reminder the share of rented bicycles returned on time fell by a fifth."
YES_NO = ("yes", "no", "maybe")


def ask(chat, texts, choices=YES_NO, question=ASKED) -> Answer:
    assistant = Assistant(
        chat=chat, prompt_tokens=4000, registry=load(only=["general"]), verifier=Verifier(common=lambda _: True)
    )
    return asyncio.run(assistant.answer(question, evidence_of(texts), choices=choices))


def leaning(**odds: float) -> TellingChat:
    return TellingChat(odds=lambda _: odds, reply="NOT_FOUND")


def test_the_choice_is_shown_with_the_sentence_that_carries_it() -> None:
    answer = ask(leaning(no=-0.1, yes=-3.0, maybe=-4.0), ["The weather was fine.", NO_EFFECT])
    assert answer.short == "no"
    assert not answer.abstained
    [claim] = answer.claims
    assert claim.verdict is Verdict.SUPPORTED
    assert claim.cites == ("2",)
    assert answer.text.startswith("No: ")
    assert "no significant difference" in answer.text


def test_a_no_before_a_sentence_without_negation_stands_in_the_bare_answer_alone() -> None:
    answer = ask(leaning(no=-0.1, yes=-3.0, maybe=-4.0), [POOR])
    assert answer.short == "no"
    assert answer.claims[0].verdict is Verdict.SUPPORTED
    assert not answer.text.startswith("No")


def test_of_other_choices_the_sentence_that_holds_them_is_quoted() -> None:
    texts = ["The mill at Orrin Bay was opened by Larkfield Paper in May 2016.", "The mill at Telmere closed in 2014."]
    chat = TellingChat(odds=lambda prompt: {"A": -3.0, "B": -0.1} if "Orrin" in prompt else {"A": -1.0, "B": -1.0})
    answer = ask(chat, texts, ("2014", "2016"), "In which year was the mill at Orrin Bay opened by Larkfield Paper?")
    assert answer.short == "2016"
    assert answer.claims[0].cites == ("1",)


def test_a_choice_that_the_passage_does_not_hold_is_struck_out() -> None:
    chat = TellingChat(odds=lambda prompt: {"A": -0.1, "B": -3.0} if "Orrin" in prompt else {"A": -1.0, "B": -1.0})
    texts = ["The mill at Orrin Bay was opened by Larkfield Paper in May 2016."]
    answer = ask(chat, texts, ("2031", "2016"), "In which year was the mill at Orrin Bay opened by Larkfield Paper?")
    assert answer.abstained
    assert answer.short is None
    assert "2031" not in answer.text


def test_a_model_without_probabilities_leaves_the_question_to_the_next_way() -> None:
    chat = ScriptedChat(replies=["x", f"{NO_EFFECT} [1]"])
    answer = ask(chat, [NO_EFFECT])
    assert answer.short is None
    assert not answer.abstained


def test_no_evidence_is_not_answered() -> None:
    chat = leaning(no=-0.1, yes=-3.0)
    answer = ask(chat, [])
    assert (answer.abstained, answer.short) == (True, None)
    assert chat.seen == []


def pieces(question: Question, texts) -> list[object]:
    task = Task(
        question, question.text, tuple(evidence_of(texts)), (), leaning(A=-0.1, B=-2.0), domain="general", budget=1
    )

    async def collect() -> list[object]:
        return [piece async for piece in Closed().draft(task)]

    return asyncio.run(collect())


@pytest.mark.parametrize(("choices", "fits"), [((), False), (("one",), False), (("a", "a"), False), (("a", "b"), True)])
def test_it_suits_questions_with_choices(choices, fits) -> None:
    question = Question("Which?", "en", OPERATOR.scope(), choices=choices)
    task = Task(question, "Which?", (), (), leaning(A=-1.0), domain="general", budget=1)
    assert Closed().suits(task) is fits
    assert any(isinstance(way, Closed) for way in WAYS)


def test_quotation_marks_inside_are_not_those_around_and_a_sentence_ends() -> None:
    question = Question("松河工厂哪年投产？", "zh", OPERATOR.scope(), choices=("2016年", "2018年"))
    short, text = pieces(question, ["“松河”工厂于2016年投产"])
    assert short == Short("2016年")
    assert text == "2016年：“‘松河’工厂于2016年投产。”[1]"


def test_evidence_without_a_sentence_yields_nothing() -> None:
    assert pieces(Question("Which?", "en", OPERATOR.scope(), choices=("a", "b")), ["\n \n"]) == []
