"""The parent's side of a fork server: starts it, gives it jobs, and is sure that it ends."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

__all__ = ["ServerProcess"]

_READ: Final = 1 << 16
_GRACE_S: Final = 5.0  # for killing one process; a server that takes longer is killed itself


class ServerProcess:
    """One `retrieval.parsing.forkserver`, which does one job at a time. Not shared between threads.

    It has its own process group, no output, an environment of one variable, and ends when this process does: the kernel
    closes its socket then.
    """

    def __init__(self) -> None:
        """Start the process; a job may be sent at once."""
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-X", "utf8", "-m", "retrieval.parsing.forkserver"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"LC_ALL": "C.UTF-8"},
                cwd="/",
                process_group=0,
            )
        self._output = -1
        self.pid: Final = self._process.pid

    def begin(self, job: Mapping[str, Any]) -> bool:
        """Send a job. False when the server is gone, which is found out here when it died while idle."""
        self._output, theirs = os.pipe2(os.O_CLOEXEC)
        try:
            socket.send_fds(self._control, [json.dumps(dict(job)).encode("ascii")], [theirs])
        except (BrokenPipeError, ConnectionResetError):
            self._close_output()
            return False
        finally:
            os.close(theirs)
        return True

    def output(self, *, deadline: float) -> Iterator[bytes]:
        """Yield what the job's child writes until it closes its output.

        Raises:
            TimeoutError: the clock of `time.monotonic` passed the deadline.
        """
        with selectors.DefaultSelector() as ready:
            ready.register(self._output, selectors.EVENT_READ)
            while True:
                if not ready.select(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError
                piece = os.read(self._output, _READ)
                if not piece:
                    return
                yield piece

    def status(self, *, deadline: float) -> int | None:
        """Wait for the job's end and return its exit status, negative for a signal; None when the server is gone.

        Raises:
            TimeoutError: it has not ended.
        """
        self._control.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            answer = self._control.recv(_READ)
        except ConnectionResetError:
            return None
        finally:
            self._control.settimeout(None)
        return int(json.loads(answer)["status"]) if answer else None

    def finish(self) -> bool:
        """End the job at hand, whatever it does. False when the server cannot be used again: close it."""
        self._close_output()
        try:
            self._control.send(b"\n")
            return self.status(deadline=time.monotonic() + _GRACE_S) is not None
        except OSError:  # gone, or it does not answer
            return False

    def close(self) -> None:
        """End the server and whatever it runs."""
        self._close_output()
        self._control.close()
        try:
            self._process.wait(timeout=_GRACE_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)  # its child dies with it
            self._process.wait()

    def _close_output(self) -> None:
        if self._output >= 0:
            os.close(self._output)
            self._output = -1
