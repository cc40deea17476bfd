"""Lets concurrent callers share one commit.

Whoever comes first works for all that wait, and the next ones gather meanwhile. There is no thread and no timer of its
own: a lone caller never waits for company, and under load the batches grow by themselves to what came during a commit.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

__all__ = ["Gathering"]

_Item = TypeVar("_Item")


class _Ticket(Generic[_Item]):
    """What one caller brought. `wake` is locked until the caller has a reason to go on; a bare lock wakes fastest."""

    __slots__ = ("done", "items", "leads", "wake")

    def __init__(self, items: Sequence[_Item]) -> None:
        self.items = items
        self.done = False
        self.leads = False
        self.wake = threading.Lock()
        self.wake.acquire()


class Gathering(Generic[_Item]):
    """Hands items, in the order of their coming, to a function that is never called twice at a time."""

    def __init__(self, commit: Callable[[Sequence[_Item]], None], *, most: int) -> None:
        """Share calls of `commit`.

        Each gets 1 to `most` items, or more where one caller brought more. What becomes of an item is between it and
        `commit`.
        """
        self._commit = commit
        self._most = most
        self._guard = threading.Lock()  # of the two below, for moments only
        self._waiting: deque[_Ticket[_Item]] = deque()
        self._led = False  # whether a caller commits for the others, or was woken to do it next

    def submit(self, *items: _Item) -> None:
        """Return when `commit` was called with these items, in this thread or in another, and has ended.

        Items that one caller brings together are handed over together.
        """
        ticket = _Ticket(items)
        with self._guard:
            self._waiting.append(ticket)
            leads, self._led = not self._led, True
        if not leads:
            self._wait(ticket)
        if not ticket.done:  # the first one, or left the lead by the one before
            self._lead()

    def _wait(self, ticket: _Ticket[_Item]) -> None:
        try:
            ticket.wake.acquire()
        except BaseException:  # an interrupt: the others must not wait for a lead that nobody takes
            with self._guard:
                if ticket in self._waiting:
                    self._waiting.remove(ticket)
                    if ticket.leads:
                        self._pass_on()
            raise

    def _lead(self) -> None:
        with self._guard:
            batch = self._next_batch()
        try:
            self._commit([item for ticket in batch for item in ticket.items])
        finally:
            with self._guard:
                self._pass_on()  # first: the next commit begins while the others wake up
                for ticket in batch:
                    ticket.done = True
                    ticket.wake.release()

    def _next_batch(self) -> list[_Ticket[_Item]]:
        batch = [self._waiting.popleft()]
        room = self._most - len(batch[0].items)
        while self._waiting and len(self._waiting[0].items) <= room:
            batch.append(self._waiting.popleft())
            room -= len(batch[-1].items)
        return batch

    def _pass_on(self) -> None:
        self._led = bool(self._waiting)
        if self._led:
            self._waiting[0].leads = True
            self._waiting[0].wake.release()
