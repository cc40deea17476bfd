"""Answers given again by a whole service: recorded as such, never across people, and gone with any change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.identity.principal import Role
from app.service import Service
from tests.app.conftest import REPORT, add, serving
from tests.scripted_chat import ScriptedChat

Make = Callable[..., Service]
QUESTION = "What was the revenue of Halden Marine in 2025?"
REPLY = "Revenue of Halden Marine was 412 million euro in 2025 [1]."
EXACT = {"VOUCH_ANSWER_CACHE": "exact"}
CALLS = 3
"""Times that the model is asked for one answer: the draft, and the two single tokens of the gate."""


def ask(client: Any, question: str = QUESTION, **more: Any) -> dict[str, Any]:
    body = {"question": question, "stream": False, "domain": "general"} | more
    reply = client.post("/v1/ask", json=body)
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


def outcomes(service: Service) -> list[Any]:
    return [entry.event for entry in service.ledger.entries(0, 500) if entry.event.action == "answer.outcome"]


def intents(service: Service) -> list[Any]:
    return [entry.event for entry in service.ledger.entries(0, 500) if entry.event.action == "answer.intent"]


@pytest.fixture
def chat() -> ScriptedChat:
    return ScriptedChat(replies=[REPLY])


def test_an_answer_given_again_has_its_own_record_that_says_which(make_service: Make, chat: ScriptedChat) -> None:
    service = make_service(chat=chat, environ=EXACT)
    with serving(service) as client:
        add(client, "report.md", REPORT)
        first, second = ask(client), ask(client, f"  {QUESTION[:-1]} ")
    assert len(chat.seen) == CALLS
    assert (first["repeats"], second["repeats"]) == (None, first["id"])
    assert second["text"] == first["text"]
    assert second["claims"] == first["claims"]
    assert second["id"] != first["id"]
    assert second["receipt"]["entry"] > first["receipt"]["entry"]
    made, again = outcomes(service)
    assert "repeats" not in made.body
    assert again.body["repeats"] == {"answer_id": first["id"], "entry": first["receipt"]["entry"]}
    assert again.body["evidence"] == made.body["evidence"]
    assert len(intents(service)) == 2


def test_a_stream_of_it_has_evidence_claims_and_no_draft(make_service: Make, chat: ScriptedChat) -> None:
    with serving(make_service(chat=chat, environ=EXACT)) as client:
        add(client, "report.md", REPORT)
        ask(client)
        body = client.post("/v1/ask", json={"question": QUESTION, "domain": "general"}).text
    names = [line.removeprefix("event: ") for line in body.splitlines() if line.startswith("event: ")]
    assert names == ["started", "evidence", "claim", "answer"]


def test_it_is_off_unless_it_is_asked_for(make_service: Make, chat: ScriptedChat) -> None:
    with serving(make_service(chat=chat)) as client:
        add(client, "report.md", REPORT)
        ask(client)
        assert ask(client)["repeats"] is None
    assert len(chat.seen) == 2 * CALLS


def test_any_change_of_the_documents_ends_it(make_service: Make, chat: ScriptedChat) -> None:
    with serving(make_service(chat=chat, environ=EXACT)) as client:
        document = add(client, "report.md", REPORT)
        ask(client)
        other = add(client, "canteen.md", "The canteen serves fish on Fridays.")
        assert ask(client)["repeats"] is None
        assert ask(client)["repeats"] is not None
        client.delete(f"/v1/documents/{other['id']}")
        assert ask(client)["repeats"] is None
        client.delete(f"/v1/documents/{document['id']}")
        assert ask(client)["abstained"]


def test_an_abstention_is_repeated_as_one(make_service: Make) -> None:
    chat = ScriptedChat(replies=["NOT_FOUND"])
    with serving(make_service(chat=chat, environ=EXACT)) as client:
        add(client, "report.md", REPORT)
        first, second = ask(client), ask(client)
    assert second["repeats"] == first["id"]
    assert (second["abstained"], second["reason"], second["text"]) == (True, first["reason"], first["text"])


@pytest.mark.parametrize(
    "more",
    [
        {"history": [{"question": "Who?", "answer": "They."}]},
        {"style": "short"},
        {"collection": "default"},
    ],
)
def test_what_else_was_asked_with_it_counts(make_service: Make, chat: ScriptedChat, more: dict[str, Any]) -> None:
    with serving(make_service(chat=chat, environ=EXACT)) as client:
        add(client, "report.md", REPORT)
        ask(client)
        assert ask(client, **more)["repeats"] is None


def test_two_tenants_never_get_each_others_answers(make_service: Make, chat: ScriptedChat) -> None:
    service = make_service(chat=chat, environ=EXACT | {"VOUCH_AUTH": "keys"})

    def key(name: str, label: str) -> dict[str, str]:
        secret = service.keys.create(name, role=Role.CONTRIBUTOR, labels=[label], collections=["default"])
        return {"authorization": f"Bearer {secret}"}

    with serving(service) as client:
        ann, bob, eve = key("ann", "red"), key("bob", "blue"), key("eve", "red")
        client.headers.update(ann)
        add(client, "report.md", REPORT, label="red")
        mine = ask(client)
        client.headers.update(bob)
        theirs = ask(client)
        client.headers.update(eve)
        same_label = ask(client)
        client.headers.update(ann)
        again = ask(client)
    assert not mine["abstained"]
    assert (theirs["abstained"], theirs["repeats"], theirs["evidence"]) == (True, None, [])
    assert same_label["repeats"] is None, "who may see the same documents gets an answer of their own"
    assert again["repeats"] == mine["id"]


def test_what_was_erased_is_not_given_again(make_service: Make, chat: ScriptedChat) -> None:
    service = make_service(chat=chat, environ=EXACT)
    with serving(service) as client:
        add(client, "report.md", REPORT)
        first = ask(client)
        service.vault.discard([first["id"]])
        assert ask(client)["repeats"] is None
    assert len(chat.seen) == 2 * CALLS


def test_asking_again_in_place_of_an_answer_makes_a_new_one(make_service: Make, chat: ScriptedChat) -> None:
    service = make_service(chat=chat, environ=EXACT)
    with serving(service) as client:
        add(client, "report.md", REPORT)
        first = ask(client)
        second = ask(client, replaces=first["id"])
        third = ask(client)
    assert (second["repeats"], third["repeats"]) == (None, second["id"])
    assert [event.body.get("replaces") for event in intents(service)] == [None, first["id"], None]


def test_an_id_that_is_none_is_refused(make_service: Make) -> None:
    with serving(make_service(REPLY)) as client:
        reply = client.post("/v1/ask", json={"question": QUESTION, "replaces": "<script>"})
    assert reply.status_code in (400, 422)
