"""Who answers in an evaluation: the pipeline over given passages, the naive way, and a record that keeps nothing."""

from __future__ import annotations

import asyncio
import threading

import pytest

from app.answering.checking.verify import Verifier
from app.answering.evaluation.assistant import Assistant, each, evidence_of
from app.answering.evaluation.unrecorded import Unrecorded
from app.identity.principal import OPERATOR
from domains.contract import Style
from domains.registry import load
from model.errors import ModelError
from retrieval.types import Scope
from tests.scripted_chat import ScriptedChat

OPENED = "The mill at Orrin Bay was opened by Larkfield Paper in May 2016."
ASKED = "When was the mill at Orrin Bay opened by Larkfield Paper?"


def made(*replies, **options) -> tuple[Assistant, ScriptedChat]:
    chat = ScriptedChat(replies=list(replies), **options)
    lent = Assistant(chat=chat, prompt_tokens=4000, registry=load(only=["general"]), verifier=Verifier())
    return lent, chat


def test_passages_become_evidence_in_order_each_a_document_of_its_own() -> None:
    one, two = evidence_of(["First.", "Second."], names=["a.pdf", "b.pdf"])
    assert (one.id, two.id) == ("1", "2")
    assert one.locator.document_id != two.locator.document_id
    assert two.locator.document == "b.pdf"
    assert (one.locator.start, one.locator.end) == (0, 6)
    assert one.score > two.score
    assert evidence_of([]) == []


def test_an_answer_is_checked_against_the_given_passages() -> None:
    lent, chat = made(f"{OPENED} [2]")
    answer = asyncio.run(lent.answer(ASKED, evidence_of(["Larkfield makes paper.", OPENED])))
    assert not answer.abstained
    assert answer.claims[0].cites == ("2",)
    assert "Larkfield makes paper." in str(chat.seen[0][-1].content)


def test_an_invention_is_not_shown() -> None:
    lent, _ = made("The mill at Orrin Bay was opened by Larkfield Paper in May 1999 [1].")
    answer = asyncio.run(lent.answer(ASKED, evidence_of([OPENED])))
    assert answer.abstained
    assert "1999" not in answer.text


def test_no_passages_are_no_answer_and_ask_no_model() -> None:
    lent, chat = made("x")
    assert asyncio.run(lent.answer(ASKED, [])).abstained
    assert chat.seen == []


def test_a_searcher_is_asked_in_the_operators_scope() -> None:
    seen: list[tuple[tuple[str, ...], Scope]] = []

    class Shelf:
        def search(self, queries, scope, *, k):
            seen.append((tuple(queries), scope))
            return evidence_of([OPENED])

    lent, _ = made(f"{OPENED} [1]")
    assert not asyncio.run(lent.answer(ASKED, Shelf())).abstained
    assert seen[0][1] == OPERATOR.scope()


def test_language_history_and_style_reach_the_pipeline() -> None:
    lent, _ = made("松河的第二工厂于2016年5月投产[1]。")
    texts = evidence_of(["青禾纸业的第二工厂于2016年5月在松河投产。"])
    answer = asyncio.run(
        lent.answer("松河的第二工厂什么时候投产？", texts, style=Style.FULL, history=[("谁？", "青禾纸业。")])
    )
    assert answer.language == "zh"
    assert answer.receipt.entry == 1


def test_the_naive_way_shows_what_the_model_says() -> None:
    lent, chat = made("It was 1999, surely.")
    assert asyncio.run(lent.naive(ASKED, [OPENED, "More."])) == "It was 1999, surely."
    prompt = str(chat.seen[0][0].content)
    assert f"{OPENED}\n\nMore." in prompt
    assert "just say that you don't know" in prompt


def test_a_failing_model_fails_the_answer() -> None:
    lent, _ = made("Revenue rose a lot.", dies_after=1)
    with pytest.raises(ModelError):
        asyncio.run(lent.answer(ASKED, evidence_of([OPENED])))


def test_results_come_in_the_order_of_the_items_and_not_all_at_once() -> None:
    going, most, lock = 0, 0, threading.Lock()

    async def ask(item: int) -> int:
        nonlocal going, most
        with lock:
            going += 1
            most = max(most, going)
        await asyncio.sleep(0.001 * (20 - item))
        going -= 1
        return item * item

    told: list[str] = []
    assert each(range(20), ask, report=told.append, at_once=3) == [item * item for item in range(20)]
    assert most <= 3
    assert told == ["10 of 20 answered", "20 of 20 answered"]
    assert each([], ask, report=told.append) == []


def test_one_failure_ends_the_run() -> None:
    async def ask(item: int) -> int:
        if item == 2:
            raise ValueError("bad item")
        return item

    with pytest.raises(ExceptionGroup) as failed:
        each(range(5), ask, report=lambda _: None)
    assert failed.group_contains(ValueError, match="bad item")


def test_what_is_not_recorded_counts_and_keeps_nothing() -> None:
    nothing = Unrecorded()
    one = nothing.append("answer.intent", actor=OPERATOR, body={"question": "secret"})
    two = nothing.append("answer.outcome", actor=OPERATOR, body={}, outcome="ok", closes=0)
    assert (one.entry, two.entry, two.size) == (0, 1, 2)
    assert set(two.leaf) == {"0"}
    assert nothing.seal("someone", "id", {"question": "secret"}) == {"question": ""}
    assert "secret" not in str(vars(nothing))
