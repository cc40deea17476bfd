"""Vectors as the catalog keeps them: float16, half the room, with cosines that differ by less than 0.001."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from retrieval.embedding import Vectors

__all__ = ["pack", "unpack"]

_STORED: Final = np.dtype("<f2")


def pack(vector: Vectors) -> bytes:
    """Return a vector as the catalog keeps it: float16, little-endian."""
    return vector.astype(_STORED).tobytes()


def unpack(rows: Iterable[bytes], *, dimension: int) -> Vectors:
    """Return stored vectors as unit rows, (n, dimension)."""
    flat = np.frombuffer(b"".join(rows), dtype=_STORED).astype(np.float32)
    vectors = flat.reshape(-1, dimension)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Vectors = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
    return unit
