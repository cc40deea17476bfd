"""The loop: steps, measurements and checkpoints, able to stop and go on anywhere.

What a step does depends on the settings, the data, the base and its own number alone, so a run that goes on from a
checkpoint is the run that was never interrupted, on the CPU to the bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.errors import TrainingRejected
from model.progress import Progress, Report
from model.training.batches import EncodedRow
from model.training.checkpoints import latest, save
from model.training.expert_file import bytes_of
from model.training.graft import Graft
from model.training.measure import Measurement, measure
from model.training.settings import TrainingSettings
from model.training.stepper import Stepper

__all__ = ["Course", "train"]


@dataclass(frozen=True, slots=True)
class Course:
    """How a run went.

    Attributes:
        finished: False: it was asked to stop; its last checkpoint is where it goes on.
        step: Steps that are done.
        curve: One entry a measurement: the step, the mean terms of the steps since the last one, and `Measurement`.
        before: The model without its experts.
        after: The last measurement.
    """

    finished: bool
    step: int
    curve: list[dict[str, Any]]
    before: Measurement
    after: Measurement


def train(
    grafted: Graft,
    rows: Sequence[EncodedRow],
    measured: Sequence[EncodedRow],
    settings: TrainingSettings,
    *,
    folder: Path,
    origin: Mapping[str, Any],
    report: Report,
    stop: Callable[[], bool] = lambda: False,
) -> Course:
    """Train, from the latest checkpoint in the folder if there is one.

    Args:
        grafted: The model; its learned tensors are changed.
        rows: To train on.
        measured: To measure on.
        settings: Of the run.
        folder: Of the run; checkpoints go there.
        origin: What else makes the run what it is (digests of data and base); a checkpoint of another is refused.
        report: Told each step, with its loss and the time left.
        stop: Asked after each step; True: write a checkpoint and return.

    Raises:
        TrainingRejected: the rows, or the checkpoint found, do not fit; or the experts would be too large a file.
        TrainingFailed: the loss is not finite, or a checkpoint is damaged.
        DiskFull: no space is left.
    """
    origin = {**origin, "settings": settings.as_dict()}
    _check_size(grafted, settings)
    run = Stepper(grafted, rows, settings)
    found = latest(folder, origin)
    before = measure(grafted, measured, quantized=False, on=False)
    done, curve, pending = 0, [], []  # type: int, list[dict[str, Any]], list[dict[str, float]]
    if found is not None:
        run.restore(found)
        done, curve, pending = found.step, list(found.curve), list(found.pending)
    began, first, asked = time.monotonic(), done, False
    while done < settings.steps and not asked:
        pending.append(run.step(done))
        done += 1
        words = _words(pending[-1], time.monotonic() - began, done - first, settings.steps - done)
        report(Progress(words, done, settings.steps, "steps"))
        if done % settings.evaluate_every == 0 or done == settings.steps:
            figures = measure(grafted, measured, quantized=settings.quantized_at(done - 1))
            curve.append({"step": done, **_means(pending), **figures.as_dict()})
            pending.clear()
        asked = stop()
        if done % settings.checkpoint_every == 0 or done == settings.steps or asked:
            save(folder, run.checkpoint(done, origin=origin, curve=curve, pending=pending), keep=settings.keep)
    after = measure(grafted, measured, quantized=settings.quantized_at(max(0, done - 1)))
    return Course(done == settings.steps, done, curve, before, after)


def _check_size(grafted: Graft, settings: TrainingSettings) -> None:
    needed, layers, allowed = bytes_of(dict(grafted.learned())), len(grafted.layers), settings.most_megabytes * 1e6
    if needed > allowed:
        raise TrainingRejected(
            f"Experts in {layers} layers make a file of {needed / 1e6:.1f} MB; {allowed / 1e6:g} are allowed.",
            remedy=f"Name at most {int(allowed * layers / needed)} of them in layers, or raise most_megabytes.",
        )


def _means(terms: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = sorted({name for entry in terms for name in entry})
    return {f"trained_{name}": sum(entry[name] for entry in terms) / len(terms) for name in names}


def _words(terms: Mapping[str, float], seconds: float, done: int, left: int) -> str:
    return f"training, loss {terms['answer']:.3f}, {seconds / done * left / 60:.0f} min left"
