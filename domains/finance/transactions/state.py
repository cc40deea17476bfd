"""The state of all entities that are in memory: one row each, of fixed size, in a few large arrays.

An entity's row is what `windows` describes, and its whole life in eight numbers (`LIFE`). Rows are found by key; when
all are taken, the one that was used longest ago is given up, after it was written to the database. A row's cost is the
same whether ten or ten million events went into it.

    fold     adds events to rows; one that is older than a ring holds is left out of that ring, and of that ring alone
    pack     rows as bytes, empty cells left out: what the database keeps
    unpack   the reverse

`seq` is the number of the last event that went into a row, in the order of acceptance: a row may be written at any
time, and after a restart each event is added to those rows alone that do not have it yet (the page numbers of ARIES,
Mohan et al. 1992, ACM TODS 17(1)). Adding is order-free but for rounding: counts, maxima and bitmaps do not depend on
it.

Bytes of a packed row, little endian: version u8, cells u8, seq i64, life 8 f64, then for each cell that is not empty:
its place u8, stamp i32, largest f64, 15 sums f64, 4 bitmaps u64. At most 14,264 bytes.

Not covered: more than one process on the same tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from domains.finance.transactions.errors import StateUnavailable
from domains.finance.transactions.windows import (
    BITMAPS,
    CELLS,
    MEASURES,
    WINDOWS,
    Bits,
    Floats,
    Ints,
    Windowed,
    buckets,
    cells,
    held,
    living,
    read,
)

__all__ = ["LIFE", "ROW_DTYPE", "State"]

LIFE: Final = ("first", "last", "count", "amount", "log", "log2", "largest", "last_amount")
"""Times in seconds since 1970, amounts in euro, `count` of all transactions ever."""

_VERSION: Final = 1
_TOGETHER: Final = 512
"""Rows packed at once: 7 MB."""
_HEAD: Final = np.dtype([("version", "u1"), ("cells", "u1"), ("seq", "<i8"), ("life", "<f8", (len(LIFE),))])
ROW_DTYPE: Final = np.dtype(
    [
        ("cell", "u1"),
        ("stamp", "<i4"),
        ("largest", "<f8"),
        ("sums", "<f8", (len(MEASURES),)),
        ("bits", "<u8", (len(BITMAPS),)),
    ]
)


class State:
    """Rows of entities.

    Args:
        rows: How many fit in memory; a row takes 14.5 KiB. Row 0 is always empty and stands for nobody.
    """

    def __init__(self, rows: int) -> None:
        self.capacity = rows
        self.stamps: Ints = np.full((rows, CELLS), -1, dtype=np.int64)
        self.sums: Floats = np.zeros((rows, CELLS, len(MEASURES)))
        self.largest: Floats = np.zeros((rows, CELLS))
        self.bits: Bits = np.zeros((rows, CELLS, len(BITMAPS)), dtype=np.uint64)
        self.life: Floats = np.zeros((rows, len(LIFE)))
        self.seq: Ints = np.full(rows, -1, dtype=np.int64)

    def windows(self, rows: Ints, seconds: Floats) -> Windowed:
        """Read the windows of rows (n, E) as of each event's time (n,)."""
        n, roles = rows.shape
        sums = np.zeros((n, roles, len(WINDOWS), len(MEASURES)))
        largest = np.zeros((n, roles, len(WINDOWS)))
        bits = np.zeros((n, roles, len(WINDOWS), len(BITMAPS)), dtype=np.uint64)
        at = np.nonzero(self.life[rows, 2])  # nobody, and who was never seen, has nothing to read
        row = rows[at]  # (k,)
        found = read(
            self.stamps[row],
            self.sums[row],
            self.largest[row],
            self.bits[row],
            now=buckets(seconds)[at[0]],
            newest=buckets(self.life[row, 1]),
        )
        sums[at], largest[at], bits[at] = found.sums, found.largest, found.bits
        return Windowed(sums, largest, bits)

    def fold(self, rows: Ints, seconds: Floats, measures: Floats, values: Floats, bits: Bits, seq: Ints) -> None:
        """Add events to their rows; no row may occur twice.

        Args:
            rows: (n, E); 0 where an event names nobody.
            seconds: (n,).
            measures: (n, E, M), what each event adds.
            values: (n,), amounts in euro.
            bits: (n, E, B).
            seq: (n,); rows that have this event already are left as they are.
        """
        event, role = np.nonzero((rows > 0) & (self.seq[rows] < seq[:, None]))  # (k,)
        row = rows[event, role]
        bucket = buckets(seconds)
        self._fold_cells(
            row, bucket[event], cells(bucket)[event], measures[event, role], values[event], bits[event, role]
        )
        self._fold_life(row, seconds[event], values[event], measures[event, role])
        self.seq[row] = seq[event]

    def _fold_cells(self, row: Ints, bucket: Ints, cell: Ints, measures: Floats, values: Floats, bits: Bits) -> None:
        # (k, 3); where it is false the ring has moved on
        keep = (bucket >= self.stamps[row[:, None], cell]) & held(bucket, buckets(self.life[row, 1]))
        pick, ring = np.nonzero(keep)
        at = (row[pick], cell[pick, ring])
        fresh = self.stamps[at] != bucket[pick, ring]
        sums, largest, joined = self.sums[at], self.largest[at], self.bits[at]
        sums[fresh], largest[fresh], joined[fresh] = 0.0, 0.0, 0
        self.sums[at] = sums + measures[pick]
        self.largest[at] = np.maximum(largest, values[pick])
        self.bits[at] = joined | bits[pick]
        self.stamps[at] = bucket[pick, ring]

    def _fold_life(self, row: Ints, seconds: Floats, values: Floats, measures: Floats) -> None:
        life = self.life[row]  # (k, 8)
        new = life[:, 2] == 0
        latest = new | (seconds >= life[:, 1])
        life[:, 0] = np.where(new, seconds, np.minimum(life[:, 0], seconds))
        life[:, 7] = np.where(latest, values, life[:, 7])
        life[:, 1] = np.where(latest, seconds, life[:, 1])
        life[:, 2:6] += measures[:, 0:4]
        life[:, 6] = np.maximum(life[:, 6], values)
        self.life[row] = life

    def clear(self, rows: Sequence[int]) -> None:
        """Make rows nobody's; one that was never anybody's is so already: its pages stay untouched."""
        at = np.array(rows, dtype=np.int64)
        at = at[self.seq[at] >= 0]
        self.stamps[at] = -1
        self.sums[at] = 0.0
        self.largest[at] = 0.0
        self.bits[at] = 0
        self.life[at] = 0.0
        self.seq[at] = -1

    def pack(self, rows: Sequence[int]) -> list[bytes]:
        """Return rows as bytes. All at once: one at a time, numpy's calls cost ten times what they move."""
        return [data for at in range(0, len(rows), _TOGETHER) for data in self._pack(rows[at : at + _TOGETHER])]

    def _pack(self, rows: Sequence[int]) -> list[bytes]:
        at = np.array(rows, dtype=np.int64)  # (k,)
        place, used = np.nonzero(living(self.stamps[at], buckets(self.life[at, 1])))
        row = at[place]
        body = np.empty(len(used), dtype=ROW_DTYPE)
        body["cell"], body["stamp"], body["largest"] = used, self.stamps[row, used], self.largest[row, used]
        body["sums"], body["bits"] = self.sums[row, used], self.bits[row, used]
        head = np.empty(len(at), dtype=_HEAD)
        head["version"], head["cells"] = _VERSION, np.bincount(place, minlength=len(at))
        head["seq"], head["life"] = self.seq[at], self.life[at]
        heads, whole, ends = head.tobytes(), body.tobytes(), np.cumsum(head["cells"], dtype=np.int64).tolist()
        size, step = _HEAD.itemsize, ROW_DTYPE.itemsize
        return [
            heads[n * size : (n + 1) * size] + whole[start * step : end * step]
            for n, (start, end) in enumerate(zip([0, *ends], ends, strict=False))
        ]

    def unpack(self, rows: Sequence[int], packed: Sequence[bytes]) -> None:
        """Fill rows from bytes.

        Raises:
            StateUnavailable: some of it is no packed row; none was filled.
        """
        size, step = _HEAD.itemsize, ROW_DTYPE.itemsize
        for data in packed:
            if len(data) < size or data[0] != _VERSION or len(data) != size + data[1] * step:
                raise _damaged()
        head = np.frombuffer(b"".join(data[:size] for data in packed), dtype=_HEAD)
        body = np.frombuffer(b"".join(data[size:] for data in packed), dtype=ROW_DTYPE)
        used = body["cell"].astype(np.int64)
        if len(used) and int(used.max()) >= CELLS:
            raise _damaged()
        self.clear(rows)
        at = np.array(rows, dtype=np.int64)
        row = np.repeat(at, head["cells"])
        self.stamps[row, used], self.largest[row, used] = body["stamp"], body["largest"]
        self.sums[row, used], self.bits[row, used] = body["sums"], body["bits"]
        self.life[at], self.seq[at] = head["life"], head["seq"]


def _damaged() -> StateUnavailable:
    return StateUnavailable(
        "The stored state of an account, merchant or device is damaged.",
        remedy="Restore the database from a backup; transactions are not scored with a state that cannot be read.",
    )
