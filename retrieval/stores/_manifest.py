"""What a snapshot consists of, said in one authenticated file.

The first line of ``manifest`` is the HMAC-SHA-256 of all that follows, under a key derived from the installation's
secret; the rest is JSON that lists the segments' files with their sizes and SHA-256 digests. The HMAC is checked
before the JSON is parsed, and each file's digest through the very descriptor that is read afterwards, before FAISS or
numpy reads a byte of it.

Not covered: a folder that is written to by others while the service runs. Digests are checked when a snapshot is
restored or verified; files are then kept open, and what changes in them later is not noticed. Nor is an older whole
snapshot of the same catalog's generation told from the newest one.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
from io import BufferedReader
from pathlib import Path
from typing import Any, Final

import faiss
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from retrieval.errors import IndexDamaged

__all__ = [
    "FORMAT",
    "MANIFEST",
    "FileProof",
    "Manifest",
    "Part",
    "damaged",
    "opened",
    "proven",
    "sealed",
    "signed",
    "write_proven",
]

_faiss: Any = faiss  # its type stubs describe the generated C++ layer, not the Python one over it
FORMAT: Final = 2
MANIFEST: Final = "manifest"
_PURPOSE: Final = b"vouch vector index manifest"
_DIGITS: Final = 64  # of a SHA-256 in hexadecimal
_LARGEST: Final = 64 << 20


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileProof(_Value):
    """What the bytes of a file must be."""

    name: str = Field(pattern=r"^[0-9a-f]{16}\.[a-z]+(-[0-9a-f]{16})?$")
    size: int
    sha256: str


class Part(_Value):
    """A segment: its rows, how many of them are dead, and its files by what they hold."""

    name: str
    count: int
    dead: int
    dtype: str
    files: dict[str, FileProof]


class Manifest(_Value):
    """What is said of a snapshot beside it. `count` is of living vectors."""

    format: int
    embedder: str
    dimension: int
    count: int
    generation: int
    parts: tuple[Part, ...]


def signed(manifest: Manifest, secret: bytes) -> bytes:
    """Return the bytes of the manifest's file."""
    return sealed(manifest.model_dump_json(indent=1).encode(), secret)


def sealed(body: bytes, secret: bytes) -> bytes:
    """Return a manifest's JSON with its code before it."""
    return _hmac(body, secret) + b"\n" + body


def opened(folder: Path, secret: bytes) -> Manifest:
    """Read the manifest of a folder.

    Raises:
        IndexDamaged: there is none, or it was not written under this secret.
    """
    try:
        with _regular(folder / MANIFEST) as file:
            data = file.read(_LARGEST)
    except FileNotFoundError:
        raise damaged("has no manifest") from None
    except OSError:
        raise damaged("has a manifest that cannot be opened") from None
    code, _, body = data[: _DIGITS + 1], data[_DIGITS : _DIGITS + 1], data[_DIGITS + 1 :]
    if not hmac.compare_digest(code, _hmac(body, secret) + b"\n"):
        raise damaged("has a manifest that this installation did not write")
    try:
        return Manifest.model_validate_json(body)
    except ValidationError:
        raise damaged("has a manifest of another version") from None


def proven(folder: Path, proof: FileProof) -> BufferedReader:
    """Open a file whose bytes were found to be those of its proof; it stands at its beginning.

    Raises:
        IndexDamaged: it is not there, is no file, or has other bytes.
    """
    try:
        file = _regular(folder / proof.name)
    except FileNotFoundError:
        raise damaged("lacks a file") from None
    except OSError:
        raise damaged("has a file that cannot be opened") from None
    try:
        same = os.fstat(file.fileno()).st_size == proof.size
        if not (same and hashlib.file_digest(file, "sha256").hexdigest() == proof.sha256):
            raise damaged("has a file without the digest of its manifest")
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def write_proven(path: Path, pieces: Any) -> FileProof:
    """Write a file piece by piece, flush it to the disk, and say what its bytes are.

    Args:
        path: a name that is not taken.
        pieces: arrays, whose bytes are written, or a FAISS index.
    """
    digest, size = hashlib.sha256(), 0
    with path.open("xb") as file:

        def write(data: Any) -> int:
            nonlocal size
            digest.update(data)
            size += len(data)
            return file.write(data)

        if isinstance(pieces, _faiss.Index):
            # FAISS's own file writer goes on when the disk is full; a callback raises
            _faiss.write_index(pieces, _faiss.PyCallbackIOWriter(write))
        else:
            for array in pieces:
                write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        file.flush()
        os.fsync(file.fileno())
    return FileProof(name=path.name, size=size, sha256=digest.hexdigest())


def damaged(what: str) -> IndexDamaged:
    """Build the error for a snapshot that cannot be used."""
    return IndexDamaged(
        f"The snapshot of the vector index {what}.", remedy="Nothing to do: it is rebuilt from the database."
    )


def _hmac(body: bytes, secret: bytes) -> bytes:
    key = hmac.digest(secret, _PURPOSE, "sha256")
    return hmac.digest(key, body, "sha256").hex().encode()


def _regular(path: Path) -> BufferedReader:
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError("no file")
    return file
