"""Starts vLLM on the checkpoint of a card, watches it, starts it again when it dies, and stops it without a trace.

A background thread does everything: `Engine.start` returns at once and `Engine.state` says how far it is, so that the
page can be up long before the model is. All processes of vLLM are in one session under a warden (`model._warden`): they
end with `Engine.stop`, and also when this process is killed.
"""

from __future__ import annotations

import secrets
import socket
import threading
import time
from collections import deque
from pathlib import Path
from typing import Final

import structlog

from model import build as _build
from model._state_cell import StateCell
from model._vllm_process import VllmOptions, VllmProcess, engine_version, has_gpu
from model.catalog import ModelCard
from model.engine_state import EngineState, Stage
from model.errors import ModelError, ServingFailed
from model.fetch import fetch
from model.progress import Progress
from model.remote import RemoteEngine

__all__ = ["Engine", "EngineState", "RemoteEngine", "Stage"]

_log = structlog.get_logger()

_POLL_S: Final = 0.2
_HEALTH_S: Final = 5.0
_ILL_LIMIT: Final = 6
"""Health probes in a row that may fail before a vLLM that still runs is taken for dead: half a minute."""
_START_S: Final = 900.0
"""Longest start: loading from a cold, slow disk takes minutes; more than this is a hang."""
_DEATHS: Final = 5
_DEATHS_WITHIN_S: Final = 600.0


class _Stopped(Exception):
    """`stop` was called; raised in the background thread to leave whatever it is in."""


class Engine:
    """Our own vLLM.

    Args:
        card: The model.
        model_dir: Folder of weights and checkpoints.
        offline: Never use the network.
        context_tokens: Longest prompt and reply together, in tokens.
        kv_cache_gb: Memory of the key-value cache on a CPU, in GiB.
        threads: Cores to compute on; 0: all that this process may use.
        log_path: Where vLLM's output goes. Prompts and replies are not in it.
        port: Port on 127.0.0.1; 0: a free one.
        checkpoint: Serve this folder instead of what the card builds.

    Not covered: several engines on one machine share its cores and know nothing of each other.
    """

    def __init__(
        self,
        card: ModelCard,
        model_dir: Path,
        *,
        offline: bool,
        context_tokens: int,
        kv_cache_gb: float,
        threads: int,
        log_path: Path,
        port: int = 0,
        checkpoint: Path | None = None,
    ) -> None:
        self._card = card
        self._model_dir = model_dir
        self._offline = offline
        self._context_tokens = context_tokens
        self._kv_cache_gb = kv_cache_gb
        self._threads = threads
        self._log_path = log_path
        self._port = port
        self._checkpoint = checkpoint
        self._served: Path | None = None
        self._api_key = secrets.token_urlsafe(32)
        self._cell = StateCell()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._process: VllmProcess | None = None

    @property
    def state(self) -> EngineState:
        """How far it is now."""
        return self._cell.now

    @property
    def url(self) -> str:
        """Base address, ending in ``/v1``; the port stays the same over restarts."""
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def api_key(self) -> str:
        """A random key, made for this object."""
        return self._api_key

    @property
    def model_name(self) -> str:
        """The card's name."""
        return self._card.name

    @property
    def session(self) -> int | None:
        """Id of the session of vLLM's processes, while there are any."""
        return self._process.session if self._process else None

    @property
    def identity(self) -> dict[str, str]:
        """What answers, for the record; the digest is empty until a checkpoint with a manifest is there."""
        manifest = _build.read_manifest(self._served) if self._served else None
        return {
            "model": self._card.name,
            "checkpoint": _build.checkpoint_digest(manifest) if manifest else "",
            "quantization": str(manifest["form"]) if manifest else "",
            "engine": engine_version(),
        }

    def start(self) -> None:
        """Fetch, build and serve in the background; returns at once. A second call does nothing."""
        if self._thread is None:
            self._port = self._port or _free_port()
            self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
            self._thread.start()

    def wait_ready(self, timeout_s: float) -> None:
        """Return when it answers.

        Raises:
            ModelNotReady: not within the time.
            ModelError: it failed; the error says why.
        """
        self._cell.wait_ready(timeout_s)

    def stop(self) -> None:
        """End vLLM with all its processes, or whatever is done before it; nothing is left on return."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self._cell.set(EngineState("stopped"))

    def _run(self) -> None:
        try:
            gpu = has_gpu()
            self._served = self._checkpoint or self._prepare(gpu=gpu)
            self._serve(self._served, gpu=gpu)
        except _Stopped:
            return
        except ModelError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 -- the thread's edge: nobody else would ever learn of it
            _log.exception("engine_thread_failed")
            self._fail(ServingFailed(f"The engine's thread failed: {type(error).__name__}.", remedy="Read the log."))

    def _fail(self, error: ModelError) -> None:
        _log.error("engine_failed", code=error.code, reason=error.message)
        self._cell.set(EngineState("failed", error.message, error=error))

    def _prepare(self, *, gpu: bool) -> Path:
        """Fetch and build, telling how far it is."""
        self._stage: Stage = "fetching"
        fetch(self._card, self._model_dir, offline=self._offline, report=self._report)
        self._stage = "building"
        form: _build.Form = "bf16" if gpu else "w8a8"
        return _build.build(self._card, self._model_dir, offline=True, report=self._report, form=form)

    def _report(self, progress: Progress) -> None:
        if self._stopping.is_set():
            raise _Stopped
        self._cell.set(EngineState(self._stage, progress.step, progress.done, progress.total))

    def _serve(self, checkpoint: Path, *, gpu: bool) -> None:
        """Run vLLM, again and again if need be, until stopped."""
        options = VllmOptions(
            checkpoint=checkpoint,
            model_name=self._card.name,
            port=self._port,
            api_key=self._api_key,
            context_tokens=self._context_tokens,
            kv_cache_gb=self._kv_cache_gb,
            threads=self._threads,
            gpu=gpu,
            log_path=self._log_path,
        )
        deaths: deque[float] = deque()
        has_served = False
        while True:
            reason, was_ready = self._one_run(options)
            has_served = has_served or was_ready
            if not has_served:
                raise _did_not_start(reason)
            now = time.monotonic()
            deaths.append(now)
            while now - deaths[0] > _DEATHS_WITHIN_S:
                deaths.popleft()
            if len(deaths) > _DEATHS:
                raise ServingFailed(
                    f"vLLM died {len(deaths)} times within {_DEATHS_WITHIN_S / 60:.0f} minutes; it stays down.",
                    remedy="Read the engine's log, give it more memory or a smaller cache, and restart Vouch.",
                )
            self._pause(2.0 ** (len(deaths) - 1), f"vLLM died and starts again ({len(deaths)} of {_DEATHS})")

    def _one_run(self, options: VllmOptions) -> tuple[str, bool]:
        """Start vLLM and watch it until it dies; return why, and whether it was ready before."""
        _refuse_taken_port(options.port)
        self._cell.set(EngineState("starting", "starting vLLM"))
        process = self._process = VllmProcess(options)
        started = time.monotonic()
        try:
            while process.poll() is None:
                self._check_stopping()
                if process.answers(timeout_s=_HEALTH_S):
                    _log.info("engine_ready", model=self._card.name, seconds=round(time.monotonic() - started, 1))
                    self._cell.set(EngineState("ready"))
                    self._watch(process)
                    return process.reason(), True
                if time.monotonic() - started > _START_S:
                    return f"it was not ready after {_START_S:.0f} s", False
                self._cell.set(process.loading())
                time.sleep(_POLL_S)
            return process.reason(), False
        finally:
            if not self._stopping.is_set():
                self._cell.set(EngineState("starting", "vLLM ended"))
            process.end()
            self._process = None

    def _watch(self, process: VllmProcess) -> None:
        """Return when vLLM has ended, or runs and has been ill for too long."""
        ill = 0
        probed = time.monotonic()
        while ill < _ILL_LIMIT:
            if process.poll() is not None:
                _log.error("engine_died", status=process.poll())
                return
            self._check_stopping()
            if time.monotonic() - probed > _HEALTH_S:
                ill = 0 if process.answers(timeout_s=_HEALTH_S) else ill + 1
                probed = time.monotonic()
            time.sleep(_POLL_S)
        _log.error("engine_ill", probes=ill)

    def _check_stopping(self) -> None:
        if self._stopping.is_set():
            raise _Stopped

    def _pause(self, seconds: float, detail: str) -> None:
        _log.warning("engine_restarts", in_seconds=seconds)
        self._cell.set(EngineState("starting", detail))
        if self._stopping.wait(seconds):
            raise _Stopped


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _refuse_taken_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise ServingFailed(
                f"Port {port} of the model server is taken.", remedy="Stop what listens there, or restart Vouch."
            ) from None


def _did_not_start(reason: str) -> ServingFailed:
    return ServingFailed(
        f"vLLM did not start: {reason or 'it said nothing'}",
        remedy="Read the engine's log. If memory is short, set VOUCH_KV_CACHE_GB or VOUCH_CONTEXT_TOKENS lower.",
    )
