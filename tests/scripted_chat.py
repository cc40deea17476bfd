"""A chat model that says what its script says, through the whole of LangChain's real interface.

It stands in for vLLM in tests that are about everything except the model. It streams token by token, may break off
in the middle as a killed server would, and may wait half-way until the test lets it go on:

    ScriptedChat(replies=["Revenue was 5 million [1]."])
    ScriptedChat(replies=["Revenue was 5 million [1]."], dies_after=3)
    ScriptedChat(replies=[lambda messages: f"Answer to {messages[-1].content}"])
    ScriptedChat(replies=["One. Two. Three."], waits_after=2, gate=(gate := threading.Event()))

Replies are used in order; the last one is repeated. `seen` holds the messages of every call.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import ConfigDict, Field, PrivateAttr

__all__ = ["ScriptedChat", "tokens_of"]

Reply = str | Callable[[list[BaseMessage]], str]


def tokens_of(text: str) -> list[str]:
    """Cut a text into small pieces that join to the text: words with their blank, single ideographs, single marks."""
    return re.findall(r"[A-Za-z]+\s?|\d+|\s+|.", text, flags=re.DOTALL)


_END = ChatGenerationChunk(message=AIMessageChunk(content="", response_metadata={"finish_reason": "stop"}))
"""What a server sends last: no text, and why the reply ended."""


class ScriptedChat(BaseChatModel):
    """See the module's text. `dies_with` is what a dropped connection raises in the HTTP client."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    replies: list[Any]
    dies_after: int | None = Field(default=None, description="Tokens of each reply after which the connection drops.")
    dies_with: Callable[[], Exception] = lambda: httpx.RemoteProtocolError("peer closed connection")
    waits_after: int | None = Field(default=None, description="Tokens after which it waits for `gate`.")
    gate: threading.Event | None = None
    seen: list[list[BaseMessage]] = Field(default_factory=list)

    _reached: threading.Event = PrivateAttr(default_factory=threading.Event)
    _closed: threading.Event = PrivateAttr(default_factory=threading.Event)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    @property
    def reached(self) -> threading.Event:
        """Set when the model has come to `waits_after` and waits."""
        return self._reached

    @property
    def closed(self) -> threading.Event:
        """Set when a stream has ended, by itself or because its reader went away."""
        return self._closed

    def _next(self, messages: list[BaseMessage]) -> list[str]:
        reply: Reply = self.replies[min(len(self.seen), len(self.replies) - 1)]
        self.seen.append(list(messages))
        return tokens_of(reply if isinstance(reply, str) else reply(messages))

    def _stop_here(self, place: int) -> bool:
        if self.dies_after is not None and place == self.dies_after:
            raise self.dies_with()
        if self.gate is not None and place == self.waits_after:
            self._reached.set()
            return True
        return False

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        text = "".join(str(chunk.message.content) for chunk in self._stream(messages, stop, None, **kwargs))
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content=text))])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        try:
            for place, token in enumerate(self._next(messages)):
                if self._stop_here(place):
                    self.gate.wait()
                chunk = ChatGenerationChunk(message=AIMessageChunk(content=token))
                if run_manager is not None:
                    run_manager.on_llm_new_token(token, chunk=chunk)
                yield chunk
            yield _END
        finally:
            self._closed.set()

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        try:
            for place, token in enumerate(self._next(messages)):
                if self._stop_here(place):
                    while not self.gate.is_set():  # noqa: ASYNC110 - the gate may be opened from another thread
                        await asyncio.sleep(0.002)
                await asyncio.sleep(0)
                chunk = ChatGenerationChunk(message=AIMessageChunk(content=token))
                if run_manager is not None:
                    await run_manager.on_llm_new_token(token, chunk=chunk)
                yield chunk
            yield _END
        finally:
            self._closed.set()
