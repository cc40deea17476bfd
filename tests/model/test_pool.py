"""Several servers of one model: who is asked, who is left out and taken in again, and what the caller notices."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage

from model.client import chat_model, stream_text
from model.engine_state import EngineState
from model.errors import ModelInterrupted, ModelNotReady, ModelRefused, PromptTooLong, ServingFailed
from model.pool import Member, Pool
from model.remote import RemoteEngine
from tests.model.fake_server import Script, misbehaving

REPLY = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "usage": None}


@dataclass
class Server:
    """A served model at an address, in the state that the test gave it."""

    url: str = "http://127.0.0.1:9/v1"
    state: EngineState = field(default_factory=lambda: EngineState("ready"))
    api_key: str = "k"
    model_name: str = "m"
    context_tokens: int = 8192
    stopped: int = 0

    @property
    def identity(self) -> dict[str, str]:
        return {"model": self.model_name, "checkpoint": "", "quantization": "", "engine": f"remote {self.url}"}

    def chat(self, *, max_tokens: int, timeout_s: float) -> BaseChatModel:
        return chat_model(url=self.url, api_key="k", model="m", max_tokens=max_tokens, timeout_s=timeout_s)

    def start(self) -> None:
        pass

    def wait_ready(self, timeout_s: float) -> None:
        if self.state.error is not None:
            raise self.state.error
        if self.state.stage != "ready":
            raise ModelNotReady("Not yet.", remedy="Wait.", stage=self.state.stage)

    def stop(self) -> None:
        self.stopped += 1


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def first() -> Iterator[Script]:
    with misbehaving() as script:
        script.pieces = ["from ", "the first"]
        yield script


@pytest.fixture
def second() -> Iterator[Script]:
    with misbehaving() as script:
        script.pieces = ["from ", "the second"]
        yield script


def ask(pool: Pool, *, timeout_s: float = 20.0, **kwargs: Any) -> str:
    async def collect() -> str:
        chat = pool.chat(max_tokens=16, timeout_s=timeout_s)
        return "".join([piece async for piece in stream_text(chat, [HumanMessage("?")], **kwargs)])

    return asyncio.run(collect())


def unused_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/v1"


# who is asked


def test_the_least_loaded_is_asked_and_what_is_counted_ends() -> None:
    servers = [Server("http://a/v1"), Server("http://b/v1"), Server("http://c/v1")]
    pool = Pool(servers)
    with contextlib.ExitStack() as stack:
        asked = [stack.enter_context(pool.request()) for _ in range(7)]
        assert [asked.count(member) for member in {id(m): m for m in asked}.values()] == [3, 2, 2]
        assert sum(member.outstanding for member in {id(m): m for m in asked}.values()) == 7
    assert {member.outstanding for member in asked} == {0}


def test_equally_loaded_ones_take_turns() -> None:
    pool = Pool([Server("http://a/v1"), Server("http://b/v1"), Server("http://c/v1")])
    turns = []
    for _ in range(6):
        with pool.request() as member:
            turns.append(member.engine.url)
    assert turns == ["http://a/v1", "http://b/v1", "http://c/v1"] * 2


def test_one_that_is_slow_gets_fewer_requests() -> None:
    pool = Pool([Server("http://slow/v1"), Server("http://quick/v1")])
    with pool.request() as slow:
        for _ in range(5):
            with pool.request() as member:
                assert member is not slow


def test_counting_is_right_between_threads() -> None:
    pool = Pool([Server(), Server()])
    seen: set[int] = set()

    def many() -> None:
        for _ in range(500):
            with pool.request() as member:
                seen.add(member.outstanding)

    threads = [threading.Thread(target=many) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(seen) <= 8
    with pool.request() as member, pool.request() as other:
        assert {member.outstanding, other.outstanding} == {1}


def test_one_that_is_not_ready_is_not_asked() -> None:
    pool = Pool([Server(state=EngineState("starting")), Server("http://b/v1")])
    for _ in range(3):
        with pool.request() as member:
            assert member.engine.url == "http://b/v1"


def test_none_that_is_ready_is_told_as_not_ready() -> None:
    pool = Pool([Server(state=EngineState("starting", "loading")), Server(state=EngineState("starting"))])
    with pytest.raises(ModelNotReady, match="None of 2 model servers is ready: loading"), pool.request():
        pass


def test_when_all_have_failed_the_reason_is_told() -> None:
    failed = EngineState("failed", error=ModelRefused("The model server refuses the key.", remedy="Set the key."))
    pool = Pool([Server(state=failed), Server(state=failed)])
    with pytest.raises(ModelRefused, match="refuses the key"), pool.request():
        pass


def test_no_server_at_all_is_no_pool() -> None:
    with pytest.raises(ServingFailed):
        Pool([])


# back-off


def fail(pool: Pool, error: Exception, *, besides: tuple[Member, ...] = ()) -> Member:
    chosen: list[Member] = []
    with contextlib.suppress(type(error)), pool.request(besides=besides) as member:
        chosen.append(member)
        raise error
    return chosen[0]


def test_one_that_failed_rests_longer_each_time_and_is_taken_in_again() -> None:
    clock = Clock()
    pool = Pool([Server("http://a/v1"), Server("http://b/v1")], clock=clock)
    broken = ModelInterrupted("It broke off.", remedy="Again.")
    bad = fail(pool, broken)
    (good,) = (member for member in pool._members if member is not bad)
    for rest in (1, 2, 4, 8, 16, 32, 60, 60):
        clock.now += rest - 0.5
        with pool.request() as one, pool.request() as other:  # rather two to the good one than one to the bad one
            assert (one, other) == (good, good)
        clock.now += 0.5
        assert fail(pool, broken) is bad  # it was used least of late, so it is tried first
    clock.now += 60
    with pool.request() as one, pool.request() as other:
        assert bad in (one, other)
    assert bad.failures == 0


def test_refusals_are_no_reason_to_rest() -> None:
    pool = Pool([Server("http://a/v1")])
    for error in (ModelRefused("No.", remedy=""), PromptTooLong("Too long.", remedy="")):
        assert fail(pool, error).failures == 0


def test_when_all_rest_the_one_that_wakes_first_is_asked() -> None:
    clock = Clock()
    pool = Pool([Server("http://a/v1"), Server("http://b/v1")], clock=clock)
    broken = ModelInterrupted("It broke off.", remedy="Again.")
    first = fail(pool, broken)
    clock.now += 0.5
    fail(pool, broken)
    with pool.request() as member:
        assert member is first


# what the caller notices


def test_both_answer_in_turn(first: Script, second: Script) -> None:
    pool = Pool([Server(first.url), Server(second.url)])
    assert {ask(pool), ask(pool)} == {"from the first", "from the second"}


def test_a_server_that_is_down_is_not_noticed(second: Script) -> None:
    pool = Pool([Server(unused_address()), Server(second.url)])
    assert [ask(pool) for _ in range(3)] == ["from the second"] * 3
    assert len(second.asked) == 3


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_that_fails_before_its_first_word_is_not_noticed(first: Script, second: Script, status: int) -> None:
    first.status = status
    pool = Pool([Server(first.url), Server(second.url)])
    assert ask(pool) == "from the second"
    assert len(first.asked) == 1


def test_a_stream_that_ends_before_its_first_word_is_not_noticed(first: Script, second: Script) -> None:
    first.pieces, first.finish, first.done = [""], None, False
    pool = Pool([Server(first.url), Server(second.url)])
    first.silence = threading.Event()
    assert ask(pool, timeout_s=1.0) == "from the second"


def test_one_that_breaks_off_in_the_middle_is_noticed(first: Script, second: Script) -> None:
    first.finish, first.done, first.silence = None, False, threading.Event()
    pool = Pool([Server(first.url), Server(second.url)])
    with pytest.raises(ModelInterrupted):
        ask(pool, timeout_s=1.0)
    assert second.asked == []


def test_a_request_goes_to_one_other_server_and_no_further(first: Script, second: Script) -> None:
    first.status = second.status = 500
    with misbehaving() as third:
        pool = Pool([Server(first.url), Server(second.url), Server(third.url)])
        with pytest.raises(ModelInterrupted):
            ask(pool)
        assert third.asked == []
    assert len(first.asked) == len(second.asked) == 1


def test_alone_it_fails_with_its_own_reason(first: Script) -> None:
    first.status = 500
    with pytest.raises(ModelInterrupted, match="status 500"):
        ask(Pool([Server(first.url)]))


def test_what_is_refused_is_not_asked_elsewhere(first: Script, second: Script) -> None:
    first.status = 400
    pool = Pool([Server(first.url), Server(second.url)])
    with pytest.raises(ModelRefused):
        ask(pool)
    assert second.asked == []


def test_whoever_leaves_early_is_counted_out(first: Script) -> None:
    pool = Pool([Server(first.url)])

    async def leave() -> None:
        pieces = stream_text(pool.chat(max_tokens=16, timeout_s=20), [HumanMessage("?")])
        assert await anext(pieces)
        await pieces.aclose()  # type: ignore[attr-defined]

    asyncio.run(leave())
    with pool.request() as member:
        assert (member.outstanding, member.failures) == (1, 0)


def test_what_is_bound_to_the_request_arrives(second: Script) -> None:
    ask(Pool([Server(second.url)]), stop=["END"])
    assert json.loads(second.asked[0][2])["stop"] == ["END"]


def test_a_whole_reply_is_had_from_another_as_well(first: Script, second: Script) -> None:
    first.status, second.pieces = 503, []
    message = {"role": "assistant", "content": "from the second"}
    second.body = json.dumps(REPLY | {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).encode()
    pool = Pool([Server(first.url), Server(second.url)])
    assert pool.chat(max_tokens=16, timeout_s=20).invoke([HumanMessage("?")]).content == "from the second"
    second.status = 400
    with pytest.raises(ModelRefused):
        pool.chat(max_tokens=16, timeout_s=20).invoke([HumanMessage("?")])


# as one served model


def test_it_is_as_far_as_its_best_server() -> None:
    servers = [Server(state=EngineState("failed")), Server(state=EngineState("starting", "loading"))]
    pool = Pool(servers)
    assert pool.state.stage == "starting"
    servers[0].state = EngineState("ready")
    assert pool.state.stage == "ready"
    pool.wait_ready(0)


def test_its_context_is_the_shortest_and_its_identity_says_how_many() -> None:
    pool = Pool([Server(context_tokens=8192), Server(context_tokens=4096)])
    assert pool.context_tokens == 4096
    assert pool.identity["engine"].endswith(" of 2")
    assert (pool.model_name, pool.api_key) == ("m", "k")


def test_waiting_ends_with_the_first_that_is_ready_or_with_time() -> None:
    servers = [Server(state=EngineState("starting")), Server(state=EngineState("starting"))]
    pool = Pool(servers)
    with pytest.raises(ModelNotReady):
        pool.wait_ready(0.1)
    threading.Timer(0.1, lambda: setattr(servers[1], "state", EngineState("ready"))).start()
    pool.wait_ready(30)


def test_waiting_for_servers_that_all_failed_ends_at_once() -> None:
    failed = EngineState("failed", error=ModelRefused("The model server refuses the key.", remedy="Set the key."))
    with pytest.raises(ModelRefused):
        Pool([Server(state=failed)]).wait_ready(60)


def test_stopping_stops_all() -> None:
    servers = [Server(), Server()]
    Pool(servers).stop()
    assert [server.stopped for server in servers] == [1, 1]


def test_real_probes_leave_a_dead_server_out_and_take_it_in_again(first: Script, second: Script) -> None:
    first.pieces = second.pieces = []
    first.status = 503
    pool = Pool([RemoteEngine(script.url, model_name="m", every_s=0.05) for script in (first, second)])
    pool.start()
    try:
        pool.wait_ready(30)
        with pool.request() as member:
            assert member.engine.url == second.url
        first.status = 200
        end = time.monotonic() + 30
        while {member.engine.state.stage for member in pool._members} != {"ready"}:
            assert time.monotonic() < end
            time.sleep(0.02)
        with pool.request() as one, pool.request() as other:
            assert {one.engine.url, other.engine.url} == {first.url, second.url}
    finally:
        pool.stop()
    assert pool.state.stage == "stopped"
