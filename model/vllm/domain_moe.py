"""A Qwen2-MoE of int4 weights on a CPU, written for few, large operations a layer.

T tokens, D model, H query heads, G heads of keys and values, A width of a head, E experts, K chosen, V vocabulary. Per
layer, with r the residual:

    r, h = r + h, norm(r + h)                                        one operation
    q, k, v = h @ W_qkv^T + b, rotated                               two
    h = attention(q, k, v) @ W_o^T                                   three: keys and values stored, attention, product
    r, h = r + h, norm(r + h)                                        one
    h = shared(h) / 2 + sum over the K experts of w_k expert_k(h)    router, then one for the whole MLP

At one token a layer computes for less than a millisecond, so what Python does between operations counts: vLLM's own
layers take twice as many calls, each through a module and a dispatcher.

`Qwen2Moe` is what vLLM finds under the architecture's name. It gives this model to a checkpoint in our kind of int4 on
a CPU, and vLLM's own to any other.

With our kernels a token's experts do not depend on its batch, to the bit; PyTorch's, the fallback, add in another order
for another batch, and may flip two experts that are as good as equal.

Not covered: several devices or hosts, LoRA, quantized keys and values (vLLM's own model takes them), torch.compile.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, Final

import torch
from torch import nn
from vllm import _custom_ops as ops
from vllm.config import VllmConfig
from vllm.forward_context import get_forward_context
from vllm.model_executor.layers.attention import Attention
from vllm.model_executor.layers.rotary_embedding import get_rope
from vllm.model_executor.models.qwen2_moe import Qwen2MoeForCausalLM
from vllm.platforms import current_platform

from model.kernels import cpu
from model.vllm.int4_weights import LayerWeights, ModelWeights, WeightReader
from model.vllm.layer_router import LayerRouter
from model.vllm.load import load_counter
from model.vllm.policies import routing_for
from model.vllm.shape import ModelShape, shape_of

__all__ = ["DomainMoe", "Qwen2Moe", "row_products"]

_SHARED_SCALE: Final = 0.5
"""sigmoid(0), the weight of a shared expert whose gate is all zeros."""


class Qwen2Moe(Qwen2MoeForCausalLM):
    """The architecture's name in vLLM's registry: makes `DomainMoe`, or vLLM's own model."""

    def __new__(cls, *, vllm_config: VllmConfig, prefix: str = "") -> Any:
        """Return the model that computes this checkpoint here."""
        shape = _ours(vllm_config)
        if shape is None:
            return Qwen2MoeForCausalLM(vllm_config=vllm_config, prefix=prefix)
        return DomainMoe(shape, vllm_config=vllm_config, prefix=prefix)


def _ours(vllm_config: VllmConfig) -> ModelShape | None:
    """Return the sizes, if this model is for us."""
    model, parallel = vllm_config.model_config, vllm_config.parallel_config
    alone = parallel.tensor_parallel_size == 1 and parallel.pipeline_parallel_size == 1
    plain = vllm_config.lora_config is None and vllm_config.cache_config.cache_dtype in ("auto", "bfloat16")
    if not current_platform.is_cpu() or not alone or not plain or model.dtype != torch.bfloat16:
        return None
    return shape_of(model.hf_config.to_dict())


class DomainMoe(nn.Module):
    """The model. Its weights are no parameters of the module: the kernels have their own layout.

    Attributes:
        routers: One a layer.

    Args:
        shape: Sizes.
        vllm_config: Everything that vLLM was told.
        prefix: Of the names of the attention layers.

    Raises:
        RoutingRejected: the routing of the checkpoint, or of VOUCH_ROUTING, makes no sense.
    """

    def __init__(self, shape: ModelShape, *, vllm_config: VllmConfig, prefix: str = "") -> None:
        super().__init__()
        config = vllm_config.model_config.hf_config
        self.config = config
        self._shape = shape
        policy, counter = routing_for(config), load_counter(config)
        self.routers = tuple(
            LayerRouter(policy, number, count=None if counter is None else partial(counter.count, number))
            for number in range(shape.layers)
        )
        start = f"{prefix}." if prefix else ""
        self.attention = nn.ModuleList(
            Attention(
                shape.heads,
                shape.head,
                shape.head**-0.5,
                num_kv_heads=shape.kv_heads,
                cache_config=vllm_config.cache_config,
                prefix=f"{start}model.layers.{number}.self_attn.attn",
            )
            for number in range(shape.layers)
        )
        rope = get_rope(
            shape.head,
            max_position=config.max_position_embeddings,
            rope_parameters=config.rope_parameters,
        )
        self._rotation = rope.cos_sin_cache.to(torch.bfloat16)
        self._weights: ModelWeights  # set by `load_weights`, which vLLM calls before anything else
        self._layers: tuple[_Layer, ...] = ()

    def load_weights(self, weights: Iterable[tuple[str, torch.Tensor]]) -> set[str]:
        """Pack the checkpoint's tensors, whose order does not matter.

        Raises:
            KernelRejected: a tensor is missing, unknown, or has another shape or type.
        """
        reader = WeightReader(self._shape)
        names = set()
        for name, tensor in weights:
            reader.add(name, tensor)
            names.add(name)
        self._weights = reader.finish()
        self._layers = tuple(
            _Layer(self._shape, layer, attention, self._rotation, router)
            for layer, attention, router in zip(self._weights.layers, self.attention, self.routers, strict=True)
        )
        return names

    def embed_input_ids(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Look up embeddings: (T,) -> (T, D)."""
        return cpu.embed(input_ids, self._weights.embedding)

    def forward(
        self,
        input_ids: torch.Tensor | None,
        positions: torch.Tensor,
        intermediate_tensors: None = None,
        inputs_embeds: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Compute the last hidden states.

        Args:
            input_ids: (T,); not read where `inputs_embeds` is given.
            positions: int64, (T,).
            intermediate_tensors: Of an earlier stage of a pipeline; there is none here.
            inputs_embeds: bfloat16, (T, D).

        Returns:
            bfloat16, (T, D), after the last norm.
        """
        context = get_forward_context()
        hidden = self.embed_input_ids(input_ids) if inputs_embeds is None else inputs_embeds  # (T, D)
        # every layer adds what the one before computed; before the first there is nothing
        residual = torch.zeros_like(hidden)  # (T, D)
        for layer in self._layers:
            hidden = layer(hidden, residual, positions, context)
        ops.fused_add_rms_norm(hidden, residual, self._weights.norm, self._shape.epsilon)
        return hidden

    def compute_logits(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """Multiply with the last layer: (T, D) -> (T, V)."""
        return cpu.linear(hidden_states, self._weights.last)


class _Layer:
    """One decoder layer, ready to compute: everything that a step needs, looked up once."""

    __slots__ = ("_attention", "_rotation", "_router", "_shape", "_weights", "_widths")

    def __init__(
        self,
        shape: ModelShape,
        weights: LayerWeights,
        attention: Attention,
        rotation: torch.Tensor,
        router: LayerRouter,
    ) -> None:
        self._shape = shape
        self._weights = weights
        self._attention = attention
        self._rotation = rotation
        self._router = router
        key = shape.kv_heads * shape.head
        self._widths = (shape.heads * shape.head, key, key)

    def __call__(
        self, hidden: torch.Tensor, residual: torch.Tensor, positions: torch.Tensor, context: Any
    ) -> torch.Tensor:
        """Compute from what the layer before gave, (T, D), what this one gives; updates `residual` in place."""
        weights, shape = self._weights, self._shape
        ops.fused_add_rms_norm(hidden, residual, weights.attention_norm, shape.epsilon)
        hidden = self._attend(hidden, positions, context)
        ops.fused_add_rms_norm(hidden, residual, weights.mlp_norm, shape.epsilon)
        rows = hidden.float()  # (T, D)
        chosen, experts = self._router(row_products(rows, weights.gate))  # (T, K), (T, K)
        shared = weights.shared_gate
        return cpu.mixture(
            hidden,
            shared_gate_up=weights.shared_gate_up,
            shared_down=weights.shared_down,
            shared_scale=_SHARED_SCALE if shared is None else torch.sigmoid(row_products(rows, shared)),
            gate_up=weights.gate_up,
            down=weights.down,
            experts=experts,
            weights=chosen,
        )

    def _attend(self, hidden: torch.Tensor, positions: torch.Tensor, context: Any) -> torch.Tensor:
        weights, shape, attention = self._weights, self._shape, self._attention
        qkv = cpu.linear(hidden, weights.qkv, weights.qkv_bias)  # (T, (H + 2 G) A)
        query, key, value = qkv.split_with_sizes(self._widths, dim=-1)  # (T, H A), (T, G A), (T, G A)
        ops.rotary_embedding(positions, query, key, shape.head, self._rotation, True)
        tokens = hidden.shape[0]
        mixed = torch.empty((tokens, shape.heads, shape.head), dtype=hidden.dtype)  # (T, H, A)
        if context.attn_metadata is None:  # vLLM's own trial run, before there is a cache
            return cpu.linear(mixed.zero_().flatten(1), weights.output)
        name, cache = attention.layer_name, attention.kv_cache
        key, value = key.view(tokens, -1, shape.head), value.view(tokens, -1, shape.head)  # (T, G, A)
        attention.impl.do_kv_cache_update(attention, key, value, cache, context.slot_mapping[name])
        attention.impl.forward(
            attention,
            query.view(tokens, -1, shape.head),  # (T, H, A)
            key,
            value,
            cache,
            context.attn_metadata[name],
            output=mixed,
        )
        return cpu.linear(mixed.view(tokens, -1), weights.output)  # (T, D)


def row_products(rows: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Multiply each row with a small matrix, (T, D) and (E, D) to (T, E), as T products of the same shape.

    One product of T rows would add in another order for another T, and a last bit can flip two near experts.
    """
    batch = weight.T[None].expand(rows.shape[0], -1, -1)  # (T, D, E), one matrix for all
    return torch.bmm(rows[:, None], batch)[:, 0]
