"""Hashes a built checkpoint anew and compares it with its manifest: is what is served what was built?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from model._files import sha256_of
from model.build import Form, checkpoint_digest, checkpoint_folder, read_manifest
from model.catalog import ModelCard
from model.errors import BuildFailed, WeightsRejected

__all__ = ["check"]


def check(card: ModelCard, model_dir: Path, *, form: Form = "w8a8") -> dict[str, Any]:
    """Return what was checked: the folder, its digest, the number of files and of bytes.

    Raises:
        BuildFailed: there is no whole checkpoint.
        WeightsRejected: a file is missing or differs from the manifest; it names the file.
    """
    folder = checkpoint_folder(card, model_dir, form=form)
    manifest = read_manifest(folder)
    if manifest is None:
        raise BuildFailed(f"There is no checkpoint of {card.name}.", remedy="Build it: ./vouch model build")
    size = 0
    for name, entry in manifest["outputs"].items():
        path = folder / name
        if not path.is_file() or sha256_of(path) != entry["sha256"]:
            raise WeightsRejected(
                f"{name} is not the file that was built.", remedy=f"Delete {folder} and run ./vouch model build."
            )
        size += path.stat().st_size
    return {
        "folder": str(folder),
        "checkpoint": checkpoint_digest(manifest),
        "files": len(manifest["outputs"]),
        "bytes": size,
    }
