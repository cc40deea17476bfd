"""Where the rows of entities come from when they are not in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

__all__ = ["Nothing", "Stored"]


class Stored(Protocol):
    """Where rows come from that are not in memory."""

    def states(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return the packed rows of those keys that have one."""
        ...


class Nothing:
    """A store that holds nothing: what leaves memory is kept aside, packed. For training and tests."""

    def states(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return no row."""
        return {}
