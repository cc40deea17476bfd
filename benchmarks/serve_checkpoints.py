"""The weights that the contenders of `./vouch bench serve` load: one set of numbers, in the form that each reads.

All come from the pinned GGUF file: llama.cpp reads it as it is, the others what `./vouch model build` makes of it, and
stock vLLM a dense int4 checkpoint, which is made here, since the project serves no such thing.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from model.build import MANIFEST, Form, build
from model.catalog import ModelCard
from model.fetch import weights_folder
from model.progress import Progress, Report

__all__ = ["built", "dense_int4", "gguf"]


def gguf(card: ModelCard, model_dir: Path) -> Path:
    """Return the file of the published weights."""
    return weights_folder(card, model_dir) / card.files[0].name


def built(card: ModelCard, model_dir: Path, *, form: Form, report: Report) -> Path:
    """Return a checkpoint that the project builds; built now where it is missing."""
    return build(card, model_dir, offline=True, report=report, form=form)


def dense_int4(card: ModelCard, model_dir: Path, *, report: Report) -> Path:
    """Return the dense checkpoint with int4 weights, symmetric, in groups of 128, rounded to the nearest.

    This is what compressed-tensors' W4A16 is without calibration. How the integers were chosen does not change how
    fast they are multiplied.
    """
    from model.int4 import quantize_int4, round_to_nearest
    from model.shards import Checkpoint, copy_companions

    target = model_dir / "benchmarks" / f"{card.name}-int4-dense"
    if target.exists():
        return target
    source = built(card, model_dir, form="bf16", report=report)
    work = target.with_name(f".{target.name}.building")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    report(Progress("quantizing the dense rival", 0, 0, ""))
    quantize_int4(Checkpoint(source), work, round_to_nearest(symmetric=True), report=report, symmetric=True)
    copy_companions(source, work)
    (work / MANIFEST).unlink(missing_ok=True)  # it vouches for the source
    work.replace(target)
    return target
