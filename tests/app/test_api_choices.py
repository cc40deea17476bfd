"""Style and choices of a question over HTTP and on the command line: bounds, the bare answer, and the record."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.answering.choosing.limits import LONGEST_CHOICE
from app.service import Service
from tests.app.conftest import REPORT, add, serving
from tests.app.test_cli import vouch
from tests.telling_chat import TellingChat

Make = Callable[..., Service]
QUESTION = "Was the revenue of Halden Marine 412 million euro in 2025?"


def leaning_to_yes() -> TellingChat:
    return TellingChat(odds=lambda _: {"yes": -0.05, "no": -4.0, "maybe": -4.0}, reply="NOT_FOUND")


def ask(client: httpx.Client, **more: Any) -> httpx.Response:
    return client.post("/v1/ask", json={"question": QUESTION, "stream": False, **more})


def test_one_of_the_choices_is_the_bare_answer_beside_a_checked_sentence(make_service: Make) -> None:
    with serving(make_service(chat=leaning_to_yes())) as client:
        add(client, "report.md", REPORT)
        answer = ask(client, choices=["yes", "no"]).json()
    assert answer["short"] == "yes"
    assert not answer["abstained"]
    assert "412 million" in answer["text"]
    assert [claim["verdict"] for claim in answer["claims"]] == ["supported"]


def test_choices_and_style_are_recorded_without_their_words(make_service: Make) -> None:
    with serving(make_service(chat=leaning_to_yes())) as client:
        add(client, "report.md", REPORT)
        answer = ask(client, choices=["yes", "no", "CANARY-7777"], style="short").json()
        entry = answer["receipt"]["entry"] - 1
        record = client.get(f"/v1/audit/entries/{entry}").json()
        opened = client.get(f"/v1/openings/{entry}").json()
    text = json.dumps(record)
    assert "CANARY-7777" not in text
    body = record.get("body", record)
    assert body["style"] == "short"
    assert body["choices"]["count"] == 3
    assert json.loads(opened["texts"]["choices"]["text"]) == ["yes", "no", "CANARY-7777"]


def test_a_question_without_choices_is_recorded_as_before(make_service: Make) -> None:
    with serving(make_service("NOT_FOUND")) as client:
        add(client, "report.md", REPORT)
        answer = ask(client).json()
        record = client.get(f"/v1/audit/entries/{answer['receipt']['entry'] - 1}").json()
    assert answer["short"] is None
    assert "choices" not in json.dumps(record)
    assert "style" not in json.dumps(record)


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        (["yes"], "1 choice"),
        ([str(number) for number in range(27)], "27 choices"),
        (["yes", ""], "Choice 2"),
        (["yes", "a" * (LONGEST_CHOICE + 1)], f"limit is {LONGEST_CHOICE}"),
        (["Yes", "no", " yes"], "same as an earlier"),
        (["yes", "no\u0000"], "Choice 2"),
    ],
)
def test_choices_beyond_the_bounds_are_refused_before_anything_is_recorded(
    make_service: Make, choices: list[str], said: str
) -> None:
    with serving(make_service(chat=leaning_to_yes())) as client:
        before = client.get("/v1/audit/entries", params={"limit": 1000}).text
        reply = ask(client, choices=choices)
        after = client.get("/v1/audit/entries", params={"limit": 1000}).text
    assert reply.status_code == 400, reply.text
    error = reply.json()["error"]
    assert said in error["message"]
    assert error["remedy"]
    assert before.count("answer.intent") == after.count("answer.intent") == 0


@pytest.mark.parametrize("body", [{"style": "loud"}, {"choices": "yes"}, {"choices": [1, 2]}])
def test_what_is_no_style_and_no_choices_does_not_fit(make_service: Make, body: dict[str, Any]) -> None:
    with serving(make_service(chat=leaning_to_yes())) as client:
        reply = ask(client, **body)
    assert reply.status_code == 422
    assert next(iter(body)) in reply.json()["error"]["message"]


def test_the_stream_ends_with_the_bare_answer(make_service: Make) -> None:
    with serving(make_service(chat=leaning_to_yes())) as client:
        add(client, "report.md", REPORT)
        reply = client.post("/v1/ask", json={"question": QUESTION, "choices": ["no", "yes"]})
    last = [frame for frame in reply.text.split("\n\n") if frame][-1]
    assert last.startswith("event: answer")
    assert json.loads(last.split("data: ", 1)[1])["short"] == "yes"


def test_the_command_offers_style_and_choices(tmp_path: Path) -> None:
    said = vouch(tmp_path, "ask", "--help")
    assert said.returncode == 0
    assert "--choice" in said.stdout
    assert "--short" in said.stdout
