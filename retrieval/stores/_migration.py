"""One thread for work that may take long, started when there is some and ended when there is none.

It gives way to those who wait for an answer (a lower priority of its own, one core for FAISS), and stops between two
steps when the store is closed or the program ends.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from typing import Any, Final

import faiss
import structlog

__all__ = ["Migration", "Stopped"]

_faiss: Any = faiss
_NICE: Final = 10
_log = structlog.get_logger()


class Stopped(Exception):
    """Raised inside a step that shall give up."""


class Migration:
    """Runs a step again and again as long as it finds something to do. Safe to share between threads."""

    def __init__(self, step: Callable[[Callable[[], None]], bool]) -> None:
        """Start nothing yet.

        Args:
            step: does a piece of work and says whether there may be more; it is given a function to call often, which
                raises `Stopped` when it shall give up. It must leave everything in order however it ends.
        """
        self._step = step
        self._lock = threading.Lock()
        self._wanted = False
        self._thread: threading.Thread | None = None
        self._stopping = False

    def start(self) -> None:
        """See to it that the step will run after this call."""
        with self._lock:
            self._wanted = True
            if self._thread is None and not self._stopping:
                self._thread = threading.Thread(target=self._run, name="index-migration")
                self._thread.start()

    def wait(self) -> None:
        """Wait until there is nothing to do."""
        while (thread := self._thread) is not None:
            thread.join()

    def stop(self) -> None:
        """Give up what is being done, and do nothing any more."""
        with self._lock:
            self._stopping = True
        self.wait()

    def _run(self) -> None:
        _give_way()
        while True:
            with self._lock:
                if not self._wanted or self._stopping:
                    self._thread = None
                    return
                self._wanted = False
            try:
                while self._step(self._pause):
                    pass
            except Stopped:
                continue
            except (OSError, RuntimeError, MemoryError) as error:  # a full disk, FAISS's only type, and no memory
                _log.warning("index.migration_failed", reason=type(error).__name__)  # tried again at the next change

    def _pause(self) -> None:
        if self._stopping or not threading.main_thread().is_alive():
            with self._lock:
                self._stopping = True
            raise Stopped


def _give_way() -> None:
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
    _faiss.omp_set_num_threads(1)  # of this thread alone
