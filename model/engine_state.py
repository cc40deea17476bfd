"""What a served model looks like to the rest: its state as a value, and the surface that every engine has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from model.errors import ModelError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = ["EngineState", "ServedModel", "Stage"]

Stage = Literal["waiting", "fetching", "building", "starting", "ready", "failed", "stopped"]


@dataclass(frozen=True, slots=True)
class EngineState:
    """How far the model is.

    Attributes:
        stage: Where it is on its way.
        detail: The step, in words for the reader.
        done: How much of the step, in whatever it counts.
        total: How much there is; 0 when nobody knows.
        error: Why it failed; None in every other stage.
    """

    stage: Stage
    detail: str = ""
    done: int = 0
    total: int = 0
    error: ModelError | None = None


class ServedModel(Protocol):
    """A model behind an OpenAI-compatible address, ours or a stranger's."""

    @property
    def state(self) -> EngineState:
        """How far it is now."""

    @property
    def url(self) -> str:
        """Base address, ending in ``/v1``."""

    @property
    def api_key(self) -> str:
        """Key to send along."""

    @property
    def model_name(self) -> str:
        """Name to ask for."""

    @property
    def context_tokens(self) -> int:
        """Longest prompt and reply together, in tokens, as far as it is known."""

    @property
    def identity(self) -> dict[str, str]:
        """What answers, for the record: model, checkpoint digest, engine and its version, quantization."""

    def chat(self, *, max_tokens: int, timeout_s: float) -> BaseChatModel:
        """Return a chat model that asks it, at temperature 0.

        Args:
            max_tokens: Longest reply, in tokens.
            timeout_s: Longest silence, before and in a reply, in seconds.
        """

    def start(self) -> None:
        """Begin; returns at once."""

    def wait_ready(self, timeout_s: float) -> None:
        """Return when it answers.

        Raises:
            ModelNotReady: not within the time.
            ModelError: it failed; the error says why.
        """

    def stop(self) -> None:
        """End it and all that it started."""
