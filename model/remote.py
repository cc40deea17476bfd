"""A model on someone else's OpenAI-compatible server: not started here, only watched."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

import httpx
import structlog

from model._state_cell import StateCell
from model.client import chat_model
from model.engine_state import EngineState
from model.errors import ModelError, ModelRefused, ServingFailed
from model.plan import DEFAULT_CONTEXT

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = ["RemoteEngine"]

_log = structlog.get_logger()
_TIMEOUT_S: Final = 10.0


class RemoteEngine:
    """Watches an OpenAI-compatible address by asking for its models.

    Args:
        url: Base address, with or without ``/v1`` at its end, as the server has it.
        api_key: Key to send along; may be empty.
        model_name: Name to ask for; empty: the first that the server lists.
        context_tokens: Longest prompt and reply together, in tokens; 0: what the server says, as vLLM does.
        every_s: Seconds between two probes.

    Not covered: which weights answer. The record says that the server was a remote one.
    """

    def __init__(
        self, url: str, *, api_key: str = "", model_name: str = "", context_tokens: int = 0, every_s: float = 10.0
    ) -> None:
        self._url = url.rstrip("/")
        self._api_key = api_key
        self._model = model_name
        self._wanted_context = context_tokens
        self._said_context = 0
        self._every_s = every_s
        self._cell = StateCell()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def state(self) -> EngineState:
        """What the last probe found."""
        return self._cell.now

    @property
    def url(self) -> str:
        """Base address."""
        return self._url

    @property
    def api_key(self) -> str:
        """Key to send along."""
        return self._api_key

    @property
    def model_name(self) -> str:
        """Name to ask for; empty until the first probe when none was given."""
        return self._model

    @property
    def context_tokens(self) -> int:
        """What was asked for, but no more than the server says that it takes."""
        wanted, said = self._wanted_context, self._said_context
        return min(wanted, said) if wanted and said else wanted or said or DEFAULT_CONTEXT

    @property
    def identity(self) -> dict[str, str]:
        """What answers, for the record: a remote server's word, no digest."""
        return {
            "model": self._model,
            "checkpoint": "",
            "quantization": "",
            "engine": f"remote {httpx.URL(self._url).host}",
        }

    def chat(self, *, max_tokens: int, timeout_s: float) -> BaseChatModel:
        """Return a chat model that asks it, at temperature 0."""
        return chat_model(
            url=self.url, api_key=self.api_key, model=self.model_name, max_tokens=max_tokens, timeout_s=timeout_s
        )

    def start(self) -> None:
        """Begin to probe; returns at once. A second call does nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="remote-engine", daemon=True)
            self._thread.start()

    def wait_ready(self, timeout_s: float) -> None:
        """Return when it answers.

        Raises:
            ModelNotReady: not within the time.
            ModelError: it refuses the key or does not have the model.
        """
        self._cell.wait_ready(timeout_s)

    def stop(self) -> None:
        """Stop probing; the server itself is not ours to stop."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self._cell.set(EngineState("stopped"))

    def _run(self) -> None:
        with httpx.Client(timeout=_TIMEOUT_S, headers=self._headers()) as client:
            while not self._stopping.is_set():
                before, now = self._cell.now, self._probe(client)
                if not self._stopping.is_set():
                    self._cell.set(now)
                if now.stage != before.stage:
                    _log.info("remote_model", stage=now.stage, detail=now.detail)
                self._stopping.wait(self._every_s)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._api_key}"} if self._api_key else {}

    def _probe(self, client: httpx.Client) -> EngineState:
        try:
            reply = client.get(f"{self._url}/models")
            reply.raise_for_status()
            listed = reply.json()
            names = _names(listed)
        except httpx.HTTPStatusError as error:
            return _status_state(error.response.status_code)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return EngineState("starting", f"the model server does not answer ({type(error).__name__})")
        except ValueError:
            return _failed(ServingFailed("The model server answers something else.", remedy="Check VOUCH_MODEL_URL."))
        if not self._model and names:
            self._model = names[0]
        if self._model not in names:
            known = ", ".join(names[:10]) or "none"
            return _failed(
                ModelRefused(f"The model server has no {self._model!r}.", remedy=f"Set VOUCH_MODEL to one of: {known}.")
            )
        self._said_context = _context(listed, self._model)
        return EngineState("ready")


def _context(listed: Any, model: str) -> int:
    """Return the context that a server says a model has (``max_model_len`` of vLLM); 0 when it says nothing."""
    said = next(entry.get("max_model_len") for entry in listed["data"] if str(entry["id"]) == model)
    return said if isinstance(said, int) and not isinstance(said, bool) and said > 0 else 0


def _names(listed: Any) -> list[str]:
    """Return the ids in an OpenAI list of models; ValueError when it is none."""
    try:
        return [str(entry["id"]) for entry in listed["data"]]
    except (TypeError, KeyError) as error:
        raise ValueError("not a list of models") from error


def _status_state(status: int) -> EngineState:
    if status in {401, 403}:
        return _failed(ModelRefused("The model server refuses the key.", remedy="Set VOUCH_MODEL_API_KEY."))
    if status >= 500:
        return EngineState("starting", f"the model server answers with status {status}")
    return _failed(
        ServingFailed(
            f"The model server answers with status {status}.", remedy="Check VOUCH_MODEL_URL; it ends in /v1."
        )
    )


def _failed(error: ModelError) -> EngineState:
    return EngineState("failed", error.message, error=error)
