"""The embedded vector store: an exact FAISS index in memory, with a snapshot that is proven before it is read.

The index is `IndexIDMap2(IndexFlatIP)`: inner products of unit vectors, so cosines, compared with every vector. Exact
search needs no training, forgets deleted vectors at once, and takes a permission filter without losing recall.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from io import BufferedReader
from pathlib import Path
from typing import IO, Any, Final

import faiss
import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from retrieval.embedding import TextEmbedder, Vectors
from retrieval.errors import IndexDamaged
from retrieval.files import write_whole
from retrieval.stores._readwrite import ReadWriteLock
from retrieval.stores.contract import PassageReader, VectorStore
from retrieval.types import Scope
from retrieval.visibility import Ids

__all__ = ["FaissStore"]

_faiss: Any = faiss  # its type stubs describe the generated C++ layer, not the Python one over it
_INDEX: Final = "vectors.faiss"
_MANIFEST: Final = "vectors.json"
_FORMAT: Final = 1


class _Manifest(BaseModel):
    """What is said of a snapshot beside it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int
    sha256: str
    embedder: str
    dimension: int
    count: int
    generation: int


class FaissStore(VectorStore):
    """Vectors in a FAISS index in memory, with a snapshot in a folder.

    Not covered: a writer of the folder who forges the manifest as well. The digest tells damage and carelessness, not
    malice; the folder must belong to the service alone.
    """

    def __init__(
        self,
        folder: Path,
        *,
        embedder: TextEmbedder,
        passages: PassageReader,
    ) -> None:
        super().__init__(embedder=embedder, passages=passages)
        self._folder = folder
        self._lock = ReadWriteLock()
        self._made: Any = None  # at the first use, since the model's folder may still be on its way

    @property
    def _index(self) -> Any:
        if self._made is None:
            self._made = _faiss.IndexIDMap2(_faiss.IndexFlatIP(self._embedder.dimension))
        return self._made

    def ids(self) -> Ids:
        """Return the ids of all vectors, in no order."""
        with self._lock.read():
            return _ids_of(self._index)

    def add(self, ids: Sequence[int] | Ids, vectors: Vectors) -> None:
        """Add unit vectors, (n, dimension), under passage ids; an id that is there already gets the new vector."""
        numbers = np.asarray(ids, dtype=np.int64)
        if vectors.shape != (len(numbers), self._index.d):
            raise ValueError(f"{len(numbers)} ids need vectors of shape {(len(numbers), self._index.d)}")
        if not len(numbers):
            return
        with self._lock.write():
            again = np.intersect1d(numbers, _ids_of(self._index))
            if len(again):
                self._index.remove_ids(again)
            self._index.add_with_ids(np.ascontiguousarray(vectors, dtype=np.float32), numbers)

    def remove(self, ids: Sequence[int] | Ids) -> None:
        """Remove vectors; unknown ids are ignored."""
        if len(ids):
            with self._lock.write():
                self._index.remove_ids(np.asarray(ids, dtype=np.int64))

    def nearest(self, vector: Vectors, k: int, scope: Scope, *, within: Ids | None = None) -> list[tuple[int, float]]:
        """Return up to `k` (passage id, cosine) pairs that the scope may see, best first."""
        allowed = self.visibility.allowed(scope)
        if within is not None:
            allowed = np.intersect1d(allowed, within)
        if k <= 0 or not len(allowed):
            return []
        query = np.ascontiguousarray(vector, dtype=np.float32).reshape(1, -1)  # (1, dimension)
        parameters = _faiss.SearchParameters(sel=_selector(allowed))
        with self._lock.read():
            if not self._index.ntotal:
                return []
            cosines, ids = self._index.search(query, min(k, self._index.ntotal), params=parameters)  # (1, k) each
        return [(int(i), float(c)) for i, c in zip(ids[0], cosines[0], strict=True) if i >= 0]

    def snapshot(self, generation: int) -> None:
        """Write the index, then its manifest, each whole or not at all.

        A crash between the two leaves a manifest that does not match, which is told at the next start.
        """
        digest = hashlib.sha256()

        def write(file: IO[bytes]) -> None:
            def piece(data: bytes) -> int:
                digest.update(data)
                return file.write(data)

            # FAISS's own file writer goes on when the disk is full; a callback raises
            _faiss.write_index(self._index, _faiss.PyCallbackIOWriter(piece))

        with self._lock.read():
            write_whole(self._folder / _INDEX, write)
            count, dimension = self._index.ntotal, self._index.d
        manifest = _Manifest(
            format=_FORMAT,
            sha256=digest.hexdigest(),
            embedder=self._embedder.identity,
            dimension=dimension,
            count=count,
            generation=generation,
        )
        text = json.dumps(manifest.model_dump(), indent=2).encode()
        write_whole(self._folder / _MANIFEST, lambda file: _ignore(file.write(text)))

    def verify(self) -> int:
        """Hold the snapshot's bytes against its manifest and return its generation; FAISS reads nothing."""
        with self._open() as file:
            return self._proven(file).generation

    def restore(self, generation: int) -> None:
        """Replace the content by the snapshot, once its digest was found right."""
        with self._open() as file:
            manifest = self._proven(file)
            if manifest.generation != generation:
                raise _damaged("was taken of an older or newer catalog")
            file.seek(0)
            try:
                index = _faiss.read_index(_faiss.PyCallbackIOReader(file.read))
            except RuntimeError as error:  # FAISS's only type; another version may have written it
                raise _damaged("cannot be read by this version of FAISS") from error
        if not isinstance(index, _faiss.IndexIDMap2) or (index.d, index.ntotal) != (manifest.dimension, manifest.count):
            raise _damaged("holds something else than its manifest says")
        with self._lock.write():
            self._made = index

    def clear(self) -> None:
        """Forget all vectors; the snapshot stays."""
        with self._lock.write():
            self._made = None

    def _open(self) -> BufferedReader:
        try:
            return (self._folder / _INDEX).open("rb")
        except FileNotFoundError:
            raise _damaged("is missing") from None
        except OSError as error:
            raise _damaged("cannot be opened") from error

    def _proven(self, file: BufferedReader) -> _Manifest:
        try:
            manifest = _Manifest.model_validate_json((self._folder / _MANIFEST).read_bytes())
        except OSError:
            raise _damaged("has no manifest that can be opened") from None
        except ValidationError:
            raise _damaged("has a manifest that cannot be read") from None
        if manifest.format != _FORMAT:
            raise _damaged("is of another format")
        if (manifest.embedder, manifest.dimension) != (self._embedder.identity, self._embedder.dimension):
            raise _damaged("was made with another embedding model")
        if hashlib.file_digest(file, "sha256").hexdigest() != manifest.sha256:
            raise _damaged("does not have the digest of its manifest")
        return manifest


def _ids_of(index: Any) -> Ids:
    ids: Ids = _faiss.vector_to_array(index.id_map).copy()
    return ids


def _selector(allowed: Ids) -> Any:
    """Build FAISS's bitmap of allowed ids; reading one bit a vector is the cheapest test it has."""
    flags = np.zeros(int(allowed.max()) + 1, dtype=np.bool_)
    flags[allowed] = True
    return _faiss.IDSelectorBitmap(np.packbits(flags, bitorder="little"))


def _ignore(_written: int) -> None:
    """Drop the count that `write` returns."""


def _damaged(what: str) -> IndexDamaged:
    return IndexDamaged(
        f"The snapshot of the vector index {what}.", remedy="Nothing to do: it is rebuilt from the database."
    )
