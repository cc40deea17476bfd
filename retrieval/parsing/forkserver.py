"""The process that all children of one `Sandbox` server come from: `python -m retrieval.parsing.forkserver`.

Starting an interpreter and importing a parser takes 200 ms, reading a short file 10. So the interpreter starts once,
imports parsers, which are trusted, and forks for each job. It never opens a file of a stranger itself: what a job does
to its process ends with that process, and the next job begins from the same memory as the first.

It speaks over the socket that is its standard input, one packet a message. A packet with a descriptor is a job, as for
`retrieval.parsing.child`, and where its output goes; a packet without one asks to end the job at hand. The answer to
each job is the exit status of its child, negative for a signal, when nothing of the child is left. A closed socket ends
the server and whatever runs.

Each child gets a pipe of its own, so it cannot speak for another; a process that it leaves behind is this process's
(a subreaper, prctl(2)) and is killed before the next job begins. Other children cannot trace the server.

Not covered: the same as in `retrieval.parsing.sandbox`.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import select
import signal
import socket
import sys
from pathlib import Path
from typing import Any, Final, NoReturn

from retrieval.parsing import child

__all__ = ["MESSAGE", "serve"]

MESSAGE: Final = 1 << 17
"""Most bytes of a message: a page's picture with 500 boxes to mark takes half of it."""

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_CHILD_SUBREAPER: Final = 36
_PR_SET_NO_NEW_PRIVS: Final = 38


def serve(control: socket.socket) -> None:
    """Do one job after the other until the socket is closed."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, MESSAGE, 1)
        if not message:
            return
        if not descriptors:  # asks to end a job that has ended by itself
            continue
        status = _do(json.loads(message), descriptors[0], control)
        control.send(json.dumps({"status": status}).encode("ascii"))


def _do(job: dict[str, Any], out: int, control: socket.socket) -> int:
    try:
        child.prepare(job)
    except Exception:  # noqa: BLE001 - whatever is wrong with the installation, this job cannot be done
        os.close(out)
        return 1
    gc.freeze()  # so that a collection in the child does not copy our pages
    server = os.getpid()
    process = os.fork()
    if process == 0:
        _work(job, out, control, server)
    os.close(out)
    with contextlib.suppress(OSError):
        os.setpgid(process, process)  # here as well as there: whoever comes first
    return _end(process, control)


def _work(job: dict[str, Any], out: int, control: socket.socket, server: int) -> NoReturn:
    status = 1
    try:
        os.setpgid(0, 0)
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        _prctl(_PR_SET_DUMPABLE, 1)
        if os.getppid() == server:
            control.close()
            os.dup2(out, 1)
            os.close(out)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            child.main(job)
            status = 0
    except MemoryError:
        os.kill(os.getpid(), signal.SIGKILL)  # too little to say so: the same as when native code asks for more
    finally:
        os._exit(status)


def _end(process: int, control: socket.socket) -> int:
    """Wait for a child, or kill it when told to; leave no process behind."""
    watched = os.pidfd_open(process)
    try:
        ready, _, _ = select.select([watched, control.fileno()], [], [])
    finally:
        os.close(watched)
    os.kill(process, signal.SIGKILL)  # not reaped yet, so the number is still its own
    with contextlib.suppress(ProcessLookupError):  # it may have left its group
        os.killpg(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    _reap()
    if control.fileno() in ready and not control.recv(MESSAGE):
        sys.exit(0)
    return os.waitstatus_to_exitcode(status)


def _reap() -> None:
    """Kill what the child left behind in other groups, and what that leaves, until nothing is left."""
    listed = Path(f"/proc/self/task/{os.getpid()}/children")
    while left := listed.read_text(encoding="ascii").split() if listed.exists() else []:
        for process in map(int, left):
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)


def _prctl(option: int, value: int) -> None:
    """Set an attribute of this process. Linux only, see prctl(2)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_DUMPABLE, 0)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    with socket.socket(fileno=0) as given:
        serve(given)
