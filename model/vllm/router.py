"""A routing policy for the MoE models that vLLM serves itself: Qwen3-MoE, DeepSeek-V2 and V3, Mixtral, gpt-oss.

vLLM builds each MoE layer's `MoERunner` through `PluggableLayer`, which lets another class take its place when it is
made; `install` puts `PolicyRunner` there. That class is vLLM's own but for its router, which it exchanges when the
served model has a policy other than the routing it was trained with. No policy: vLLM's router stays, to the bit.

What an architecture does beside its policy is kept: DeepSeek-V3's e_score_correction_bias is added to the policy's
bias, a factor that vLLM multiplies a layer's output with is not in the weights as well, and redundant experts (EPLB)
are mapped after the choice.

Refused while loading: kernels that route by themselves and would ignore the policy (`is_monolithic`), shared experts
fused into the routed ones (ROCm), policies that do not fit the model.

Not covered: model classes with a runner of their own, which no architecture of model.stock_routing has, and drafts of
speculative decoding.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any

import torch
from vllm.config import get_current_vllm_config
from vllm.model_executor.custom_op import PluggableLayer, op_registry_oot
from vllm.model_executor.layers.fused_moe import MoERunner, RoutingMethodType
from vllm.model_executor.layers.fused_moe.router.base_router import BaseRouter

from model.errors import RoutingRejected
from model.routing import RoutingPolicy
from model.vllm.layer_router import LayerRouter
from model.vllm.load import load_counter
from model.vllm.policies import changed_routing

__all__ = ["PolicyRouter", "PolicyRunner", "install"]


def install() -> None:
    """Put `PolicyRunner` in the place of vLLM's MoE layer, in this process; calling it again changes nothing.

    A model without MoE layers never notices, and one without a policy computes as before. It must run before the model
    is built: from the plugin's entry point (model.vllm_plugin), in every process of vLLM.

    Raises:
        RoutingRejected: another plugin has taken the same place.
    """
    name = MoERunner.__name__
    taken = op_registry_oot.get(name)
    if taken is PolicyRunner:
        return
    if taken is not None:
        raise RoutingRejected(
            f"Another plugin ({taken.__module__}.{taken.__qualname__}) has replaced vLLM's {name}.",
            remedy="Leave one of the two out with VLLM_PLUGINS.",
        )
    PluggableLayer.register_oot(PolicyRunner, name=name)


class PolicyRouter(BaseRouter):
    """A layer's router for vLLM.

    Args:
        stock: The router in whose place it stands.
        layer: What it routes by.
    """

    def __init__(self, stock: BaseRouter, layer: LayerRouter) -> None:
        super().__init__(
            top_k=layer.policy.top_k, global_num_experts=stock.global_num_experts, eplb_state=stock.eplb_state
        )
        self._layer = layer

    @property
    def routing_method_type(self) -> RoutingMethodType:
        """None of those that vLLM's kernels compute themselves."""
        return RoutingMethodType.Custom

    def _compute_routing(
        self,
        hidden_states: torch.Tensor,
        router_logits: torch.Tensor,
        indices_type: torch.dtype | None,
        *,
        input_ids: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return self._layer(router_logits)


class PolicyRunner(MoERunner):
    """vLLM's MoE layer, with a router by the served model's policy where it has one."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.router: Any
        self._stock: Any = self.router
        self._policy: RoutingPolicy | None = None
        config = get_current_vllm_config().model_config.hf_text_config
        policy = changed_routing(config)
        if policy is not None:
            self.use(policy)
        counter = load_counter(config)
        if counter is not None:
            self.router.set_capture_fn(partial(counter.count, self.layer_id))

    def use(self, policy: RoutingPolicy | None) -> None:
        """Route by a policy from now on; None: as vLLM does.

        Raises:
            RoutingRejected: the layer cannot be routed from outside.
        """
        stock = self._stock
        fused = getattr(stock, "num_fused_shared_experts", 0)
        if fused or not isinstance(stock, BaseRouter):
            raise RoutingRejected(
                f"vLLM routes {self.layer_name} with {type(stock).__name__}, whose place a policy cannot take.",
                remedy="Leave VOUCH_ROUTING unset for this model, or switch off what fuses its shared experts.",
            )
        router = stock
        if policy is not None:
            # what vLLM multiplies the layer's output with is not in the weights
            weighed = dataclasses.replace(policy, scaling=policy.scaling / self.routed_scaling_factor)
            correction = self.routed_experts.e_score_correction_bias
            router = PolicyRouter(stock, LayerRouter(weighed, self.layer_id, correction=correction))
        router.set_capture_fn(self.router.capture_fn)
        self.router, self._policy = router, policy

    def forward(self, *arguments: Any, **named: Any) -> torch.Tensor:
        """Compute as vLLM's; where vLLM measures its memory the first pass is part of the loading."""
        if self._policy is not None and self.is_monolithic:
            raise RoutingRejected(
                f"vLLM's kernel for {self.layer_name} routes by itself and would ignore the policy.",
                remedy="Start vLLM with another kernel (--moe-backend triton), or leave VOUCH_ROUTING unset.",
            )
        return super().forward(*arguments, **named)
