"""Puts trained gates and experts into a frozen transformers model, and takes them out again.

| model_type | form "full" | form "adapters" |
|---|---|---|
| qwen2_moe (the project's own) | yes | yes |
| qwen3_moe, deepseek_v2 | no: its experts are the model | yes |

Blocks of transformers 5 call `gate(hidden)` and `experts(hidden, chosen, weights)`; both are replaced in the chosen
layers, and nothing else is touched. Everything else is frozen, so no gradient runs below the first of these layers.
That is where activations can be kept once: see `Graft.first_layer`.

Which experts belong to a domain stands in the base's config, under "vouch": {"domains": [...]}: E / N neighbours each.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import torch

from model.errors import TrainingRejected
from model.stock_routing import stock_policy
from model.training.experts import PROJECTIONS, AdaptedExpert, FullExpert, TrainedExperts
from model.training.gate import TrainedGate
from model.training.settings import TrainingSettings
from model.training.switches import Switches

__all__ = ["KINDS", "Graft", "domains_of", "graft"]

KINDS: Final = ("deepseek_v2", "qwen2_moe", "qwen3_moe")
"""Values of model_type whose blocks are known."""


class Graft:
    """A model whose routed experts learn.

    Attributes:
        model: transformers' model, changed in place.
        switches: Read by all trained layers.
        gates: By layer.
        experts: By layer.
        domains: Of the base; empty where it names none.
    """

    def __init__(self, model: Any, switches: Switches, domains: tuple[str, ...]) -> None:
        self.model = model
        self.switches = switches
        self.domains = domains
        self.gates: dict[int, TrainedGate] = {}
        self.experts: dict[int, TrainedExperts] = {}

    @property
    def layers(self) -> tuple[int, ...]:
        """The trained layers, in order."""
        return tuple(sorted(self.gates))

    @property
    def first_layer(self) -> int:
        """The lowest trained layer: what comes out of the layers below depends on the row alone, at every step."""
        return self.layers[0]

    def learned(self) -> Iterator[tuple[str, Any]]:
        """Yield what is learned, by its name in a checkpoint, in one order."""
        for layer in self.layers:
            prefix = f"model.layers.{layer}.mlp"
            yield f"{prefix}.gate.weight", self.gates[layer].weight
            for place, expert in enumerate(self.experts[layer].experts):
                for name, parameter in expert.learned().items():
                    yield f"{prefix}.experts.{place}.{name}", parameter

    def remove(self) -> None:
        """Give the model its own gates and experts back."""
        for layer in self.layers:
            block = self.model.model.layers[layer].mlp
            block.gate, block.experts = self.gates[layer].base, self.experts[layer].base
        self.gates.clear()
        self.experts.clear()


def domains_of(config: Any) -> tuple[str, ...]:
    """Return the domains that a base's config names, in the order of their experts.

    Raises:
        TrainingRejected: they are no names, or do not share out the experts evenly.
    """
    ours = getattr(config, "vouch", None) or {}
    names = ours.get("domains", []) if isinstance(ours, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise TrainingRejected("The base's config names no domains that can be read.", remedy="Build the base anew.")
    count = stock_policy(config.to_dict()).experts
    if names and (count % len(names) or len(set(names)) != len(names)):
        raise TrainingRejected(
            f"{count} experts cannot be shared out among {', '.join(names)}.", remedy="Build the base anew."
        )
    return tuple(names)


def graft(model: Any, settings: TrainingSettings) -> Graft:
    """Put trained gates and experts into a model and freeze the rest.

    Args:
        model: `AutoModelForCausalLM` of one of `KINDS`; changed in place, `Graft.remove` undoes it.
        settings: Which layers, which form, which domain.

    Raises:
        TrainingRejected: the base has no such layers or domain, or cannot be trained in this form.
    """
    config = model.config
    if config.model_type not in KINDS or (settings.form == "full" and config.model_type != "qwen2_moe"):
        raise TrainingRejected(
            f"A base of type {config.model_type!r} cannot be trained in the form {settings.form!r}.",
            remedy=f"Adapters are for {', '.join(KINDS)}; whole experts for qwen2_moe.",
        )
    layers = _layers(model, settings)
    policy = stock_policy(config.to_dict())
    domains = domains_of(config)
    _check_groups(config, settings)
    _check_domain(settings.domain, domains)
    model.requires_grad_(False)
    model.eval()  # no dropout: the only noise is the gate's
    grafted = Graft(model, Switches(settings.bits, settings.group, settings.symmetric), domains)
    generator = torch.Generator().manual_seed(settings.seed)
    for layer in layers:
        block = model.model.layers[layer].mlp
        experts = [
            _expert(block.experts, place, grafted.switches, settings, generator) for place in range(policy.experts)
        ]
        grafted.gates[layer] = TrainedGate(block.gate, policy, grafted.switches, layer=layer)
        grafted.experts[layer] = TrainedExperts(block.experts, experts, grafted.switches)
        block.gate, block.experts = grafted.gates[layer], grafted.experts[layer]
    if settings.domain is not None:
        _hold_others(grafted, settings.domain)
    return grafted


def _expert(
    base: Any, place: int, switches: Switches, settings: TrainingSettings, generator: Any
) -> FullExpert | AdaptedExpert:
    gate, up = base.gate_up_proj[place].detach().chunk(2)  # (F, D), (F, D)
    matrices = dict(zip(PROJECTIONS, (gate, up, base.down_proj[place].detach()), strict=True))
    if settings.form == "full":
        return FullExpert(matrices, switches)
    return AdaptedExpert(matrices, switches, rank=settings.rank, generator=generator)


def _layers(model: Any, settings: TrainingSettings) -> tuple[int, ...]:
    routed = tuple(place for place, layer in enumerate(model.model.layers) if hasattr(layer.mlp, "experts"))
    missing = sorted(set(settings.layers) - set(routed))
    if missing or not routed:
        raise TrainingRejected(
            f"These layers have no routed experts: {', '.join(map(str, missing)) or 'all'}.",
            remedy=f"Choose from: {', '.join(map(str, routed)) or 'none; take a mixture of experts as the base'}.",
        )
    return tuple(sorted(settings.layers)) or routed


def _check_groups(config: Any, settings: TrainingSettings) -> None:
    widths = (config.hidden_size, config.moe_intermediate_size)
    if settings.quantized_share and any(width % settings.group for width in widths):
        raise TrainingRejected(
            f"Experts of {widths[0]} x {widths[1]} do not divide into groups of {settings.group}.",
            remedy="Set group to one that divides both, or quantized_share to 0.",
        )


def _check_domain(domain: str | None, domains: tuple[str, ...]) -> None:
    if domain is not None and domain not in domains:
        raise TrainingRejected(f"The base has no domain {domain!r}.", remedy=f"It has: {', '.join(domains) or 'none'}.")


def _hold_others(grafted: Graft, domain: str) -> None:
    """Leave one domain's experts to learn; the gate stays as well, since it serves all of them."""
    for layer in grafted.layers:
        experts = grafted.experts[layer].experts
        size = len(experts) // len(grafted.domains)
        first = grafted.domains.index(domain) * size
        grafted.gates[layer].requires_grad_(False)
        for place, expert in enumerate(experts):
            expert.requires_grad_(first <= place < first + size)
