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
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, Literal

from model.catalog import ModelCard
from model.progress import Report

__all__ = ["FORMS", "Form", "code_digest", "ingredients", "make"]

Form = Literal["int4", "w8a8", "moe", "bf16"]
"""How a checkpoint is written."""

FORMS: Final[tuple[Form, ...]] = ("int4", "w8a8", "moe", "bf16")

_VERSION: Final = 1
"""Raised whenever the same inputs give other bytes, so that older checkpoints are built anew."""
_SYMMETRIC: Final = True
_SOURCES: Final = ("convert", "int4", "kernels/packing", "quantize", "recipe", "shards", "upcycle")


def ingredients(card: ModelCard, form: Form) -> dict[str, Any]:
    """Return everything that decides the bytes of a checkpoint: weights by digest, and the settings of the form.

    A checkpoint with other ingredients than these is not the one that is asked for, and is built anew.
    """
    found: dict[str, Any] = {"weights": {file.name: file.sha256 for file in card.files}, "recipe": _VERSION}
    if form in {"int4", "moe"}:
        from model.upcycle import ExpertPlan

        plan = asdict(ExpertPlan())
        found["experts"] = {**plan, "domains": list(plan["domains"])}
        found["router"] = None
    if form == "int4":
        from model.int4 import quantization

        found["quantization"] = quantization(symmetric=_SYMMETRIC)
        found["rounding"] = "nearest"
    return found


def make(plain: Path, folder: Path, form: Form, *, report: Report) -> None:
    """Write the checkpoint of a form into `folder`, from the dense bfloat16 one in `plain`, which may be taken apart.

    Raises:
        BuildFailed: the weights or their architecture cannot take this form.
        WeightsRejected: a shard is truncated or is not what the index says.
    """
    if form == "bf16":
        plain.replace(folder)
        return
    if form == "w8a8":
        from model.quantize import quantize

        quantize(plain, folder, report=report)
    else:
        _make_mixture(plain, folder, form, report)
    shutil.rmtree(plain)


def _make_mixture(plain: Path, folder: Path, form: Form, report: Report) -> None:
    from model.int4 import quantize_int4, round_to_nearest
    from model.shards import Checkpoint, copy_companions, write
    from model.upcycle import ExpertPlan, Upcycled

    mixture = Upcycled(Checkpoint(plain), ExpertPlan(), None)
    if form == "moe":
        write(mixture, folder, step="adding the experts", report=report)
    else:
        rounding = round_to_nearest(symmetric=_SYMMETRIC)
        quantize_int4(mixture, folder, rounding, report=report, symmetric=_SYMMETRIC)
    copy_companions(plain, folder)


def code_digest() -> str:
    """Return one SHA-256 of the modules that a build runs through; recorded, never compared."""
    digest = hashlib.sha256()
    for name in _SOURCES:
        digest.update((Path(__file__).parent / f"{name}.py").read_bytes())
    return digest.hexdigest()
