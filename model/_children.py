"""Child processes that cannot outlive us: each runs under a warden, in a session of its own.

Not covered: a grandchild that starts a session of its own.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final

__all__ = ["Child", "child_environment", "log_tail", "session_members"]

_WARDEN: Final = str(Path(__file__).with_name("_warden.py"))
_POLL_S: Final = 0.02
_END_S: Final = 8.0
"""The warden's own grace time is 5 s; after this, it is taken down as well."""


def child_environment(**additions: str) -> dict[str, str]:
    """Return our environment with additions, for a child.

    It hands on what belongs to the tools that read it (index, proxies, certificates); nothing is configured from it.
    """
    return {**os.environ, **additions}


class Child:
    """A running command.

    Attributes:
        pid: Id of its warden, which is the id of its session.
        stdout: What it writes, line by line, when `capture` was asked for; otherwise None and all goes to the log.
    """

    def __init__(
        self, argv: Sequence[str], *, log: Path, environment: dict[str, str] | None = None, capture: bool = False
    ) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 -- fixed programs; arguments from the catalog and settings
                [sys.executable, "-I", _WARDEN, *argv],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if capture else output,
                stderr=output,
                env=environment or child_environment(),
                start_new_session=True,
            )
        self.pid = self._process.pid
        self.stdout: IO[bytes] | None = self._process.stdout

    def poll(self) -> int | None:
        """Return the exit status, or None while it runs."""
        return self._process.poll()

    def wait(self, timeout_s: float) -> int | None:
        """Return the exit status, or None if it still runs after the time."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout_s)
        return None

    def end(self) -> None:
        """End it and all that it started: SIGTERM, then SIGKILL; nothing of it is left on return."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        if self.wait(_END_S) is None:
            self._process.kill()
            self._process.wait()
        while left := session_members(self.pid):
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(_POLL_S)
        if self.stdout is not None:
            self.stdout.close()


def session_members(session: int) -> list[int]:
    """Return the ids of the living processes of a session; zombies do not count (proc(5), fields 3 and 6 of stat)."""
    members = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:  # it ended while we looked
            continue
        if int(fields[3]) == session and fields[0] not in {"Z", "X"}:
            members.append(int(entry.name))
    return members


def log_tail(log: Path, *, limit: int = 600) -> str:
    """Return the end of a log in one line of at most `limit` characters; empty when there is none."""
    try:
        with log.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - 4 * limit))
            text = stream.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    return " ".join(text.split())[-limit:]
