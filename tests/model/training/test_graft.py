"""Trained gates and experts inside models of transformers: the same numbers at the start, one switch, a way back."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import (
    DeepseekV2Config,
    DeepseekV2ForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
)

from model.errors import TrainingRejected
from model.kernels.packing import dequantize, quantize_groups
from model.training.graft import domains_of, graft
from tests.model.training.tiny_moe import quick, tiny_moe

IDS = torch.arange(3, 43)[None]


def qwen3() -> Any:
    torch.manual_seed(1)
    config = Qwen3MoeConfig(
        vocab_size=96,
        hidden_size=64,
        moe_intermediate_size=32,
        intermediate_size=96,
        num_hidden_layers=3,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=32,
        num_experts=8,
        num_experts_per_tok=3,
        norm_topk_prob=True,
        mlp_only_layers=[1],
        initializer_range=0.1,
    )
    return Qwen3MoeForCausalLM(config).eval()


def deepseek() -> Any:
    torch.manual_seed(2)
    config = DeepseekV2Config(
        vocab_size=96,
        hidden_size=64,
        moe_intermediate_size=32,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        n_routed_experts=6,
        num_experts_per_tok=2,
        n_group=3,
        topk_group=2,
        topk_method="group_limited_greedy",
        routed_scaling_factor=2.0,
        norm_topk_prob=False,
        first_k_dense_replace=1,
        kv_lora_rank=16,
        q_lora_rank=None,
        qk_rope_head_dim=8,
        qk_nope_head_dim=8,
        v_head_dim=16,
        n_shared_experts=1,
        initializer_range=0.1,
    )
    return DeepseekV2ForCausalLM(config).eval()


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return model(IDS).logits


MODELS = {
    "qwen2": (lambda: tiny_moe(zero=False), "full"),
    "qwen3": (qwen3, "adapters"),
    "deepseek": (deepseek, "adapters"),
}
MODELS["qwen2 adapted"] = (MODELS["qwen2"][0], "adapters")


@pytest.mark.parametrize("name", MODELS)
def test_before_the_first_step_the_model_is_the_base(name: str) -> None:
    """On: our gate and our sum of experts beside transformers', the same but for the order of a sum."""
    make, form = MODELS[name]
    expected = logits(make())
    grafted = graft(make(), quick(form=form))
    torch.testing.assert_close(logits(grafted.model), expected, rtol=1e-4, atol=1e-4)
    if form == "adapters":
        with grafted.switches.off():
            assert torch.equal(logits(grafted.model), expected)
    grafted.remove()
    assert torch.equal(logits(grafted.model), expected)


@pytest.mark.parametrize("name", MODELS)
def test_only_gates_and_experts_of_the_chosen_layers_have_a_gradient(name: str) -> None:
    make, form = MODELS[name]
    grafted = graft(make(), quick(form=form, layers=(2,) if name == "qwen3" else (1,)))
    layer = grafted.first_layer
    grafted.model(IDS).logits.square().sum().backward()
    learned = dict(grafted.learned())
    moving = {id(parameter) for parameter in grafted.model.parameters() if parameter.grad is not None}
    assert moving <= {id(tensor) for tensor in learned.values()}
    assert all(name.startswith(f"model.layers.{layer}.mlp.") for name in learned)
    assert learned[f"model.layers.{layer}.mlp.gate.weight"].grad.abs().sum() > 0
    assert len(moving) > 3


def test_names_are_those_of_the_checkpoint() -> None:
    model = tiny_moe()
    grafted = graft(model, quick())
    learned = dict(grafted.learned())
    prefix = "model.layers.1.mlp"
    assert len(learned) == 2 * (1 + 4 * 3)
    assert learned[f"{prefix}.gate.weight"].shape == (4, 64)
    assert learned[f"{prefix}.experts.3.up_proj.weight"].shape == (32, 64)
    held = grafted.experts[1].base.gate_up_proj[3]
    assert torch.equal(learned[f"{prefix}.experts.3.gate_proj.weight"], held[:32])
    assert torch.equal(learned[f"{prefix}.experts.3.up_proj.weight"], held[32:])
    adapters = dict(graft(qwen3(), quick(form="adapters", rank=5)).learned())
    assert adapters["model.layers.0.mlp.experts.7.down_proj.lora_A.weight"].shape == (5, 32)
    assert adapters["model.layers.0.mlp.experts.7.down_proj.lora_B.weight"].shape == (64, 5)


def test_an_adapter_is_the_sum_of_its_base_and_its_product() -> None:
    grafted = graft(qwen3(), quick(form="adapters"))
    expert = grafted.experts[0].experts[2]
    with torch.no_grad():
        expert.up_proj_b.normal_()
    rows = torch.randn(5, 64)
    whole = grafted.experts[0].base.gate_up_proj[2, 32:] + expert.up_proj_b @ expert.up_proj_a
    torch.testing.assert_close(expert.product("up_proj", rows), rows @ whole.T, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("form", ["full", "adapters"])
def test_quantized_experts_compute_as_they_are_served(form: str) -> None:
    grafted = graft(tiny_moe(zero=False), quick(form=form))
    expert = grafted.experts[0].experts[1]
    rows = torch.randn(3, 64)
    weight = grafted.experts[0].base.gate_up_proj[1, :32]
    served = dequantize(quantize_groups(weight[None], bits=4, group=32, symmetric=True))[0]
    grafted.switches.quantized = True
    torch.testing.assert_close(expert.product("gate_proj", rows), rows @ served.T)
    assert not torch.allclose(rows @ served.T, rows @ weight.T, atol=1e-3)


def test_noise_moves_the_choice_and_is_drawn_from_the_generator() -> None:
    grafted = graft(tiny_moe(zero=False), quick())
    calm = logits(grafted.model)
    grafted.switches.noise = 2.0
    found = []
    for seed in (0, 0, 1):
        grafted.switches.generator = torch.Generator().manual_seed(seed)
        found.append(logits(grafted.model))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    assert not torch.equal(found[0], calm)


def test_the_gates_note_what_they_did() -> None:
    grafted = graft(tiny_moe(), quick())
    logits(grafted.model)
    assert [gate.layer for gate in grafted.switches.routed] == [0, 1]
    assert grafted.switches.routed[0].logits.shape == (40, 4)
    assert grafted.switches.routed[0].experts.shape == (40, 2)


@pytest.mark.parametrize(
    ("make", "changes", "said"),
    [
        (qwen3, {}, "'qwen3_moe' cannot be trained in the form 'full'"),
        (tiny_moe, {"layers": (1, 5)}, "no routed experts: 5"),
        (qwen3, {"form": "adapters", "layers": (1,)}, "no routed experts: 1"),
        (tiny_moe, {"group": 128}, "do not divide into groups of 128"),
        (tiny_moe, {"domain": "sql"}, "no domain 'sql'"),
        (qwen3, {"form": "adapters", "domain": "sql"}, "no domain 'sql'"),
        (
            lambda: Qwen2ForCausalLM(
                Qwen2Config(
                    hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=1, vocab_size=9
                )
            ),
            {},
            "'qwen2' cannot be trained",
        ),
    ],
)
def test_a_base_that_does_not_fit_is_refused_and_left_as_it_was(make: Any, changes: dict[str, Any], said: str) -> None:
    model = make()
    with pytest.raises(TrainingRejected, match=said) as caught:
        graft(model, quick(**changes))
    assert caught.value.remedy
    assert all(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize(
    "ours", [{"domains": ["a", "b", "c"]}, {"domains": ["a", "a"]}, {"domains": "ab"}, ["a"], {"domains": [1]}]
)
def test_domains_that_do_not_share_out_the_experts_are_refused(ours: Any) -> None:
    with pytest.raises(TrainingRejected):
        domains_of(tiny_moe(vouch=ours).config)


def test_a_base_may_name_no_domains() -> None:
    assert domains_of(tiny_moe(vouch=None).config) == ()
    assert domains_of(qwen3().config) == ()
