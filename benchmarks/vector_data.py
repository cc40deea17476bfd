"""Vectors to search: real embeddings where there are enough, drawn around them where there are not.

A base is a file of float16 vectors of 384 numbers (an export of `passage_vectors`, or any other); without one it is
drawn: 20,000 points in 400 clusters with a spectrum that falls off like that of sentence embeddings. While a size
asks for no more than the base has, rows are the base's own. Beyond that each row is a base vector plus noise that has
the base's own covariance, so that the cosine to the base vector is about 0.8, as of two passages on one subject; then
unit length and float16, as the catalog keeps vectors. Queries are base vectors that are left out of what rows are
drawn around.

Every block comes from its own seed, so the same data is made again instead of kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

__all__ = ["BLOCK", "DIMENSION", "Data", "Exact", "label_of"]

DIMENSION: Final = 384
BLOCK: Final = 16_384
LABELS: Final = 100
DOCUMENT: Final = 20
_NOISE: Final = 0.75  # length beside a unit vector: a cosine of 0.8 between the two
_QUERIES: Final = 1_000
_DRAWN: Final = 20_000
_CLUSTERS: Final = 400

Array = np.ndarray[Any, np.dtype[np.float32]]


class Data:
    """Rows and queries from a base of real vectors, or from a drawn one."""

    def __init__(self, path: Path | None) -> None:
        if path is not None:
            found = np.fromfile(path, dtype="<f2").reshape(-1, DIMENSION).astype(np.float32)
            base = unit(found)
        else:
            base = _drawn_base()
        self.real = path is not None
        self.queries, self.base = base[:_QUERIES], base[_QUERIES:]
        centred = self.base - self.base.mean(axis=0)
        values, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
        spread = np.sqrt(np.maximum(values, 0))
        self._noise = ((vectors * spread) * (_NOISE / np.sqrt((spread**2).sum()))).T.astype(np.float32)

    def of(self, size: int) -> str:
        """Say in words what the rows of a size are."""
        kind = "real" if self.real else "drawn"
        if size <= len(self.base):
            return f"{kind} vectors"
        return f"drawn around {len(self.base):,} {kind} vectors"

    def blocks(self, size: int) -> Iterator[tuple[int, Array]]:
        """Yield (number of the first row, unit rows rounded to float16) until `size` rows have come."""
        for start in range(0, size, BLOCK):
            count = min(BLOCK, size - start)
            if size <= len(self.base):
                rows = self.base[start : start + count]
            else:
                rng = np.random.default_rng([11, start // BLOCK])
                rows = self.base[rng.integers(0, len(self.base), count)].copy()
                rows += rng.standard_normal((count, DIMENSION), dtype=np.float32) @ self._noise
            yield start, unit(unit(rows).astype(np.float16).astype(np.float32))


class Exact:
    """The true nearest rows of some queries, taken while the rows go by, for all rows and for some labels."""

    def __init__(self, queries: Array, k: int, shares: tuple[int, ...]) -> None:
        """Begin.

        Args:
            queries: unit vectors, (Q, D).
            k: neighbours wanted.
            shares: for each answer, the number of labels of the hundred that may be seen.
        """
        self._queries, self._k = queries, k
        self.ids = {share: np.full((len(queries), k), -1, dtype=np.int64) for share in shares}
        self._cosines = {share: np.full((len(queries), k), -2.0, dtype=np.float32) for share in shares}

    def take(self, ids: np.ndarray[Any, Any], rows: Array) -> None:
        """Look at more rows."""
        cosines = self._queries @ rows.T  # (Q, n)
        labels = label_of(ids)
        for share in self.ids:
            some = np.flatnonzero(labels < share)
            if not len(some):
                continue
            seen = cosines if share >= LABELS else cosines[:, some]
            better = seen > self._cosines[share][:, -1:]
            for query in np.flatnonzero(better.any(axis=1)):  # few, once the first rows have gone by
                at = np.flatnonzero(better[query])
                both = np.concatenate([self._cosines[share][query], seen[query, at]])
                names = np.concatenate([self.ids[share][query], ids[some[at]]])
                order = np.argsort(-both)[: self._k]
                self._cosines[share][query], self.ids[share][query] = both[order], names[order]


def label_of(ids: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the label's number, 0 to 99, of each passage: that of its document, of 20 passages, drawn evenly."""
    document = (ids // DOCUMENT).astype(np.uint64)
    mixed = (document + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    return ((mixed >> np.uint64(40)) % np.uint64(LABELS)).astype(np.int64)


def unit(rows: Array) -> Array:
    """Return rows of length 1."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float32).tiny)


def _drawn_base() -> Array:
    rng = np.random.default_rng(3)
    spectrum = (1 / np.sqrt(1 + np.arange(DIMENSION) / 20)).astype(np.float32)
    centres = rng.standard_normal((_CLUSTERS, DIMENSION), dtype=np.float32) * spectrum
    rows = centres[rng.integers(0, _CLUSTERS, _DRAWN + _QUERIES)]
    return unit(rows + rng.standard_normal(rows.shape, dtype=np.float32) * spectrum)
