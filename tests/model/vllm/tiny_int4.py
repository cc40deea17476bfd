"""A tiny random Qwen2-MoE in int4, as `./vouch model build` writes it, and its dequantized weights in transformers."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, Qwen2MoeConfig, Qwen2MoeForCausalLM

from model.int4 import quantize_int4, round_to_nearest, unpacked
from model.shards import Checkpoint

EXPERTS = 8
VOCABULARY = 600
HIDDEN = 256
GROUP = 128
KINDS = ("packed", "scale", "zero_point")


def tiny_moe(folder: Path) -> Path:
    """Write it in bfloat16. The first layer's shared gate is all zeros, as upcycling leaves it; the second's is not."""
    torch.manual_seed(0)
    config = Qwen2MoeConfig(
        vocab_size=VOCABULARY,
        hidden_size=HIDDEN,
        shared_expert_intermediate_size=512,
        moe_intermediate_size=GROUP,
        num_experts=EXPERTS,
        num_experts_per_tok=2,
        norm_topk_prob=True,
        decoder_sparse_step=1,
        mlp_only_layers=[],
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        initializer_range=0.1,  # tokens then disagree about experts
        bos_token_id=0,
        eos_token_id=2,
        pad_token_id=0,
    )
    model = Qwen2MoeForCausalLM(config)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if name.endswith((".bias", "norm.weight")):
                value.add_(0.1 * torch.randn_like(value))
        model.model.layers[0].mlp.shared_expert_gate.weight.zero_()
    model.to(torch.bfloat16).save_pretrained(folder)
    return folder


def tiny_int4(dense: Path, folder: Path, *, symmetric: bool = True) -> Path:
    """Quantize it, by the code that quantizes the real one."""
    rounding = round_to_nearest(symmetric=symmetric)
    quantize_int4(Checkpoint(dense), folder, rounding, report=lambda _: None, symmetric=symmetric)
    return folder


def tensors_of(folder: Path) -> dict[str, torch.Tensor]:
    return {name: tensor for path in sorted(folder.glob("*.safetensors")) for name, tensor in load_file(path).items()}


def dequantized(folder: Path) -> dict[str, torch.Tensor]:
    """What the checkpoint's weights are, in float32."""
    tensors = tensors_of(folder)
    weights = {name: tensor.float() for name, tensor in tensors.items() if ".weight_" not in name}
    for name in tensors:
        if name.endswith(".weight_packed"):
            stem = name.removesuffix("packed")
            parts = {kind: tensors[stem + kind] for kind in KINDS if stem + kind in tensors}
            weights[stem.removesuffix("_")] = unpacked(parts)
    return weights


class Reference:
    """The int4 checkpoint in transformers: float32, weights dequantized, no other rounding."""

    def __init__(self, dense: Path, int4: Path, folder: Path) -> None:
        from safetensors.torch import save_file

        folder.mkdir()
        config = json.loads((dense / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"dtype": "float32"}))
        save_file(dequantized(int4), folder / "model.safetensors", metadata={"format": "pt"})
        self.model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)

    @torch.no_grad()
    def logits(self, tokens: list[int], experts: list[list[list[int]]] | None = None) -> torch.Tensor:
        """After each token: float32, shape (T, V).

        `experts`: those of each layer and token, in place of the model's own choice, with the weights that its gate
        gives them. The gates' logits are in `gates` afterwards, one tensor (T, E) a layer.
        """
        self.gates: list[torch.Tensor] = []
        hooks = [
            layer.mlp.gate.register_forward_hook(partial(self._routed, None if experts is None else experts[number]))
            for number, layer in enumerate(self.model.model.layers)
        ]
        try:
            return self.model(torch.tensor([tokens])).logits[0]
        finally:
            for hook in hooks:
                hook.remove()

    def _routed(self, experts: list[list[int]] | None, gate: Any, inputs: tuple[Any, ...], routed: Any) -> Any:
        logits = torch.nn.functional.linear(inputs[0].reshape(-1, HIDDEN), gate.weight)  # (T, E)
        self.gates.append(logits)
        if experts is None:
            return routed
        chosen = torch.tensor(experts)  # (T, K)
        return routed[0], torch.softmax(logits.gather(-1, chosen), dim=-1), chosen
