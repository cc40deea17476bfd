"""Where whole vectors lie: in memory, or in a file of which the rows wanted are read.

A file is read with `pread`, not mapped: a fault of a mapped page would hold the interpreter's lock while the disk
answers, and all that was ever looked at would count as this process's memory. What is read often stays in the system's
cache of pages, which gives way when memory is wanted.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Protocol, Self

import faiss
import numpy as np
import numpy.typing as npt

from retrieval.embedding import Vectors

__all__ = ["DTYPES", "FileRows", "MemoryRows", "Rows", "Where", "products"]

Where = npt.NDArray[np.int64]
"""Numbers of rows, ascending."""

DTYPES: Final[dict[str, np.dtype[Any]]] = {"f4": np.dtype("<f4"), "f2": np.dtype("<f2")}
"""How numbers are kept: float32 where a store is small, float16, as the catalog keeps them, where it is not."""

_faiss: Any = faiss  # its type stubs describe the generated C++ layer, not the Python one over it
_BLOCK: Final = 8192
_NEAR: Final = 8  # rows between two wanted ones that are read along rather than asked for by a second call


def products(vectors: Vectors, query: Vectors) -> Vectors:
    """Return the inner product of each row with one query, in this thread alone.

    The library below numpy's `@` gives half of it to a second thread and waits; on a machine that is busy answering
    that took eight times the processor's time.
    """
    rows, one = np.ascontiguousarray(vectors, dtype=np.float32), np.ascontiguousarray(query, dtype=np.float32)
    found = np.empty(len(rows), dtype=np.float32)
    if len(rows):
        pointers = (_faiss.swig_ptr(array) for array in (found, one, rows))
        _faiss.fvec_inner_products_ny(*pointers, rows.shape[1], len(rows))
    return found


class Rows(Protocol):
    """Vectors by row number."""

    dtype: str
    count: int

    def take(self, where: Where) -> Vectors:
        """Return these rows as float32, (n, dimension)."""
        ...

    def blocks(self) -> Iterator[tuple[int, Vectors]]:
        """Yield all rows as float32 by portions, each with the number of its first row."""
        ...


class MemoryRows:
    """Rows in an array, (count, dimension)."""

    def __init__(self, array: npt.NDArray[Any]) -> None:
        self.array = array
        self.dtype = {dtype: name for name, dtype in DTYPES.items()}[array.dtype]
        self.count = len(array)

    def take(self, where: Where) -> Vectors:
        """Return these rows as float32, (n, dimension)."""
        taken: Vectors = self.array[where].astype(np.float32, copy=False)
        return taken

    def blocks(self) -> Iterator[tuple[int, Vectors]]:
        """Yield all rows as float32 by portions, each with the number of its first row."""
        if self.dtype == "f4":
            yield 0, self.array
            return
        for at in range(0, self.count, _BLOCK):
            yield at, self.array[at : at + _BLOCK].astype(np.float32)


class FileRows:
    """Rows in a file of nothing else. The file stays open, so that its name may go."""

    def __init__(self, opened: int, *, dtype: str, dimension: int) -> None:
        """Take over a descriptor, which is closed with this object."""
        self.dtype = dtype
        self._dtype, self._dimension = DTYPES[dtype], dimension
        self._width = self._dtype.itemsize * dimension
        self._opened = opened
        self.count = os.fstat(self._opened).st_size // self._width

    @classmethod
    def at(cls, path: Path, *, dtype: str, dimension: int) -> Self:
        """Open a file that this process has written."""
        return cls(os.open(path, os.O_RDONLY | os.O_CLOEXEC), dtype=dtype, dimension=dimension)

    def __del__(self) -> None:
        os.close(self._opened)

    def take(self, where: Where) -> Vectors:
        """Return these rows as float32, (n, dimension)."""
        if not len(where):
            return np.empty((0, self._dimension), dtype=np.float32)
        parts = np.flatnonzero(np.diff(where) > _NEAR) + 1
        firsts, lasts = where[np.r_[0, parts]], where[np.r_[parts - 1, len(where) - 1]]
        spans = list(zip(firsts.tolist(), lasts.tolist(), strict=True))
        for first, last in spans:  # so that the disk works at all of them at once
            os.posix_fadvise(
                self._opened, first * self._width, (last - first + 1) * self._width, os.POSIX_FADV_WILLNEED
            )
        read = np.concatenate([self._read(first, last + 1) for first, last in spans])
        lengths = lasts - firsts + 1
        shift = np.repeat(np.r_[0, np.cumsum(lengths)[:-1]] - firsts, np.diff(np.r_[0, parts, len(where)]))
        taken: Vectors = read[where + shift].astype(np.float32)
        return taken

    def blocks(self) -> Iterator[tuple[int, Vectors]]:
        """Yield all rows as float32 by portions, each with the number of its first row."""
        for at in range(0, self.count, _BLOCK):
            yield at, self._read(at, min(at + _BLOCK, self.count)).astype(np.float32)

    def in_memory(self) -> MemoryRows:
        """Return the same rows in memory."""
        return MemoryRows(self._read(0, self.count))

    def _read(self, start: int, stop: int) -> npt.NDArray[Any]:
        array = np.empty((stop - start, self._dimension), dtype=self._dtype)
        left, at = array.reshape(-1).view(np.uint8).data, start * self._width
        while left:
            got = os.preadv(self._opened, [left], at)
            if not got:
                raise EOFError("a file of vectors became shorter while it was in use")
            left, at = left[got:], at + got
        return array
