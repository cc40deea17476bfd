"""Starts vLLM on the checkpoint of a card, watches it, starts it again when it dies, and stops it without a trace.

A background thread does everything: `Engine.start` returns at once and `Engine.state` says how far it is, so that the
page can be up long before the model is. Before vLLM is started the checkpoint's files are looked at
(`model.inspection`) and memory is planned (`model.plan`); before anybody else may ask, the canary does
(`model.canary`). All processes of vLLM are in one session under a warden (`model._warden`): they end with
`Engine.stop`, and also when this process is killed.
"""

from __future__ import annotations

import secrets
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from model import build as _build
from model import canary as _canary
from model._ports import free_port, refuse_taken_port
from model._restarts import Restarts
from model._state_cell import StateCell
from model._vllm_process import VllmOptions, VllmProcess
from model.catalog import ModelCard
from model.client import chat_model
from model.engine_state import EngineState, Stage
from model.errors import ModelError, ServingFailed
from model.fetch import fetch
from model.footprint import read_shape
from model.inspection import inspect
from model.machine import Machine, engine_version, look
from model.plan import DEFAULT_CONTEXT, Parallel, Plan, Wishes, choose_form, plan
from model.progress import Progress
from model.remote import RemoteEngine

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = ["Engine", "EngineState", "RemoteEngine", "Stage"]

_log = structlog.get_logger()

_POLL_S: Final = 0.2
_HEALTH_S: Final = 5.0
_ILL_LIMIT: Final = 6
"""Health probes in a row that may fail before a vLLM that still runs is taken for dead: half a minute."""
_START_S: Final = 900.0
"""Longest start: loading from a cold, slow disk takes minutes; more than this is a hang."""
_CANARY_S: Final = 120.0
"""Longest answer to the canary, which takes about a second: a model that slow serves nobody."""
_GIB: Final = 1 << 30


class _Stopped(Exception):
    """`stop` was called; raised in the background thread to leave whatever it is in."""


class Engine:
    """Our own vLLM.

    Args:
        card: The model.
        model_dir: Folder of weights and checkpoints.
        offline: Never use the network.
        log_path: Where vLLM's output goes. Prompts and replies are not in it.
        context_tokens: Longest prompt and reply together, in tokens; 0: as memory allows.
        kv_cache_gb: Memory of the key-value cache, in GiB; 0: as memory allows.
        threads: Cores to compute on; 0: all that this process may use.
        sequences: Replies computed at the same time; 0: 8 on a CPU, 64 on a GPU.
        parallel: How the model is spread over CUDA devices.
        drain_s: Longest time that replies under way are given when it is stopped, in seconds.
        port: Port on 127.0.0.1; 0: a free one.
        checkpoint: Serve this folder instead of what the card builds.
        form: Of what the card builds; None: int8 on a CPU, bfloat16 on a GPU, or int4 there if that does not fit.

    Not covered: several engines on one machine share its cores and know nothing of each other.
    """

    def __init__(
        self,
        card: ModelCard,
        model_dir: Path,
        *,
        offline: bool,
        log_path: Path,
        context_tokens: int = 0,
        kv_cache_gb: float = 0,
        threads: int = 0,
        sequences: int = 0,
        parallel: Parallel | None = None,
        drain_s: float = 5.0,
        port: int = 0,
        checkpoint: Path | None = None,
        form: _build.Form | None = None,
    ) -> None:
        self._card = card
        self._model_dir = model_dir
        self._offline = offline
        self._log_path = log_path
        self._wishes = Wishes(context_tokens, int(kv_cache_gb * _GIB), sequences, threads, parallel or Parallel(), form)
        self._drain_s = drain_s
        self._port = port
        self._checkpoint = checkpoint
        self._served: Path | None = None
        self._plan: Plan | None = None
        self._api_key = secrets.token_urlsafe(32)
        self._cell = StateCell()
        self._stage: Stage = "waiting"
        self._draining = threading.Event()
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
        """The card's name, or that of the folder that is served instead."""
        return self._checkpoint.name if self._checkpoint else self._card.name

    @property
    def context_tokens(self) -> int:
        """Longest prompt and reply together, in tokens; until memory was looked at, what was asked for."""
        return self._plan.context_tokens if self._plan else self._wishes.context_tokens or DEFAULT_CONTEXT

    @property
    def session(self) -> int | None:
        """Id of the session of vLLM's processes, while there are any."""
        return self._process.session if self._process else None

    @property
    def identity(self) -> dict[str, str]:
        """What answers, for the record; the digest is empty until a checkpoint with a manifest is there."""
        manifest = _build.read_manifest(self._served) if self._served else None
        return {
            "model": self.model_name,
            "checkpoint": _build.checkpoint_digest(manifest) if manifest else "",
            "quantization": str(manifest["form"]) if manifest else "",
            "engine": engine_version(),
        }

    def chat(self, *, max_tokens: int, timeout_s: float) -> BaseChatModel:
        """Return a chat model that asks it, at temperature 0."""
        return chat_model(
            url=self.url, api_key=self.api_key, model=self.model_name, max_tokens=max_tokens, timeout_s=timeout_s
        )

    def start(self) -> None:
        """Fetch, build and serve in the background; returns at once. A second call does nothing."""
        if self._thread is None:
            self._port = self._port or free_port()
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
        """Take nothing more, let replies under way end for a while, then end vLLM with all its processes.

        Whatever is done before vLLM runs is left at once. Nothing is left on return.
        """
        self._drain()
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self._cell.set(EngineState("stopped"))

    def _drain(self) -> None:
        process = self._process
        if process is None or self.state.stage != "ready":
            return
        self._draining.set()
        self._cell.set(EngineState("stopped", "letting replies under way end"))
        deadline = time.monotonic() + self._drain_s
        while left := process.replies_under_way(timeout_s=_HEALTH_S):
            if time.monotonic() > deadline:
                _log.warning("engine_drained_late", replies=left)
                return
            time.sleep(_POLL_S)

    def _run(self) -> None:
        try:
            machine = look()
            self._served = self._checkpoint or self._prepare(machine)
            self._stage = "starting"
            inspect(self._served, report=self._report)
            self._plan = plan(read_shape(self._served), machine, self._wishes)
            _log.info("engine_planned", model=self.model_name, plan=self._plan)
            self._serve(self._served, self._plan)
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

    def _prepare(self, machine: Machine) -> Path:
        """Fetch and build, telling how far it is."""
        card = self._card
        form = choose_form(card.name, card.parameters_m, machine, self._wishes)
        self._stage = "fetching"
        fetch(card, self._model_dir, offline=self._offline, report=self._report)
        self._stage = "building"
        return _build.build(card, self._model_dir, offline=True, report=self._report, form=form)

    def _report(self, progress: Progress) -> None:
        if self._stopping.is_set():
            raise _Stopped
        self._cell.set(EngineState(self._stage, progress.step, progress.done, progress.total))

    def _serve(self, checkpoint: Path, made: Plan) -> None:
        """Run vLLM, again and again if need be, until stopped."""
        options = VllmOptions(
            checkpoint=checkpoint,
            model_name=self.model_name,
            port=self._port,
            api_key=self._api_key,
            context_tokens=made.context_tokens,
            kv_cache_gb=made.cache_bytes / _GIB if made.device == "cpu" or self._wishes.cache_bytes else 0,
            threads=made.threads,
            gpu=made.device == "cuda",
            log_path=self._log_path,
            sequences=made.sequences,
            batch_tokens=made.batch_tokens,
            parallel=made.parallel,
        )
        canary = _canary.read(checkpoint)
        restarts = Restarts()
        has_served = False
        while True:
            reason, was_ready = self._one_run(options, canary)
            if self._draining.is_set():
                raise _Stopped
            has_served = has_served or was_ready
            if not has_served:
                raise _did_not_start(reason)
            self._pause(restarts.after_death(), restarts.said)

    def _one_run(self, options: VllmOptions, canary: list[_canary.Line]) -> tuple[str, bool]:
        """Start vLLM and watch it until it dies; return why, and whether it was ready before."""
        refuse_taken_port(options.port)
        self._cell.set(EngineState("starting", "starting vLLM"))
        process = self._process = VllmProcess(options)
        started = time.monotonic()
        try:
            while process.poll() is None:
                self._check_stopping()
                if process.answers(timeout_s=_HEALTH_S) and self._passes(process, canary):
                    _log.info("engine_ready", model=self.model_name, seconds=round(time.monotonic() - started, 1))
                    self._cell.set(EngineState("ready"))
                    self._watch(process)
                    return process.reason(), True
                if time.monotonic() - started > _START_S:
                    return f"it was not ready after {_START_S:.0f} s", False
                self._cell.set(process.loading())
                time.sleep(_POLL_S)
            return process.reason(), False
        finally:
            if not (self._stopping.is_set() or self._draining.is_set()):
                self._cell.set(EngineState("starting", "vLLM ended"))
            process.end()
            self._process = None

    def _passes(self, process: VllmProcess, lines: list[_canary.Line]) -> bool:
        """Whether the model says what its weights should say; False when vLLM died over the question.

        Raises:
            ModelRejected: it says something else.
        """
        if not lines:
            _log.warning("engine_without_canary", model=self.model_name, missing=_canary.CANARY)
            return True
        began = time.monotonic()
        self._cell.set(EngineState("starting", "checking what the model says"))
        reply = process.complete(_canary.request(self.model_name, lines), timeout_s=_CANARY_S)
        if reply is None and process.poll() is not None:
            return False
        drift, agreement = _canary.compare(lines, reply or {})
        seconds = round(time.monotonic() - began, 2)
        _log.info("engine_canary", drift=round(drift, 3), agreement=round(agreement, 3), seconds=seconds)
        return True

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


def _did_not_start(reason: str) -> ServingFailed:
    return ServingFailed(
        f"vLLM did not start: {reason or 'it said nothing'}",
        remedy="Read the engine's log. If memory is short, set VOUCH_KV_CACHE_GB or VOUCH_CONTEXT_TOKENS lower.",
    )
