"""Two served models behind one face: a small one answers first, and a large one when the small one is unsure.

Unsure means, as settings say: the mean log-probability of the reply's tokens is under a threshold, or the reply is an
abstention. The mean over tokens is the plain confidence that cascades of language models are deferred by (Gupta et
al., "Language Model Cascades: Token-level Uncertainty and Beyond", 2024, section 3.2, which also shows what it misses:
a long reply hides one unsure word; so thresholds are to be set on one's own questions).

The small model's reply is read whole before it is decided, so its first word comes when its last would: a cascade saves
the large model's time, not the reader's. A large model that is down is no reason for no answer: then the small one's
reply stands.

Not covered: which of the two answered is not in an answer's record; the record names both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.engine_state import EngineState, ServedModel
from model.errors import ModelError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = ["Cascade", "Doubt"]


@dataclass(frozen=True, slots=True)
class Doubt:
    """When a reply is unsure.

    Attributes:
        threshold: Least mean log-probability of its tokens, in nats; minus infinity: whatever it is.
        abstains: Says whether a reply says that there is no answer.
    """

    threshold: float = -math.inf
    abstains: Callable[[str], bool] = lambda _text: False

    def of(self, text: str, logprobs: Sequence[float]) -> str:
        """Return why a reply is unsure, in a word for the log; empty when it is not.

        A reply of which nobody says how likely its tokens were is unsure when there is a threshold.
        """
        if self.abstains(text):
            return "abstains"
        if math.isinf(self.threshold):
            return ""
        if not logprobs or sum(logprobs) / len(logprobs) < self.threshold:
            return "unlikely" if logprobs else "unscored"
        return ""


class Cascade:
    """A served model that is a small one and a large one.

    Args:
        small: Asked first, always.
        large: Asked when the small one is unsure.
        doubt: When that is.
    """

    def __init__(self, small: ServedModel, large: ServedModel, doubt: Doubt) -> None:
        self.small = small
        self.large = large
        self.doubt = doubt

    @property
    def state(self) -> EngineState:
        """The small model's; or the large one's while it alone is ready, since it answers as well."""
        small, large = self.small.state, self.large.state
        return large if large.stage == "ready" != small.stage else small

    @property
    def url(self) -> str:
        """The small model's address."""
        return self.small.url

    @property
    def api_key(self) -> str:
        """Its key."""
        return self.small.api_key

    @property
    def model_name(self) -> str:
        """Its name."""
        return self.small.model_name

    @property
    def context_tokens(self) -> int:
        """The shorter of both, so that a prompt fits either."""
        return min(self.small.context_tokens, self.large.context_tokens)

    @property
    def identity(self) -> dict[str, str]:
        """What answers, for the record: the small model, and the large one behind it, each with all that is known."""
        small, large = self.small.identity, self.large.identity
        return {key: f"{value}; if unsure {large.get(key) or 'unknown'}" for key, value in small.items()}

    def chat(self, *, max_tokens: int, timeout_s: float) -> BaseChatModel:
        """Return a chat model that asks the small model, and the large one when it is unsure."""
        from model._cascade_chat import CascadeChat

        return CascadeChat(cascade=self, max_tokens=max_tokens, timeout_s=timeout_s)

    def start(self) -> None:
        """Begin both; returns at once."""
        self.small.start()
        self.large.start()

    def wait_ready(self, timeout_s: float) -> None:
        """Return when the small one answers.

        Raises:
            ModelNotReady: not within the time.
            ModelError: it failed, and the large one is not ready either; the error says why.
        """
        try:
            self.small.wait_ready(timeout_s)
        except ModelError:
            if self.large.state.stage != "ready":
                raise

    def stop(self) -> None:
        """End both and all that they started."""
        self.large.stop()
        self.small.stop()
