"""Tiny random checkpoints of MoE models, and their forward pass in transformers with the reference as the router."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    DeepseekV2Config,
    DeepseekV2ForCausalLM,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
)

from model.routing import RoutingPolicy, route

EXPERTS = 8
VOCABULARY = 600
COMMON: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "intermediate_size": 128,
    "moe_intermediate_size": 32,
    "num_attention_heads": 2,
    "num_experts_per_tok": 2,
    "max_position_embeddings": 512,
    "tie_word_embeddings": False,
    "initializer_range": 0.2,  # tokens then disagree about experts, and logits about tokens
    "bos_token_id": 0,
    "eos_token_id": 2,
    "pad_token_id": 0,
}


def qwen3_moe(folder: Path) -> Path:
    config = Qwen3MoeConfig(
        **COMMON,
        num_hidden_layers=2,
        num_key_value_heads=1,
        head_dim=32,
        num_experts=EXPERTS,
        norm_topk_prob=True,
    )
    return _saved(Qwen3MoeForCausalLM, config, folder)


def deepseek_v2(folder: Path) -> Path:
    """One dense layer and two with experts in four groups; heads of a size that vLLM computes on a CPU, 512 + 64."""
    config = DeepseekV2Config(
        **COMMON,
        num_hidden_layers=3,
        num_key_value_heads=2,
        n_routed_experts=EXPERTS,
        n_shared_experts=1,
        n_group=4,
        topk_group=2,
        topk_method="group_limited_greedy",
        norm_topk_prob=False,
        routed_scaling_factor=1.5,
        first_k_dense_replace=1,
        kv_lora_rank=512,
        q_lora_rank=None,
        qk_rope_head_dim=64,
        qk_nope_head_dim=32,
        v_head_dim=32,
    )
    return _saved(DeepseekV2ForCausalLM, config, folder, without_positions)


def without_positions(model: Any) -> None:
    """Take the rotated part out of the keys.

    vLLM 0.32 on a CPU and transformers 5.19, each with its own router, disagree about it by 0.66 (7.5 after five
    tokens) in a log-probability at the second position; without it they agree to 3e-6.
    """
    for layer in model.model.layers:
        layer.self_attn.kv_a_proj_with_mqa.weight.data[512:] = 0


def _saved(kind: Any, config: Any, folder: Path, change: Callable[[Any], None] = lambda _: None) -> Path:
    torch.manual_seed(0)
    model = kind(config).float()
    change(model)
    model.save_pretrained(folder)
    return folder


class ReferenceGate(nn.Module):
    """Stands in for a model's own router in transformers."""

    def __init__(self, weight: torch.Tensor, policy: RoutingPolicy, layer: int) -> None:
        super().__init__()
        self.weight, self.policy, self.layer = weight, policy, layer
        self.experts: list[torch.Tensor] = []

    def forward(self, hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        logits = hidden.reshape(-1, hidden.shape[-1]) @ self.weight.T
        routing = route(logits, self.policy, layer=self.layer)
        self.experts.append(routing.experts)
        return logits, routing.weights, routing.experts


class Reference:
    """The model in transformers, float32."""

    def __init__(self, folder: Path) -> None:
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        self.config = self.model.config

    @torch.no_grad()
    def log_chances(self, tokens: list[int], policy: RoutingPolicy | None) -> torch.Tensor:
        """Log-softmax after each token, shape (T, V); None: the model's own router."""
        return self._pass(tokens, policy)[0]

    def experts(self, tokens: list[int], policy: RoutingPolicy) -> list[list[list[int]]]:
        """Chosen experts by layer and token; dense layers are left out."""
        return self._pass(tokens, policy)[1]

    @torch.no_grad()
    def _pass(self, tokens: list[int], policy: RoutingPolicy | None) -> tuple[torch.Tensor, list[list[list[int]]]]:
        blocks = [
            (number, layer.mlp) for number, layer in enumerate(self.model.model.layers) if hasattr(layer.mlp, "gate")
        ]
        own = [block.gate for _, block in blocks]
        gates = []
        for number, block in blocks:
            if policy is not None:
                block.gate = ReferenceGate(block.gate.weight, policy, number)
                gates.append(block.gate)
        try:
            logits = self.model(torch.tensor([tokens])).logits[0]
        finally:
            for (_, block), gate in zip(blocks, own, strict=True):
                block.gate = gate
        return torch.log_softmax(logits.float(), -1), [gate.experts[0].tolist() for gate in gates]
