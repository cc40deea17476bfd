"""What a training run is told: one frozen value, read from JSON, checked as a whole before anything is loaded.

The run is a pure function of these settings, the data and the base: whatever happens at a step (which rows, which
noise, which rate) is computed from the seed and the step's number alone. So a checkpoint needs no state of a random
generator, and a run that was interrupted goes on as if it had not been.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal, get_args

from model.errors import TrainingRejected
from model.kernels.packing import GROUP_SIZES
from model.training.noise import annealed

__all__ = ["Form", "TrainingSettings"]

Form = Literal["full", "adapters"]

_COUNTS: Final = ("steps", "rows", "accumulate", "most_tokens", "rank", "evaluate_every", "checkpoint_every", "keep")
"""Whole numbers from 1."""
_AMOUNTS: Final = ("balance", "z", "kl", "decay", "noise_start", "noise_end", "last_rate")
"""Numbers from 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """How experts are trained. The losses' formulas are in model.training.objective.

    Attributes:
        form: "full": the small routed experts of the project's own mixture, whole. "adapters": low-rank additions to
            the experts of a larger mixture, whose own weights stay.
        layers: Indices of the layers whose experts and gate are trained; empty: all that have experts.
        domain: Train on this domain's rows and its experts alone (the second stage); None: all together.
        rank: Of the adapters.
        steps: Optimizer steps.
        warmup: Steps in which the rate rises from 0.
        rate: Highest learning rate, of AdamW.
        last_rate: The rate at the end, over the highest; a half cosine leads there.
        decay: AdamW's weight decay, of experts; the gate has none.
        clip: Largest norm of the gradient; a longer one is scaled down to it.
        rows: Rows of answers in a batch.
        general_rows: Rows of general text beside them, for the KL term; 0: none.
        accumulate: Batches in a step.
        most_tokens: Of a row; what is longer is refused, not cut.
        balance: Weight of the load-balancing loss.
        z: Weight of the z loss.
        kl: Weight of the KL term.
        noise_start: Temperature of the gate's Gumbel noise at the first step.
        noise_end: At the last; a half cosine between.
        quantized_share: Last part of the steps in which the experts compute as they will be served.
        bits: Of the served experts.
        group: Inputs that share a scale there.
        symmetric: Whether they have no zero points.
        held_out: Share of the rows that is measured on and never trained on, chosen by hash of their unit.
        evaluate_every: Steps between measurements on it.
        checkpoint_every: Steps between checkpoints.
        keep: Checkpoints kept, the latest.
        seed: Of order and noise.
        most_megabytes: Largest expert file, checked before the first step.

    Raises:
        TrainingRejected: a value is out of range, or two do not go together.
    """

    form: Form = "full"
    layers: tuple[int, ...] = ()
    domain: str | None = None
    rank: int = 8
    steps: int = 400
    warmup: int = 20
    rate: float = 1e-3
    last_rate: float = 0.1
    decay: float = 0.01
    clip: float = 1.0
    rows: int = 4
    general_rows: int = 1
    accumulate: int = 2
    most_tokens: int = 512
    balance: float = 0.02
    z: float = 0.001
    kl: float = 0.5
    noise_start: float = 0.5
    noise_end: float = 0.0
    quantized_share: float = 0.25
    bits: int = 4
    group: int = 128
    symmetric: bool = True
    held_out: float = 0.1
    evaluate_every: int = 50
    checkpoint_every: int = 50
    keep: int = 2
    seed: int = 0
    most_megabytes: float = 40.0

    def __post_init__(self) -> None:
        for field in fields(self):
            _check_type(field.name, getattr(self, field.name), field.default)
        for name in _COUNTS:
            _need(getattr(self, name) >= 1, name, getattr(self, name), "a whole number from 1")
        for name in _AMOUNTS:
            _need(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        for name in ("rate", "clip", "most_megabytes"):
            _need(getattr(self, name) > 0, name, getattr(self, name), "more than 0")
        _need(self.form in get_args(Form), "form", self.form, " or ".join(get_args(Form)))
        _need(self.bits in (4, 8), "bits", self.bits, "4 or 8")
        _need(self.group in GROUP_SIZES, "group", self.group, f"one of {', '.join(map(str, GROUP_SIZES))}")
        _need(0 <= self.quantized_share <= 1, "quantized_share", self.quantized_share, "0 to 1")
        _need(0 < self.held_out < 1, "held_out", self.held_out, "between 0 and 1: progress is measured on it")
        _need(0 <= self.warmup < self.steps, "warmup", self.warmup, f"0 to {self.steps - 1}, fewer than the steps")
        _need(self.general_rows >= 0, "general_rows", self.general_rows, "0 or more")
        distinct = len(set(self.layers)) == len(self.layers) and all(layer >= 0 for layer in self.layers)
        _need(distinct, "layers", self.layers, "distinct layers from 0")

    def rate_at(self, step: int) -> float:
        """Return the learning rate of a step, from 0: a straight rise over `warmup` steps, then a half cosine."""
        if step < self.warmup:
            return self.rate * (step + 1) / self.warmup
        return annealed(
            step - self.warmup, self.steps - 1 - self.warmup, start=self.rate, end=self.rate * self.last_rate
        )

    def noise_at(self, step: int) -> float:
        """Return the temperature of the gate's noise at a step."""
        return annealed(step, self.steps - 1, start=self.noise_start, end=self.noise_end)

    def quantized_at(self, step: int) -> bool:
        """Return whether the experts compute as they will be served at a step."""
        return step >= self.steps - round(self.steps * self.quantized_share)

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as JSON has them."""
        return asdict(self) | {"layers": list(self.layers)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainingSettings:
        """Read settings back; what is not named has its default.

        Raises:
            TrainingRejected: a name is unknown, or a value is wrong.
        """
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise TrainingRejected(
                f"Unknown training setting: {', '.join(unknown)}.", remedy=f"Known: {', '.join(sorted(known))}."
            )
        layers = values.get("layers", ())
        return cls(**{**values, "layers": tuple(layers) if isinstance(layers, list) else layers})

    @classmethod
    def read(cls, path: Path) -> TrainingSettings:
        """Read a JSON file.

        Raises:
            TrainingRejected: it cannot be read, is no JSON object, or see `from_dict`.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise TrainingRejected(
                f"The settings {path} cannot be read: {error}.", remedy="Give a JSON object of training settings."
            ) from error
        if not isinstance(values, dict):
            raise TrainingRejected(f"The settings {path} are no JSON object.", remedy="Write {...}.")
        return cls.from_dict(values)


def _need(holds: bool, name: str, value: object, expected: str) -> None:
    if not holds:
        raise TrainingRejected(f"The training setting {name} is {value!r}.", remedy=f"It takes {expected}.")


def _check_type(name: str, value: object, default: object) -> None:
    if name == "domain":
        _need(value is None or (isinstance(value, str) and value != ""), name, value, "the name of a domain, or null")
    elif isinstance(default, tuple):
        whole = isinstance(value, tuple) and all(type(entry) is int for entry in value)
        _need(whole, name, value, "a list of whole numbers")
    elif isinstance(default, float):
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        _need(number, name, value, "a finite number")
    else:
        _need(type(value) is type(default), name, value, f"a value of type {type(default).__name__}")
