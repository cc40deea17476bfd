"""What the configuration of a Qwen2-MoE checkpoint with int4 weights says, as one checked value.

Taken is "pack-quantized" of compressed-tensors (https://github.com/vllm-project/compressed-tensors): whole numbers of 4
bits in groups of 32, 64 or 128 inputs, activations left alone, every layer a mixture with a shared expert. What differs
is left to vLLM's own model (0.32 knows no int4 mixture on a CPU, and says so), except a size that does not divide: such
a file was not written by any quantizer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from model.errors import KernelRejected
from model.kernels.packing import GROUP_SIZES

__all__ = ["ModelShape", "int4_weights", "shape_of"]

_HEAD_STEP: Final = 16
"""vLLM's attention on a CPU takes heads in steps of 16."""


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Sizes of a model.

    Attributes:
        layers: Decoder layers.
        hidden: D, width of the residual.
        heads: Query heads.
        kv_heads: Heads of keys and values.
        head: Width of a head.
        shared: F', width of the shared expert.
        experts: E.
        expert: F, width of a routed expert.
        vocabulary: Rows of the embedding.
        tied: Whether the last layer is the embedding.
        epsilon: Of the norms.
        group: S, inputs that share a scale.
        symmetric: Whether the zero points are fixed.
    """

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head: int
    shared: int
    experts: int
    expert: int
    vocabulary: int
    tied: bool
    epsilon: float
    group: int
    symmetric: bool


def int4_weights(config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return how the weights are quantized ("group_size", "symmetric", ...); None where it is not our kind of int4.

    Args:
        config: The fields of config.json.
    """
    quantized = config.get("quantization_config") or {}
    if quantized.get("quant_method") != "compressed-tensors" or quantized.get("format") != "pack-quantized":
        return None
    groups = list(quantized.get("config_groups", {}).values())
    if len(groups) != 1 or groups[0].get("input_activations") or groups[0].get("targets") != ["Linear"]:
        return None
    weights = groups[0].get("weights") or {}
    wanted = {"num_bits": 4, "type": "int", "strategy": "group"}
    if any(weights.get(key) != value for key, value in wanted.items()) or weights.get("actorder"):
        return None
    if weights.get("group_size") not in GROUP_SIZES or quantized.get("kv_cache_scheme"):
        return None
    return weights


def shape_of(config: Mapping[str, Any]) -> ModelShape | None:
    """Return the sizes of a Qwen2-MoE model in our kind of int4; None where vLLM's own model should serve it.

    Args:
        config: The fields of config.json.

    Raises:
        KernelRejected: it is our kind, and a size does not divide.
    """
    weights = int4_weights(config)
    if weights is None or config.get("model_type") != "qwen2_moe" or not _every_layer_is_a_mixture(config):
        return None
    if config.get("hidden_act") != "silu" or config.get("dual_chunk_attention_config"):
        return None
    heads = config["num_attention_heads"]
    shape = ModelShape(
        layers=config["num_hidden_layers"],
        hidden=config["hidden_size"],
        heads=heads,
        kv_heads=config["num_key_value_heads"],
        head=config["hidden_size"] // heads,
        shared=config["shared_expert_intermediate_size"],
        experts=config["num_experts"],
        expert=config["moe_intermediate_size"],
        vocabulary=config["vocab_size"],
        tied=bool(config.get("tie_word_embeddings")),
        epsilon=config["rms_norm_eps"],
        group=weights["group_size"],
        symmetric=bool(weights.get("symmetric", True)),
    )
    _check(shape)
    return shape


def _every_layer_is_a_mixture(config: Mapping[str, Any]) -> bool:
    sparse = config.get("decoder_sparse_step") == 1 and not config.get("mlp_only_layers")
    return sparse and bool(config.get("shared_expert_intermediate_size")) and bool(config.get("num_experts"))


def _check(shape: ModelShape) -> None:
    sizes = {
        "hidden_size": shape.hidden,
        "shared_expert_intermediate_size": shape.shared,
        "moe_intermediate_size": shape.expert,
    }
    for name, size in sizes.items():
        if size % shape.group:
            raise _odd(f"{name} is {size}, which does not divide into the groups of {shape.group} inputs")
    if shape.hidden % shape.heads or shape.head % _HEAD_STEP or shape.heads % shape.kv_heads:
        raise _odd(
            f"hidden_size {shape.hidden}, num_attention_heads {shape.heads} and num_key_value_heads {shape.kv_heads} "
            f"do not give heads of a multiple of {_HEAD_STEP} that share keys evenly"
        )


def _odd(what: str) -> KernelRejected:
    return KernelRejected(f"config.json: {what}.", remedy="Build the checkpoint anew: ./vouch model build.")
