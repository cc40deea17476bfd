"""The plain way: the model writes sentences from the passages, each with the number of its passage."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import ClassVar, cast

from app.answering.drafters.contract import Piece, Task
from model.client import stream_text

__all__ = ["Prose"]


class Prose:
    """Suits every question."""

    name: ClassVar[str] = "prose"

    def suits(self, _task: Task) -> bool:
        """Say yes."""
        return True

    async def draft(self, task: Task) -> AsyncGenerator[Piece, None]:
        """Stream the model's text."""
        pieces = stream_text(task.chat, task.messages, **task.sampling)
        async with aclosing(cast(AsyncGenerator[str, None], pieces)) as deltas:
            async for delta in deltas:
                yield delta
