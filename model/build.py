"""Pinned weights in, a folder out that vLLM serves: fetch, convert, quantize, and a manifest of what went in and out.

`build` does the work in a child process (``python -m model.build CARD DIR FORM``, one line of JSON a progress on its
output), so that the caller stays responsive and torch's memory goes back. The checkpoint is written beside its place
and renamed into it when it is whole; a half-written one is removed by the next build and never used.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import queue
import shutil
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, cast

import structlog

from model._children import Child
from model._files import disk_errors, exclusive, require_space, sha256_of, write_json
from model.catalog import ModelCard
from model.errors import BuildFailed, DiskFull, ModelError, WeightsRejected
from model.fetch import fetch
from model.progress import Progress, Report
from model.recipe import Form, code_digest, ingredients, make

__all__ = ["MANIFEST", "Form", "build", "check", "checkpoint_digest", "checkpoint_folder", "read_manifest"]

MANIFEST: Final = "manifest.json"
_FORMAT: Final = 2
_BYTES_A_PARAMETER: Final = {"int4": 4.0, "w8a8": 4.0, "moe": 4.8, "bf16": 2.5}
"""Disk needed while building: bfloat16 (2), and beside it integers with bfloat16 embeddings, or all and the experts."""
_BEAT_S: Final = 1.0
_PACKAGES: Final = ("compressed-tensors", "gguf", "safetensors", "torch", "transformers")

_log = structlog.get_logger()


def checkpoint_folder(card: ModelCard, model_dir: Path, *, form: Form = "w8a8") -> Path:
    """Where the checkpoint of a card is, or will be."""
    return model_dir / "checkpoints" / f"{card.name}-{form}"


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return the manifest of a checkpoint; None when there is none that can be read, so nothing whole is there."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return manifest if isinstance(manifest, dict) and manifest.get("format") == _FORMAT else None


def checkpoint_digest(manifest: Mapping[str, Any]) -> str:
    """Return one SHA-256 that stands for all files of a checkpoint, names and bytes."""
    return str(manifest["checkpoint"])


def build(card: ModelCard, model_dir: Path, *, offline: bool, report: Report, form: Form = "w8a8") -> Path:
    """Make sure that the checkpoint of a card is there; return its folder. A second call does nothing.

    `report` is called at least every few seconds; what it raises ends the build and comes out of here.

    Raises:
        WeightsUnavailable: the weights are nowhere to be had.
        WeightsRejected: their digest is wrong.
        BuildFailed: they could not be converted; the reason is in ``checkpoints/NAME-FORM.log``.
        DiskFull: no space is left.
    """
    target = checkpoint_folder(card, model_dir, form=form)
    if _is_whole(target, card, form):
        return target
    fetch(card, model_dir, offline=offline, report=report)
    with disk_errors():
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = target.with_name(f"{target.name}.lock")
        with exclusive(lock, waiting=lambda: report(Progress("waiting for another build", 0, 0, ""))):
            if not _is_whole(target, card, form):
                require_space(target.parent, int(card.parameters_m * 1e6 * _BYTES_A_PARAMETER[form]))
                _build_in_child(card, model_dir, form, report)
    return target


def _is_whole(folder: Path, card: ModelCard, form: Form) -> bool:
    """Whether the manifest, which is written last, is there, of these inputs, and every file has its size."""
    manifest = read_manifest(folder)
    if manifest is None or manifest["inputs"] != ingredients(card, form):
        return False
    sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    return all(sizes.get(name) == entry["size"] for name, entry in manifest["outputs"].items())


def check(card: ModelCard, model_dir: Path, *, form: Form = "w8a8") -> dict[str, Any]:
    """Hash every file of a built checkpoint anew and compare it with the manifest.

    Returns:
        The manifest.

    Raises:
        BuildFailed: there is no whole checkpoint.
        WeightsRejected: a file has changed since it was built.
    """
    folder = checkpoint_folder(card, model_dir, form=form)
    manifest = read_manifest(folder)
    if manifest is None or not _is_whole(folder, card, form):
        raise BuildFailed(f"There is no whole checkpoint of {card.name}.", remedy="Build it: ./vouch model build.")
    changed = [name for name, entry in manifest["outputs"].items() if sha256_of(folder / name) != entry["sha256"]]
    if changed or _digest_of(manifest["outputs"]) != manifest["checkpoint"]:
        raise WeightsRejected(
            f"The checkpoint of {card.name} has changed since it was built: {', '.join(changed) or MANIFEST}.",
            remedy="Find out who changed it, remove its folder, and build it again.",
        )
    return manifest


def _build_in_child(card: ModelCard, model_dir: Path, form: Form, report: Report) -> None:
    log = model_dir / "checkpoints" / f"{card.name}-{form}.log"
    log.unlink(missing_ok=True)
    command = [sys.executable, "-m", "model.build", card.to_json(), str(model_dir.absolute()), form]
    child = Child(command, log=log, capture=True)
    failure: ModelError | None = None
    progress = Progress("starting", 0, 0, "")
    try:
        for line in _lines(child):
            progress = Progress.from_line(line) or progress
            failure = _failure_in(line) or failure
            report(progress)
        status = child.wait(60)
    finally:
        child.end()
    if failure is not None:
        raise failure
    if status != 0:
        raise BuildFailed(
            f"The weights could not be converted (status {status}).",
            remedy=f"Look at checkpoints/{log.name} in the model folder. 137 means killed for want of memory:"
            f" {card.parameters_m * 4 / 1000:.0f} GB are needed.",
        )


def _lines(child: Child) -> Iterator[str]:
    """Yield the child's lines, and an empty one each second without any, so that the caller can tell and can leave."""
    lines: queue.Queue[bytes] = queue.Queue()

    def pump() -> None:
        with contextlib.suppress(ValueError):  # closed while we read
            for line in child.stdout or ():
                lines.put(line)
        lines.put(b"")

    threading.Thread(target=pump, name="build-output", daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=_BEAT_S)
        except queue.Empty:
            yield ""
            continue
        if not line:
            return
        yield line.decode("utf-8", errors="replace")


def _failure_in(line: str) -> ModelError | None:
    """Read back an error that the child printed."""
    try:
        fields = json.loads(line)
        kind = {"build_failed": BuildFailed, "disk_full": DiskFull}[fields["error"]]
        return kind(str(fields["message"]), remedy=str(fields["remedy"]))
    except (ValueError, TypeError, KeyError):
        return None


def _build_here(card: ModelCard, model_dir: Path, form: Form, report: Report) -> None:
    """Convert and quantize in this process; the caller holds the lock and has fetched."""
    from model import canary
    from model.convert import convert

    target = checkpoint_folder(card, model_dir, form=form)
    work = target.with_name(f".{target.name}.building")
    shutil.rmtree(work, ignore_errors=True)
    weights = fetch(card, model_dir, offline=True, report=report)
    plain = work / "bf16"
    convert(weights / card.files[0].name, plain, report=report)
    report(Progress("noting what the model says", 0, 0, ""))
    lines = canary.record(plain)
    finished = work / "finished"
    make(card, plain, finished, form, report=report)
    canary.write(finished, lines)
    if form == "int4":
        _compile_kernels(report)
    _write_manifest(finished, card, form, report)
    if target.exists():
        shutil.rmtree(target)
    finished.replace(target)
    work.rmdir()
    _log.info("checkpoint_built", model=card.name, form=form)


def _compile_kernels(report: Report) -> None:
    """Compile what multiplies int4 on this processor, so that the first start need not; without it PyTorch does."""
    from model.kernels import cpu_build

    if cpu_build.missing_instructions():
        return
    try:
        cpu_build.build(lambda step: report(Progress(step, 0, 0, "")))
    except BuildFailed as error:
        _log.warning("kernels_not_compiled", reason=error.message, remedy=error.remedy)


def _write_manifest(folder: Path, card: ModelCard, form: Form, report: Report) -> None:
    outputs: dict[str, dict[str, Any]] = {}
    files = sorted(folder.iterdir())
    for done, path in enumerate(files):
        report(Progress("recording digests", done, len(files), "files"))
        with path.open("rb") as stream:
            os.fsync(stream.fileno())  # the manifest must not reach the disk before what it vouches for
        outputs[path.name] = {"size": path.stat().st_size, "sha256": sha256_of(path)}
    manifest = {
        "format": _FORMAT,
        "model": card.name,
        "form": form,
        "licence": card.licence,
        "inputs": ingredients(card, form),
        "code": code_digest(),
        "outputs": outputs,
        "checkpoint": _digest_of(outputs),
        "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
    }
    write_json(folder / MANIFEST, manifest)


def _digest_of(outputs: Mapping[str, Mapping[str, Any]]) -> str:
    import hashlib

    lines = "".join(f"{entry['sha256']}  {name}\n" for name, entry in sorted(outputs.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def main(argv: list[str]) -> int:
    """Build in this process, progress and errors as lines of JSON on standard output."""
    card, model_dir, form = argv
    try:
        with disk_errors():
            _build_here(
                ModelCard.from_json(card),
                Path(model_dir),
                cast("Form", form),
                lambda progress: print(progress.line(), flush=True),
            )
    except ModelError as error:
        print(json.dumps({"error": error.code, "message": error.message, "remedy": error.remedy}), flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
