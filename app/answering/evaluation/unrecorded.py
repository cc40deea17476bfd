"""A record that keeps nothing, for questions that nobody asked: those of an evaluation.

The pipeline refuses to work without a record. An evaluation's questions are no user's, and their items may be under
licences that forbid keeping copies, so they get this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from app.answering.types import Receipt
from app.identity.principal import Principal

__all__ = ["Unrecorded"]


class Unrecorded:
    """An audit sink and a content store in one."""

    def __init__(self) -> None:
        self._size = 0

    def append(
        self,
        action: str,
        *,
        actor: Principal,
        body: Mapping[str, Any],
        outcome: str = "ok",
        closes: int | None = None,
    ) -> Receipt:
        """Count the event and forget it."""
        self._size += 1
        none = "0" * 64
        return Receipt(entry=self._size - 1, leaf=none, size=self._size, root=none, time=datetime.now(UTC).isoformat())

    def seal(self, _subject: str, _answer_id: str, texts: Mapping[str, str]) -> Mapping[str, str]:
        """Return empty commitments."""
        return dict.fromkeys(texts, "")
