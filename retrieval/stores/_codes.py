"""Finds rows worth a closer look among millions: an inverted file of product-quantized vectors (FAISS IVF-PQ).

A row is 4 bits for every 2 numbers: 96 bytes for 384 dimensions, scanned 32 at a time from registers. The caller
ranks what is found by the whole vectors, so the codes need to be right about the best hundred, not about the order of
the best ten.

How many cells are looked into is not a constant: cells are taken from the nearest on until they hold enough rows that
may be seen. So a scope that lets one row of a hundred through does not starve, and one that sees a single subject is
not made to look where it sees nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import faiss
import numpy as np
import numpy.typing as npt

from retrieval.embedding import Vectors
from retrieval.stores._clusters import Cells, Numbers, cells_for
from retrieval.stores._rows import Where, products

__all__ = ["FEWEST", "Codes", "Counts"]

Counts = npt.NDArray[np.int64]
"""Shape (C,): visible rows in each cell."""

_faiss: Any = faiss  # its type stubs describe the generated C++ layer, not the Python one over it
FEWEST: Final = 64
"""Rows that a code book can be made from."""

_BITS: Final = 4  # of the fast scan
_A_CODE: Final = 2  # numbers a code: with 4, as many bytes saved, 512 candidates were needed instead of 128
_SAMPLED_A_CELL: Final = 40  # k-means needs some 40 vectors a centre; FAISS warns below
_CODEBOOK_SAMPLE: Final = 65_536
_PROBED: Final = 256  # cells' worth of rows that an unrestricted search looks at: see docs/log.md for recall by it


class Codes:
    """A searchable inverted file over the rows of one segment. Never changed once it is built."""

    def __init__(self, index: Any, cells: Numbers) -> None:
        """Take over a proven index.

        Args:
            index: a FAISS IndexIVFPQFastScan of inner products, whose ids are row numbers.
            cells: the cell of each row, (n,).
        """
        self.index, self.cells = index, cells
        quantizer = _faiss.downcast_index(index.quantizer)
        self._centres: Vectors = quantizer.reconstruct_n(0, quantizer.ntotal)  # (C, D)
        self._lengths = np.einsum("cd,cd->c", self._centres, self._centres) / 2
        self.sizes: Counts = np.bincount(cells, minlength=len(self._centres))
        mean = len(cells) / max(1, len(self._centres))
        self._enough = max(1.0, mean * _PROBED)

    @classmethod
    def built(
        cls,
        blocks: Callable[[], Iterator[tuple[int, Vectors]]],
        sample: Vectors,
        count: int,
        *,
        pause: Callable[[], None] = lambda: None,
    ) -> Codes:
        """Train on a sample and take in all rows.

        Args:
            blocks: yields (number of the first row, vectors) until all rows have come, each time it is called.
            sample: vectors drawn from the rows, (N, D).
            count: rows that will come.
            pause: called between steps of less than some seconds; may raise to give up.
        """
        dimension = sample.shape[1]
        trained = Cells.trained(sample, cells_for(count), pause=pause)
        quantizer = _faiss.IndexFlatIP(dimension)
        quantizer.add(trained.centres)
        shape = (dimension, len(trained.centres), dimension // _divisor(dimension), _BITS)
        index = _faiss.IndexIVFPQ(quantizer, *shape, _faiss.METRIC_INNER_PRODUCT)
        some = sample[:_CODEBOOK_SAMPLE]
        index.pq.cp.min_points_per_centroid = 1  # FAISS would write a warning to the terminal
        index.pq.train(some - trained.centres[trained.assign(some, pause=pause)])
        index.is_trained = True
        cells = np.empty(count, dtype=np.int32)
        for start, vectors in blocks():
            of = trained.assign(vectors, pause=pause)
            cells[start : start + len(of)] = of
            rows, wide = np.arange(start, start + len(of), dtype=np.int64), of.astype(np.int64)
            index.add_core(len(of), _pointer(vectors), _pointer(rows), _pointer(wide))
            pause()
        return cls(_packed(index), cells)

    @staticmethod
    def sampled(count: int) -> int:
        """Return how many vectors a training sample for so many rows should have."""
        return min(count, cells_for(count) * _SAMPLED_A_CELL)

    def candidates(self, query: Vectors, count: int, visible: Counts | None, selector: Any, *, wider: float) -> Where:
        """Return up to `count` row numbers of vectors near a query.

        Args:
            query: one unit vector, (D,).
            count: most candidates.
            visible: how many rows of each cell may be found; None: all.
            selector: a FAISS IDSelector of the rows that may be found; None: all.
            wider: how many times as many rows as usual to look at.
        """
        cosines = products(self._centres, query)  # (C,)
        cells = self._nearest_cells(cosines - self._lengths, self.sizes if visible is None else visible, wider)
        chosen, offsets = cells.astype(np.int64), cosines[cells]
        scores, rows = np.empty(count, dtype=np.float32), np.empty(count, dtype=np.int64)
        self.index.search_preassigned_c(
            1,
            _pointer(np.ascontiguousarray(query)),
            count,
            _pointer(chosen),
            _pointer(offsets),
            _pointer(scores),
            _pointer(rows),
            False,  # whether to return places in cells instead of ids
            _faiss.SearchParametersIVF(nprobe=len(chosen), sel=selector),
        )
        return rows[rows >= 0]

    def _nearest_cells(self, nearness: Vectors, visible: Counts, wider: float) -> Where:
        """Return cells, nearest first, that together hold enough visible rows."""
        filled = np.flatnonzero(visible)
        enough = self._quota(int(visible.sum())) * wider
        some = int(np.ceil(enough / max(1.0, visible[filled].mean()))) * 2 if len(filled) else 0
        if some < len(filled):
            filled = filled[np.argpartition(-nearness[filled], some)[:some]]
        ordered = filled[np.argsort(-nearness[filled])]
        held = np.cumsum(visible[ordered])
        return ordered[: int(np.searchsorted(held, enough)) + 1]

    def _quota(self, visible: int) -> float:
        """Return how many visible rows to look at: fewer of a scope that sees less, but not in proportion.

        The ten nearest of one visible row in a hundred lie as far away as the thousand nearest of all, which takes more
        cells, but not a hundred times as many.
        """
        return self._enough * float((visible / max(1, len(self.cells))) ** 0.75)


def _packed(index: Any) -> Any:
    """Return the index in the layout of the fast scan."""
    packed = _faiss.IndexIVFPQFastScan(index)
    packed.own_fields = False
    quantizer = _faiss.clone_index(index.quantizer)
    packed.quantizer = quantizer
    quantizer.this.disown()
    packed.own_fields = True
    return packed


def _divisor(dimension: int) -> int:
    return _A_CODE if dimension % _A_CODE == 0 else 1


def _pointer(array: npt.NDArray[Any]) -> Any:
    return _faiss.swig_ptr(array)
