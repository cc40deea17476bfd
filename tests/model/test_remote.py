from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from model.errors import ModelNotReady, ModelRefused, ServingFailed
from model.serving import Engine, RemoteEngine
from tests.model.fake_server import Script, misbehaving


@pytest.fixture
def server() -> Iterator[Script]:
    with misbehaving() as script:
        yield script


@pytest.fixture
def watch() -> Iterator[Callable[..., RemoteEngine]]:
    """Start remote engines that are stopped at the end."""
    started: list[RemoteEngine] = []

    def start(url: str, **options: str) -> RemoteEngine:
        remote = RemoteEngine(url, every_s=0.05, **options)
        started.append(remote)
        remote.start()
        return remote

    yield start
    for remote in started:
        remote.stop()


def until(remote: RemoteEngine, stage: str) -> None:
    deadline = time.monotonic() + 30
    while remote.state.stage != stage:
        assert time.monotonic() < deadline, remote.state
        time.sleep(0.02)


def test_it_is_ready_when_the_server_lists_the_model(server: Script, watch: Callable[..., RemoteEngine]) -> None:
    remote = watch(server.url, model_name="n", api_key="key")
    remote.wait_ready(30)
    assert remote.model_name == "n"
    assert server.asked[0][0] == "/v1/models"
    assert server.asked[0][1]["authorization"] == "Bearer key"
    assert remote.identity == {"model": "n", "checkpoint": "", "quantization": "", "engine": "remote 127.0.0.1"}


def test_without_a_name_it_takes_the_first(server: Script, watch: Callable[..., RemoteEngine]) -> None:
    remote = watch(server.url)
    remote.wait_ready(30)
    assert remote.model_name == "m"


def test_a_model_that_is_not_there_is_refused_and_the_others_are_named(
    server: Script, watch: Callable[..., RemoteEngine]
) -> None:
    remote = watch(server.url, model_name="other")
    with pytest.raises(ModelRefused, match="'other'") as caught:
        remote.wait_ready(30)
    assert "m, n" in caught.value.remedy


def test_a_wrong_key_is_refused_until_the_server_takes_it(server: Script, watch: Callable[..., RemoteEngine]) -> None:
    server.status = 401
    remote = watch(server.url, model_name="m")
    with pytest.raises(ModelRefused, match="refuses the key"):
        remote.wait_ready(30)
    server.status = 200
    until(remote, "ready")


def test_a_server_that_goes_and_comes_back_is_noticed(server: Script, watch: Callable[..., RemoteEngine]) -> None:
    remote = watch(server.url, model_name="m")
    until(remote, "ready")
    server.status = 503
    until(remote, "starting")
    server.status = 200
    until(remote, "ready")


def test_an_address_that_does_not_answer_is_not_ready_yet(watch: Callable[..., RemoteEngine]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        remote = watch(f"http://127.0.0.1:{free.getsockname()[1]}/v1", model_name="m")
        with pytest.raises(ModelNotReady):
            remote.wait_ready(0.5)
        assert remote.state.stage in {"waiting", "starting"}


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"data": 3}', b'{"data": [{"name": "x"}]}', b"\xff\xfe"])
def test_an_answer_that_is_no_list_of_models_is_refused(
    server: Script, watch: Callable[..., RemoteEngine], body: bytes
) -> None:
    server.body = body
    with pytest.raises(ServingFailed):
        watch(server.url, model_name="m").wait_ready(30)


def test_a_url_that_is_none_is_refused_not_raised(watch: Callable[..., RemoteEngine]) -> None:
    remote = watch("http://[", model_name="m")
    with pytest.raises((ModelNotReady, ServingFailed)):
        remote.wait_ready(1)


def test_stop_is_a_state_and_ends_the_probes(server: Script) -> None:
    remote = RemoteEngine(server.url, model_name="m", every_s=0.01)
    remote.start()
    remote.wait_ready(30)
    remote.stop()
    assert remote.state.stage == "stopped"
    asked = len(server.asked)
    time.sleep(0.1)
    assert len(server.asked) == asked
    with pytest.raises(ServingFailed, match="stopped"):
        remote.wait_ready(1)


def test_our_own_engine_is_a_remote_one_to_others(engine: Engine, watch: Callable[..., RemoteEngine]) -> None:
    remote = watch(engine.url, api_key=engine.api_key, model_name=engine.model_name)
    remote.wait_ready(30)
    stranger = watch(engine.url, api_key=json.dumps("guess"), model_name=engine.model_name)
    with pytest.raises(ModelRefused):
        stranger.wait_ready(30)
