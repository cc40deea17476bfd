"""What stands behind an event's time: which clock, in which zone, whether it is kept right, and whether it stepped.

Times are those of the writer's machine, always written in UTC. Whether that clock is kept right only the kernel knows:
adjtimex(2) says so, with the flag STA_UNSYNC, wherever something (NTP, PTP, a hypervisor) disciplines it. A clock may
be set back or forward at any moment; that is recorded in the next event and is never a reason to refuse one: the order
of events is that of `seq`.

Not covered:
    A machine whose administrator sets the clock and tells the kernel that it is right. Only a timestamp from outside
    (a witness's cosignature) shows that. A step while the service is down: compare the times of neighbouring entries.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

__all__ = ["UNKNOWN", "Clock", "ClockState", "Reading"]

_SOURCE: Final = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
_UNSYNCHRONISED: Final = 0x0040  # STA_UNSYNC, <linux/timex.h>
_STEP_S: Final = 1.0
_DRIFT: Final = 0.001
"""A clock that is slewed runs at most 0.05 % fast or slow: anything beyond twenty times that was a step."""


@dataclass(frozen=True, slots=True)
class ClockState:
    """The clock of an event.

    `source` names the kernel's clock source, such as ``tsc``; `synchronised` is what the kernel says of it, or None
    where it cannot be asked; `stepped_ms` is by how much the clock was set since the event before, 0 where it was not.
    """

    source: str
    synchronised: bool | None
    zone: str = "UTC"
    stepped_ms: int = 0

    def fields(self) -> dict[str, Any]:
        """Return what the event says of it."""
        return {
            "source": self.source,
            "stepped_ms": self.stepped_ms,
            "synchronised": self.synchronised,
            "zone": self.zone,
        }


UNKNOWN: Final = ClockState(source="unknown", synchronised=None)


@dataclass(frozen=True, slots=True)
class Reading:
    """A time, RFC 3339 in UTC with microseconds, and the state of the clock that gave it."""

    time: str
    state: ClockState


class Clock:
    """Reads the time together with the clock's state. One caller at a time."""

    def __init__(self, now: Callable[[], datetime] | None = None) -> None:
        """Read this clock, by default the machine's."""
        self._now = now or _system
        self._source = _source_name()
        self._before: tuple[float, float] | None = None

    def read(self) -> Reading:
        """Return the time and how far it can be trusted."""
        now = self._now().astimezone(UTC)
        text = now.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
        state = ClockState(self._source, _synchronised(), stepped_ms=self._stepped(now.timestamp()))
        return Reading(text, state)

    def _stepped(self, wall: float) -> int:
        """Compare with a clock that cannot be set, and that goes on while the machine sleeps."""
        steady = time.clock_gettime(time.CLOCK_BOOTTIME)
        before, self._before = self._before, (wall, steady)
        if before is None:
            return 0
        passed = steady - before[1]
        step = wall - before[0] - passed
        return round(step * 1000) if abs(step) > _STEP_S + _DRIFT * passed else 0


def _system() -> datetime:
    return datetime.now(tz=UTC)


def _source_name() -> str:
    try:
        return _SOURCE.read_text(encoding="ascii").strip()[:64] or UNKNOWN.source
    except (OSError, UnicodeDecodeError):
        return UNKNOWN.source


class _Timex(ctypes.Structure):
    """The beginning of struct timex, and room for the rest of it."""

    _fields_ = (
        ("modes", ctypes.c_uint),  # 0: read only
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


def _find_adjtimex() -> Any:
    try:
        # PyDLL: the call takes half a microsecond, giving up the interpreter's lock around it would take many
        return ctypes.PyDLL(None).adjtimex
    except (OSError, AttributeError):
        return None


_adjtimex: Final = _find_adjtimex()


def _synchronised() -> bool | None:
    if _adjtimex is None:
        return None
    timex = _Timex()
    if _adjtimex(ctypes.byref(timex)) < 0:
        return None
    return not timex.status & _UNSYNCHRONISED
