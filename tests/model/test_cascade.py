"""A small model first and a large one when it is unsure: which of them answers, and what it costs when one is down."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from model.cascade import Cascade, Doubt
from model.client import stream_text
from model.engine_state import EngineState
from model.errors import ModelInterrupted, ModelNotReady, ModelRefused, PromptTooLong
from tests.model.fake_server import Script, misbehaving
from tests.model.test_pool import REPLY, Server, unused_address

SURE, UNSURE = -0.1, -2.0


def says_not_found(text: str) -> bool:
    return text.strip().startswith("NOT_FOUND")


DOUBT = Doubt(threshold=-0.7, abstains=says_not_found)


@pytest.fixture
def small() -> Iterator[Script]:
    with misbehaving() as script:
        script.pieces, script.logprob = ["a small", " answer"], SURE
        yield script


@pytest.fixture
def large() -> Iterator[Script]:
    with misbehaving() as script:
        script.pieces = ["a large", " answer"]
        yield script


def cascade(small: Script | str, large: Script | str, doubt: Doubt = DOUBT) -> Cascade:
    addresses = [place if isinstance(place, str) else place.url for place in (small, large)]
    return Cascade(Server(addresses[0]), Server(addresses[1]), doubt)


def ask(both: Cascade, **kwargs: Any) -> str:
    async def collect() -> str:
        chat = both.chat(max_tokens=16, timeout_s=20.0)
        return "".join([piece async for piece in stream_text(chat, [HumanMessage("?")], **kwargs)])

    return asyncio.run(collect())


def test_a_sure_answer_is_the_small_models_and_the_large_one_is_not_asked(small: Script, large: Script) -> None:
    assert ask(cascade(small, large)) == "a small answer"
    assert large.asked == []
    assert json.loads(small.asked[0][2])["logprobs"] is True


def test_an_unsure_answer_is_the_large_models(small: Script, large: Script) -> None:
    small.logprob = UNSURE
    assert ask(cascade(small, large)) == "a large answer"
    assert "logprobs" not in json.loads(large.asked[0][2])
    assert json.loads(large.asked[0][2])["messages"] == json.loads(small.asked[0][2])["messages"]


def test_an_abstention_goes_to_the_large_model_however_sure_it_is(small: Script, large: Script) -> None:
    small.pieces = [" NOT", "_FOUND: nothing"]
    assert ask(cascade(small, large)) == "a large answer"
    small.pieces = ["It is NOT_FOUND in the list."]
    assert ask(cascade(small, large)) == "It is NOT_FOUND in the list."


def test_either_condition_can_be_left_out(small: Script, large: Script) -> None:
    small.logprob = UNSURE
    assert ask(cascade(small, large, Doubt(abstains=says_not_found))) == "a small answer"
    small.pieces = ["NOT_FOUND"]
    assert ask(cascade(small, large, Doubt(threshold=-9.0))) == "NOT_FOUND"
    assert large.asked == []


def test_a_reply_that_nobody_scored_is_unsure_when_there_is_a_threshold(small: Script, large: Script) -> None:
    small.logprob = None
    assert ask(cascade(small, large)) == "a large answer"
    assert ask(cascade(small, large, Doubt(abstains=says_not_found))) == "a small answer"


@pytest.mark.parametrize(
    ("text", "logprobs", "why"),
    [
        ("yes", [-0.7], ""),
        ("yes", [-0.71], "unlikely"),
        ("yes", [-0.1, -1.2], ""),
        ("yes", [-0.1, -1.4], "unlikely"),
        ("yes", [], "unscored"),
        ("\n NOT_FOUND", [-0.1], "abstains"),
        ("yes", [math.nan], ""),
    ],
)
def test_doubt_is_a_mean_against_a_threshold(text: str, logprobs: list[float], why: str) -> None:
    assert DOUBT.of(text, logprobs) == why


def test_without_conditions_there_is_no_doubt() -> None:
    assert Doubt().of("NOT_FOUND", []) == ""


# when one of them is down


def test_a_large_model_that_is_down_leaves_the_small_ones_answer(small: Script) -> None:
    small.logprob = UNSURE
    assert ask(cascade(small, unused_address())) == "a small answer"


@pytest.mark.parametrize("status", [400, 500, 503])
def test_so_does_one_that_refuses_or_fails(small: Script, large: Script, status: int) -> None:
    small.logprob, large.status = UNSURE, status
    assert ask(cascade(small, large)) == "a small answer"


def test_a_small_model_that_is_down_is_not_noticed(large: Script) -> None:
    assert ask(cascade(unused_address(), large)) == "a large answer"


def test_nor_is_one_that_breaks_off_politely(small: Script, large: Script) -> None:
    small.finish = None
    assert ask(cascade(small, large)) == "a large answer"


def test_when_both_are_down_it_is_told() -> None:
    with pytest.raises(ModelNotReady):
        ask(cascade(unused_address(), unused_address()))


def test_what_the_small_model_refuses_is_told_and_not_asked_elsewhere(small: Script, large: Script) -> None:
    small.status = 401
    with pytest.raises(ModelRefused):
        ask(cascade(small, large))
    small.status = 400
    small.body = json.dumps({"error": {"message": "maximum context length is 10", "code": 400}}).encode()
    with pytest.raises(PromptTooLong):
        ask(cascade(small, large))
    assert large.asked == []


def test_a_large_model_that_breaks_off_in_the_middle_is_told(small: Script, large: Script) -> None:
    small.logprob, large.finish = UNSURE, None
    with pytest.raises(ModelInterrupted):
        ask(cascade(small, large))


# whole replies


def whole(text: str, logprob: float) -> bytes:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "finish_reason": "stop",
        "logprobs": {"content": [{"token": text, "logprob": logprob, "top_logprobs": []}]},
    }
    return json.dumps(REPLY | {"choices": [choice]}).encode()


def test_a_reply_that_is_not_streamed_is_decided_in_the_same_way(small: Script, large: Script) -> None:
    small.pieces = large.pieces = []
    small.body, large.body = whole("small", SURE), whole("large", SURE)
    chat = cascade(small, large).chat(max_tokens=16, timeout_s=20.0)
    assert chat.invoke([HumanMessage("?")]).content == "small"
    small.body = whole("small", UNSURE)
    assert chat.invoke([HumanMessage("?")]).content == "large"
    large.status = 500
    assert chat.invoke([HumanMessage("?")]).content == "small"
    small.status = 503
    with pytest.raises(ModelInterrupted):
        chat.invoke([HumanMessage("?")])


# as one served model


def test_it_is_ready_when_either_can_answer() -> None:
    both = cascade("http://a/v1", "http://b/v1")
    assert both.state.stage == "ready"
    both.small.state = EngineState("starting", "loading")  # type: ignore[misc]
    assert both.state.stage == "ready"
    both.wait_ready(0)
    both.large.state = EngineState("failed")  # type: ignore[misc]
    assert both.state == EngineState("starting", "loading")
    with pytest.raises(ModelNotReady):
        both.wait_ready(0)


def test_its_identity_names_both_and_its_context_is_the_shorter() -> None:
    both = Cascade(Server(context_tokens=8192), Server(model_name="large", context_tokens=4096), DOUBT)
    assert both.identity["model"] == "m; if unsure large"
    assert both.identity["checkpoint"] == "; if unsure unknown"
    assert both.context_tokens == 4096
    both.stop()
    assert both.small.stopped == both.large.stopped == 1  # type: ignore[attr-defined]
