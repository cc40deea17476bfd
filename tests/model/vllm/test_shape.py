"""Which checkpoints are for our model, which are left to vLLM, and which are nobody's."""

from __future__ import annotations

from typing import Any

import pytest

from model.errors import KernelRejected
from model.int4 import quantization
from model.vllm.shape import int4_weights, shape_of

CONFIG: dict[str, Any] = {
    "architectures": ["Qwen2MoeForCausalLM"],
    "model_type": "qwen2_moe",
    "hidden_act": "silu",
    "hidden_size": 1536,
    "num_hidden_layers": 28,
    "num_attention_heads": 12,
    "num_key_value_heads": 2,
    "num_experts": 8,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 256,
    "shared_expert_intermediate_size": 8960,
    "decoder_sparse_step": 1,
    "mlp_only_layers": [],
    "vocab_size": 151936,
    "tie_word_embeddings": True,
    "rms_norm_eps": 1e-6,
    "quantization_config": quantization(symmetric=True),
}


def quantized(**changes: Any) -> dict[str, Any]:
    """The configuration with other weights in its one group."""
    scheme = quantization(symmetric=True)
    scheme["config_groups"]["group_0"]["weights"] |= changes
    return CONFIG | {"quantization_config": scheme}


def test_the_checkpoint_that_the_build_writes_is_ours() -> None:
    shape = shape_of(CONFIG)
    assert shape is not None
    assert (shape.layers, shape.hidden, shape.heads, shape.kv_heads, shape.head) == (28, 1536, 12, 2, 128)
    assert (shape.shared, shape.experts, shape.expert, shape.vocabulary) == (8960, 8, 256, 151936)
    assert (shape.tied, shape.epsilon, shape.group, shape.symmetric) == (True, 1e-6, 128, True)


def test_zero_points_and_smaller_groups_are_ours_as_well() -> None:
    shape = shape_of(quantized(symmetric=False, group_size=32))
    assert shape is not None
    assert (shape.group, shape.symmetric) == (32, False)


@pytest.mark.parametrize(
    "changes",
    [
        {"quantization_config": None},
        {"quantization_config": {"quant_method": "awq", "bits": 4}},
        {"quantization_config": quantization(symmetric=True) | {"format": "int-quantized"}},
        {"quantization_config": quantization(symmetric=True) | {"kv_cache_scheme": {"num_bits": 8}}},
        {"model_type": "qwen3_moe"},
        {"hidden_act": "gelu"},
        {"decoder_sparse_step": 2},
        {"mlp_only_layers": [0]},
        {"num_experts": 0},
        {"dual_chunk_attention_config": {"chunk_size": 1024}},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_what_is_not_our_kind_is_left_to_vllm(changes: dict[str, Any]) -> None:
    assert shape_of(CONFIG | changes) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"num_bits": 8},
        {"type": "float"},
        {"strategy": "channel"},
        {"group_size": 256},
        {"actorder": "group"},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_other_integers_are_left_to_vllm(changes: dict[str, Any]) -> None:
    assert shape_of(quantized(**changes)) is None


def test_quantized_activations_and_mixed_schemes_are_left_to_vllm() -> None:
    scheme = quantization(symmetric=True)
    group = scheme["config_groups"]["group_0"]
    both = scheme | {"config_groups": {"group_0": group, "group_1": group}}
    activations = scheme | {"config_groups": {"group_0": group | {"input_activations": {"num_bits": 8}}}}
    assert int4_weights(CONFIG | {"quantization_config": both}) is None
    assert int4_weights(CONFIG | {"quantization_config": activations}) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hidden_size": 1500}, "hidden_size is 1500"),
        ({"shared_expert_intermediate_size": 8961}, "shared_expert_intermediate_size is 8961"),
        ({"moe_intermediate_size": 96}, "moe_intermediate_size is 96"),
        ({"num_attention_heads": 7}, "num_attention_heads 7"),
        ({"num_key_value_heads": 5}, "num_key_value_heads 5"),
        ({"hidden_size": 128, "num_attention_heads": 16, "num_key_value_heads": 16}, "multiple of 16"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_sizes_that_do_not_divide_are_refused_by_name(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(KernelRejected, match=said) as caught:
        shape_of(CONFIG | changes)
    assert "model build" in caught.value.remedy
