"""What the chat models of a pool and of a cascade share: they ask other chat models, each as long as they may take."""

from __future__ import annotations

from langchain_core.language_models import BaseChatModel
from pydantic import ConfigDict

from model.engine_state import ServedModel

__all__ = ["ServedChat"]


class ServedChat(BaseChatModel):
    """A chat model that stands for several served ones.

    Attributes:
        max_tokens: Longest reply, in tokens.
        timeout_s: Longest silence, in seconds.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    max_tokens: int
    timeout_s: float

    def _chat(self, served: ServedModel) -> BaseChatModel:
        return served.chat(max_tokens=self.max_tokens, timeout_s=self.timeout_s)
