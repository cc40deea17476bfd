"""Makes one segment out of several, and says which ones: how the store grows without writing everything again.

A new segment takes in those before it as long as they are no larger than what it already holds, so that sizes at least
double from one to the next: a million passages lie in a handful of segments, and each was written anew at most once for
every doubling, however often the store is saved. A segment of which a quarter is dead is written anew by itself.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from retrieval.embedding import Vectors
from retrieval.stores._codes import Codes
from retrieval.stores._manifest import write_proven
from retrieval.stores._rows import DTYPES, FileRows, MemoryRows, Rows
from retrieval.stores._segment import Segment
from retrieval.visibility import Ids

__all__ = ["merged", "to_merge"]

_BLOCK: Final = 8192
_DEAD_SHARE: Final = 0.25


def to_merge(segments: Sequence[Segment], *, flat_below: int) -> list[Segment]:
    """Return the segments that should become one; none when all is well.

    They are the smallest ones up to the last that is no larger than those before it together, or one that is a quarter
    dead, or one that has no codes and has become too large to do without.
    """
    ordered = sorted(segments, key=lambda segment: segment.living)
    total, last = 0, 0
    for place, segment in enumerate(ordered):
        if place and segment.living <= total:
            last = place
        total += segment.living
    if last:
        return ordered[: last + 1]
    large = (s for s in ordered if s.codes is None and s.living >= flat_below)
    dead = (s for s in ordered if s.dead > _DEAD_SHARE * len(s.ids))
    return list(itertools.islice(itertools.chain(dead, large), 1))


def merged(
    name: str,
    sources: Sequence[Segment],
    *,
    folder: Path,
    flat_below: int,
    in_memory: Callable[[int], bool],
    pause: Callable[[], None] = lambda: None,
) -> Segment:
    """Write the living rows of some segments into one.

    Args:
        name: of the new segment.
        sources: none of which has an id that another one has alive.
        folder: where its files go, unless it stays below `flat_below` rows; then it is in memory, in float32.
        flat_below: from so many rows on the segment has codes.
        in_memory: says of a number of bytes whether rows of that size shall be held in memory beside their file.
        pause: called between steps of less than some seconds; may raise to give up.

    Raises:
        OSError: there is no space; the files that were begun are the caller's to remove.
    """
    ids, source, row = _order(sources)
    if len(ids) < flat_below:
        rows = [block for _, block in _blocks(sources, source, row)]
        return Segment.fresh(name, ids, MemoryRows(np.concatenate(rows) if rows else _no_rows(sources)))
    files = {"ids": write_proven(folder / f"{name}.ids", [ids])}
    halved = (block.astype(DTYPES["f2"]) for _, block in _paced(_blocks(sources, source, row), pause))
    files["rows"] = write_proven(folder / f"{name}.rows", halved)
    dimension = files["rows"].size // len(ids) // DTYPES["f2"].itemsize
    written = FileRows.at(folder / f"{name}.rows", dtype="f2", dimension=dimension)
    codes = Codes.built(written.blocks, _sample(written, name), len(ids), pause=pause)
    files["codes"] = write_proven(folder / f"{name}.codes", codes.index)
    files["cells"] = write_proven(folder / f"{name}.cells", [codes.cells])
    kept: Rows = written.in_memory() if in_memory(files["rows"].size) else written
    return Segment.fresh(name, ids, kept, codes, flat_below=flat_below, files=files)


def _order(sources: Sequence[Segment]) -> tuple[Ids, Ids, Ids]:
    """Return the living ids of all, ascending, and of each the number of its segment and its row there."""
    ids = np.concatenate([s.ids for s in sources])
    source = np.repeat(np.arange(len(sources), dtype=np.int32), [len(s.ids) for s in sources])
    row = np.concatenate([np.arange(len(s.ids)) for s in sources])
    alive = np.concatenate([flags for s in sources for flags in s.alive]) if len(ids) else np.empty(0, dtype=np.bool_)
    ids, source, row = ids[alive], source[alive], row[alive]
    order = np.argsort(ids, kind="stable")
    return ids[order], source[order], row[order]


def _blocks(sources: Sequence[Segment], source: Ids, row: Ids) -> Iterator[tuple[int, Vectors]]:
    for at in range(0, len(row), _BLOCK):
        of, rows = source[at : at + _BLOCK], row[at : at + _BLOCK]
        parts = [(np.flatnonzero(of == number), number) for number in np.unique(of)]
        taken = [sources[number].rows.take(rows[where]) for where, number in parts]
        block = np.empty((len(of), taken[0].shape[1]), dtype=np.float32)
        for (where, _), vectors in zip(parts, taken, strict=True):
            block[where] = vectors
        yield at, block


def _paced(blocks: Iterator[tuple[int, Vectors]], pause: Callable[[], None]) -> Iterator[tuple[int, Vectors]]:
    for block in blocks:
        yield block
        pause()


def _sample(rows: Rows, name: str) -> Vectors:
    """Draw what the codes are trained on; the same rows for the same name."""
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))
    size = Codes.sampled(rows.count)
    drawn = rows.take(np.sort(rng.choice(rows.count, size, replace=False)))
    rng.shuffle(drawn)
    return drawn


def _no_rows(sources: Sequence[Segment]) -> Vectors:
    return sources[0].rows.take(np.empty(0, dtype=np.int64))
