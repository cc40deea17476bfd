"""The chat model of a pool: picks a member for each request, and another when the first fails before its first word."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from model._served_chat import ServedChat
from model.client import translated
from model.errors import ModelError
from model.pool import Member, Pool

__all__ = ["PooledChat"]


class PooledChat(ServedChat):
    """Asks the members of a pool.

    Attributes:
        pool: Chooses.
    """

    pool: Pool

    @property
    def _llm_type(self) -> str:
        return "pool"

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        tried: list[Member] = []
        while True:
            said = False
            try:
                with self.pool.request(besides=tried) as member:
                    tried.append(member)
                    async for chunk in _from_first_word(self._chat(member.engine), messages, stop, kwargs):
                        said = True
                        yield ChatGenerationChunk(message=chunk)
            except ModelError as error:
                if said or not self.pool.goes_elsewhere(error, tried):
                    raise
            else:
                return

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        tried: list[Member] = []
        while True:
            try:
                with self.pool.request(besides=tried) as member:
                    tried.append(member)
                    answer = _whole(self._chat(member.engine), messages, stop, kwargs)
            except ModelError as error:
                if not self.pool.goes_elsewhere(error, tried):
                    raise
            else:
                return ChatResult(generations=[ChatGeneration(message=answer)])


def _whole(
    chat: BaseChatModel, messages: list[BaseMessage], stop: list[str] | None, kwargs: dict[str, Any]
) -> BaseMessage:
    try:
        return chat.invoke(messages, stop=stop, **kwargs)
    except Exception as error:
        raise translated(error, started=False) from error


async def _from_first_word(
    chat: BaseChatModel, messages: list[BaseMessage], stop: list[str] | None, kwargs: dict[str, Any]
) -> AsyncIterator[AIMessageChunk]:
    """Yield a reply's chunks; those before the first word are held back, so that until then nobody has seen any."""
    held: list[AIMessageChunk] = []
    said = False
    try:
        async for chunk in chat.astream(messages, stop=stop, **kwargs):
            held.append(chunk)
            said = said or bool(chunk.content)
            while said and held:
                yield held.pop(0)
    except Exception as error:
        raise translated(error, started=said) from error
    for chunk in held:
        yield chunk
