"""What a caller meets when a model server behaves, and in each way in which it may not."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage

from model.client import chat_model, stream_text
from model.errors import ModelError, ModelInterrupted, ModelNotReady, ModelRefused, PromptTooLong
from tests.model.fake_server import Script, misbehaving

QUESTION = "the secret question"


@pytest.fixture
def server() -> Iterator[Script]:
    with misbehaving() as script:
        yield script


def ask(url: str, *, timeout_s: float = 20.0) -> list[str]:
    """Ask, in an event loop of its own, and return the pieces."""

    async def collect() -> list[str]:
        chat = chat_model(url=url, api_key="k", model="m", max_tokens=16, timeout_s=timeout_s)
        return [piece async for piece in stream_text(chat, [HumanMessage(QUESTION)])]

    return asyncio.run(collect())


def test_pieces_come_in_order_and_the_request_says_what_was_asked(server: Script) -> None:
    server.pieces = ["Net ", "", "净收入", "."]
    assert ask(server.url) == ["Net ", "净收入", "."]
    path, headers, body = server.asked[0]
    sent = json.loads(body)
    assert path == "/v1/chat/completions"
    assert headers["authorization"] == "Bearer k"
    assert sent["messages"] == [{"role": "user", "content": QUESTION}]
    assert (sent["model"], sent["temperature"], sent["seed"], sent["stream"]) == ("m", 0.0, 0, True)
    assert sent.get("max_completion_tokens", sent.get("max_tokens")) == 16
    assert sent["stream_options"] == {"include_usage": True}


def test_a_question_is_asked_once(server: Script) -> None:
    server.status = 500
    with pytest.raises(ModelInterrupted):
        ask(server.url)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [
        *((status, ModelRefused) for status in (400, 401, 404, 422)),
        *((status, ModelNotReady) for status in (502, 503, 504)),
        (500, ModelInterrupted),
    ],
)
def test_each_status_has_its_error_and_nothing_is_quoted(server: Script, status: int, error: type[ModelError]) -> None:
    server.status = status
    server.body = json.dumps({"error": {"message": f"bad: {QUESTION}", "type": "x", "code": status}}).encode()
    with pytest.raises(error) as caught:
        ask(server.url)
    assert type(caught.value) is error
    assert QUESTION not in caught.value.message + caught.value.remedy


def test_a_prompt_that_is_too_long_has_an_error_of_its_own(server: Script) -> None:
    server.status = 400
    message = "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens"
    server.body = json.dumps({"error": {"message": message, "type": "BadRequestError", "code": 400}}).encode()
    with pytest.raises(PromptTooLong, match="longer than the model can read"):
        ask(server.url)


def test_no_server_means_not_ready() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        with pytest.raises(ModelNotReady) as caught:
            ask(url)
    assert caught.value.stage == "starting"


def test_a_reply_that_just_stops_is_interrupted(server: Script) -> None:
    server.pieces, server.finish, server.done = ["half a"], None, False
    with pytest.raises(ModelInterrupted, match="without an end"):
        ask(server.url)


def test_a_reply_that_stalls_is_interrupted(server: Script) -> None:
    server.pieces, server.silence = ["half a"], threading.Event()
    with pytest.raises(ModelInterrupted):
        ask(server.url, timeout_s=0.5)
    server.silence.set()


def test_a_reply_that_is_no_json_is_interrupted(server: Script) -> None:
    server.body = b"<html>a login page</html>"
    with pytest.raises(ModelError):
        ask(server.url)


def test_an_error_in_the_stream_is_interrupted(server: Script) -> None:
    server.pieces, server.finish, server.done = ["half a"], None, False

    async def collect() -> None:
        chat = chat_model(url=server.url, api_key="k", model="m", max_tokens=16, timeout_s=20)
        async for piece in stream_text(chat, [HumanMessage(QUESTION)]):
            assert piece == "half a"

    with pytest.raises(ModelInterrupted):
        asyncio.run(collect())


def test_any_chat_model_will_do() -> None:
    chat = GenericFakeChatModel(messages=iter([AIMessage("one two three")]))

    async def collect() -> str:
        return "".join([piece async for piece in stream_text(chat, [HumanMessage(QUESTION)])])

    assert asyncio.run(collect()) == "one two three"


def test_an_error_of_any_chat_model_becomes_ours() -> None:
    chat = GenericFakeChatModel(messages=iter([]))  # StopIteration: as foreign as it gets

    async def collect() -> None:
        async for _ in stream_text(chat, [HumanMessage(QUESTION)]):
            pass

    with pytest.raises(ModelInterrupted):
        asyncio.run(collect())


def test_leaving_early_is_no_error(server: Script) -> None:
    server.pieces = ["a", "b", "c"]

    async def first() -> str:
        chat = chat_model(url=server.url, api_key="k", model="m", max_tokens=16, timeout_s=20)
        pieces = stream_text(chat, [HumanMessage(QUESTION)])
        async for piece in pieces:
            return piece
        return ""

    assert asyncio.run(first()) == "a"


def test_a_proxy_of_the_environment_does_not_get_what_is_for_this_machine(
    server: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    with misbehaving() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url.removesuffix("/v1"))
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        server.pieces = ["direct"]
        assert ask(server.url) == ["direct"]
        assert proxy.asked == []


TRACED = """
import asyncio, sys
from langchain_core.messages import HumanMessage
from langchain_core.tracers.langchain import wait_for_all_tracers
from model.client import chat_model, stream_text
async def main():
    chat = chat_model(url=sys.argv[1], api_key="k", model="m", max_tokens=16, timeout_s=20)
    if sys.argv[2] == "ours":
        print([piece async for piece in stream_text(chat, [HumanMessage("q")])])
    else:
        print([chunk.content async for chunk in chat.astream([HumanMessage("q")])])
asyncio.run(main())
wait_for_all_tracers()
"""


@pytest.mark.parametrize(("way", "traced"), [("ours", False), ("langchain's own", True)])
def test_tracing_is_off_even_when_the_environment_switches_it_on(
    server: Script, monkeypatch: pytest.MonkeyPatch, way: str, *, traced: bool
) -> None:
    """The second case shows that the first could fail."""
    with misbehaving() as spy:
        spy.status = 202
        monkeypatch.setenv("LANGSMITH_TRACING", "true")
        monkeypatch.setenv("LANGSMITH_API_KEY", "x")
        monkeypatch.setenv("LANGSMITH_ENDPOINT", spy.url)
        server.pieces = ["hi"]
        done = subprocess.run(
            [sys.executable, "-c", TRACED, server.url, way], capture_output=True, text=True, check=True
        )
        assert "hi" in done.stdout
        assert bool(spy.asked) == traced


def test_importing_the_client_loads_no_heavy_library() -> None:
    code = (
        "import model.client, sys; print([n for n in ('torch', 'vllm', 'transformers', 'openai') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
