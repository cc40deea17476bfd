"""Looks at a checkpoint's files before anything loads them: whole, unaltered, and nothing in them that is code.

What was built here has a manifest: every file is hashed anew at each start and compared with it, and a file that the
manifest does not name is refused, since a tokenizer or a template can change what a model says as much as a weight.
Hashing costs a processor with SHA instructions 0.8 s a gigabyte, on as many cores as there are files, and leaves the
bytes in the page cache for the loader. A memory of sizes and times of change would save that second, and would miss
whoever sets the time back.

A folder from elsewhere has no manifest. There, and here, the structure is checked: safetensors files as long as their
headers say (a truncated download), all shards of the index, no ``auto_map`` in any configuration, no pickle and no
Python file.

Not covered: someone who may write to the folder can write the manifest too; the ledger keeps its digest. A change after
the look.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from model._files import sha256_of
from model.build import MANIFEST, read_manifest
from model.errors import WeightsRejected
from model.progress import Progress, Report

__all__ = ["inspect", "read_header"]

_INDEX: Final = "model.safetensors.index.json"
_THREADS: Final = 4
_CODE: Final = frozenset({".py", ".pyc", ".so", ".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".h5", ".npy"})
"""Programs, and formats of weights that can hold one."""
_CONFIG_BYTES: Final = 64 << 20
"""Largest JSON file that is read; a tokenizer of 250,000 words has some 20 MB."""
_HEADER_BYTES: Final = 100 << 20
"""Largest header, as the format itself has it (huggingface/safetensors, README, "Format")."""


def inspect(folder: Path, *, report: Report) -> None:
    """Check a checkpoint before it is served.

    Args:
        folder: Where it lies.
        report: Is told how far it is; what it raises comes out of here.

    Raises:
        WeightsRejected: a file is missing, altered, truncated, or could run code; the message names it.
    """
    if not folder.is_dir():
        raise WeightsRejected(
            f"There is no folder {folder}.", remedy="Build it (./vouch model build), or name another."
        )
    files = sorted(path for path in folder.iterdir() if path.is_file())
    _refuse_code(folder, files)
    _check_shards(folder, files)
    manifest = read_manifest(folder)
    if manifest is not None:
        _check_digests(folder, files, manifest, report)


def read_header(path: Path) -> dict[str, Mapping[str, Any]]:
    """Return what a safetensors file holds: name to ``dtype``, ``shape`` and ``data_offsets`` in bytes.

    Raises:
        WeightsRejected: it is none, or shorter or longer than its header says.
    """
    size = path.stat().st_size
    try:
        with path.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            if length > min(size, _HEADER_BYTES):
                raise ValueError("header")
            header = json.loads(stream.read(length))
        header.pop("__metadata__", None)
        end = max((int(entry["data_offsets"][1]) for entry in header.values()), default=0)
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError, struct.error):
        raise _rejected(path.parent, f"{path.name} is no safetensors file, or its beginning is damaged") from None
    if size != 8 + length + end:
        raise _rejected(path.parent, f"{path.name} has {size} bytes; its header says {8 + length + end}: it is cut off")
    return header


def _refuse_code(folder: Path, files: list[Path]) -> None:
    for path in files:
        if path.suffix in _CODE:
            raise _rejected(folder, f"{path.name} could run code when it is loaded")
        if path.suffix == ".json" and path.name != MANIFEST and _asks_for_code(path):
            raise _rejected(folder, f"{path.name} asks to run code that comes with the weights (auto_map)")


def _asks_for_code(path: Path) -> bool:
    """Whether a JSON file names code to be loaded with it."""
    try:
        if path.stat().st_size > _CONFIG_BYTES:
            raise ValueError("too large")
        return _names_code(json.loads(path.read_bytes()))
    except (OSError, ValueError, RecursionError):
        raise _rejected(path.parent, f"{path.name} cannot be read as JSON") from None


def _names_code(value: Any) -> bool:
    """Whether ``auto_map`` names something, at any depth. In a vocabulary it would be a word, with a number."""
    if isinstance(value, Mapping):
        return not isinstance(value.get("auto_map", 0), int) or any(map(_names_code, value.values()))
    return isinstance(value, list) and any(map(_names_code, value))


def _check_shards(folder: Path, files: list[Path]) -> None:
    shards = {path.name: read_header(path) for path in files if path.suffix == ".safetensors"}
    if not shards:
        raise _rejected(folder, "There are no safetensors files")
    index = folder / _INDEX
    if not index.exists():
        return
    try:
        where = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        lost = [name for name, shard in where.items() if name not in shards.get(shard, {})]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise _rejected(folder, f"{_INDEX} cannot be read") from None
    if lost:
        raise _rejected(folder, f"{len(lost)} tensors of the index are in no file, such as {lost[0][:100]}")


def _check_digests(folder: Path, files: list[Path], manifest: Mapping[str, Any], report: Report) -> None:
    outputs = manifest["outputs"]
    there = {path.name for path in files if not path.name.startswith(".")} - {MANIFEST}
    for name in sorted(there - set(outputs)):
        raise _rejected(folder, f"{name} is not a file of the checkpoint that was built")
    if lost := sorted(set(outputs) - there):
        raise _rejected(folder, f"{lost[0]} is missing")
    names = sorted(outputs)
    with ThreadPoolExecutor(_THREADS) as pool:  # hashing holds no lock of the interpreter
        digests = pool.map(lambda name: sha256_of(folder / name), names)
        for done, (name, digest) in enumerate(zip(names, digests, strict=True)):
            report(Progress("checking the weights", done, len(names), "files"))
            if digest != outputs[name]["sha256"]:
                raise _rejected(folder, f"{name} is not the file that was built")


def _rejected(folder: Path, problem: str) -> WeightsRejected:
    return WeightsRejected(
        f"{problem}; the model is not served.",
        remedy=f"Find out who changed it, remove {folder}, and build or fetch it again.",
    )
