"""What changes from step to step in a model that learns: noise, quantization, whether the experts count at all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from model.training.fake_quant import fake_quantize

__all__ = ["Routed", "Switches"]


@dataclass(frozen=True, slots=True, eq=False)
class Routed:
    """What one gate did with one batch.

    Attributes:
        layer: Its index.
        logits: Without noise, shape (T, E), with their gradient.
        experts: int64, shape (T, K), chosen with noise.
    """

    layer: int
    logits: Any
    experts: Any


@dataclass(slots=True)
class Switches:
    """One for all layers of a model; the loop sets it, the layers read it and note what they did.

    Attributes:
        bits: Of the served experts.
        group: Inputs that share a scale there.
        symmetric: Whether they have no zero points.
        on: Whether the trained experts count; off: the model as it was.
        noise: Temperature of the gate's Gumbel noise; 0: none.
        generator: The noise is drawn from it.
        quantized: Whether experts compute as they will be served.
        routed: What the gates did since it was last emptied, in the order of the layers.
    """

    bits: int
    group: int
    symmetric: bool
    on: bool = True
    noise: float = 0.0
    generator: Any = None
    quantized: bool = False
    routed: list[Routed] = field(default_factory=list)

    def served(self, weight: Any) -> Any:
        """Return a matrix (N, I) as it will be served, or as it is."""
        if not self.quantized:
            return weight
        return fake_quantize(weight, bits=self.bits, group=self.group, symmetric=self.symmetric)

    @contextlib.contextmanager
    def off(self) -> Iterator[None]:
        """Compute the model as it was without training."""
        before, self.on = self.on, False
        try:
            yield
        finally:
            self.on = before
