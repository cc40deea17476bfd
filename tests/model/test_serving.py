"""The real vLLM with a tiny model: it answers, it dies, it comes back, and it leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain_core.messages import HumanMessage

from model import canary
from model._children import session_members
from model.allow_list import ALLOWED
from model.catalog import card
from model.client import chat_model, stream_text
from model.engine_state import EngineState
from model.errors import ModelInterrupted, ModelNotReady, PromptTooLong, ServingFailed, WeightsUnavailable
from model.serving import Engine
from tests.model.conftest import START_S, tiny_engine

SECRET = "zebra-quartz-waltz"


def until(condition: Callable[[], object], *, seconds: float = START_S) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


def ask(engine: Engine, question: str, *, max_tokens: int = 24, after_first: Callable[[], None] | None = None) -> str:
    """Ask and return the reply; `after_first` is called when its first piece is there."""

    async def collect() -> str:
        chat = chat_model(
            url=engine.url, api_key=engine.api_key, model=engine.model_name, max_tokens=max_tokens, timeout_s=120
        )
        reply = ""
        called = after_first
        async for piece in stream_text(chat, [HumanMessage(question)], extra_body={"ignore_eos": True}):
            reply += piece
            if called is not None:
                called, act = None, called
                act()
        return reply

    return asyncio.run(collect())


@pytest.mark.parametrize("question", ["Did revenue grow?", "收入增长了吗？"])
def test_it_answers_the_same_question_the_same(engine: Engine, question: str) -> None:
    reply = ask(engine, question)
    assert reply
    assert ask(engine, question) == reply


def test_it_says_what_it_is(engine: Engine) -> None:
    assert engine.state == EngineState("ready")
    assert engine.url.startswith("http://127.0.0.1:")
    assert engine.url.endswith("/v1")
    assert engine.identity["model"] == engine.model_name
    assert engine.identity["engine"].startswith("vllm")


def test_it_computes_in_int8(engine: Engine, tiny_int8: Path) -> None:
    log = engine._log_path.read_text(errors="replace")
    assert "CompressedTensorsW8A8Int8" in log
    assert json.loads((tiny_int8 / "config.json").read_text())["quantization_config"]["format"] == "int-quantized"


def test_it_computes_on_all_cores(engine: Engine) -> None:
    cores = ",".join(str(core) for core in sorted(os.sched_getaffinity(0)))
    assert f"VLLM_CPU_OMP_THREADS_BIND='{cores}'" in engine._log_path.read_text(errors="replace")


def test_a_prompt_that_is_too_long_is_told_and_the_next_is_answered(engine: Engine) -> None:
    with pytest.raises(PromptTooLong):
        ask(engine, "word " * 5000)
    assert ask(engine, "short")


def test_questions_and_the_key_are_not_in_the_log(engine: Engine) -> None:
    ask(engine, SECRET)
    with pytest.raises(PromptTooLong):
        ask(engine, SECRET * 3000)
    answer = httpx.post(f"{engine.url}/chat/completions", json={"x": SECRET}, headers=key(engine), trust_env=False)
    assert answer.status_code >= 400
    log = engine._log_path.read_text(errors="replace")
    assert SECRET not in log
    assert engine.api_key not in log


def key(engine: Engine) -> dict[str, str]:
    return {"Authorization": f"Bearer {engine.api_key}"}


def test_the_key_is_asked_for_and_on_no_command_line(engine: Engine) -> None:
    body = {"model": engine.model_name, "messages": [{"role": "user", "content": "?"}], "max_tokens": 1}
    url = f"{engine.url}/chat/completions"
    assert httpx.post(url, json=body, trust_env=False).status_code == 401
    assert httpx.post(url, json=body, headers=key(engine), trust_env=False, timeout=60).status_code == 200
    for pid in session_members(engine.session or 0):
        assert engine.api_key.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()


def routes(engine: Engine) -> set[tuple[str, str]]:
    """Every route of the running vLLM, as it lists them itself when it starts."""
    listed = re.findall(r"Route: (\S+), Methods: (.+)", engine._log_path.read_text(errors="replace"))
    return {(method.strip(), path) for path, methods in listed for method in methods.split(",")}


def test_of_all_routes_of_vllm_only_the_listed_ones_answer(engine: Engine) -> None:
    root = engine.url.removesuffix("/v1")
    walked = routes(engine) | {("GET", path) for path in ("/docs", "/redoc", "/openapi.json", "/")}
    assert len(walked) > 20, walked
    assert {("POST", "/invocations"), ("POST", "/tokenize"), ("POST", "/v1/responses")} <= walked
    with httpx.Client(trust_env=False, timeout=60) as client:
        for method, path in sorted(walked | ALLOWED):
            place = root + re.sub(r"\{[^}]*\}", "x", path)
            with_key = client.request(method, place, headers=key(engine), json={} if method == "POST" else None)
            without = client.request(method, place, json={} if method == "POST" else None)
            if (method, path) in ALLOWED:
                assert with_key.status_code in {200, 400}, (method, path, with_key.text)
                assert without.status_code == (401 if path.startswith("/v1") else 200), (method, path)
            else:
                assert [with_key.status_code, without.status_code] == [404, 404], (method, path)
                assert with_key.json()["error"]["code"] == "no_such_route"


def test_without_the_gate_the_model_would_be_open_to_whoever_has_no_key(engine: Engine) -> None:
    """The other side: what the gate closes is reachable in vLLM itself, which guards /v1 alone."""
    unguarded = {path for _, path in routes(engine) - ALLOWED if not path.startswith(("/v1", "/v2", "/inference"))}
    assert {"/invocations", "/tokenize", "/generative_scoring"} & unguarded


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 100},
        {"chat_template": "{% for i in range(10**9) %}{% endfor %}"},
        {"structured_outputs": {"regex": "((a{1000}){1000}){1000}"}},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://127.0.0.1"}}]}]},
        {"vllm_xargs": {"x": 1}},
    ],
)
def test_what_asks_for_too_much_is_refused_and_the_next_is_answered(engine: Engine, fields: dict[str, Any]) -> None:
    body = {"model": engine.model_name, "messages": [{"role": "user", "content": "?"}], "max_tokens": 1}
    url = f"{engine.url}/chat/completions"
    with httpx.Client(trust_env=False, timeout=60, headers=key(engine)) as client:
        refused = client.post(url, json=body | fields)
        assert refused.status_code == 400
        assert refused.json()["error"]["code"] == "limit_exceeded"
        assert client.post(url, json=body).status_code == 200


@pytest.mark.parametrize(
    ("constraint", "pattern"),
    [
        ({"regex": r"[0-9]{4}-[0-9]{2}"}, r"[0-9]{4}-[0-9]{2}"),
        ({"choice": ["supported", "contradicted"]}, "supported|contradicted"),
        ({"grammar": 'root ::= "SELECT " [a-c] ";"'}, "SELECT [a-c];"),
        ({"json": {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]}}, r"\{.*"),
    ],
)
def test_what_is_within_the_limits_constrains_the_reply(
    engine: Engine, constraint: dict[str, Any], pattern: str
) -> None:
    body = {"model": engine.model_name, "prompt": "The year", "max_tokens": 40, "structured_outputs": constraint}
    reply = httpx.post(f"{engine.url}/completions", json=body, headers=key(engine), trust_env=False, timeout=120)
    assert reply.status_code == 200, reply.text
    assert re.match(pattern, reply.json()["choices"][0]["text"])


def test_it_batches_continuously_reads_in_chunks_and_reuses_prefixes(engine: Engine) -> None:
    log = engine._log_path.read_text(errors="replace")
    assert "enable_prefix_caching=True" in log
    assert "enable_chunked_prefill=True" in log
    metrics = httpx.get(f"{engine.url.removesuffix('/v1')}/metrics", trust_env=False).text
    before = hits(metrics)
    prompt = "Every claim is checked against the passage that it cites. " * 20
    for _ in range(2):
        ask(engine, prompt, max_tokens=1)
    assert hits(httpx.get(f"{engine.url.removesuffix('/v1')}/metrics", trust_env=False).text) > before


def hits(metrics: str) -> float:
    return float(re.findall(r"^vllm:prefix_cache_hits_total\{.*\} (\S+)$", metrics, re.MULTILINE)[0])


def test_the_canary_was_asked_before_it_was_ready(engine: Engine, tiny_int8: Path) -> None:
    lines = canary.read(tiny_int8)
    reply = httpx.post(
        f"{engine.url}/completions",
        json=canary.request(engine.model_name, lines),
        headers=key(engine),
        trust_env=False,
        timeout=120,
    ).json()
    drift, agreement = canary.compare(lines, reply)
    assert drift < canary.DRIFT / 4
    assert agreement > canary.AGREEMENT


def test_it_listens_on_loopback_alone(engine: Engine) -> None:
    port = int(engine.url.removesuffix("/v1").rpartition(":")[2])
    lines = [line.split() for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()]
    listening = [fields[1].partition(":") for fields in lines if fields[3] == "0A"]
    assert [address for address, _, number in listening if int(number, 16) == port] == ["0100007F"]


def test_all_its_processes_are_in_one_session(engine: Engine) -> None:
    names = [Path(f"/proc/{pid}/comm").read_text().strip() for pid in session_members(engine.session or 0)]
    assert any("EngineCor" in name for name in names), names
    assert any("Worker" in name for name in names), names


@pytest.mark.parametrize("victim", ["VLLM::Worker", "vllm.entrypoints.openai.api_server"])
def test_killed_in_the_middle_of_a_reply_it_is_told_and_comes_back(engine: Engine, victim: str) -> None:
    engine.wait_ready(START_S)
    session = engine.session or 0
    # the warden, which leads the session, has vLLM's command among its own arguments
    pids = [pid for pid in session_members(session) if pid != session and victim in command(pid)]
    with pytest.raises(ModelInterrupted):
        ask(engine, "Go on and on.", max_tokens=1900, after_first=lambda: os.kill(pids[0], signal.SIGKILL))
    until(lambda: engine.state.stage != "ready", seconds=60)
    assert engine.state.stage == "starting"
    with pytest.raises(ModelNotReady):
        engine.wait_ready(0)
    engine.wait_ready(START_S)
    assert session_members(session) == []
    assert ask(engine, "And now?")


def comm(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def command(pid: int) -> str:
    """Return what a process was started with, or what it calls itself by now."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


PARENT = """
import sys, time
from pathlib import Path
import structlog
from model.catalog import card
from model.serving import Engine
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
engine = Engine(card(sys.argv[1]), Path(sys.argv[2]), offline=True, context_tokens=512, kv_cache_gb=0.0625, threads=1,
                log_path=Path(sys.argv[2]) / "engine.log", checkpoint=Path(sys.argv[3]))
engine.start()
while engine.session is None:
    time.sleep(0.01)
print(engine.session, flush=True)
time.sleep(600)
"""


def test_when_we_are_killed_vllm_ends_with_all_its_processes(tiny_checkpoint: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, "qwen2.5-coder-0.5b-instruct", str(tmp_path), str(tiny_checkpoint)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        session = int((parent.stdout.readline() if parent.stdout else "") or 0)
        until(lambda: any("EngineCor" in comm(pid) for pid in session_members(session)))
        parent.kill()
    until(lambda: session_members(session) == [], seconds=60)


def test_stop_while_it_starts_leaves_nothing(tiny_checkpoint: Path, tmp_path: Path) -> None:
    engine = tiny_engine(tiny_checkpoint, tmp_path)
    engine.start()
    until(lambda: engine.session and len(session_members(engine.session)) >= 2)
    session = engine.session or 0
    engine.stop()
    assert session_members(session) == []
    assert engine.state == EngineState("stopped")
    with pytest.raises(ServingFailed, match="stopped"):
        engine.wait_ready(1)


def test_stop_before_start_and_twice_is_no_error(tiny_checkpoint: Path, tmp_path: Path) -> None:
    engine = tiny_engine(tiny_checkpoint, tmp_path)
    engine.stop()
    engine.stop()
    assert engine.state.stage == "stopped"


def test_a_port_that_is_taken_is_a_clear_error(tiny_checkpoint: Path, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        engine = Engine(
            card("qwen2.5-coder-0.5b-instruct"),
            tmp_path,
            offline=True,
            context_tokens=512,
            kv_cache_gb=0.0625,
            threads=0,
            log_path=tmp_path / "engine.log",
            port=port,
            checkpoint=tiny_checkpoint,
        )
        engine.start()
        with pytest.raises(ServingFailed, match=f"Port {port} of the model server is taken"):
            engine.wait_ready(60)
        engine.stop()


def test_a_checkpoint_that_vllm_cannot_load_fails_with_its_reason(tiny_checkpoint: Path, tmp_path: Path) -> None:
    broken = Path(shutil.copytree(tiny_checkpoint, tmp_path / "broken"))
    config = json.loads((broken / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps({**config, "architectures": ["NoSuchModel"], "model_type": "none"}))
    engine = tiny_engine(broken, tmp_path)
    engine.start()
    with pytest.raises(ServingFailed, match=r"did not start: .*model type"):
        engine.wait_ready(START_S)
    assert engine.state.stage == "failed"
    assert engine.state.error is not None
    engine.stop()


def test_without_weights_it_fails_with_what_to_put_where(tmp_path: Path) -> None:
    engine = Engine(
        card("qwen2.5-coder-0.5b-instruct"),
        tmp_path / "models",
        offline=True,
        context_tokens=512,
        kv_cache_gb=1,
        threads=0,
        log_path=tmp_path / "engine.log",
    )
    assert engine.state.stage == "waiting"
    engine.start()
    with pytest.raises(WeightsUnavailable) as caught:
        engine.wait_ready(60)
    assert card("qwen2.5-coder-0.5b-instruct").files[0].sha256 in caught.value.remedy
    assert engine.state.stage == "failed"
    engine.stop()
