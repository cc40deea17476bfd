"""An embedding model that remembers: for evaluations, which embed the same corpus again and again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from retrieval.embedding import TextEmbedder, Vectors
from retrieval.types import digest_of

__all__ = ["CachedEmbedder"]

_KEYS_A_STATEMENT: Final = 500
_TEXTS_A_STEP: Final = 1024  # enough to sort by length, few enough to lose little when it is broken off


class CachedEmbedder:
    """Wraps an embedder and keeps its vectors in a SQLite file, by the digest of the text and the model's identity."""

    def __init__(self, embedder: TextEmbedder, path: Path) -> None:
        self._embedder = embedder
        self._connection = sqlite3.connect(path)
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS vectors (embedder TEXT, text TEXT, vector BLOB, PRIMARY KEY (embedder, text))"
        )
        self.dimension = embedder.dimension
        self.identity = embedder.identity
        self.languages = embedder.languages

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one unit vector a text, (n, dimension), computing only those that are new."""
        keys = [digest_of(text) for text in texts]
        known = self._read(keys)
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        for some in _portions(list(new), _TEXTS_A_STEP):
            vectors = dict(zip(some, self._embedder.embed([new[key] for key in some]), strict=True))
            self._write(vectors)
            known |= vectors
        rows = [known[key] for key in keys]
        return np.stack(rows) if rows else np.empty((0, self.dimension), dtype=np.float32)

    def _read(self, keys: Sequence[str]) -> dict[str, Vectors]:
        found: dict[str, Vectors] = {}
        for some in _portions(keys, _KEYS_A_STATEMENT):
            marks = ",".join("?" * len(some))
            sql = f"SELECT text, vector FROM vectors WHERE embedder = ? AND text IN ({marks})"  # noqa: S608 - marks only
            for key, blob in self._connection.execute(sql, (self.identity, *some)):
                found[key] = np.frombuffer(blob, dtype="<f4")
        return found

    def _write(self, vectors: dict[str, Vectors]) -> None:
        rows = [(self.identity, key, vector.astype("<f4").tobytes()) for key, vector in vectors.items()]
        with self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)


def _portions(keys: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for at in range(0, len(keys), size):
        yield keys[at : at + size]
