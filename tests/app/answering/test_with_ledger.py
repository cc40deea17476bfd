"""The pipeline over the real ledger: what it writes can be verified, and without space there is no answer."""

from __future__ import annotations

import asyncio
import threading
from contextlib import aclosing

import pytest

from app.answering.types import Event, Finished
from app.errors import LedgerUnavailable
from app.identity.principal import OPERATOR
from app.ledger.log import Ledger
from app.storage.engine import connect
from model.errors import ModelInterrupted
from tests.app.answering.conftest import question
from tests.app.storage.disks import mounted
from tests.scripted_chat import ScriptedChat

REVENUE = "Revenue of Larkfield Paper in 2022 was $5.2 million. It employed 240 people."
ASKED = "What was the revenue of Larkfield Paper in 2022?"
REPLY = "Revenue in 2022 was $5.2 million [1]. The chair is Ines Varga [1]."


@pytest.fixture
def ledger(tmp_path):
    engine = connect(f"sqlite:///{tmp_path / 'ledger.db'}", durable=True)
    with Ledger(engine) as ledger:
        yield ledger
    engine.dispose()


@pytest.fixture
def small_disk(tmp_path):
    with mounted(tmp_path / "disk") as disk:
        yield disk


@pytest.fixture
def crowded(small_disk):
    """A ledger on a disk that can be filled."""
    engine = connect(f"sqlite:///{small_disk.folder / 'ledger.db'}", durable=True)
    with Ledger(engine) as ledger:
        yield ledger
    engine.dispose()


def leave_no_space(disk, ledger: Ledger) -> None:
    disk.fill()
    with pytest.raises(LedgerUnavailable):
        _append_for_ever(ledger)


def _append_for_ever(ledger: Ledger) -> None:
    for _ in range(10_000):
        ledger.append("test.filler", actor=OPERATOR, body={"filler": "x" * 500})


def test_an_answer_leaves_two_entries_that_verify(desk, ledger):
    answer = desk([REVENUE], REPLY, sink=ledger).answer(ASKED)
    intent, outcome = ledger.entries()
    assert (intent.event.action, outcome.event.action, outcome.event.closes) == (
        "answer.intent",
        "answer.outcome",
        intent.event.seq,
    )
    assert answer.receipt.entry == outcome.event.seq
    assert ledger.verify(known=[answer.receipt]).size == 2
    assert ledger.close_dangling(OPERATOR) == 0


def test_many_questions_at_once_each_leave_their_pair(desk, ledger):
    made = desk([REVENUE], REPLY, sink=ledger, max_concurrent=16)

    async def run() -> list[int]:
        asked = [made.pipeline.answer(question(ASKED), principal=OPERATOR) for _ in range(12)]
        return [answer.receipt.entry for answer in await asyncio.gather(*asked)]

    entries = asyncio.run(run())
    assert len(set(entries)) == 12
    assert ledger.size == 24
    assert ledger.verify().size == 24
    assert ledger.close_dangling(OPERATOR) == 0


def test_every_outcome_is_one_that_the_ledger_takes(desk, ledger):
    texts = ["Unrelated words about cats.", "", REVENUE]
    for text in texts:
        desk([text] if text else [], REPLY, sink=ledger).answer(ASKED)
    with pytest.raises(ModelInterrupted):
        desk([REVENUE], chat=ScriptedChat(replies=[REPLY], dies_after=9), sink=ledger).answer(ASKED)
    outcomes = [entry.event.outcome for entry in ledger.entries() if entry.event.action == "answer.outcome"]
    assert outcomes == ["ok", "ok", "ok", "unknown"]
    assert ledger.close_dangling(OPERATOR) == 0


def test_an_answer_as_long_as_can_be_still_fits_an_entry(desk, ledger):
    passages = [f"Passage {n} says that item {n} costs {n} euros." for n in range(1, 51)]
    reply = " ".join(f"Item {n} costs {n} euros [{n % 50 + 1}]." for n in range(180))
    made = desk(passages, reply, sink=ledger, passages=50)
    answer = made.answer("What do the items cost?")
    assert len(answer.claims) == 180
    assert ledger.entries()[-1].event.body["claim_count"] == 180


def test_without_space_for_the_intent_nothing_is_searched_and_no_model_asked(desk, small_disk, crowded):
    made = desk([REVENUE], REPLY, sink=crowded)
    leave_no_space(small_disk, crowded)
    with pytest.raises(LedgerUnavailable):
        made.answer(ASKED)
    assert (made.shelf.asked, made.chat.seen) == ([], [])
    small_disk.free()
    answer = made.answer(ASKED)
    assert crowded.verify(known=[answer.receipt]).size == crowded.size


def test_without_space_for_the_outcome_the_answer_is_not_given(desk, small_disk, crowded):
    gate = threading.Event()
    chat = ScriptedChat(replies=[REPLY], waits_after=9, gate=gate)
    made = desk([REVENUE], chat=chat, sink=crowded)
    given: list[Event] = []

    async def run() -> None:
        async def listen() -> None:
            async with aclosing(made.pipeline.stream(question(ASKED), principal=OPERATOR)) as stream:
                async for event in stream:
                    given.append(event)

        task = asyncio.create_task(listen())
        await asyncio.to_thread(chat.reached.wait, 30)
        await asyncio.to_thread(leave_no_space, small_disk, crowded)
        gate.set()
        with pytest.raises(LedgerUnavailable):
            await task

    asyncio.run(run())
    assert given
    assert not any(isinstance(event, Finished) for event in given)
    small_disk.free()
    assert crowded.close_dangling(OPERATOR) == 1, "the intent is still open, and is closed as unknown at the next start"
    assert not made.answer(ASKED).abstained
    assert crowded.verify().size == crowded.size
