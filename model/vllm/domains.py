"""The domain of each request, on its way to the layers: the argument "vouch_domain" of a request, for its tokens alone.

vLLM hands a request's extra arguments (`vllm_xargs` over HTTP, `SamplingParams.extra_args` in Python) to the logits
processors that it was started with, before each pass, with the request's place in the batch. `RequestDomains` is one:
it leaves the logits alone and keeps who asks. The layers know from the attention's metadata where each request's tokens
begin. So nothing of vLLM is changed: start it with

    --logits-processors model.vllm.domains:RequestDomains

A request without the argument gets the policy's `default_domain`; a domain that the policy does not know adds nothing.

The prior changes what every layer computes, hence the keys and values in the cache: a client sends a `cache_salt` by
domain as well (model.vllm.policies.domain_fields makes both), or switches prefix caching off.

Not covered: vLLM's second model runner (the default where Triton has a device, so on most GPUs), whose processors learn
a request's place only after the pass, and speculative decoding, where vLLM leaves processors out. There the default
domain holds for all.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from vllm.forward_context import get_forward_context, is_forward_context_available
from vllm.sampling_params import SamplingParams
from vllm.v1.sample.logits_processor import BatchUpdate, LogitsProcessor, process_dict_updates

from model.errors import RoutingRejected
from model.routing import RoutingPolicy
from model.vllm.policies import DOMAIN

__all__ = ["RequestDomains", "rows_of_batch"]

_ROWS = "vouch_domain_rows"


class RequestDomains(LogitsProcessor):
    """Keeps the domain of each request in the batch.

    Attributes:
        running: The one of this process; vLLM makes one a worker. None: vLLM was not told to make it.
        by_place: Domain of the requests that name one, by their place in the batch.
    """

    running: ClassVar[RequestDomains | None] = None

    def __init__(self, vllm_config: Any, device: torch.device, is_pin_memory: bool) -> None:
        self.by_place: dict[int, str] = {}
        RequestDomains.running = self

    @classmethod
    def validate_params(cls, sampling_params: SamplingParams) -> None:
        """Refuse a domain that is no word, with status 400.

        Raises:
            ValueError: it is none; the type is vLLM's choice.
        """
        named = (sampling_params.extra_args or {}).get(DOMAIN)
        if named is not None and (not isinstance(named, str) or not named):
            raise ValueError(f"{DOMAIN} is {named!r:.60}; it needs a domain's name.")

    def is_argmax_invariant(self) -> bool:
        """Whether greedy sampling may skip `apply`."""
        return True

    def apply(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the logits as they are."""
        return logits

    def update_state(self, batch_update: BatchUpdate | None) -> None:
        """Follow who came, went and moved."""
        process_dict_updates(self.by_place, batch_update, _domain_of)


def rows_of_batch(policy: RoutingPolicy, logits: torch.Tensor) -> torch.Tensor | int:
    """Return each token's row of the prior in the running pass.

    Args:
        policy: Whose priors.
        logits: The gate's, shape (T, E), tokens in the order of the batch.

    Returns:
        One row for all, or int64, shape (T,) on the device of the logits; -1, the last row, adds nothing.

    Raises:
        RoutingRejected: the layer sees fewer tokens than the batch has, so which are whose is not known.
    """
    default = policy.domain(policy.default_domain)
    requests = RequestDomains.running
    if requests is None or not requests.by_place or not is_forward_context_available():
        return default
    context = get_forward_context()
    rows = context.additional_kwargs.get(_ROWS)
    if rows is None:
        rows = _rows(policy, requests.by_place, context.attn_metadata, default)
        context.additional_kwargs[_ROWS] = rows = rows.to(logits.device)
    tokens, known = logits.shape[0], rows.shape[0]
    if tokens < known:
        raise RoutingRejected(
            f"A layer sees {tokens} of the batch's {known} tokens.",
            remedy="Serve without sequence parallelism, or without --logits-processors; the default domain then holds.",
        )
    if tokens > known:  # rows that fill up the batch are nobody's
        rows = torch.cat((rows, rows.new_full((tokens - known,), -1)))
    return rows  # (T)


def _rows(policy: RoutingPolicy, by_place: dict[int, str], metadata: Any, default: int) -> torch.Tensor:
    """Return the rows of the batch's tokens: int64, shape (T,), on the CPU; empty in a pass that warms up."""
    if not isinstance(metadata, dict) or not metadata:
        return torch.empty(0, dtype=torch.int64)
    starts = next(iter(metadata.values())).query_start_loc.cpu()  # (requests + 1)
    places = range(starts.shape[0] - 1)
    rows = torch.tensor([policy.domain(by_place[place]) if place in by_place else default for place in places])
    return rows.repeat_interleave(starts.diff())


def _domain_of(params: SamplingParams, _prompt: list[int] | None, _output: list[int]) -> str | None:
    return (params.extra_args or {}).get(DOMAIN)
