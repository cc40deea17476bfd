"""Runs one command and makes sure that nothing of it outlives whoever asked for it.

Started as ``python -I model/_warden.py COMMAND...`` in a session of its own, with a pipe on standard input whose other
end the asker keeps open and never writes to. The pipe closes when the asker closes it, exits, crashes or is killed with
SIGKILL; then the command's whole process group gets SIGTERM, and SIGKILL after a grace time. When the command ends
first, the rest of its group is killed and the warden exits with its status. When the warden itself is killed, the
kernel kills the command (``PR_SET_PDEATHSIG``, prctl(2)).

It imports the standard library alone, so that it starts in a few hundredths of a second and stays small.

Not covered: grandchildren that leave the process group, when the warden and the asker are killed at the same time.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
import time

_PR_SET_PDEATHSIG = 1
_GRACE_S = 5.0
_POLL_S = 0.1


def _die_with_the_warden() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _signal_group(group: int, number: int) -> bool:
    """Signal the group; whether there is one left."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


def _asker_is_gone() -> bool:
    """Wait a moment; whether the pipe was closed meanwhile."""
    ready, _, _ = select.select([sys.stdin.fileno()], [], [], _POLL_S)
    return bool(ready) and os.read(sys.stdin.fileno(), 1) == b""


def _end(command: subprocess.Popen[bytes]) -> None:
    _signal_group(command.pid, signal.SIGTERM)
    deadline = time.monotonic() + _GRACE_S
    while time.monotonic() < deadline and _signal_group(command.pid, 0):
        command.poll()
        time.sleep(_POLL_S / 2)


def main(argv: list[str]) -> int:
    """Run the command; return its exit status, 128 plus the signal's number if one ended it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))
    command = subprocess.Popen(  # noqa: S603 -- the asker's command line
        argv,
        stdin=subprocess.DEVNULL,
        preexec_fn=_die_with_the_warden,  # one thread, so the fork is safe
        process_group=0,
    )
    try:
        while command.poll() is None and not _asker_is_gone():
            pass
    finally:
        if command.poll() is None:
            _end(command)
        _signal_group(command.pid, signal.SIGKILL)
        command.wait()
    return command.returncode if command.returncode >= 0 else 128 - command.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
