"""What each form of a checkpoint is made of, as data for the manifest, and the steps that make it.

| form | what | for |
|---|---|---|
| int4 | Mixture of Experts, 4-bit weights by groups of 128 | processors with AVX512-VNNI, GPUs |
| w8a8 | the dense model, 8-bit weights by rows | other processors |
| moe | Mixture of Experts, bfloat16 | GPUs, and the reference in transformers |
| bf16 | the dense model, bfloat16 | the reference that the others are measured against |
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, Literal

from model.calibration import digests, load
from model.catalog import ModelCard
from model.int4 import quantization, quantize_int4, searched
from model.progress import Report
from model.quantize import quantize
from model.shards import Checkpoint, copy_companions, write
from model.upcycle import ExpertPlan, Upcycled

__all__ = ["FORMS", "Form", "code_digest", "ingredients", "make"]

Form = Literal["int4", "w8a8", "moe", "bf16"]
"""How a checkpoint is written."""

FORMS: Final[tuple[Form, ...]] = ("int4", "w8a8", "moe", "bf16")

_VERSIONS: Final[Mapping[Form, int]] = {"int4": 2, "w8a8": 1, "moe": 2, "bf16": 1}
"""Raised whenever the same inputs give other bytes, so that older checkpoints are built anew."""
_SYMMETRIC: Final = True
_SOURCES: Final = (
    "calibration",
    "convert",
    "int4",
    "int4_search",
    "kernels/packing",
    "quantize",
    "recipe",
    "shards",
    "upcycle",
)


def ingredients(card: ModelCard, form: Form) -> dict[str, Any]:
    """Return everything that decides the bytes of a checkpoint: weights by digest, and the settings of the form.

    A checkpoint with other ingredients than these is not the one that is asked for, and is built anew.
    """
    weights = {file.name: file.sha256 for file in card.files}
    found: dict[str, Any] = {"weights": weights, "recipe": _VERSIONS[form]}
    if form in {"int4", "moe"}:
        plan, measured = asdict(ExpertPlan()), digests(card.name, weights)
        found["experts"] = {**plan, "domains": list(plan["domains"])}
        found["router"] = measured.get("router")
        if form == "int4":
            found["channels"] = measured.get("channels")
            found["quantization"] = quantization(symmetric=_SYMMETRIC)
    return found


def make(card: ModelCard, plain: Path, folder: Path, form: Form, *, report: Report) -> None:
    """Write the checkpoint of a form into `folder`, from the dense bfloat16 one in `plain`, which may be taken apart.

    Raises:
        BuildFailed: the weights or their architecture cannot take this form.
        WeightsRejected: a shard, or a file of the calibration, is not what it should be.
    """
    if form == "bf16":
        plain.replace(folder)
        return
    if form == "w8a8":
        quantize(plain, folder, report=report)
    else:
        _make_mixture(card, plain, folder, form, report)
    shutil.rmtree(plain)


def _make_mixture(card: ModelCard, plain: Path, folder: Path, form: Form, report: Report) -> None:
    measured = load(card.name, {file.name: file.sha256 for file in card.files})
    mixture = Upcycled(Checkpoint(plain), ExpertPlan(), measured.rows if measured else None)
    if form == "moe":
        write(mixture, folder, step="adding the experts", report=report)
    else:
        rounding = searched(measured.importance if measured else _alike, symmetric=_SYMMETRIC)
        quantize_int4(mixture, folder, rounding, report=report, symmetric=_SYMMETRIC)
    copy_companions(plain, folder)


def _alike(_: str) -> None:
    """Say that every input of a layer counts the same: nothing was measured of this base."""


def code_digest() -> str:
    """Return one SHA-256 of the modules that a build runs through; recorded, never compared."""
    digest = hashlib.sha256()
    for name in _SOURCES:
        digest.update((Path(__file__).parent / f"{name}.py").read_bytes())
    return digest.hexdigest()
