"""From what the machine has and what the checkpoint needs to how it is served, or to why it cannot be, in words.

The form is chosen before anything is fetched: on a CUDA device the mixture in bfloat16, or in int4 where that does not
fit; on a CPU int8. On a CPU int4 has to be asked for: it answers two to three times as fast and needs less memory, and
it is less right (docs/model.md), which is the wrong default for what this model is used for. The rest is planned from
the built checkpoint: the context as long as the model was made for up to a bound, and a cache for as many sequences of
that length as memory holds, at least one. What is asked for is taken as it is, or refused; what is not asked for gives
way: first the cache, then the context.

Not covered: what other processes take later. Free memory is looked at once, at the start.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from model.build import Form
from model.errors import NotEnoughMemory, ServingFailed
from model.footprint import Footprint, Shape, footprint
from model.machine import Machine, look

__all__ = ["DEFAULT_CONTEXT", "Parallel", "Plan", "Wishes", "choose_form", "default_form", "plan"]

_GB: Final = 1_000_000_000
_SHARE: Final = 0.9
"""Of free memory, what a plan may take: the rest is for the page cache, the service and what was estimated too low."""
_BYTES_A_PARAMETER: Final = {"int4": 1.0, "w8a8": 1.5, "moe": 2.5, "bf16": 2.0}
"""Weights in memory for each parameter of the dense base, before there are files: with experts and bfloat16 parts."""
_LEAST_CONTEXT: Final = 2048
"""Under this an answer's passages do not fit; a shorter context has to be asked for."""
DEFAULT_CONTEXT: Final = 8192
_CONTEXT: Final = {"cpu": DEFAULT_CONTEXT, "cuda": 32768}
"""Longest context that nobody asked for. A CPU reads some hundred tokens a second: a longer prompt takes a minute."""
_SEQUENCES: Final = {"cpu": 8, "cuda": 64}
"""Replies at the same time. The service answers eight questions at once by default; on a GPU more cost little."""
_BATCH: Final = {"cpu": 2048, "cuda": 8192}
"""Tokens of one step, and so the piece in which a long prompt is read."""


@dataclass(frozen=True, slots=True)
class Parallel:
    """How a model is spread over CUDA devices.

    Attributes:
        tensor: Devices that share every layer; a divisor of the model's attention heads.
        pipeline: Groups of layers, one after the other.
        expert: Whether whole experts lie on the devices of `tensor`, rather than a slice of every expert on each.
        ray_address: Ray cluster that the devices are in, ``HOST:PORT``; empty: all are in this machine.
    """

    tensor: int = 1
    pipeline: int = 1
    expert: bool = False
    ray_address: str = ""

    @property
    def cards(self) -> int:
        """Devices in all."""
        return self.tensor * self.pipeline


@dataclass(frozen=True, slots=True)
class Wishes:
    """What settings ask for; 0 leaves it to the plan.

    Attributes:
        context_tokens: Longest prompt and reply together, in tokens.
        cache_bytes: Bytes of the key-value cache.
        sequences: Replies at the same time.
        threads: Cores to compute on.
        parallel: Devices.
        form: Of the checkpoint; None leaves it to `choose_form`.
    """

    context_tokens: int = 0
    cache_bytes: int = 0
    sequences: int = 0
    threads: int = 0
    parallel: Parallel = field(default_factory=Parallel)
    form: Form | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """How a checkpoint is served.

    Attributes:
        device: What computes.
        context_tokens: Longest prompt and reply together, in tokens.
        cache_bytes: Bytes of the key-value cache, on all devices together.
        sequences: Replies at the same time.
        batch_tokens: Most tokens of one step.
        threads: Cores that compute, on a CPU.
        parallel: Devices.
        needs: What that takes on each device.
    """

    device: Literal["cpu", "cuda"]
    context_tokens: int
    cache_bytes: int
    sequences: int
    batch_tokens: int
    threads: int
    parallel: Parallel
    needs: Footprint


def default_form(machine: Machine | None = None) -> Form:
    """Return the form that this machine serves unless another one is asked for, memory aside."""
    machine = machine or look()
    return "moe" if machine.gpus else "w8a8"


def choose_form(name: str, parameters_m: int, machine: Machine, wishes: Wishes | None = None) -> Form:
    """Return the form of a model that this machine can hold; asked before weights are fetched.

    Args:
        name: The model's, for the error.
        parameters_m: Millions of parameters of the dense base.
        machine: What there is.
        wishes: What is asked for: a form, devices.

    Raises:
        NotEnoughMemory: not even its smallest form fits, or the one that is asked for does not.
        ServingFailed: int4 is asked for on a CPU, and vLLM does not find our plugin, which has the kernels.
    """
    wishes = wishes or Wishes()
    if wishes.form == "int4" and not machine.gpus and not machine.plugin:
        raise ServingFailed(
            "VOUCH_MODEL_FORM asks for int4, which a CPU computes with Vouch's plugin of vLLM; vLLM does not find it.",
            remedy="Install Vouch itself (./vouch does), or set VOUCH_MODEL_FORM=w8a8.",
        )
    cards = wishes.parallel.cards
    form = wishes.form or default_form(machine)
    smallest = "int4" if machine.gpus and not wishes.form else form
    bare = Shape(1, 1, 1, 1, 1, 1, 1, weights=0)
    for candidate in dict.fromkeys((form, smallest)):
        shape = replace(bare, weights=int(parameters_m * 1e6 * _BYTES_A_PARAMETER[candidate]))
        needs = footprint(shape, cache=0, sequences=1, batch=1, cuda=bool(machine.gpus), cards=cards)
        if needs.total <= _room(machine, cards):
            return candidate
    raise NotEnoughMemory(
        f"{name} needs {_gb(needs.total)} GB even as {candidate}; {_place(machine, cards)}.",
        remedy="Choose a smaller model (VOUCH_MODEL), or use a larger machine or a server elsewhere (VOUCH_MODEL_URL).",
    )


def plan(shape: Shape, machine: Machine, wishes: Wishes) -> Plan:
    """Work out how a checkpoint of that shape is served here.

    Raises:
        NotEnoughMemory: it does not fit; the message gives the sum and the remedy what would.
        ServingFailed: the wishes contradict the model or the machine.
    """
    device: Literal["cpu", "cuda"] = "cuda" if machine.gpus else "cpu"
    _refuse_impossible(shape, machine, wishes)
    cards = wishes.parallel.cards
    sequences = wishes.sequences or _SEQUENCES[device]
    given: dict[str, Any] = {"sequences": sequences, "batch": _BATCH[device], "cuda": device == "cuda", "cards": cards}
    left = _room(machine, cards) - footprint(shape, cache=0, **given).total
    cache, context = _cache_and_context(shape, wishes, sequences, device, left * min(cards, shape.splits))
    needs = footprint(shape, cache=cache, **given)
    if needs.total > _room(machine, cards):
        raise _too_large(shape, machine, wishes, needs, given, context)
    return Plan(
        device=device,
        context_tokens=context,
        cache_bytes=cache,
        sequences=sequences,
        batch_tokens=_BATCH[device],
        threads=min(wishes.threads or machine.cores, machine.cores),
        parallel=wishes.parallel,
        needs=needs,
    )


def _cache_and_context(shape: Shape, wishes: Wishes, sequences: int, device: str, left: int) -> tuple[int, int]:
    """Return bytes of the cache and tokens of context that `left` bytes hold, or the least that would do."""
    context = wishes.context_tokens or min(_CONTEXT[device], shape.positions)
    least = context if wishes.context_tokens else min(_LEAST_CONTEXT, context)
    if wishes.cache_bytes:
        fits = wishes.cache_bytes // shape.token
        return wishes.cache_bytes, context if wishes.context_tokens else max(least, min(context, fits))
    fits = max(least, left // shape.token)  # tokens
    context = min(context, fits) if not wishes.context_tokens else context
    return min(fits, sequences * context) * shape.token, context


def _refuse_impossible(shape: Shape, machine: Machine, wishes: Wishes) -> None:
    parallel = wishes.parallel
    if wishes.context_tokens > shape.positions:
        raise ServingFailed(
            f"The model was made for {shape.positions} tokens of context; VOUCH_CONTEXT_TOKENS asks for"
            f" {wishes.context_tokens}.",
            remedy=f"Set VOUCH_CONTEXT_TOKENS to at most {shape.positions}, or to 0.",
        )
    if wishes.cache_bytes and wishes.context_tokens * shape.token > wishes.cache_bytes:
        needed = wishes.context_tokens * shape.token / (1 << 30)
        raise ServingFailed(
            f"A cache of {wishes.cache_bytes / (1 << 30):.2f} GiB does not hold {wishes.context_tokens} tokens once.",
            remedy=f"Set VOUCH_KV_CACHE_GB to {needed + 0.005:.2f} or more, or to 0.",
        )
    if parallel.cards > 1 and not machine.gpus:
        raise ServingFailed(
            f"VOUCH_TENSOR_PARALLEL and VOUCH_PIPELINE_PARALLEL ask for {parallel.cards} GPUs; there is none here.",
            remedy="Set both to 1 on a CPU, or install the GPU build of vLLM.",
        )
    if parallel.cards > len(machine.gpus) > 0 and not parallel.ray_address:
        raise ServingFailed(
            f"{parallel.cards} GPUs are asked for; this machine has {len(machine.gpus)}.",
            remedy="Lower VOUCH_TENSOR_PARALLEL or VOUCH_PIPELINE_PARALLEL, or name a cluster with VOUCH_RAY_ADDRESS.",
        )
    if shape.heads % parallel.tensor:
        raise ServingFailed(
            f"{shape.heads} attention heads cannot be shared by {parallel.tensor} GPUs.",
            remedy=f"Set VOUCH_TENSOR_PARALLEL to a divisor of {shape.heads}.",
        )


def _room(machine: Machine, cards: int) -> int:
    """Bytes that a plan may take on each device: of the cards here that are used, the fullest decides."""
    if machine.gpus:
        return int(min(gpu.free for gpu in machine.gpus[:cards]) * _SHARE)
    return int(machine.memory * _SHARE)


def _place(machine: Machine, cards: int) -> str:
    if machine.gpus:
        gpu = min(machine.gpus[:cards], key=lambda item: item.free)
        each = "each card" if cards > 1 else "the card"
        return f"{each} ({gpu.name}) has {_gb(gpu.total)}, {_gb(_room(machine, cards))} of them to be used"
    return f"the machine has {_gb(machine.memory)} free, {_gb(_room(machine, cards))} of them to be used"


def _too_large(
    shape: Shape, machine: Machine, wishes: Wishes, needs: Footprint, given: dict[str, Any], context: int
) -> NotEnoughMemory:
    """Say the sum, and what would fit."""
    room = _room(machine, given["cards"])
    ways = []
    shared = min(given["cards"], shape.splits)
    tokens = (room - needs.total + needs.cache) * shared // shape.token
    if wishes.context_tokens and tokens >= _LEAST_CONTEXT and not wishes.cache_bytes:
        ways.append(f"VOUCH_CONTEXT_TOKENS={tokens // 1024 * 1024}")
    if wishes.cache_bytes and tokens >= _LEAST_CONTEXT:
        ways.append(f"VOUCH_KV_CACHE_GB={int(tokens * shape.token / (1 << 30) * 100) / 100:.2f}")
    if machine.gpus:
        for cards in (2, 4, 8):
            spread = footprint(shape, cache=needs.cache * shared, **given | {"cards": cards})
            if cards > given["cards"] and shape.heads % cards == 0 and spread.total <= room:
                ways.append(f"VOUCH_TENSOR_PARALLEL={cards} with as many such cards")
                break
    ways.append("a smaller model (VOUCH_MODEL)")
    return NotEnoughMemory(
        f"Serving {context} tokens of context needs {_gb(needs.total)} GB ({_gb(needs.weights)} weights,"
        f" {_gb(needs.cache)} cache, {_gb(needs.activations)} activations, {_gb(needs.program)} program);"
        f" {_place(machine, given['cards'])}.",
        remedy=f"Try {', or '.join(ways)}.",
    )


def _gb(number: int) -> str:
    return f"{number / _GB:.1f}"
