"""Asks a served model: a LangChain chat model on any OpenAI-compatible address, and its reply as a stream of text.

Whatever a library below raises leaves here as one of our errors. LangChain's tracing, which an environment variable
could switch on and which would send prompts to a stranger's service, is off for every call.
"""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

from model.errors import ModelError, ModelInterrupted, ModelNotReady, ModelRefused, PromptTooLong

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessageChunk, BaseMessage

__all__ = ["chat_model", "stream_text", "translated"]

_CONNECT_S: Final = 5.0
_TOO_LONG: Final = ("maximum context length", "context_length_exceeded", "max_model_len")
_AGAIN: Final = "Ask again; if it happens again, read the engine's log."


def chat_model(
    *,
    url: str,
    api_key: str,
    model: str,
    max_tokens: int,
    timeout_s: float,
    temperature: float = 0.0,
    seed: int = 0,
) -> BaseChatModel:
    """Return a chat model for an OpenAI-compatible address.

    Args:
        url: Base address, ending in ``/v1``.
        api_key: Key to send along.
        model: Name to ask for.
        max_tokens: Longest reply, in tokens.
        timeout_s: Longest silence, before and in a reply, in seconds.
        temperature: 0 takes the likeliest token each time.
        seed: Makes a reply with a temperature repeatable.
    """
    import openai
    from langchain_openai import ChatOpenAI
    from pydantic import SecretStr

    timeout = openai.Timeout(timeout_s, connect=_CONNECT_S)
    proxied = not _on_loopback(url)  # a proxy of the environment must not get what is meant for this machine
    return ChatOpenAI(
        model=model,
        base_url=url,
        api_key=SecretStr(api_key or "none"),
        max_completion_tokens=max_tokens,
        temperature=temperature,
        seed=seed,
        timeout=timeout,
        max_retries=0,  # a question asked twice would be two entries' work; the caller decides
        stream_usage=True,
        stream_chunk_timeout=timeout_s,
        default_headers={"Connection": "close"},  # no connection outlives its reply, nor its event loop
        http_client=openai.DefaultHttpxClient(timeout=timeout, trust_env=proxied),
        http_async_client=openai.DefaultAsyncHttpxClient(timeout=timeout, trust_env=proxied),
    )


def _on_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def stream_text(chat: BaseChatModel, messages: Sequence[BaseMessage], **kwargs: Any) -> AsyncIterator[str]:
    """Yield the reply to `messages` piece by piece; empty pieces are left out.

    Raises:
        PromptTooLong: prompt and reply exceed the model's context.
        ModelRefused: the server does not take the request (key, model name, parameters).
        ModelNotReady: there is no server at the address, or it is still loading.
        ModelInterrupted: the reply broke off, stalled, or ended without an end.
    """
    from langsmith import tracing_context

    started, ended, remote = False, False, False
    chunks = cast("AsyncGenerator[AIMessageChunk]", chat.astream(list(messages), **kwargs))
    try:
        while True:
            with tracing_context(enabled=False):
                chunk = await anext(chunks, None)
            if chunk is None:
                break
            started = True
            remote = remote or chunk.response_metadata.get("model_provider") == "openai"
            ended = ended or "finish_reason" in chunk.response_metadata
            if text := _text_of(chunk):
                yield text
    except ModelError:
        raise
    except Exception as error:  # any chat model may stand here, and raise whatever it likes
        raise translated(error, started=started) from error
    finally:
        await chunks.aclose()
    if remote and not ended:  # vLLM died politely: the connection was closed as after a whole reply
        raise ModelInterrupted("The model's reply ended without an end.", remedy=_AGAIN)


def _text_of(chunk: AIMessageChunk) -> str:
    return chunk.content if isinstance(chunk.content, str) else str(chunk.text)


def translated(error: Exception, *, started: bool) -> ModelError:
    """Give a foreign error its place in our tree. Its text is dropped: servers quote prompts in theirs.

    Args:
        error: What a chat model raised.
        started: Whether part of the reply was there before.
    """
    import openai

    if isinstance(error, ModelError):
        return error

    if isinstance(error, openai.APIStatusError):
        return _status_error(error)
    if started:
        return ModelInterrupted("The model stopped answering in the middle of its reply.", remedy=_AGAIN)
    if isinstance(error, openai.APIConnectionError) and not isinstance(error, openai.APITimeoutError):
        return ModelNotReady(
            "The model does not answer: it is starting, or its server is down.",
            remedy="Wait until it is ready and ask again.",
            stage="starting",
        )
    return ModelInterrupted("The model did not answer, or its answer cannot be read.", remedy=_AGAIN)


def _status_error(error: Any) -> ModelError:
    status = error.status_code
    text = str(error.body or error.message)
    if status in {400, 413, 422} and any(mark in text for mark in _TOO_LONG):
        return PromptTooLong(
            "The question and its passages are longer than the model can read.",
            remedy="Ask a shorter question, use fewer passages (VOUCH_PASSAGES), or raise VOUCH_CONTEXT_TOKENS.",
        )
    if status in {502, 503, 504}:
        return ModelNotReady("The model's server is not ready.", remedy="Wait and ask again.", stage="starting")
    if status >= 500:
        return ModelInterrupted(f"The model's server failed (status {status}).", remedy=_AGAIN)
    return ModelRefused(
        f"The model's server refused the request (status {status}).",
        remedy="Check VOUCH_MODEL, VOUCH_MODEL_URL and VOUCH_MODEL_API_KEY.",
    )
