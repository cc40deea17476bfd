"""Trained experts as they are delivered: int8 rows with scales, and a manifest that says of what and from what.

    model/experts/NAME/
        experts.safetensors
        manifest.json          written last; a folder without it is no expert file

| tensor, for layer L and expert N | type | shape |
|---|---|---|
| model.layers.L.mlp.gate.weight | float32 | (E, D) |
| model.layers.L.mlp.experts.N.{gate,up}_proj.weight | int8 | (F, D) |
| model.layers.L.mlp.experts.N.{gate,up}_proj.weight_scale | float32 | (F, 1) |
| model.layers.L.mlp.experts.N.down_proj.weight | int8 | (D, F) |
| model.layers.L.mlp.experts.N.down_proj.weight_scale | float32 | (D, 1) |
| model.layers.L.mlp.experts.N.P.lora_{A,B}.weight (form "adapters") | float32 | (r, I), (N, r) |

A weight is its integer times the scale of its row (model.quantize.quantize_rows). Names are those of the Qwen2-MoE
checkpoint that is served, so a build replaces its tensors one by one: `read_experts(folder, base=...)` gives them as
floats. Layers that are not in the file keep experts whose down_proj is zero. The rounding to int8 moves a weight by at
most half a 254th of the range of its row; the int4 groups are made afterwards, from the result.

The manifest:

    format      1
    form        "full" or "adapters"
    base        {"model_type", "digest"}: what the experts were trained on; others are refused
    layers, domains, experts, width, hidden
    data        SHA-256 of the rows
    settings    model.training.settings
    figures     the measurements before and after
    file        {"size", "sha256"} of experts.safetensors
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from model._files import sha256_of, write_json
from model.errors import TrainingRejected
from model.training.checkpoints import write_whole

__all__ = [
    "FILE",
    "MANIFEST",
    "base_digest",
    "bytes_of",
    "read_experts",
    "read_manifest",
    "weights_digest",
    "write_experts",
]

FILE: Final = "experts.safetensors"
MANIFEST: Final = "manifest.json"
_FORMAT: Final = 1
_SCALE: Final = "_scale"


def base_digest(folder: Path) -> str:
    """Return a SHA-256 that stands for the weights a checkpoint was made of.

    Where the folder has a manifest of `model build` it is that of the weights that were fetched (`weights_digest`), so
    all forms of one model have the same; else of the config and the weight files themselves.

    Raises:
        TrainingRejected: the folder has no weights, or a manifest that names none.
    """
    if (folder / MANIFEST).is_file():
        try:
            weights = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["inputs"]["weights"]
            return weights_digest({str(name): str(digest) for name, digest in weights.items()})
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise TrainingRejected(
                f"The manifest in {folder} names no weights.", remedy="Build the checkpoint anew: ./vouch model build."
            ) from error
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise TrainingRejected(f"There are no weights in {folder}.", remedy="Name the folder of a checkpoint.")
    return weights_digest({path.name: sha256_of(path) for path in (*files, folder / "config.json") if path.is_file()})


def weights_digest(files: Mapping[str, str]) -> str:
    """Return one SHA-256 of files given by name and SHA-256, such as those of a `ModelCard`."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def bytes_of(learned: Mapping[str, Any]) -> int:
    """Return the size of the file that these tensors (or their shapes) will make, without its header."""
    return sum(_bytes(name, tuple(tensor.shape)) for name, tensor in learned.items())


def write_experts(folder: Path, learned: Mapping[str, Any], *, manifest: Mapping[str, Any], most_bytes: int) -> None:
    """Write an expert file, whole or not at all.

    Args:
        folder: Replaced where it exists.
        learned: float32, by name, as `Graft.learned` gives them.
        manifest: All fields but format and file.
        most_bytes: Largest file.

    Raises:
        TrainingRejected: it would be larger, or holds numbers that are not finite.
        DiskFull: no space is left; what was there stays.
    """
    from safetensors.torch import save

    tensors: dict[str, Any] = {}
    for name, tensor in learned.items():
        tensors |= _stored(name, tensor.detach().float().cpu())
    content = save({name: tensor.contiguous() for name, tensor in sorted(tensors.items())})
    if len(content) > most_bytes:
        raise TrainingRejected(
            f"The experts take {len(content) / 1e6:.1f} MB; {most_bytes / 1e6:.1f} are allowed.",
            remedy="Train fewer layers or narrower experts, or raise most_megabytes.",
        )
    with write_whole(folder) as work:
        (work / FILE).write_bytes(content)
        file = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        write_json(work / MANIFEST, {"format": _FORMAT, **manifest, "file": file})


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of an expert file and check the file's digest.

    Raises:
        TrainingRejected: the folder is no expert file, or its bytes have changed.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        known = manifest["format"] == _FORMAT and manifest["form"] in ("full", "adapters")
        whole = known and sha256_of(folder / FILE) == manifest["file"]["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingRejected(f"{folder} holds no expert file.", remedy="Train one, or leave it out.") from error
    if not whole:
        raise TrainingRejected(
            f"The expert file in {folder} has changed or is of another format.", remedy="Fetch or train it anew."
        )
    return dict(manifest)


def read_experts(folder: Path, *, base: str) -> Iterator[tuple[str, Any]]:
    """Yield the tensors of an expert file as float32, one at a time, by their name in a checkpoint.

    Args:
        folder: Of the expert file.
        base: `base_digest` of the model that they go into.

    Raises:
        TrainingRejected: the file is damaged, of another base, or its tensors are not as the manifest says.
    """
    from safetensors import SafetensorError, safe_open

    manifest = read_manifest(folder)
    if manifest["base"].get("digest") != base:
        raise TrainingRejected(
            f"The experts in {folder} were trained on another base ({manifest['base'].get('digest', '?')[:12]}).",
            remedy="Build the model that they belong to, or build without them.",
        )
    try:
        with safe_open(folder / FILE, framework="pt") as file:
            for name in sorted(file.keys()):
                if name.endswith(_SCALE):
                    continue
                tensor = file.get_tensor(name).float()
                yield name, tensor * file.get_tensor(name + _SCALE) if _is_rounded(name) else tensor
    except SafetensorError as error:
        raise TrainingRejected(f"The expert file in {folder} cannot be read: {error}.", remedy="Train anew.") from error


def _is_rounded(name: str) -> bool:
    return name.endswith("_proj.weight")


def _bytes(name: str, shape: tuple[int, ...]) -> int:
    count = shape[0] * shape[1]
    return count + 4 * shape[0] if _is_rounded(name) else 4 * count


def _stored(name: str, tensor: Any) -> dict[str, Any]:
    from model.quantize import quantize_rows

    if not bool(tensor.isfinite().all()):
        raise TrainingRejected(f"{name} holds numbers that are not finite.", remedy="Train with a lower rate.")
    if not _is_rounded(name):
        return {name: tensor}
    integers, scale = quantize_rows(tensor)
    return {name: integers, name + _SCALE: scale}
