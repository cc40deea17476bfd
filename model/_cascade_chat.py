"""The chat model of a cascade: reads the small model's whole reply, and passes it on or asks the large model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

import structlog
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from model._served_chat import ServedChat
from model.cascade import Cascade
from model.client import translated
from model.errors import ModelError, ModelInterrupted, ModelNotReady

__all__ = ["CascadeChat"]

_log = structlog.get_logger()


class CascadeChat(ServedChat):
    """Asks the models of a cascade.

    Attributes:
        cascade: The models and when to ask the large one.
    """

    cascade: Cascade

    @property
    def _llm_type(self) -> str:
        return "cascade"

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        small, failure = await self._small_reply(messages, stop, kwargs)
        if failure is None and not self._doubts(small):
            for chunk in small:
                yield ChatGenerationChunk(message=chunk)
            return
        said = False
        try:
            async for chunk in self._chat(self.cascade.large).astream(messages, stop=stop, **kwargs):
                said = said or bool(chunk.content)
                yield ChatGenerationChunk(message=chunk)
        except Exception as error:
            large = translated(error, started=said)
            if said or failure is not None:
                raise large from error
            _log.warning("cascade_stays_small", code=large.code)
            for chunk in small:
                yield ChatGenerationChunk(message=chunk)

    async def _small_reply(
        self, messages: list[BaseMessage], stop: list[str] | None, kwargs: dict[str, Any]
    ) -> tuple[list[AIMessageChunk], ModelError | None]:
        """Return the small model's reply in its pieces, and what kept it from ending, if so."""
        pieces: list[AIMessageChunk] = []
        try:
            async for piece in self._chat(self.cascade.small).astream(messages, stop=stop, logprobs=True, **kwargs):
                pieces.append(piece)
        except Exception as error:  # noqa: BLE001 -- any chat model may stand here; what is not passed on is raised
            return pieces, _passed_on(error, started=bool(pieces))
        said = [piece.response_metadata for piece in pieces]
        remote = any(fields.get("model_provider") == "openai" for fields in said)
        if remote and not any("finish_reason" in fields for fields in said):  # it died politely
            broken = ModelInterrupted("The small model's reply ended without an end.", remedy="Ask again.")
            return pieces, _passed_on(broken, started=True)
        return pieces, None

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        small: BaseMessage | None = None
        answer: BaseMessage
        try:
            small = self._chat(self.cascade.small).invoke(messages, stop=stop, logprobs=True, **kwargs)
        except Exception as error:  # noqa: BLE001 -- any chat model may stand here; what is not passed on is raised
            _passed_on(error, started=False)
        if small is not None and not self._doubts([small]):
            return ChatResult(generations=[ChatGeneration(message=small)])
        try:
            answer = self._chat(self.cascade.large).invoke(messages, stop=stop, **kwargs)
        except Exception as error:
            large = translated(error, started=False)
            if small is None:
                raise large from error
            _log.warning("cascade_stays_small", code=large.code)
            answer = small
        return ChatResult(generations=[ChatGeneration(message=answer)])

    def _doubts(self, reply: Iterable[BaseMessage]) -> bool:
        """Whether a reply, given in pieces, is unsure; says so in the log."""
        text = "".join(piece.content for piece in reply if isinstance(piece.content, str))
        why = self.cascade.doubt.of(text, [value for piece in reply for value in _logprobs(piece)])
        if why:
            _log.info("cascade_asks_the_large_model", reply=why)
        return bool(why)


def _passed_on(error: Exception, *, started: bool) -> ModelError:
    """Return what kept the small model from answering when the large one may be asked instead; raise the rest."""
    found = translated(error, started=started)
    if isinstance(found, ModelNotReady | ModelInterrupted):
        _log.warning("cascade_skips_the_small_model", code=found.code)
        return found
    raise found from error


def _logprobs(piece: BaseMessage) -> list[float]:
    scored = (piece.response_metadata.get("logprobs") or {}).get("content") or []
    return [float(entry["logprob"]) for entry in scored]
