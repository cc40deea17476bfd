"""Lets concurrent callers share one commit.

Whoever comes first works for all that wait, and the next ones gather meanwhile. There is no thread and no timer of its
own: a lone caller never waits for company, and under load the batches grow by themselves to what came during a commit.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

__all__ = ["Gathering"]

_Item = TypeVar("_Item")


@dataclass(slots=True, eq=False)
class _Ticket(Generic[_Item]):
    item: _Item
    done: bool = False
    wake: threading.Event = field(default_factory=threading.Event)


class Gathering(Generic[_Item]):
    """Hands items, in the order of their coming, to a function that is never called twice at a time."""

    def __init__(self, commit: Callable[[Sequence[_Item]], None], *, most: int) -> None:
        """Share calls of `commit`, each with 1 to `most` items. What becomes of an item is between it and `commit`."""
        self._commit = commit
        self._most = most
        self._guard = threading.Lock()  # of the two below, for moments only
        self._waiting: deque[_Ticket[_Item]] = deque()
        self._led = False  # whether a caller commits for the others, or was woken to do it next

    def submit(self, item: _Item) -> None:
        """Return when `commit` was called with this item, in this thread or in another, and has ended."""
        ticket = _Ticket(item)
        with self._guard:
            self._waiting.append(ticket)
            leads, self._led = not self._led, True
        if not leads:
            self._wait(ticket)
        if not ticket.done:  # the first one, or left the lead by the one before
            self._lead()

    def _wait(self, ticket: _Ticket[_Item]) -> None:
        try:
            ticket.wake.wait()
        except BaseException:  # an interrupt: the others must not wait for a lead that nobody takes
            with self._guard:
                if ticket in self._waiting:
                    self._waiting.remove(ticket)
                    if ticket.wake.is_set():
                        self._pass_on()
            raise

    def _lead(self) -> None:
        with self._guard:
            batch = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
        try:
            self._commit([ticket.item for ticket in batch])
        finally:
            with self._guard:
                for ticket in batch:
                    ticket.done = True
                    ticket.wake.set()
                self._pass_on()

    def _pass_on(self) -> None:
        self._led = bool(self._waiting)
        if self._led:
            self._waiting[0].wake.set()
