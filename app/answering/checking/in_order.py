"""Checks that run while the draft still comes in, and whose verdicts come out in the order of the claims."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from types import TracebackType
from typing import Self

from app.answering.types import Claim

__all__ = ["ChecksInOrder"]


class ChecksInOrder:
    """An async context: whatever still runs when it is left is cancelled, and waited for."""

    def __init__(self) -> None:
        self._running: deque[asyncio.Task[Claim]] = deque()

    def start(self, check: Coroutine[None, None, Claim]) -> None:
        """Let a check begin."""
        self._running.append(asyncio.ensure_future(check))

    async def ready(self) -> list[Claim]:
        """Return the claims that are checked and have no unchecked one before them.

        Raises:
            Exception: what the first of these checks raised.
        """
        done: list[Claim] = []
        while self._running and self._running[0].done():
            done.append(await self._running.popleft())
        return done

    async def rest(self) -> list[Claim]:
        """Wait for all that were started, and return those not yet returned."""
        done: list[Claim] = []
        while self._running:
            done.append(await self._running[0])
            self._running.popleft()
        return done

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
