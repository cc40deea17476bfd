from __future__ import annotations

import pytest
import torch

from model.errors import KernelRejected
from model.kernels.packing import dequantize, quantize_groups
from model.training.fake_quant import fake_quantize


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_the_values_are_those_that_will_be_served(kind: torch.dtype, symmetric: bool) -> None:
    weight = noise(6, 256).to(kind)
    faked = fake_quantize(weight, symmetric=symmetric)
    served = dequantize(quantize_groups(weight[None], bits=4, group=128, symmetric=symmetric))[0]
    assert faked.dtype == kind
    assert torch.equal(faked, served.to(kind))
    assert faked[0, :128].unique().numel() <= 16


def test_the_gradient_is_straight_through() -> None:
    weight = noise(3, 4, 64).requires_grad_()
    upstream = noise(3, 4, 64, seed=1)
    (gradient,) = torch.autograd.grad((fake_quantize(weight, group=32) * upstream).sum(), weight)
    assert torch.equal(gradient, upstream)


def test_quantizing_twice_changes_nothing() -> None:
    once = fake_quantize(noise(5, 128))
    torch.testing.assert_close(fake_quantize(once), once, rtol=1e-6, atol=1e-7)


def test_training_with_it_finds_weights_that_quantize_better() -> None:
    """A linear layer of int4 weights, fitted through the rounding, beats the exact fit rounded afterwards."""
    # inputs of rank 16 in 64 dimensions: an error of one weight can be made good by others
    inputs = noise(128, 16) @ noise(16, 64, seed=3) / 4
    target = noise(8, 64, seed=1)
    wanted = inputs @ target.T

    def loss(weight: torch.Tensor) -> torch.Tensor:
        return (inputs @ fake_quantize(weight, group=64).T - wanted).square().mean()

    weight = torch.nn.Parameter(target.clone())
    step = torch.optim.Adam([weight], lr=1e-3)
    losses = []
    for _ in range(100):
        step.zero_grad()
        losses.append(loss(weight))
        losses[-1].backward()
        step.step()
    assert min(losses) < 0.5 * losses[0]


def test_inputs_that_do_not_divide_are_refused() -> None:
    with pytest.raises(KernelRejected):
        fake_quantize(noise(2, 100))
