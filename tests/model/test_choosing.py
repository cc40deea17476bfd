"""How likely a model finds each of a few next words: over a real server, and by what stands in its reply."""

from __future__ import annotations

import asyncio
import json
import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from model.choosing import log_odds, next_words
from model.client import chat_model
from model.errors import ModelError, ModelNotReady, ModelRefused

YES_NO = ("Yes", "No")


class Telling:
    """A server that tells the given probabilities of its first token."""

    def __init__(self) -> None:
        self.status = 200
        self.place: dict[str, Any] | None = None
        self.asked: list[dict[str, Any]] = []
        self.url = ""

    def tells(self, odds: Mapping[str, float]) -> None:
        """Tell these natural logarithms; the first one is the token that was written."""
        token, logprob = next(iter(odds.items()))
        top = [{"token": one, "logprob": value, "bytes": None} for one, value in odds.items()]
        self.place = {"token": token, "logprob": logprob, "bytes": None, "top_logprobs": top}

    def body(self) -> dict[str, Any]:
        choice = {
            "index": 0,
            "finish_reason": "length",
            "message": {"role": "assistant", "content": "x"},
            "logprobs": None if self.place is None else {"content": [self.place]},
        }
        usage = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
        return {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}


@pytest.fixture
def server() -> Iterator[Telling]:
    telling = Telling()

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            telling.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            body = json.dumps(telling.body() if telling.status == 200 else {"error": {"message": "no"}}).encode()
            self.send_response(telling.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    telling.url = f"http://127.0.0.1:{listening.server_port}/v1"
    yield telling
    listening.shutdown()
    listening.server_close()
    thread.join()


def ask(server: Telling, choices: Sequence[str] = YES_NO) -> Mapping[str, float]:
    chat = chat_model(url=server.url, api_key="k", model="m", max_tokens=64, timeout_s=20)
    return asyncio.run(next_words(chat, [HumanMessage("Is it?")], choices))


def test_one_token_is_asked_for_with_its_probabilities(server: Telling) -> None:
    server.tells({"Yes": -0.1, "No": -2.4})
    assert ask(server) == pytest.approx({"Yes": -0.1, "No": -2.4})
    [sent] = server.asked
    assert sent["logprobs"] is True
    assert (sent["top_logprobs"], sent["temperature"]) == (20, 0.0)
    assert sent.get("max_tokens", sent.get("max_completion_tokens")) == 1
    assert not sent.get("stream")


def test_case_blanks_and_beginnings_of_a_word_count_for_it(server: Telling) -> None:
    server.tells({" yes": math.log(0.4), "YES": math.log(0.2), "Ye": math.log(0.1), "no": math.log(0.2)})
    told = ask(server)
    assert math.exp(told["Yes"]) == pytest.approx(0.7)
    assert math.exp(told["No"]) == pytest.approx(0.2)


def test_a_longer_token_counts_for_the_choice_that_begins_it(server: Telling) -> None:
    server.tells({"Yes.": math.log(0.6), "Nope": math.log(0.3)})
    assert {word: round(math.exp(value), 3) for word, value in ask(server).items()} == {"Yes": 0.6, "No": 0.3}


def test_what_is_not_among_the_likeliest_gets_the_last_ones_probability(server: Telling) -> None:
    server.tells({"Yes": -0.01, "Perhaps": -5.0, "Hm": -7.5})
    assert ask(server)["No"] == pytest.approx(-7.5)


def test_the_token_that_was_written_is_not_counted_twice(server: Telling) -> None:
    server.tells({"No": math.log(0.5), "Yes": math.log(0.25)})
    assert math.exp(ask(server)["No"]) == pytest.approx(0.5)


def test_letters_and_ideographs_are_choices_as_well(server: Telling) -> None:
    server.tells({"B": -0.2, " A": -1.9, "C": -4.0})
    told = ask(server, ("A", "B", "C", "D"))
    assert max(told, key=lambda letter: told[letter]) == "B"
    assert told["D"] == pytest.approx(-4.0)
    server.tells({"是": -0.3, "否": -1.5})
    assert ask(server, ("是", "否")) == pytest.approx({"是": -0.3, "否": -1.5})


def test_a_blank_token_stands_for_nothing(server: Telling) -> None:
    server.tells({" ": math.log(0.9), "Yes": math.log(0.05)})
    assert math.exp(ask(server)["Yes"]) == pytest.approx(0.05)


def test_a_model_that_tells_nothing_gives_nothing(server: Telling) -> None:
    assert ask(server) == {}
    assert log_odds({}, *YES_NO) is None


def test_odds_are_the_difference_of_two_logarithms() -> None:
    assert log_odds({"Yes": -0.5, "No": -1.5}, "Yes", "No") == pytest.approx(1.0)
    assert log_odds({"Yes": -0.5}, "Yes", "No") is None


@pytest.mark.parametrize("choices", [(), ("Yes", ""), ("Yes", "  ")])
def test_choices_that_are_none_are_refused(server: Telling, choices: Sequence[str]) -> None:
    with pytest.raises(ValueError, match="choices"):
        ask(server, choices)
    assert server.asked == []


@pytest.mark.parametrize(("status", "error"), [(401, ModelRefused), (503, ModelNotReady), (500, ModelError)])
def test_failures_of_the_server_are_ours(server: Telling, status: int, error: type[ModelError]) -> None:
    server.status = status
    with pytest.raises(error):
        ask(server)
    assert len(server.asked) == 1
