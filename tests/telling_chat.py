"""A chat model that tells how likely it finds each next word, by a rule of the test; it writes the likeliest.

    TellingChat(odds=lambda prompt: {"yes": -0.1, "no": -2.5})

`prompt` is all messages as one text. An empty answer is a model that tells no probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import ConfigDict, Field

__all__ = ["TellingChat"]


class TellingChat(BaseChatModel):
    """See the module's text."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    odds: Callable[[str], Mapping[str, float]]
    reply: str | None = None
    """What is written where text is asked for; None: the likeliest word."""
    seen: list[str] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "telling"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        prompt = "\n".join(str(message.content) for message in messages)
        self.seen.append(prompt)
        odds = dict(self.odds(prompt))
        word = max(odds, key=lambda one: odds[one]) if odds else ""
        metadata: dict[str, Any] = {"finish_reason": "stop"}
        if odds and kwargs.get("logprobs"):
            told = [{"token": token, "logprob": value} for token, value in odds.items()]
            metadata["logprobs"] = {"content": [{"token": word, "logprob": odds[word], "top_logprobs": told}]}
        text = word if self.reply is None or kwargs.get("logprobs") else self.reply
        return ChatResult(generations=[ChatGeneration(message=AIMessage(text, response_metadata=metadata))])
