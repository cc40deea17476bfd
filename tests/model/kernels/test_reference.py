"""The reference of the experts against Hugging Face's own mixture, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import Qwen2MoeConfig
from transformers.models.qwen2_moe.modeling_qwen2_moe import Qwen2MoeExperts

from model.errors import KernelRejected
from model.kernels.packing import ExpertMatrix, dequantize, quantize_groups
from model.kernels.reference import experts_reference


def matrices(**how: Any) -> tuple[ExpertMatrix, ExpertMatrix]:
    torch.manual_seed(0)
    how = {"bits": 4, "group": 32, "symmetric": True} | how
    return quantize_groups(torch.randn(5, 128, 32) / 6, **how), quantize_groups(torch.randn(5, 32, 64) / 8, **how)


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("bits", [4, 8])
def test_the_reference_is_a_mixture_of_transformers(bits: int, symmetric: bool) -> None:
    gate_up, down = matrices(bits=bits, symmetric=symmetric)
    config = Qwen2MoeConfig(hidden_size=32, moe_intermediate_size=64, num_experts=5, num_experts_per_tok=2)
    config._experts_implementation = "eager"
    theirs = Qwen2MoeExperts(config)
    theirs.load_state_dict({"gate_up_proj": dequantize(gate_up), "down_proj": dequantize(down)})
    hidden, weights = torch.randn(11, 32), torch.rand(11, 2)
    experts = torch.stack([torch.randperm(5)[:2] for _ in range(11)])
    with torch.no_grad():
        expected = theirs(hidden, experts, weights)
    torch.testing.assert_close(experts_reference(hidden, experts, weights, gate_up, down), expected)


def test_no_token_gives_nothing() -> None:
    none = experts_reference(
        torch.zeros(0, 32), torch.zeros(0, 2, dtype=torch.int64), torch.zeros(0, 2), *matrices(), dtype=torch.float64
    )
    assert none.shape == (0, 32)
    assert none.dtype == torch.float64


@pytest.mark.parametrize(
    "change",
    [
        {"hidden": torch.zeros(3, 31)},
        {"hidden": torch.zeros(3, 32, dtype=torch.int64)},
        {"hidden": torch.zeros(96)},
        {"experts": torch.zeros(2, 2, dtype=torch.int64)},
        {"experts": torch.zeros(3, 2)},
        {"weights": torch.zeros(3, 1)},
        {"weights": torch.zeros(3, 2, dtype=torch.float64)},
        {"down": matrices()[0]},
    ],
    ids=lambda change: str(next(iter(change))),
)
def test_what_does_not_go_together_is_refused(change: dict[str, Any]) -> None:
    gate_up, down = matrices()
    arguments = {
        "hidden": torch.zeros(3, 32),
        "experts": torch.zeros(3, 2, dtype=torch.int64),
        "weights": torch.zeros(3, 2),
        "gate_up": gate_up,
        "down": down,
    }
    experts_reference(**arguments)
    with pytest.raises(KernelRejected) as caught:
        experts_reference(**(arguments | change))
    assert caught.value.remedy
