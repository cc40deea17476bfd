"""The page's conversation: what goes along with a question, asking again, and taking a question back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from app.service import Service
from tests.app.conftest import REPORT, add, serving
from tests.scripted_chat import ScriptedChat
from ui.chat import Spoken, Step, _respond, _taken_back

Make = Callable[..., Service]
QUESTION = "What was the revenue of Halden Marine in 2025?"
REPLY = "Revenue of Halden Marine was 412 million euro in 2025 [1]."
REQUEST: Any = SimpleNamespace(headers={})


def asked(service: Service, text: str, shown: list[dict[str, Any]], spoken: Spoken) -> Step:
    """Ask as the page does; what is left at the end."""

    async def run() -> Step:
        last = None
        async for step in _respond(service, text, "general", shown, spoken, REQUEST):
            last = step
        assert last is not None
        return last

    return asyncio.run(run())


def intents(service: Service) -> list[Any]:
    return [entry.event.body for entry in service.ledger.entries(0, 500) if entry.event.action == "answer.intent"]


def test_only_answered_questions_are_history_and_not_more_than_ten() -> None:
    turns = tuple((f"q{n}", None if n % 2 else f"a{n}", None) for n in range(30))
    assert [turn.question for turn in Spoken(turns).history] == [f"q{n}" for n in range(10, 30, 2)]
    assert Spoken().history == ()


def test_taking_a_question_back_puts_it_into_the_box_and_remembers_whose_place_is_taken() -> None:
    shown = [{"role": role, "content": "…"} for role in ("user", "assistant") * 2]
    spoken = Spoken((("q1", "a1", "id1"), ("q2", "a2", "id2")))
    left, before, box = _taken_back(shown, spoken)
    assert (len(left), box) == (2, "q2")
    assert before == Spoken((("q1", "a1", "id1"),), "id2")
    assert _taken_back([], Spoken()) == ([], Spoken(), "")


def test_an_answer_is_kept_with_its_id_and_the_next_question_has_it_as_history(make_service: Make) -> None:
    chat = ScriptedChat(replies=[REPLY])
    service = make_service(chat=chat)
    with serving(service) as client:
        add(client, "report.md", REPORT)
        shown, spoken, box = asked(service, QUESTION, [], Spoken())
        assert (len(shown), box) == (2, "")
        ((text, told, answer_id),) = spoken.turns
        assert (text, told) == (QUESTION, REPLY)
        shown, spoken, _ = asked(service, "Who is the auditor of the company?", shown, spoken)
    assert (len(shown), len(spoken.turns)) == (4, 2)
    first, second = intents(service)
    assert first["answer_id"] == answer_id
    assert "history" not in first
    assert second["history"]["turns"] == 1


def test_asking_again_replaces_the_last_answer_and_says_so_in_the_record(make_service: Make) -> None:
    service = make_service(REPLY)
    with serving(service) as client:
        add(client, "report.md", REPORT)
        shown, spoken, _ = asked(service, QUESTION, [], Spoken())
        answer_id = spoken.turns[0][2]
        shown, spoken, _ = asked(service, QUESTION, shown[:-2], spoken.without_last())
    assert (len(shown), len(spoken.turns)) == (2, 1)
    assert spoken.turns[0][2] != answer_id
    assert spoken.replaces is None, "the place is taken once"
    assert [body.get("replaces") for body in intents(service)] == [None, answer_id]
    assert "history" not in intents(service)[1]


@pytest.mark.parametrize("text", ["", "   "])
def test_a_question_that_fails_is_shown_and_is_no_history(make_service: Make, text: str) -> None:
    service = make_service(REPLY)
    shown, spoken, _ = asked(service, text, [], Spoken((("q1", "a1", "id1"),), "id0"))
    assert "vouch-failure" in shown[-1]["content"]
    assert [turn.question for turn in spoken.history] == ["q1"]
    assert spoken.without_last() == Spoken((("q1", "a1", "id1"),), "id0"), "its place is still to be taken"
