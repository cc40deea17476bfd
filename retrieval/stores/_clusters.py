"""Cuts the space into cells: k-means in two levels, so that both training and assigning cost the square root.

Some √C coarse centres are found first, then about √C fine ones inside each. A vector is assigned to the best fine
centre of the few coarse centres nearest to it: with C = 16,384 that is 1,150 inner products instead of 16,384, in
matrix products. Distances are those of L2, so a centre has a length that counts: the nearest is the one with the
largest ``x·c - |c|²/2``.

Where FAISS was built for GPUs and finds one, vectors are compared with all centres there instead. Not covered: that was
never run, for want of a GPU; the same assignment is expected, with no best cell missed.

Dimensions: N vectors, D numbers each, C cells, G coarse centres, P coarse centres looked into.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Self

import faiss
import numpy as np
import numpy.typing as npt

from retrieval.embedding import Vectors

__all__ = ["Cells", "cells_for"]

Numbers = npt.NDArray[np.int32]

_faiss: Any = faiss  # its type stubs describe the generated C++ layer, not the Python one over it
_ROUNDS: Final = 8  # of k-means; the ninth moves few vectors
_LOOKED_INTO: Final = 6  # coarse centres a vector: where the best cell is missed, one near it is taken
_A_STEP: Final = 16_384  # vectors assigned at once: 25 MB of 384 dimensions
_CELLS: Final = 2  # there are 2 √N cells, half of FAISS's rule of thumb: the fast scan makes rows cheap beside centres


def cells_for(count: int) -> int:
    """Return how many cells suit so many vectors."""
    return max(1, min(int(_CELLS * count**0.5), count // 8))


@dataclass(frozen=True)
class Cells:
    """Centres of cells in two levels."""

    centres: Vectors  # (C, D)
    coarse: Vectors  # (G, D)
    starts: Numbers  # (G + 1,): the fine centres of coarse centre g are those from starts[g] to starts[g + 1]

    @classmethod
    def trained(cls, sample: Vectors, count: int, *, seed: int = 0, pause: Callable[[], None] = lambda: None) -> Self:
        """Find about `count` cells for a sample, (N, D) with N >= count.

        Args:
            sample: vectors drawn from those that will be assigned.
            count: cells wanted; a coarse centre gets as many as its share of the sample.
            seed: of the first centres.
            pause: called between steps of less than some seconds; may raise to give up.
        """
        rng = np.random.default_rng(seed)
        coarse = _k_means(sample, max(1, round(count**0.5)), rng, pause)
        of = _nearest(sample, coarse, pause)
        groups = [np.flatnonzero(of == number) for number in range(len(coarse))]
        fine = [_k_means(sample[rows], round(count * len(rows) / len(sample)), rng, pause) for rows in groups]
        starts = np.cumsum([0, *(len(centres) for centres in fine)]).astype(np.int32)
        return cls(np.concatenate(fine), coarse, starts)

    def assign(self, vectors: Vectors, *, pause: Callable[[], None] = lambda: None) -> Numbers:
        """Return the cell of each vector, (N,)."""
        found = np.empty(len(vectors), dtype=np.int32)
        for at in range(0, len(vectors), _A_STEP):
            found[at : at + _A_STEP] = self._assigned(vectors[at : at + _A_STEP])
            pause()
        return found

    def _assigned(self, vectors: Vectors) -> Numbers:
        if _gpus():
            return _nearest_on_gpu(vectors, self.centres)
        count = len(vectors)
        looked = min(_LOOKED_INTO, len(self.coarse))
        scores = _scores(vectors, self.coarse)  # (N, G)
        near = np.argpartition(-scores, looked - 1, axis=1)[:, :looked]  # (N, P)
        order = np.argsort(near, axis=None, kind="stable")
        owners, coarse = order // looked, near.ravel()[order]
        bounds = np.searchsorted(coarse, np.arange(len(self.coarse) + 1))
        best = np.full(count, -np.inf, dtype=np.float32)
        found = np.zeros(count, dtype=np.int32)
        for number in range(len(self.coarse)):
            rows = owners[bounds[number] : bounds[number + 1]]
            start, stop = self.starts[number], self.starts[number + 1]
            if not len(rows) or start == stop:
                continue
            inside = _scores(vectors[rows], self.centres[start:stop])
            at = np.argmax(inside, axis=1)
            score = inside[np.arange(len(rows)), at]
            better = score > best[rows]
            best[rows[better]] = score[better]
            found[rows[better]] = at[better] + start
        return found


def _k_means(vectors: Vectors, count: int, rng: np.random.Generator, pause: Callable[[], None]) -> Vectors:
    count = min(max(1, count), len(vectors))
    if not count:
        return vectors[:0]
    centres = vectors[rng.choice(len(vectors), count, replace=False)].astype(np.float32)
    for _ in range(_ROUNDS):
        of = _nearest(vectors, centres, pause)
        order = np.argsort(of, kind="stable")
        filled, firsts, sizes = np.unique(of[order], return_index=True, return_counts=True)
        centres[filled] = np.add.reduceat(vectors[order], firsts, axis=0) / sizes[:, None]
        empty = np.setdiff1d(np.arange(count), filled)
        centres[empty] = vectors[rng.choice(len(vectors), len(empty), replace=False)]
    return centres


def _nearest(vectors: Vectors, centres: Vectors, pause: Callable[[], None]) -> Numbers:
    if _gpus():
        return _nearest_on_gpu(vectors, centres)
    found = np.empty(len(vectors), dtype=np.int32)
    for at in range(0, len(vectors), _A_STEP):
        found[at : at + _A_STEP] = np.argmax(_scores(vectors[at : at + _A_STEP], centres), axis=1)
        pause()
    return found


def _nearest_on_gpu(vectors: Vectors, centres: Vectors) -> Numbers:
    """Return the nearest centre of each vector; the memory of the device is given back at the end."""
    _, found = _faiss.knn_gpu(_faiss.StandardGpuResources(), vectors, centres, 1)
    nearest: Numbers = found[:, 0].astype(np.int32)
    return nearest


def _gpus() -> int:
    return int(_faiss.get_num_gpus())  # 0 where FAISS was built without them


def _scores(vectors: Vectors, centres: Vectors) -> Vectors:
    scores: Vectors = vectors @ centres.T
    scores -= np.einsum("cd,cd->c", centres, centres) / 2
    return scores
