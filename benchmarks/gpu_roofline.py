"""The least time that a layer of experts can take on a card, as docs/kernels.md works it out: computed, never measured.

Dimensions: T tokens, K chosen experts, E experts, D model, F width of an expert, S group size.

    bytes     experts that have tokens * 3 * D * F * bytes a weight          (half or one, and a 16-bit scale for S)
    FLOP      2 * T * K * 3 * D * F
    seconds   the larger of bytes / bandwidth and FLOP / peak

Left out, as there: launches, conversion of the weights, and what is written between the two products.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["CARDS", "Bound", "Card", "Layer", "bound", "card_of"]


@dataclass(frozen=True, slots=True)
class Card:
    """What a data sheet promises: bytes a second, and FLOP a second in bfloat16 without sparsity."""

    name: str
    bandwidth: float
    peak: float


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of experts: name, D, F, E, K."""

    name: str
    depth: int
    width: int
    experts: int
    chosen: int


@dataclass(frozen=True, slots=True)
class Bound:
    """The least time of a layer: seconds, and whether "memory" or "arithmetic" sets it."""

    seconds: float
    by: str


CARDS: Final = {
    "A100-SXM4-80GB": Card("A100 80GB SXM", 2.039e12, 312e12),
    "A100 80GB PCIe": Card("A100 80GB PCIe", 1.935e12, 312e12),
    "H100 80GB HBM3": Card("H100 SXM", 3.35e12, 989e12),
    "H100 PCIe": Card("H100 PCIe", 2.0e12, 756e12),
    "H200": Card("H200 SXM", 4.8e12, 989e12),
    "L40S": Card("L40S", 0.864e12, 362e12),
}
"""By a part of the name that the driver gives; from NVIDIA's data sheets."""


def card_of(name: str) -> Card | None:
    """Return the data sheet of a card by the driver's name; None where it is not known, and no share is given then."""
    return next((card for part, card in CARDS.items() if part in name), None)


def bound(layer: Layer, card: Card, *, tokens: int, reached: int, bits: int, group: int) -> Bound:
    """Return the least time of one layer.

    Args:
        layer: Its shape.
        card: Where.
        tokens: T.
        reached: Experts that have tokens; with even use E * (1 - (1 - K / E)^T).
        bits: Of a weight.
        group: S, weights that share a scale of 16 bits.
    """
    weights = 3 * layer.depth * layer.width
    memory = reached * weights * (bits / 8 + 2 / group) / card.bandwidth
    arithmetic = 2 * tokens * layer.chosen * weights / card.peak
    return Bound(max(memory, arithmetic), "memory" if memory >= arithmetic else "arithmetic")
