"""Follows the ledger into its searchable copy, in a thread of the service, so that no append waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import structlog

from app.errors import LedgerError
from app.ledger.copying import LedgerCopy

__all__ = ["Follower"]

_PAUSE_S: Final = 0.5
"""Between two looks at the ledger: the most by which the copy lags when nothing is wrong."""
_PAUSE_AFTER_ERROR_S: Final = 5.0

_log = structlog.get_logger()


class Follower:
    """Keeps a copy up to date until it is stopped."""

    def __init__(self, copy: LedgerCopy, size: Callable[[], int]) -> None:
        """Follow into `copy`; `size` says, cheaply, how many entries there are."""
        self._copy = copy
        self._size = size
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._problem: str | None = None

    @property
    def problem(self) -> str | None:
        """Why the copy is not being filled, or None."""
        return self._problem

    def start(self) -> None:
        """Begin to follow."""
        self._thread = threading.Thread(target=self._run, name="ledger-copy", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop following, after the batch that is being copied."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=30)

    def _run(self) -> None:
        copied = -1
        while not self._stopping.is_set():
            pause = _PAUSE_S
            try:
                size = self._size()
                if size != copied:
                    self._copy.catch_up()
                    copied = size
                self._problem = None
            except LedgerError as error:
                if self._problem != error.message:
                    _log.error("ledger.copy_failed", code=error.code, reason=error.message)
                self._problem = error.message
                copied, pause = -1, _PAUSE_AFTER_ERROR_S
            self._stopping.wait(pause)
