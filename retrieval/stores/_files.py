"""Segments to files and back."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from typing import Any, Final

import faiss
import numpy as np
import numpy.typing as npt

from retrieval.stores._codes import Codes
from retrieval.stores._manifest import Part, damaged, write_proven
from retrieval.stores._rows import DTYPES, FileRows, Rows
from retrieval.stores._segment import Segment
from retrieval.stores._workshop import new_name

__all__ = ["load", "part_of", "with_dead", "write"]

_faiss: Any = faiss
_FLAT: Final = {"ids", "rows"}
_CODED: Final = {"ids", "rows", "codes", "cells"}


def write(segment: Segment, folder: Path, *, dtype: str) -> Segment:
    """Write a segment's files, and return it with their proofs; its rows are in the file alone where `dtype` changes.

    Raises:
        OSError: there is no space.
    """
    name = segment.name
    blocks = (block.astype(DTYPES[dtype]) for _, block in segment.rows.blocks())
    files = {
        "ids": write_proven(folder / f"{name}.ids", [segment.ids]),
        "rows": write_proven(folder / f"{name}.rows", blocks),
    }
    if segment.codes is not None:
        files["codes"] = write_proven(folder / f"{name}.codes", segment.codes.index)
        files["cells"] = write_proven(folder / f"{name}.cells", [segment.codes.cells])
    rows: Rows = segment.rows
    if dtype != rows.dtype and segment.ids.size:
        width = files["rows"].size // len(segment.ids) // DTYPES[dtype].itemsize
        rows = FileRows.at(folder / f"{name}.rows", dtype=dtype, dimension=width)
    return replace(segment, rows=rows, files=files, _sights=segment.sights)


def with_dead(segment: Segment, folder: Path) -> Segment:
    """Write which rows are dead, unless that is written already."""
    if not segment.dead or "dead" in segment.files:
        return segment
    bits = np.packbits(np.concatenate(segment.alive), bitorder="little")
    proof = write_proven(folder / f"{segment.name}.dead-{new_name()}", [bits])
    return replace(segment, files={**segment.files, "dead": proof}, _sights=segment.sights)


def part_of(segment: Segment) -> Part:
    """Return what a manifest says of a written segment."""
    return Part(
        name=segment.name,
        count=len(segment.ids),
        dead=segment.dead,
        dtype=segment.rows.dtype,
        files=dict(segment.files),
    )


def load(
    part: Part,
    opened: Mapping[str, BufferedReader],
    *,
    dimension: int,
    flat_below: int,
    in_memory: Callable[[int], bool],
) -> Segment:
    """Build a segment from files whose digests were found right.

    Args:
        part: what the manifest says.
        opened: its files by what they hold, each at its beginning.
        dimension: of the vectors.
        flat_below: see `Segment`.
        in_memory: says of a number of bytes whether rows of that size shall be held in memory.

    Raises:
        IndexDamaged: they hold something else than the manifest says.
    """
    kinds = set(opened) - {"dead"}
    known = part.dtype in DTYPES and kinds in (_FLAT, _CODED)
    if not known or part.files["rows"].size != _rows_size(part, dimension):
        raise damaged("holds something else than its manifest says")
    ids = _array(opened["ids"], "<i8", part.count)
    if (ids[:-1] >= ids[1:]).any():
        raise damaged("holds something else than its manifest says")
    rows: Rows = FileRows(os.dup(opened["rows"].fileno()), dtype=part.dtype, dimension=dimension)
    if part.dtype == "f4" or in_memory(part.files["rows"].size):
        rows = rows.in_memory() if isinstance(rows, FileRows) else rows
    codes = _codes(part, opened, dimension) if kinds == _CODED else None
    segment = Segment.fresh(part.name, ids, rows, codes, flat_below=flat_below)
    if "dead" in opened:
        alive = np.unpackbits(_array(opened["dead"], "u1", -(-part.count // 8)), count=part.count, bitorder="little")
        segment = segment.without(ids[alive == 0])
    if segment.dead != part.dead:
        raise damaged("holds something else than its manifest says")
    return replace(segment, files=part.files, _sights=segment.sights)


def _codes(part: Part, opened: Mapping[str, BufferedReader], dimension: int) -> Codes:
    cells = _array(opened["cells"], "<i4", part.count)
    try:
        index = _faiss.read_index(_faiss.PyCallbackIOReader(opened["codes"].read))
    except RuntimeError as error:  # FAISS's only type; another version may have written it
        raise damaged("cannot be read by this version of FAISS") from error
    right = isinstance(index, _faiss.IndexIVFPQFastScan) and (index.d, index.ntotal) == (dimension, part.count)
    if not right or not part.count or cells.min() < 0 or cells.max() >= index.nlist:
        raise damaged("holds something else than its manifest says")
    return Codes(index, cells)


def _rows_size(part: Part, dimension: int) -> int:
    return int(part.count * dimension * DTYPES[part.dtype].itemsize)


def _array(file: BufferedReader, dtype: str, count: int) -> npt.NDArray[Any]:
    data = bytearray(file.read())
    if len(data) != count * np.dtype(dtype).itemsize:
        raise damaged("holds something else than its manifest says")
    return np.frombuffer(data, dtype=dtype)
