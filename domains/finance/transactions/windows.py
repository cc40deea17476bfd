"""Windows over time, as rings of buckets: how a past event is kept so that any number of them costs the same.

One entity's state is one row of C cells. The cells are three rings; the bucket of a time in a ring is
b = floor(seconds / width), and it is kept in the ring's cell b mod size with b beside it (its stamp).

    ring   width   cells   windows
    fine   5 min   26      5m, 15m, 1h
    hour   1 h     27      6h, 24h
    day    1 d     33      3d, 7d, 30d

A window of length L seen from time t holds the buckets b(t) - L/width … b(t): every event of the last L, and none older
than L + one width. The rings are longer than their longest window by the allowed lateness (1 h), so that an event
that comes that late is still scored with the state as of its own time, to the bucket.

Shapes: n events, E roles, W = 8 windows, C = 86 cells, M = 15 sums, B = 4 bitmaps.

Sums are float64: counts are exact, sums of euro to 15 digits. A bitmap has one bit of 64 for each name seen; the
number of different names is estimated by linear counting, m = -64 ln(z/64) with z bits unset (Whang, Vander-Zanden
and Taylor 1990, ACM TODS 15(2)); full bitmaps read as 266.

Not covered: exact distinct counts (at 10 names the standard error is under one name, at 60 about 8 %, from some 200
on the bitmap is full); windows that begin within a bucket.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BITMAPS",
    "CELLS",
    "DISTINCT",
    "LATENESS",
    "LENGTHS",
    "MEASURES",
    "WINDOWS",
    "Bits",
    "Floats",
    "Ints",
    "Windowed",
    "buckets",
    "cells",
    "held",
    "living",
    "read",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bits = NDArray[np.uint64]

MEASURES: Final = (
    "count",
    "amount",
    "log",
    "log2",
    "in_count",
    "in_amount",
    "night",
    "round",
    "below",
    "small",
    "declined",
    "foreign",
    "online",
    "cash",
    "novel",
)
"""What is summed in a bucket. `amount` and `in_amount` are of approved transactions alone, in euro; `log` and `log2`
are sums of ln(1 + amount) and its square over all; the others are numbers of transactions."""

BITMAPS: Final = ("peer", "device", "merchant", "country")
"""What is counted once a name. `peer` is the counterparty for an account, the account for everything else."""

LATENESS: Final = 3600.0
"""Seconds behind the newest event within which an event counts as on time. Payment hubs deliver within minutes; an
hour is their usual cut-off for same-day correction files."""

_RINGS: Final = (("fine", 300, 26), ("hour", 3600, 27), ("day", 86_400, 33))
_OF_RING: Final = {
    "fine": (("5m", 1), ("15m", 3), ("1h", 12)),
    "hour": (("6h", 6), ("24h", 24)),
    "day": (("3d", 3), ("7d", 7), ("30d", 30)),
}

WINDOWS: Final = tuple(name for ring, _, _ in _RINGS for name, _ in _OF_RING[ring])
LENGTHS: Final[Floats] = np.array([number * width for ring, width, _ in _RINGS for _, number in _OF_RING[ring]], float)
"""Seconds, (W,)."""

CELLS: Final = sum(size for _, _, size in _RINGS)
_WIDTH: Final[Ints] = np.array([width for _, width, _ in _RINGS])  # (3,)
_SIZE: Final[Ints] = np.array([size for _, _, size in _RINGS])  # (3,)
_START: Final[Ints] = np.concatenate([[0], np.cumsum(_SIZE)[:-1]])  # (3,)
_RING_OF_CELL: Final[Ints] = np.repeat(np.arange(3), _SIZE)  # (C,)


_LIMITS: Final = tuple(np.array([[number + 1] for _, number in _OF_RING[ring]]) for ring, _, _ in _RINGS)
"""For each ring, (windows, 1): ages below it are in the window, which is the running bucket and `number` before it."""

DISTINCT: Final[Floats] = np.array([-64 * math.log(max(64 - ones, 1) / 64) for ones in range(65)])
"""Number of set bits -> estimated number of names, (65,)."""


class Windowed:
    """What the windows hold, seen from the time of each event.

    `sums` is (n, E, W, M), `largest` (n, E, W) in euro, `bits` (n, E, W, B); `read` gives one row after the other,
    (k, W, …).
    """

    __slots__ = ("bits", "largest", "sums")

    def __init__(self, sums: Floats, largest: Floats, bits: Bits) -> None:
        self.sums = sums
        self.largest = largest
        self.bits = bits


def buckets(seconds: Floats) -> Ints:
    """Return the bucket of each time in each ring: (...) to (..., 3)."""
    return np.floor_divide(seconds.astype(np.int64)[..., None], _WIDTH)


def cells(bucket: Ints) -> Ints:
    """Return the cell where each bucket is kept, (n, 3)."""
    return np.mod(bucket, _SIZE) + _START


def held(bucket: Ints, newest: Ints) -> NDArray[np.bool_]:
    """Say whether a ring whose newest bucket is `newest` still holds `bucket`; both (..., 3)."""
    held: NDArray[np.bool_] = bucket > newest - _SIZE
    return held


def living(stamps: Ints, newest: Ints) -> NDArray[np.bool_]:
    """Say which cells (..., C) hold something that the ring still holds; `newest` is (..., 3).

    A cell that nothing has overwritten may be older than its ring is long. It counts as empty, here and when a row is
    written: else what a late event sees would depend on whether its row has been in the database since.
    """
    living: NDArray[np.bool_] = (stamps >= 0) & (stamps > (newest - _SIZE)[..., _RING_OF_CELL])
    return living


def read(stamps: Ints, sums: Floats, largest: Floats, bits: Bits, *, now: Ints, newest: Ints) -> Windowed:
    """Add up each window of each of k rows, each seen from its own `now`.

    Args:
        stamps: (k, C), the bucket that each cell holds; -1 for none.
        sums: (k, C, M).
        largest: (k, C).
        bits: (k, C, B).
        now: (k, 3), the buckets of the events' times.
        newest: (k, 3), the buckets of the rows' last events.
    """
    rows = len(stamps)
    added = np.empty((rows, len(WINDOWS), len(MEASURES)))
    top = np.empty((rows, len(WINDOWS)))
    joined = np.empty((rows, len(WINDOWS), len(BITMAPS)), dtype=np.uint64)
    alive = living(stamps, newest)  # (k, C)
    window = 0
    for ring, limits in enumerate(_LIMITS):
        at = slice(int(_START[ring]), int(_START[ring] + _SIZE[ring]))
        age = now[:, ring, None] - stamps[:, at]  # (k, c)
        inside = (age[:, None] < limits) & (alive[:, at] & (age >= 0))[:, None]  # (k, w, c)
        out = slice(window, window + len(limits))
        np.matmul(inside.astype(np.float64), sums[:, at], out=added[:, out])
        np.max(inside * largest[:, None, at], axis=-1, out=top[:, out])
        np.bitwise_or.reduce(inside[..., None] * bits[:, None, at], axis=2, out=joined[:, out])
        window += len(limits)
    return Windowed(added, top, joined)
