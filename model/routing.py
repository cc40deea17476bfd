"""Which experts compute a token, and with which weights: one policy and its reference, for every back end.

Dimensions: T tokens, E experts, K chosen experts, G groups of experts, N domains.

For the gate's logits z of one token:

    l     = z + strength * prior[domain]                  the prior is a row of N x E; no domain: l = z
    tau   = temperature * exp(gain * (h - 1/2))           h = entropy(softmax(l / temperature)) / ln E, in [0, 1]
    s     = softmax(l / tau)  or  sigmoid(l / tau)        the scores, over all E
    c     = s + bias                                      what is compared; the bias comes from model.balance
    chosen: the K best by c, then by l, then by the lower index, among the experts of the best `top_groups` groups
    w     = s[chosen]  or  softmax(l[chosen] / tau),  divided by their sum where `renormalize`,  times `scaling`

A group's score is the largest c in it, or the sum of its two largest. The bias moves the choice and never the weight
(DeepSeek-V3, arXiv 2412.19437, section 2.1.2). With gain 0 the temperature is the same for all tokens; a positive gain
makes it higher, and the weights flatter, where the gate is unsure. With scores "softmax_of_chosen" (top-k first) c is
l / tau + bias.

All arithmetic is in float32, so the weights are float32 whatever the logits are. Each row is computed for itself:
without a capacity a token's experts and weights do not depend on its batch, to the bit. With a capacity they do
(model.capacity), so a server leaves it off.

Not covered: logits that are not finite, and jitter of the gate's input (Mixtral, training only).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeVar, get_args

from model.capacity import capacity_of, place
from model.errors import RoutingRejected

__all__ = [
    "DomainPrior",
    "GroupScore",
    "Routing",
    "RoutingPolicy",
    "Scores",
    "check_inputs",
    "gate_logits",
    "preferences",
    "prior_table",
    "route",
    "whole_bias",
    "with_prior",
]

Scores = Literal["softmax", "sigmoid", "softmax_of_chosen"]
GroupScore = Literal["largest", "two_largest"]

_Value = TypeVar("_Value")

_LEAST_SUM: Final = 1e-20
"""Scores that sum to less are taken in the log domain: they are about to underflow."""
_MOST_GAIN: Final = 16.0
_SLICE: Final = 1 << 24
"""Products that `gate_logits` holds at once, 64 MiB."""


@dataclass(frozen=True, slots=True)
class DomainPrior:
    """What a domain adds to the gate's logits: one number an expert, before `prior_strength`."""

    domain: str
    logits: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingPolicy:
    """How tokens go to experts. See the module for the formula; every default is neutral.

    Attributes:
        experts: E.
        top_k: K.
        top_k_by_layer: K of each layer; empty: `top_k` in all.
        scores: "softmax" or "sigmoid" over all experts and then top-k, or top-k and then "softmax_of_chosen".
        renormalize: Divide the chosen weights by their sum; "softmax_of_chosen" sums to one by itself.
        scaling: Factor on the weights, after everything else.
        temperature: Of the gate, above 0.
        entropy_gain: How much a token's own entropy moves its temperature; 0: not at all.
        groups: G equal runs of neighbouring experts; 1: no grouping.
        top_groups: Groups that a token may choose from.
        group_score: What ranks the groups.
        priors: Rows of the domain prior.
        prior_strength: Factor on the prior; 0: off.
        default_domain: The domain of tokens for which none is said; empty: none.
        bias_by_layer: The balancing bias of each layer (`model.balance`), one number an expert; empty: none.
        capacity_factor: Tokens an expert takes, over the even share T * K / E; None: no limit. It makes a token's
            experts depend on its batch.

    Raises:
        RoutingRejected: a value is out of range, or two do not go together.
    """

    experts: int
    top_k: int
    top_k_by_layer: tuple[int, ...] = ()
    scores: Scores = "softmax"
    renormalize: bool = True
    scaling: float = 1.0
    temperature: float = 1.0
    entropy_gain: float = 0.0
    groups: int = 1
    top_groups: int = 1
    group_score: GroupScore = "largest"
    priors: tuple[DomainPrior, ...] = ()
    prior_strength: float = 0.0
    default_domain: str = ""
    bias_by_layer: tuple[tuple[float, ...], ...] = ()
    capacity_factor: float | None = None

    def __post_init__(self) -> None:
        _check_counts(self)
        _check_numbers(self)
        _check_priors(self)
        _check_bias(self)

    def chosen(self, layer: int) -> int:
        """Return K of a layer."""
        return _of_layer(self.top_k_by_layer, layer, "top_k_by_layer") if self.top_k_by_layer else self.top_k

    def bias(self, layer: int) -> tuple[float, ...]:
        """Return the bias of a layer, one number an expert; empty where the policy has none."""
        return _of_layer(self.bias_by_layer, layer, "bias_by_layer") if self.bias_by_layer else ()

    def of_layer(self, layer: int) -> RoutingPolicy:
        """Return the policy of one layer alone: its top-k, and no bias, which a kernel is given beside the policy."""
        return replace(self, top_k=self.chosen(layer), top_k_by_layer=(), bias_by_layer=())

    def domain(self, name: str) -> int:
        """Return the row of a domain's prior, or -1, which adds nothing, where the policy does not know it."""
        return next((row for row, prior in enumerate(self.priors) if prior.domain == name), -1)


@dataclass(frozen=True, slots=True, eq=False)
class Routing:
    """Where each token goes.

    Attributes:
        experts: int64, shape (T, K), distinct in a row, the most wanted first.
        weights: float32, shape (T, K).
        backup: bool, shape (T, K): the expert stands in for a better one that was full.
    """

    experts: Any
    weights: Any
    backup: Any


def gate_logits(hidden: Any, weight: Any) -> Any:
    """Multiply hidden states (T, D) with the gate (E, D), so that a row does not depend on its neighbours.

    A GEMM may add in another order for another T, and a last bit can flip two near experts. Here every product is
    rounded to float32 and the D of them are added pairwise, halves upon halves: only elementwise operations, so each
    bit is the same for any T. The price is T * E * D products in memory, taken in slices.

    Returns:
        float32, shape (T, E).
    """
    import torch

    _check_gate(hidden, weight)
    tokens, width = hidden.shape
    gate = weight.float()  # (E, D)
    rows = max(1, _SLICE // max(1, gate.numel()))
    parts = [torch.zeros(0, gate.shape[0], device=hidden.device)]
    for start in range(0, tokens, rows):
        terms = hidden[start : start + rows].float()[:, None, :] * gate  # (t, E, D)
        size = width
        while size > 1:
            half = (size + 1) // 2
            terms = torch.cat((terms[..., : size - half] + terms[..., half:size], terms[..., size - half : half]), -1)
            size = half
        parts.append(terms[..., 0])  # (t, E)
    return torch.cat(parts)  # (T, E)


def route(
    logits: Any, policy: RoutingPolicy, *, layer: int = 0, bias: Any | None = None, domains: Any | None = None
) -> Routing:
    """Choose experts and weights: the reference that every kernel is held against.

    Args:
        logits: The gate's, any float type, shape (T, E), finite. T may be 0.
        policy: How to choose.
        layer: For `top_k_by_layer` and `bias_by_layer`.
        bias: float32, shape (E,), added for the choice alone, beside the policy's own; None: zeros.
        domains: int, shape (T,): each token's row of the prior, -1 for none; None: the policy's `default_domain`.

    Raises:
        RoutingRejected: a shape or type does not fit, or a domain's row does not exist.
    """
    import torch

    check_inputs(logits, policy, bias, domains)
    count = policy.chosen(layer)
    bias = whole_bias(policy, layer, bias, device=logits.device)  # (E)
    wanted = with_prior(logits.float(), policy, domains)  # (T, E)
    tempered = wanted / _temperature(wanted, policy)  # (T, E)
    scores = _scores(tempered, policy)  # (T, E)
    order = preferences(scores, wanted, policy, bias=bias)  # (T, E)
    experts = order[:, :count]  # (T, K)
    backup = torch.zeros_like(experts, dtype=torch.bool)  # (T, K)
    if policy.capacity_factor is not None:
        best = experts
        room = capacity_of(logits.shape[0], count, policy.experts, factor=policy.capacity_factor)
        experts = place(order, count, capacity=room)  # (T, K)
        backup = (experts[:, :, None] != best[:, None, :]).all(-1)  # (T, K)
    return Routing(experts.contiguous(), _weights(scores, tempered, experts, policy), backup)


def preferences(scores: Any, wanted: Any, policy: RoutingPolicy, *, bias: Any | None) -> Any:
    """Order the experts of each token, the best first: by allowed group, then scores + bias, then logit, then index.

    Three stable sorts from the least key to the greatest do it alike on every device.

    Args:
        scores: float32, shape (T, E).
        wanted: float32, shape (T, E), the logits with their prior; they decide where scores are equal.
        policy: For the groups.
        bias: float32, shape (E,), or None.

    Returns:
        int64, shape (T, E).
    """
    choice = scores if bias is None else scores + bias.float()  # (T, E)
    order = wanted.sort(dim=-1, descending=True, stable=True).indices  # (T, E)
    order = order.gather(-1, choice.gather(-1, order).sort(dim=-1, descending=True, stable=True).indices)  # (T, E)
    if policy.groups == 1 or policy.top_groups == policy.groups:
        return order
    grouped = choice.unflatten(-1, (policy.groups, -1))  # (T, G, E/G)
    summed = 1 if policy.group_score == "largest" else 2
    ranks = grouped.topk(summed, dim=-1).values.sum(-1)  # (T, G)
    best = ranks.sort(dim=-1, descending=True, stable=True).indices[:, : policy.top_groups]  # (T, top)
    shut = grouped.new_ones(ranks.shape).scatter_(-1, best, 0.0)  # (T, G)
    shut = shut.repeat_interleave(policy.experts // policy.groups, dim=-1)  # (T, E)
    return order.gather(-1, shut.gather(-1, order).sort(dim=-1, stable=True).indices)  # (T, E)


def check_inputs(
    logits: Any, policy: RoutingPolicy, bias: Any | None, domains: Any | None, *, values: bool = True
) -> None:
    """Refuse tensors that `route` does not take.

    Args:
        logits: As there.
        policy: As there.
        bias: As there.
        domains: As there.
        values: Whether to read the domains as well, which waits for their device.

    Raises:
        RoutingRejected: see its message.
    """
    if not logits.is_floating_point() or logits.ndim != 2 or logits.shape[1] != policy.experts:
        raise _reject(
            f"The gate's logits have the shape {_shape(logits)}, type {logits.dtype}.",
            f"Floats of shape (tokens, {policy.experts}) are needed.",
        )
    if bias is not None and tuple(bias.shape) != (policy.experts,):
        raise _reject(f"The bias has the shape {_shape(bias)}.", f"({policy.experts},) is needed.")
    if domains is None:
        return
    if domains.is_floating_point() or tuple(domains.shape) != (logits.shape[0],):
        raise _reject(f"The domains have the shape {_shape(domains)}, type {domains.dtype}.", "One int a token.")
    if values and domains.numel() and not -1 <= int(domains.min()) <= int(domains.max()) < max(1, len(policy.priors)):
        raise _reject("A token names a domain that the policy does not have.", "Use RoutingPolicy.domain, or -1.")


def whole_bias(policy: RoutingPolicy, layer: int, bias: Any | None, *, device: Any) -> Any | None:
    """Add up the policy's bias of a layer and the caller's: float32, shape (E,), or None where neither has one."""
    import torch

    own = policy.bias(layer)
    if not own:
        return bias
    added = torch.tensor(own, dtype=torch.float32, device=device)  # (E)
    return added if bias is None else added + bias.float()


def prior_table(policy: RoutingPolicy, *, device: Any) -> Any:
    """Return what each domain adds to the logits: float32, shape (N + 1, E); the last row is the domain -1, zeros."""
    import torch

    rows = [*(prior.logits for prior in policy.priors), (0.0,) * policy.experts]
    return policy.prior_strength * torch.tensor(rows, dtype=torch.float32, device=device)


def with_prior(logits: Any, policy: RoutingPolicy, domains: Any | None) -> Any:
    """Return z + prior of each token's domain, shape (T, E); `domains` as in `route`."""
    if not policy.priors or policy.prior_strength == 0 or (domains is None and not policy.default_domain):
        return logits
    table = prior_table(policy, device=logits.device)  # (N + 1, E)
    rows = policy.domain(policy.default_domain) if domains is None else domains.long()  # () or (T)
    return logits + table[rows]  # (T, E)


def _temperature(wanted: Any, policy: RoutingPolicy) -> Any:
    import torch

    if policy.entropy_gain == 0 or policy.experts == 1:
        return policy.temperature
    chances = torch.softmax(wanted / policy.temperature, dim=-1)  # (T, E)
    entropy = torch.special.entr(chances).sum(-1, keepdim=True) / math.log(policy.experts)  # (T, 1)
    return policy.temperature * torch.exp(policy.entropy_gain * (entropy - 0.5))  # (T, 1)


def _scores(tempered: Any, policy: RoutingPolicy) -> Any:
    import torch

    if policy.scores == "softmax":
        return torch.softmax(tempered, dim=-1)
    if policy.scores == "sigmoid":
        # torch.sigmoid rounds otherwise in the tail of a vector, so that a weight would depend on its batch
        return 1 / (1 + torch.exp(-tempered))
    return tempered


def _weights(scores: Any, tempered: Any, experts: Any, policy: RoutingPolicy) -> Any:
    import torch

    weights = scores.gather(-1, experts)  # (T, K)
    if policy.scores == "softmax_of_chosen":
        weights = torch.softmax(weights, dim=-1)
    elif policy.renormalize:
        logs = tempered.gather(-1, experts)  # (T, K)
        logs = logs if policy.scores == "softmax" else torch.nn.functional.logsigmoid(logs)
        total = weights.sum(-1, keepdim=True)  # (T, 1)
        # a token whose chosen experts all underflow must still be computed, so it takes the same ratio from logarithms
        weights = torch.where(total > _LEAST_SUM, weights / total, torch.softmax(logs, dim=-1))
    return weights * policy.scaling


def _of_layer(values: tuple[_Value, ...], layer: int, field: str) -> _Value:
    if not 0 <= layer < len(values):
        raise _reject(
            f"The policy names {len(values)} layers in {field}, and layer {layer} was asked for.",
            "Give it one entry for each layer of the model.",
        )
    return values[layer]


def _reject(message: str, remedy: str) -> RoutingRejected:
    return RoutingRejected(message, remedy=remedy)


def _check_counts(policy: RoutingPolicy) -> None:
    counts = (policy.experts, policy.top_k, *policy.top_k_by_layer, policy.groups, policy.top_groups)
    if not all(type(count) is int and count >= 1 for count in counts):
        raise _reject("Experts, top-k and groups are whole numbers from 1.", "Correct the model's configuration.")
    if policy.scores not in get_args(Scores) or policy.group_score not in get_args(GroupScore):
        raise _reject(
            f"Unknown scores {policy.scores!r} or group score {policy.group_score!r}.",
            f"Scores: {', '.join(get_args(Scores))}; group scores: {', '.join(get_args(GroupScore))}.",
        )
    most = max((policy.top_k, *policy.top_k_by_layer))
    if policy.experts % policy.groups or policy.top_groups > policy.groups:
        raise _reject(
            f"{policy.experts} experts do not make {policy.groups} equal groups to choose {policy.top_groups} from.",
            "Use a number of groups that divides the experts, and choose no more groups than there are.",
        )
    size = policy.experts // policy.groups
    if most > size * policy.top_groups:
        raise _reject(
            f"A token chooses {most} experts, and only {size * policy.top_groups} are open to it.",
            "Lower top_k or raise top_groups.",
        )
    if policy.group_score == "two_largest" and policy.groups > 1 and size < 2:
        raise _reject("A group of one expert has no two largest scores.", "Use larger groups.")


def _check_numbers(policy: RoutingPolicy) -> None:
    factor = 1.0 if policy.capacity_factor is None else policy.capacity_factor
    numbers = (policy.scaling, policy.temperature, policy.entropy_gain, policy.prior_strength, factor)
    if not all(_is_number(number) for number in numbers):
        raise _reject("A number of the policy is not finite.", "Give finite numbers.")
    if policy.scaling <= 0 or policy.temperature <= 0 or factor <= 0:
        raise _reject("Scaling, temperature and capacity are above 0.", "Leave them out for the neutral value.")
    if abs(policy.entropy_gain) > _MOST_GAIN:
        raise _reject(f"The entropy gain is beyond {_MOST_GAIN}.", "Values within -2 to 2 are usual.")


def _check_priors(policy: RoutingPolicy) -> None:
    names = [prior.domain for prior in policy.priors]
    if len(set(names)) != len(names):
        raise _reject("A domain has two priors.", "Keep one.")
    for prior in policy.priors:
        if len(prior.logits) != policy.experts or not all(_is_number(value) for value in prior.logits):
            raise _reject(
                f"The prior of {prior.domain!r} is not {policy.experts} finite numbers.", "One for each expert."
            )
    if policy.default_domain and policy.default_domain not in names:
        raise _reject(f"The default domain {policy.default_domain!r} has no prior.", f"Known: {', '.join(names)}.")


def _check_bias(policy: RoutingPolicy) -> None:
    for layer, row in enumerate(policy.bias_by_layer):
        if len(row) != policy.experts or not all(_is_number(value) for value in row):
            raise _reject(f"The bias of layer {layer} is not {policy.experts} finite numbers.", "One for each expert.")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _check_gate(hidden: Any, weight: Any) -> None:
    if hidden.ndim != 2 or weight.ndim != 2 or hidden.shape[1] != weight.shape[1] or not hidden.shape[1]:
        raise _reject(
            f"Hidden states {_shape(hidden)} do not fit the gate {_shape(weight)}.", "(T, D) and (E, D), D from 1."
        )


def _shape(tensor: Any) -> Sequence[int]:
    return tuple(tensor.shape)
