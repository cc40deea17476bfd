"""The policy at default against the routers of Hugging Face transformers, on tiny random tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import (
    DeepseekV2Config,
    DeepseekV3Config,
    GptOssConfig,
    MixtralConfig,
    Qwen2MoeConfig,
    Qwen3MoeConfig,
)
from transformers.models.deepseek_v2.modeling_deepseek_v2 import DeepseekV2TopkRouter
from transformers.models.deepseek_v3.modeling_deepseek_v3 import DeepseekV3TopkRouter
from transformers.models.gpt_oss.modeling_gpt_oss import GptOssTopKRouter
from transformers.models.mixtral.modeling_mixtral import MixtralTopKRouter
from transformers.models.qwen2_moe.modeling_qwen2_moe import Qwen2MoeTopKRouter
from transformers.models.qwen3_moe.modeling_qwen3_moe import Qwen3MoeTopKRouter

from model.errors import RoutingRejected
from model.routing import route
from model.stock_routing import STOCK_MODELS, stock_policy

WIDTH = 32

Build = Callable[[], tuple[Any, Any]]


def mixtral() -> tuple[Any, Any]:
    config = MixtralConfig(hidden_size=WIDTH, num_local_experts=8, num_experts_per_tok=2)
    return config, MixtralTopKRouter(config)


def qwen2(normalized: bool) -> tuple[Any, Any]:
    config = Qwen2MoeConfig(hidden_size=WIDTH, num_experts=12, num_experts_per_tok=4, norm_topk_prob=normalized)
    return config, Qwen2MoeTopKRouter(config)


def qwen3(normalized: bool) -> tuple[Any, Any]:
    config = Qwen3MoeConfig(hidden_size=WIDTH, num_experts=16, num_experts_per_tok=8, norm_topk_prob=normalized)
    return config, Qwen3MoeTopKRouter(config)


def deepseek2(method: str) -> tuple[Any, Any]:
    config = DeepseekV2Config(
        hidden_size=WIDTH,
        n_routed_experts=20,
        num_experts_per_tok=6,
        n_group=5 if method != "greedy" else 1,
        topk_group=2 if method != "greedy" else 1,
        topk_method=method,
        routed_scaling_factor=16.0,
        norm_topk_prob=False,
    )
    config.num_experts = 20
    return config, DeepseekV2TopkRouter(config)


def deepseek3(normalized: bool) -> tuple[Any, Any]:
    config = DeepseekV3Config(
        hidden_size=WIDTH,
        n_routed_experts=16,
        num_experts_per_tok=4,
        n_group=4,
        topk_group=2,
        routed_scaling_factor=2.5,
        norm_topk_prob=normalized,
    )
    return config, DeepseekV3TopkRouter(config)


def gpt_oss() -> tuple[Any, Any]:
    config = GptOssConfig(hidden_size=WIDTH, num_local_experts=16, num_experts_per_tok=4)
    return config, GptOssTopKRouter(config)


MODELS: list[Any] = [
    pytest.param(mixtral, id="mixtral"),
    pytest.param(lambda: qwen2(False), id="qwen2-moe"),
    pytest.param(lambda: qwen2(True), id="qwen2-moe-normalized"),
    pytest.param(lambda: qwen3(True), id="qwen3-moe"),
    pytest.param(lambda: deepseek2("greedy"), id="deepseek-v2-lite"),
    pytest.param(lambda: deepseek2("group_limited_greedy"), id="deepseek-v2"),
    pytest.param(lambda: deepseek3(True), id="deepseek-v3"),
    pytest.param(lambda: deepseek3(False), id="deepseek-v3-not-normalized"),
    pytest.param(gpt_oss, id="gpt-oss"),
]


def dense(experts: torch.Tensor, weights: torch.Tensor, count: int) -> torch.Tensor:
    """Weights as a matrix (T, E): the order of the chosen experts does not matter to a model."""
    return torch.zeros(experts.shape[0], count).scatter(1, experts, weights.float())


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("build", MODELS)
def test_the_stock_policy_is_the_models_own_routing(build: Build, kind: torch.dtype) -> None:
    torch.manual_seed(0)
    config, router = build()
    for parameter in router.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    router = router.to(kind)
    bias = None
    if "DeepseekV3" in type(router).__name__:
        bias = torch.randn(config.n_routed_experts) * 0.1
        router.e_score_correction_bias.data = bias
    with torch.no_grad():
        logits, weights, experts = router(torch.randn(61, WIDTH).to(kind))
        policy = stock_policy(config.to_dict())
        routing = route(logits, policy, bias=bias)
    # torch.topk takes any of several equal logits, which bfloat16 has; there is no right answer to compare with
    clear = (logits.sort(-1).values.diff(dim=-1) > 0).all(-1)
    assert clear.sum() > 10
    assert torch.equal(routing.experts.sort(-1).values[clear], experts.sort(-1).values[clear])
    ours = dense(routing.experts, routing.weights.to(weights.dtype), policy.experts)
    # the same formula; the order of the sum of K weights differs where the model's top-k is unsorted, and a rounding of
    # bfloat16 may then fall to the other side
    rounding = torch.finfo(weights.dtype).eps * 2
    torch.testing.assert_close(
        ours[clear], dense(experts, weights, policy.experts)[clear], rtol=rounding, atol=rounding * 0.01
    )


@pytest.mark.parametrize("field", ["num_experts", "num_local_experts"])
def test_the_number_of_experts_is_read_under_both_its_names(field: str) -> None:
    assert stock_policy({"model_type": "qwen3_moe", field: 128, "num_experts_per_tok": 8}).experts == 128


def test_every_known_architecture_is_compared() -> None:
    assert {parameter.values[0]()[0].model_type for parameter in MODELS} == set(STOCK_MODELS)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"model_type": "llama"},
        {"model_type": ["mixtral"]},
        {"model_type": "mixtral"},
        {"model_type": "mixtral", "num_local_experts": "8", "num_experts_per_tok": 2},
        {"model_type": "mixtral", "num_local_experts": 8, "num_experts_per_tok": 9},
        {"model_type": "qwen3_moe", "num_experts": -1, "num_experts_per_tok": 1},
        {"model_type": "deepseek_v3", "n_routed_experts": 16, "num_experts_per_tok": 4, "n_group": 5, "topk_group": 2},
        {
            "model_type": "deepseek_v2",
            "n_routed_experts": 16,
            "num_experts_per_tok": 4,
            "routed_scaling_factor": "NaN",
        },
    ],
    ids=str,
)
def test_a_configuration_that_makes_no_sense_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(RoutingRejected) as caught:
        stock_policy(config)
    assert caught.value.remedy
