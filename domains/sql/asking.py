"""Puts many questions to a model, several at once, and returns the replies in the order of the questions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage

from model.client import stream_text
from model.errors import PromptTooLong

__all__ = ["AT_ONCE", "Reply", "ask"]

AT_ONCE: Final = 8
"""Questions that the model works on at the same time: what vLLM batches well on two cores."""

_EVERY: Final = 10  # questions between two reports


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model said, None when the prompt was too long for it, and the seconds that it took."""

    text: str | None
    seconds: float


async def ask(
    chat: BaseChatModel,
    prompts: Sequence[Sequence[BaseMessage]],
    *,
    groups: Sequence[str],
    report: Callable[[str], object],
    at_once: int = AT_ONCE,
) -> list[Reply]:
    """Return the replies to `prompts`.

    Args:
        chat: the model.
        prompts: the messages of each question.
        groups: what each prompt shares its beginning with; a group is asked together, since an engine that caches
            prefixes then reads the beginning once.
        report: hears how far it is.
        at_once: questions that are asked at the same time.

    Raises:
        ModelError: the model fails at one of them; the others are given up.
    """
    replies: dict[int, Reply] = {}
    gate = asyncio.Semaphore(at_once)

    async def one(place: int) -> None:
        async with gate:
            started = time.perf_counter()
            try:
                text = "".join([piece async for piece in stream_text(chat, prompts[place])])
            except PromptTooLong:
                replies[place] = Reply(None, 0.0)
            else:
                replies[place] = Reply(text, round(time.perf_counter() - started, 3))
        if len(replies) % _EVERY == 0 or len(replies) == len(prompts):
            report(f"  {len(replies)} of {len(prompts)} questions are answered")

    await asyncio.gather(*(one(place) for place in sorted(range(len(prompts)), key=lambda place: groups[place])))
    return [replies[place] for place in range(len(prompts))]
