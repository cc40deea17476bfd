"""What the rest of the machine did while a contender was measured: on a shared machine a figure is worth no more."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from model._children import session_members

__all__ = ["elsewhere", "free_gb", "halt", "resident_gb", "resume"]

_TICK: Final = 1 / os.sysconf("SC_CLK_TCK")
_BUSY: Final = (0, 1, 2, 5, 6, 7)
"""user, nice, system, irq, softirq, steal: fields of the first line of /proc/stat (proc(5))."""
_UTIME: Final = 11
"""Of /proc/PID/stat, counted behind the name; stime follows."""


def elsewhere(sessions: Iterable[int]) -> Callable[[], float]:
    """Begin to watch.

    Args:
        sessions: Ids of the sessions whose processes are the contender.

    Returns:
        A function that says which share of all cores was not the contender's and not idle since, 0 to 1.
    """
    wanted = list(sessions)
    begin, busy, own = time.perf_counter(), _busy(), _own(wanted)
    cores = os.cpu_count() or 1

    def share() -> float:
        seconds = (time.perf_counter() - begin) * cores
        others = (_busy() - busy) - (_own(wanted) - own)
        return min(1.0, max(0.0, others / seconds)) if seconds > 0 else 0.0

    return share


def _busy() -> float:
    """Return the seconds that all cores have worked since the machine started."""
    fields = Path("/proc/stat").read_text(encoding="utf-8").splitlines()[0].split()[1:]
    return sum(int(fields[n]) for n in _BUSY) * _TICK


def _own(sessions: Iterable[int]) -> float:
    """Return the seconds that the processes of the sessions have worked."""
    seconds = 0.0
    for session in sessions:
        for pid in session_members(session):
            try:
                fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
            except OSError:  # it ended while we looked
                continue
            user, system = fields.split()[_UTIME : _UTIME + 2]
            seconds += (int(user) + int(system)) * _TICK
    return seconds


def free_gb() -> float:
    """Return the memory that may be used, in GiB (proc(5), MemAvailable)."""
    lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")) / (1 << 20)


def resident_gb(sessions: Iterable[int]) -> float:
    """Return the memory that the processes of the sessions hold, in GiB; what they share counts once (Pss, proc(5))."""
    kilobytes = 0
    for session in sessions:
        for pid in session_members(session):
            try:
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
            except OSError:  # it ended while we looked
                continue
            kilobytes += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kilobytes / (1 << 20)


def halt(sessions: Iterable[int]) -> None:
    """Stop the processes of the sessions where they are, so that they take nothing from whoever is measured.

    A server that waits is not idle at once: threads of OpenMP and readers of vLLM's queues spin for a while. The first
    process of each session goes on: it is a warden (`model._warden`), which has to notice when we end.
    """
    _signal(sessions, signal.SIGSTOP)


def resume(sessions: Iterable[int]) -> None:
    """Let the processes of the sessions go on."""
    _signal(sessions, signal.SIGCONT)


def _signal(sessions: Iterable[int], number: signal.Signals) -> None:
    for session in sessions:
        for pid in session_members(session):
            if pid != session:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
