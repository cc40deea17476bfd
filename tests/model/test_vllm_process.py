"""The command line and the environment that vLLM is started with: on a CPU, a GPU, several, several hosts."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from model._restarts import Restarts
from model._vllm_process import VllmOptions, VllmProcess, _command, _environment
from model.errors import ServingFailed
from model.plan import Parallel
from tests.model.fake_server import misbehaving

CPU = VllmOptions(
    checkpoint=Path("/models/m"),
    model_name="m",
    port=8001,
    api_key="a secret key",
    context_tokens=4096,
    kv_cache_gb=0.5,
    threads=2,
    gpu=False,
    log_path=Path("/logs/vllm.log"),
    sequences=3,
    batch_tokens=2048,
)
GPU = dataclasses.replace(CPU, gpu=True, kv_cache_gb=0)


def options_of(given: VllmOptions) -> dict[str, str]:
    """The command line as option and value; an option without a value has the value ""."""
    command = _command(given)
    assert command[1:3] == ["-m", "vllm.entrypoints.openai.api_server"]
    found: dict[str, str] = {}
    for word in command[3:]:
        if word.startswith("--"):
            found[word] = ""
        else:
            found[list(found)[-1]] = word
    return found


def test_a_cpu_gets_what_was_planned() -> None:
    found = options_of(CPU)
    assert found["--max-model-len"] == "4096"
    assert found["--max-num-seqs"] == "3"
    assert found["--max-num-batched-tokens"] == "2048"
    assert found["--kv-cache-memory-bytes"] == str(1 << 29)
    assert "--enforce-eager" in found
    assert "--gpu-memory-utilization" not in found


@pytest.mark.parametrize("given", [CPU, GPU], ids=["cpu", "gpu"])
def test_what_makes_it_quick_and_what_keeps_it_closed_is_on_everywhere(given: VllmOptions) -> None:
    found = options_of(given)
    assert {"--enable-prefix-caching", "--enable-chunked-prefill", "--disable-fastapi-docs"} <= set(found)
    assert found["--middleware"] == "model.allow_list.AllowList"
    assert found["--host"] == "127.0.0.1"
    assert found["--load-format"] == "safetensors"
    assert "--trust-remote-code" not in found
    assert not any(given.api_key in word for word in _command(given))
    environment = _environment(given)
    assert environment["VLLM_API_KEY"] == given.api_key
    assert environment["HF_HUB_OFFLINE"] == "1"


@pytest.mark.parametrize(
    "name", ["VLLM_SERVER_DEV_MODE", "VLLM_ALLOW_INSECURE_SERIALIZATION", "VLLM_ALLOW_RUNTIME_LORA_UPDATING"]
)
def test_what_the_callers_environment_would_open_stays_closed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    assert _environment(CPU)[name] == "0"


def test_one_gpu_gets_all_its_memory_or_the_cache_that_was_asked_for() -> None:
    found = options_of(GPU)
    assert found["--gpu-memory-utilization"] == "0.9"
    assert "--kv-cache-memory-bytes" not in found
    assert "--enforce-eager" not in found
    assert not {"--tensor-parallel-size", "--pipeline-parallel-size", "--distributed-executor-backend"} & set(found)
    asked = dataclasses.replace(GPU, kv_cache_gb=4.0, parallel=Parallel(tensor=2))
    assert options_of(asked)["--kv-cache-memory-bytes"] == str(2 << 30)  # on each card


def test_deepseek_v2_lite_on_two_gpus() -> None:
    found = options_of(dataclasses.replace(GPU, parallel=Parallel(tensor=2, expert=True)))
    assert found["--tensor-parallel-size"] == "2"
    assert "--enable-expert-parallel" in found
    assert "--pipeline-parallel-size" not in found


def test_qwen3_30b_a3b_over_two_hosts_in_a_ray_cluster() -> None:
    given = dataclasses.replace(GPU, parallel=Parallel(tensor=4, pipeline=2, expert=True, ray_address="head:6379"))
    found = options_of(given)
    assert (found["--tensor-parallel-size"], found["--pipeline-parallel-size"]) == ("4", "2")
    assert found["--distributed-executor-backend"] == "ray"
    assert _environment(given)["RAY_ADDRESS"] == "head:6379"
    assert _environment(GPU).get("RAY_ADDRESS") == os.environ.get("RAY_ADDRESS")


PARSE = """
import json, sys
from vllm.entrypoints.launchers.cli_args import make_arg_parser
from vllm.utils.argparse_utils import FlexibleArgumentParser
parser = make_arg_parser(FlexibleArgumentParser())
for line in sys.stdin:
    read = parser.parse_args(json.loads(line))
    spread = read.tensor_parallel_size, read.pipeline_parallel_size, read.enable_expert_parallel
    print("read", read.max_num_seqs, *spread)
"""


def test_vllm_itself_takes_these_words() -> None:
    """Its own parser, in a process of its own, knows every option by the name that we give it."""
    spread = Parallel(tensor=4, pipeline=2, expert=True, ray_address="head:6379")
    given = (CPU, GPU, dataclasses.replace(GPU, kv_cache_gb=1.0, parallel=spread))
    lines = "".join(f"{json.dumps(_command(options)[3:])}\n" for options in given)
    command = [sys.executable, "-W", "ignore", "-c", PARSE]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    read = [line for line in done.stdout.splitlines() if line.startswith("read")]
    assert read == ["read 3 1 1 False", "read 3 1 1 False", "read 3 4 2 True"]


# how many replies are under way


METRICS = """# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 2.0
vllm:num_requests_waiting{engine="0",model_name="m"} 1.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="m",reason="capacity"} 1.0
vllm:generation_tokens_total{engine="0",model_name="m"} 7.0
"""


class Started(VllmProcess):
    """One that was started by somebody else."""

    def __init__(self, options: VllmOptions) -> None:
        self._options = options


@pytest.mark.parametrize(("body", "count"), [(METRICS, 3), ("", 0), ("<html>", 0)])
def test_replies_under_way_are_read_from_its_metrics(body: str, count: int) -> None:
    with misbehaving() as server:
        server.body = body.encode()
        port = int(server.url.removesuffix("/v1").rpartition(":")[2])
        process = Started(dataclasses.replace(CPU, port=port))
        assert process.replies_under_way(timeout_s=10) == count
        assert process.complete({}, timeout_s=10) is None
        server.body = b'{"choices": []}'
        assert process.complete({}, timeout_s=10) == {"choices": []}
        assert server.asked[-1][1]["authorization"] == "Bearer a secret key"
    assert process.replies_under_way(timeout_s=10) == 0
    assert process.complete({}, timeout_s=10) is None


# restarts


def test_each_death_doubles_the_wait_and_the_sixth_is_the_end() -> None:
    restarts = Restarts()
    assert [restarts.after_death() for _ in range(5)] == [1, 2, 4, 8, 16]
    assert restarts.said == "vLLM died and starts again (5 of 5)"
    with pytest.raises(ServingFailed, match="died 6 times within 10 minutes"):
        restarts.after_death()


def test_deaths_of_long_ago_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    restarts = Restarts()
    for _ in range(20):
        assert restarts.after_death() in {1, 2}
        now[0] += 400
