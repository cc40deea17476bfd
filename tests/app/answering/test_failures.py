"""What goes wrong on the way closes the record; what cannot be recorded is not given."""

from __future__ import annotations

import asyncio
import threading
from contextlib import aclosing

import pytest

from app.answering.types import Draft, Finished, Started
from app.errors import LedgerUnavailable, TooManyRequests
from app.identity.principal import OPERATOR
from model.errors import ModelError, ModelInterrupted, ModelNotReady
from tests.app.answering.conftest import MemorySink, question
from tests.scripted_chat import ScriptedChat

REVENUE = "Revenue of Larkfield Paper in 2022 was $5.2 million. It employed 240 people."
ASKED = "What was the revenue of Larkfield Paper in 2022?"
REPLY = "Revenue in 2022 was $5.2 million [1]. It employed 240 people [1]."


def outcomes(sink: MemorySink) -> list[tuple[str, str, int | None]]:
    return [(entry.action, entry.outcome, entry.closes) for entry in sink.entries]


def test_no_intent_no_work(desk):
    made = desk([REVENUE], REPLY, sink=MemorySink(full_from=0))
    with pytest.raises(LedgerUnavailable):
        made.answer(ASKED)
    assert (made.shelf.asked, made.chat.seen, made.sink.entries) == ([], [], [])


def test_no_outcome_no_answer(desk):
    made = desk([REVENUE], REPLY, sink=MemorySink(full_from=1))
    given: list[object] = []

    async def run() -> None:
        async with aclosing(made.pipeline.stream(question(ASKED), principal=OPERATOR)) as stream:
            async for event in stream:
                given.append(event)

    with pytest.raises(LedgerUnavailable):
        asyncio.run(run())
    assert any(isinstance(event, Draft) for event in given)
    assert not any(isinstance(event, Finished) for event in given)


def test_a_model_that_dies_in_mid_reply_leaves_an_unknown_outcome(desk):
    made = desk([REVENUE], chat=ScriptedChat(replies=[REPLY], dies_after=14))
    with pytest.raises(ModelInterrupted):
        made.answer(ASKED)
    assert outcomes(made.sink) == [("answer.intent", "ok", None), ("answer.outcome", "unknown", 0)]
    body = made.sink.entries[-1].body
    assert body["error"] == "model_interrupted"
    assert len(body["evidence"]) == 1


def test_a_model_that_dies_does_not_keep_the_next_question_from_being_answered(desk):
    made = desk([REVENUE], chat=ScriptedChat(replies=[REPLY], dies_after=14), max_concurrent=1)
    with pytest.raises(ModelError):
        made.answer(ASKED)
    made.chat.dies_after = None
    assert not made.answer(ASKED).abstained


def test_a_model_that_is_not_ready_closes_the_record(desk):
    def no_model():
        raise ModelNotReady("loading", remedy="wait", stage="loading")

    made = desk([REVENUE], chat_factory=no_model)
    with pytest.raises(ModelNotReady):
        made.answer(ASKED)
    assert outcomes(made.sink)[-1] == ("answer.outcome", "error", 0)
    assert made.sink.entries[-1].body["error"] == "model_not_ready"


def test_a_searcher_that_breaks_closes_the_record_and_says_nothing_of_itself(desk):
    made = desk([REVENUE], REPLY)
    made.shelf.passages = None
    with pytest.raises(TypeError):
        made.answer(ASKED)
    assert outcomes(made.sink)[-1] == ("answer.outcome", "error", 0)
    assert made.sink.entries[-1].body["error"] == "internal"


def waiting(desk, **options):
    """Return a pipeline whose model waits in mid-reply, and the gate that lets it go on."""
    gate = threading.Event()
    chat = ScriptedChat(replies=[REPLY], waits_after=14, gate=gate)
    return desk([REVENUE], chat=chat, **options), gate


async def until(event: threading.Event) -> None:
    await asyncio.to_thread(event.wait, 30)


def test_a_caller_who_cancels_in_mid_answer_leaves_a_closed_record(desk):
    made, _ = waiting(desk)

    async def run() -> None:
        task = asyncio.create_task(made.pipeline.answer(question(ASKED), principal=OPERATOR))
        await until(made.chat.reached)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert outcomes(made.sink) == [("answer.intent", "ok", None), ("answer.outcome", "cancelled", 0)]
    assert made.chat.closed.is_set(), "the model's stream was closed, not left running"


def test_a_caller_who_cancels_again_and_again_still_leaves_a_closed_record(desk):
    made, _ = waiting(desk)

    async def run() -> None:
        task = asyncio.create_task(made.pipeline.answer(question(ASKED), principal=OPERATOR))
        await until(made.chat.reached)
        while not task.done():
            task.cancel()
            await asyncio.sleep(0)

    asyncio.run(run())
    assert outcomes(made.sink)[-1] == ("answer.outcome", "cancelled", 0)


def test_a_listener_who_goes_away_leaves_a_closed_record(desk):
    made = desk([REVENUE], REPLY)

    async def run() -> None:
        stream = made.pipeline.stream(question(ASKED), principal=OPERATOR)
        async for event in stream:
            if isinstance(event, Draft):
                break
        await stream.aclose()

    asyncio.run(run())
    assert outcomes(made.sink)[-1] == ("answer.outcome", "cancelled", 0)
    assert made.chat.closed.is_set()


def test_a_caller_who_cancels_while_the_intent_is_written_leaves_a_closed_record(desk):
    made = desk([REVENUE], REPLY)
    writing, go_on = threading.Event(), threading.Event()

    def slow(action: str) -> None:
        if action == "answer.intent":
            writing.set()
            go_on.wait(30)

    made.sink.before_each = slow

    async def run() -> None:
        task = asyncio.create_task(made.pipeline.answer(question(ASKED), principal=OPERATOR))
        await until(writing)
        task.cancel()
        await asyncio.sleep(0.01)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert outcomes(made.sink) == [("answer.intent", "ok", None), ("answer.outcome", "cancelled", 0)]
    assert made.shelf.asked == []


def test_a_listener_who_stops_after_the_answer_changes_nothing(desk):
    made = desk([REVENUE], REPLY)

    async def run() -> None:
        stream = made.pipeline.stream(question(ASKED), principal=OPERATOR)
        async for event in stream:
            if isinstance(event, Finished):
                break
        await stream.aclose()

    asyncio.run(run())
    assert outcomes(made.sink) == [("answer.intent", "ok", None), ("answer.outcome", "ok", 0)]


def test_more_questions_than_the_limit_are_turned_away_without_a_record(desk):
    made, gate = waiting(desk, max_concurrent=1)

    async def run() -> None:
        first = asyncio.create_task(made.pipeline.answer(question(ASKED), principal=OPERATOR))
        await until(made.chat.reached)
        with pytest.raises(TooManyRequests):
            await made.pipeline.answer(question(ASKED), principal=OPERATOR)
        gate.set()
        assert not (await first).abstained
        assert not (await made.pipeline.answer(question(ASKED), principal=OPERATOR)).abstained

    asyncio.run(run())
    assert [entry.action for entry in made.sink.entries] == ["answer.intent", "answer.outcome"] * 2


def test_nothing_is_shown_before_the_intent_is_durable(desk):
    made = desk([REVENUE], REPLY)
    writing, go_on = threading.Event(), threading.Event()

    def slow(action: str) -> None:
        writing.set()
        go_on.wait(30)

    made.sink.before_each = slow

    async def run() -> None:
        stream = made.pipeline.stream(question(ASKED), principal=OPERATOR)
        first = asyncio.ensure_future(anext(stream))
        await until(writing)
        await asyncio.sleep(0.01)
        assert not first.done()
        assert (made.shelf.asked, made.chat.seen) == ([], [])
        go_on.set()
        assert isinstance(await first, Started)
        await stream.aclose()

    asyncio.run(run())
