"""Where a run can go on from: written beside the old ones, renamed when whole, checked when read.

    OUT/checkpoint-00000120/
        weights.safetensors    what is learned, float32
        first.safetensors      AdamW's mean of the gradient
        second.safetensors     AdamW's mean of its square
        state.json             the next step, AdamW's own counts, the curve, what the run was told, SHA-256 of the rest

A folder whose name begins with a dot is half written: it is never read, and removed at the next write. So an
interruption at any point, a full disk included, leaves the last whole checkpoint. Files are flushed to the disk before
the rename. One file is in memory at a time.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from model._files import sha256_of
from model.errors import DiskFull, TrainingFailed, TrainingRejected

__all__ = ["Checkpoint", "full_disk", "latest", "save", "write_whole"]

_STATE: Final = "state.json"
_PREFIX: Final = "checkpoint-"


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """One moment of a run.

    Attributes:
        step: Steps that are done.
        origin: What the run was told: settings, digests of data and base. A run goes on only from its own.
        curve: Figures so far.
        pending: Terms of the steps since the last of them.
        steps: AdamW's count of steps of each tensor.
        weights: What is learned, by name.
        first: AdamW's first moment, by name; absent for what had no gradient yet.
        second: AdamW's second moment, by name.
    """

    step: int
    origin: Mapping[str, Any]
    curve: list[dict[str, Any]]
    pending: list[dict[str, float]]
    steps: Mapping[str, float]
    weights: Mapping[str, Any]
    first: Mapping[str, Any]
    second: Mapping[str, Any]


def save(folder: Path, checkpoint: Checkpoint, *, keep: int) -> Path:
    """Write a checkpoint into a run's folder and remove all but the latest `keep`.

    Raises:
        DiskFull: no space is left; the checkpoints before are whole.
    """
    target = folder / f"{_PREFIX}{checkpoint.step:08d}"
    with write_whole(target) as work:
        digests = {}
        for name in ("weights", "first", "second"):
            path = work / f"{name}.safetensors"
            _write_tensors(path, getattr(checkpoint, name))
            digests[path.name] = sha256_of(path)
        state = {
            "step": checkpoint.step,
            "origin": checkpoint.origin,
            "curve": checkpoint.curve,
            "pending": checkpoint.pending,
            "steps": checkpoint.steps,
            "digests": digests,
        }
        (work / _STATE).write_text(json.dumps(state, indent=1, sort_keys=True), encoding="utf-8")
    for old in _folders(folder)[:-keep]:
        shutil.rmtree(old)
    return target


def latest(folder: Path, origin: Mapping[str, Any]) -> Checkpoint | None:
    """Read the latest checkpoint of a run; None where there is none.

    Raises:
        TrainingRejected: it is of a run that was told something else.
        TrainingFailed: it is damaged.
    """
    folders = _folders(folder)
    if not folders:
        return None
    path = folders[-1]
    try:
        state = json.loads((path / _STATE).read_text(encoding="utf-8"))
        broken = [name for name, digest in state["digests"].items() if sha256_of(path / name) != digest]
        if broken:
            raise ValueError(f"{broken[0]} has changed")
        found = Checkpoint(
            *(state[name] for name in ("step", "origin", "curve", "pending", "steps")),
            *(_read_tensors(path / f"{name}.safetensors") for name in ("weights", "first", "second")),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingFailed(
            f"The checkpoint {path.name} is damaged: {error}.",
            remedy="Remove its folder to go on from the one before, or all of them to start anew.",
        ) from error
    if found.origin != origin:
        changed = sorted(name for name in {*found.origin, *origin} if found.origin.get(name) != origin.get(name))
        raise TrainingRejected(
            f"The checkpoints in {folder} are of a run with another {', '.join(changed)}.",
            remedy="Go on with what that run was told, or give another folder.",
        )
    return found


@contextlib.contextmanager
def write_whole(target: Path) -> Iterator[Path]:
    """Give a folder to write into, which becomes `target` when the block ends well, and is removed otherwise.

    Raises:
        DiskFull: no space is left.
    """
    work = target.with_name(f".{target.name}.writing")
    with full_disk():
        shutil.rmtree(work, ignore_errors=True)
        try:
            work.mkdir(parents=True)
            yield work
            for path in (*work.iterdir(), work):
                _flush(path)
            if target.exists():
                shutil.rmtree(target)
            work.replace(target)
            _flush(target.parent)
        finally:
            shutil.rmtree(work, ignore_errors=True)


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """Turn a full disk into our error, whose remedy is that of a run."""
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise
        raise DiskFull(
            "No space is left where the training run is written; its last whole checkpoint is kept.",
            remedy="Free some space and start the same command again: it goes on from that checkpoint.",
        ) from error


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob(f"{_PREFIX}*") if path.is_dir())


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_tensors(path: Path, tensors: Mapping[str, Any]) -> None:
    from safetensors.torch import save as as_bytes

    # written by Python, since safetensors' own error for a full disk has no errno
    path.write_bytes(as_bytes({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}))


def _read_tensors(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except SafetensorError as error:
        raise ValueError(str(error)) from error
