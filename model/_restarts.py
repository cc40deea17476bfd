"""How often something may die and be started again, and how long to wait before each time."""

from __future__ import annotations

import time
from collections import deque
from typing import Final

from model.errors import ServingFailed

__all__ = ["Restarts"]

_DEATHS: Final = 5
_WITHIN_S: Final = 600.0


class Restarts:
    """Counts deaths within ten minutes: each doubles the wait, one too many is the end.

    Waits of 1, 2, 4, 8 and 16 seconds: a crash by chance costs a second, one that comes back at each start does not
    keep the machine busy for ever.
    """

    def __init__(self) -> None:
        self._deaths: deque[float] = deque()

    def after_death(self) -> float:
        """Return how many seconds to wait before the next start.

        Raises:
            ServingFailed: it died too often.
        """
        now = time.monotonic()
        self._deaths.append(now)
        while now - self._deaths[0] > _WITHIN_S:
            self._deaths.popleft()
        if len(self._deaths) > _DEATHS:
            raise ServingFailed(
                f"vLLM died {len(self._deaths)} times within {_WITHIN_S / 60:.0f} minutes; it stays down.",
                remedy="Read the engine's log, give it more memory or a smaller cache, and restart Vouch.",
            )
        return 2.0 ** (len(self._deaths) - 1)

    @property
    def said(self) -> str:
        """How often it died, in words."""
        return f"vLLM died and starts again ({len(self._deaths)} of {_DEATHS})"
