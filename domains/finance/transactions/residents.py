"""Which entities are in memory: a row for each key, the database behind them, and what has still to be written there.

    rows_of(keys)   loads what is missing, in one question; gives the row of each key
    touched(rows)   remembers that rows changed at an event
    due(seq)        rows whose change is older than `lag` events, packed: written with the next commit, some at a
                    time, so that no transaction waits for a write of everything
    applied         the event number below which nothing is unwritten: where a restart begins to read the journal

A row that is given up while it has unwritten changes is packed and kept until the next commit takes it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final

from domains.finance.transactions.state import State
from domains.finance.transactions.stored import Stored

__all__ = ["LAG", "Residents"]

LAG: Final = 8_192
"""Events. A busy row is written once in so many, and a restart replays at most about so many: 1 to 2 seconds."""

_SHARE: Final = 16
"""Overdue rows written for each event at most; an event changes at most 7, so the backlog always shrinks."""


class Residents:
    """The rows in memory, least recently used first.

    Args:
        state: The rows themselves.
        store: Where rows come from that are not in memory.
        lag: Events after which a changed row is due; see `LAG`.
    """

    def __init__(self, state: State, store: Stored, *, lag: int = LAG) -> None:
        self._state = state
        self._lag = lag
        self._store = store
        self._rows: OrderedDict[bytes, int] = OrderedDict()
        self._key_of: dict[int, bytes] = {}
        self._free = list(range(state.capacity - 1, 0, -1))  # row 0 stands for nobody
        self._dirty: OrderedDict[int, int] = OrderedDict()  # row -> first event that it has and the database lacks
        self._leaving: dict[bytes, tuple[bytes, int]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def rows_of(self, keys: Sequence[Sequence[bytes | None]]) -> list[list[int]]:
        """Return the row of each key, 0 for None, loading those that are not in memory.

        Raises:
            StateUnavailable: the database does not answer, or a stored row is damaged.
        """
        wanted = dict.fromkeys(key for group in keys for key in group if key is not None)
        missing = []
        for key in wanted:
            if key in self._rows:
                self._rows.move_to_end(key)
            else:
                missing.append(key)
        if missing:
            self._load(missing)
        rows = self._rows
        return [[0 if key is None else rows[key] for key in group] for group in keys]

    def _load(self, missing: Sequence[bytes]) -> None:
        stored = self._store.states([key for key in missing if key not in self._leaving])
        filled: dict[int, bytes] = {}
        empty: list[int] = []
        for key, row in zip(missing, self._places(len(missing)), strict=True):
            back = self._leaving.pop(key, None)
            data = stored.get(key) if back is None else back[0]
            if data is not None:
                filled[row] = data
            else:
                empty.append(row)
            self._rows[key] = row
            self._key_of[row] = key
            if (
                back is not None
            ):  # it came back before it was written; `_dirty` stays ordered, by an event too early at worst
                self._dirty[row] = min(back[1], next(iter(self._dirty.values()), back[1]))
                self._dirty.move_to_end(row, last=False)
        self._state.unpack(list(filled), list(filled.values()))
        self._state.clear(empty)

    def _places(self, number: int) -> list[int]:
        """Return so many rows that nobody has: free ones, then those of who was used longest ago."""
        free = [self._free.pop() for _ in range(min(number, len(self._free)))]
        given_up = [self._rows.popitem(last=False) for _ in range(number - len(free))]
        changed = [(key, row) for key, row in given_up if row in self._dirty]
        for (key, row), data in zip(changed, self._state.pack([row for _, row in changed]), strict=True):
            self._leaving[key] = (data, self._dirty.pop(row))
        for _, row in given_up:
            del self._key_of[row]
        return free + [row for _, row in given_up]

    def touched(self, rows: Iterable[int], seq: int) -> None:
        """Remember that an event changed these rows."""
        for row in rows:
            if row and row not in self._dirty:
                self._dirty[row] = seq

    def due(self, seq: int, events: int) -> tuple[dict[bytes, bytes], int, list[int]]:
        """Return what the next commit must write.

        Args:
            seq: The last event accepted.
            events: How many events this commit has; bounds how many rows are taken.

        Returns:
            Packed rows by key, the number up to which everything will be written, and the rows for `written`.
        """
        taken: list[int] = []
        oldest = seq + 1
        for row, first in self._dirty.items():
            if first > seq - self._lag or len(taken) >= _SHARE * events:
                oldest = first
                break
            taken.append(row)
        return self._packed(taken) | self._left(), oldest - 1, taken

    def written(self, rows: Iterable[int]) -> None:
        """Forget what a commit has written."""
        for row in rows:
            self._dirty.pop(row, None)
        self._leaving.clear()

    def flush(self) -> tuple[dict[bytes, bytes], list[int]]:
        """Return every unwritten row, packed, and the rows for `written`."""
        taken = list(self._dirty)
        return self._packed(taken) | self._left(), taken

    def _packed(self, rows: Sequence[int]) -> dict[bytes, bytes]:
        return {self._key_of[row]: data for row, data in zip(rows, self._state.pack(rows), strict=True)}

    def _left(self) -> dict[bytes, bytes]:
        return {key: data for key, (data, _) in self._leaving.items()}
