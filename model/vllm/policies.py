"""The routing of the model that this vLLM serves: read once when it is loaded, applied in every layer to every token.

A policy has three sources, the later ones over the earlier, field by field (model.routing_file):

1. the routing that the architecture was trained with (model.stock_routing);
2. the key "vouch" of the checkpoint's config.json: {"domains": [...], "routing": {...}}, which others ignore;
3. the environment variable VOUCH_ROUTING: a JSON object, or the path of a file.

The "domains" of 2 own the experts in order, E // N each: without priors of its own such a checkpoint gets one for each,
1 at the domain's experts and 0 elsewhere, so that `prior_strength` alone turns them on (its default is 0).

T tokens, E experts, K chosen, N domains.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from model.errors import RoutingRejected
from model.routing import DomainPrior, RoutingPolicy, check_inputs, route, with_prior
from model.routing_file import overridden, read_fields
from model.stock_routing import stock_policy

__all__ = ["DOMAIN", "LOAD", "ROUTING", "changed_routing", "choose", "domain_fields", "load_path", "routing_for"]

ROUTING: Final = "VOUCH_ROUTING"
"""The environment variable: vLLM starts its workers as processes of their own, and this reaches them all."""
LOAD: Final = "VOUCH_ROUTING_LOAD"
"""The environment variable that turns on the measuring of load (model.vllm.load): the path of its file."""
DOMAIN: Final = "vouch_domain"
"""The extra argument of a request that names its domain (model.vllm.domains)."""


def routing_for(hf_config: Any, *, environ: Mapping[str, str] = os.environ) -> RoutingPolicy:
    """Return the policy of a model.

    Args:
        hf_config: Its configuration, as transformers reads it (in vLLM: `model_config.hf_text_config`).
        environ: Where VOUCH_ROUTING is looked up.

    Raises:
        RoutingRejected: the architecture is not known (model.stock_routing), or a policy does not fit the model.
    """
    config = hf_config.to_dict()
    # transformers gives the attribute a common name; the file's own differs by model
    layers = hf_config.num_hidden_layers
    own = _checkpoint_key(config)
    policy = _with_domains(stock_policy(config), own.get("domains", []))
    policy = overridden(policy, own.get("routing", {}), layers=layers)
    return overridden(policy, read_fields(environ.get(ROUTING, "")), layers=layers)


def changed_routing(hf_config: Any, *, environ: Mapping[str, str] = os.environ) -> RoutingPolicy | None:
    """Return the policy of a model, or None where it is the routing that the model was trained with.

    Args:
        hf_config: As in `routing_for`.
        environ: As there.

    Raises:
        RoutingRejected: as `routing_for`; but an architecture that is not known is refused only if a policy is given.
    """
    config = hf_config.to_dict()
    if not environ.get(ROUTING, "").strip() and not config.get("vouch"):
        return None
    policy = routing_for(hf_config, environ=environ)
    # priors without strength add nothing
    plain = policy if policy.prior_strength else dataclasses.replace(policy, priors=(), default_domain="")
    return None if plain == stock_policy(config) else policy


def load_path(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return where the measured load goes; None: it is not measured."""
    named = environ.get(LOAD, "").strip()
    return Path(named).expanduser() if named else None


def domain_fields(domain: str) -> dict[str, Any]:
    """Return the fields by which a request to vLLM's HTTP API says its domain.

    The salt keeps the prefix cache of one domain from another's: the prior changes what every layer computes, so keys
    and values of the same prompt differ between domains.
    """
    return {"vllm_xargs": {DOMAIN: domain}, "cache_salt": f"{DOMAIN}:{domain}"}


def choose(
    logits: Any, policy: RoutingPolicy, *, layer: int, bias: Any | None = None, domains: Any | None = None
) -> tuple[Any, Any]:
    """Choose experts and weights as `model.routing.route` does, for a layer's hot path.

    Where nothing but the logits ranks the experts (no bias, groups, capacity, entropy), softmax keeps their order: one
    stable sort of the logits gives the experts, ties included, and a softmax the weights, in 7 operations instead of
    17. Weights then differ from the reference's by roundings of float32, experts only where float32 cannot
    tell the reference's own scores apart.

    Args:
        logits: As in `route`.
        policy: As there.
        layer: Of the model, counted from 0.
        bias: As there.
        domains: As there; values are not read, which would wait for a GPU.

    Returns:
        weights: float32, shape (T, K), contiguous.
        experts: int32, shape (T, K), contiguous, the most wanted first.

    Raises:
        RoutingRejected: as `route`.
    """
    if bias is not None or not _by_logits_alone(policy):
        routing = route(logits, policy, layer=layer, bias=bias, domains=domains)
        return routing.weights, routing.experts.int()
    import torch

    check_inputs(logits, policy, None, domains, values=False)
    count = policy.chosen(layer)
    wanted = with_prior(logits.float(), policy, domains)  # (T, E)
    best, experts = wanted.sort(dim=-1, descending=True, stable=True)  # (T, E)
    if policy.renormalize or policy.scores == "softmax_of_chosen":
        best = best[:, :count]  # (T, K)
    if policy.temperature != 1:
        best = best / policy.temperature
    weights = torch.softmax(best, dim=-1)[:, :count]  # (T, K)
    if policy.scaling != 1:
        weights = weights * policy.scaling
    return weights.contiguous(), experts[:, :count].int()


def _by_logits_alone(policy: RoutingPolicy) -> bool:
    return (
        policy.scores != "sigmoid"
        and policy.entropy_gain == 0
        and policy.top_groups == policy.groups
        and not policy.bias_by_layer
        and policy.capacity_factor is None
    )


def _checkpoint_key(config: Mapping[str, Any]) -> Mapping[str, Any]:
    own = config.get("vouch") or {}
    fits = isinstance(own, dict) and isinstance(own.get("routing", {}), dict)
    if not fits or not isinstance(own.get("domains", []), list):
        raise RoutingRejected(
            'The key "vouch" of the checkpoint\'s config.json is not {"domains": [...], "routing": {...}}.',
            remedy="Build the checkpoint anew.",
        )
    return own


def _with_domains(policy: RoutingPolicy, domains: list[Any]) -> RoutingPolicy:
    if not domains:
        return policy
    if not all(isinstance(name, str) for name in domains) or policy.experts % len(domains):
        raise RoutingRejected(
            f"The checkpoint's {policy.experts} experts cannot be shared out among the domains {domains!r}.",
            remedy="Build the checkpoint anew, with as many experts for each domain.",
        )
    each = policy.experts // len(domains)
    owners = [expert // each for expert in range(policy.experts)]  # (E)
    priors = (DomainPrior(name, tuple(float(owner == row) for owner in owners)) for row, name in enumerate(domains))
    return dataclasses.replace(policy, priors=tuple(priors))
