from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.models.mixtral.modeling_mixtral import load_balancing_loss_func

from model.errors import RoutingRejected
from model.training.losses import balance_loss, z_loss


def noise(tokens: int, experts: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(tokens, experts, generator=torch.Generator().manual_seed(seed))


@given(tokens=st.sampled_from([1, 7, 64]), experts=st.integers(1, 9), count=st.integers(1, 9), seed=st.integers(0, 999))
@settings(max_examples=40, deadline=None)
def test_the_loss_is_that_of_transformers(tokens: int, experts: int, count: int, seed: int) -> None:
    count = min(count, experts)
    logits = noise(tokens, experts, seed)
    ours = balance_loss(logits, logits.topk(count).indices)
    torch.testing.assert_close(ours, load_balancing_loss_func((logits,), experts, count))


def test_even_use_costs_k_and_one_expert_costs_all() -> None:
    even = torch.eye(4).repeat(2, 1) * 50
    assert float(balance_loss(even, even.topk(1).indices)) == pytest.approx(1)
    same = torch.tensor([[50.0, 0, 0, 0]] * 8)
    assert float(balance_loss(same, same.topk(1).indices)) == pytest.approx(4)


def test_the_gradient_is_that_of_finite_differences() -> None:
    logits = noise(5, 4).double().requires_grad_()
    experts = logits.detach().topk(2).indices

    def loss(values: torch.Tensor) -> torch.Tensor:
        chances = torch.softmax(values, -1)
        used = torch.zeros_like(chances).scatter(-1, experts, 1.0).mean(0)
        return 4 * (used * chances.mean(0)).sum()

    assert torch.autograd.gradcheck(loss, (logits,))
    (exact,) = torch.autograd.grad(loss(logits), logits)
    (ours,) = torch.autograd.grad(balance_loss(logits, experts), logits)
    torch.testing.assert_close(ours, exact, rtol=1e-5, atol=1e-7)


def test_a_step_down_the_gradient_evens_the_use() -> None:
    gate = torch.nn.Parameter(noise(16, 4) * 0.1)
    hidden = noise(256, 16, 1) + 0.5
    start = balance_loss(hidden @ gate, (hidden @ gate).topk(1).indices).item()
    step = torch.optim.SGD([gate], lr=0.5)
    for _ in range(40):
        logits = hidden @ gate
        step.zero_grad()
        balance_loss(logits, logits.topk(1).indices).backward()
        step.step()
    assert balance_loss(hidden @ gate, (hidden @ gate).topk(1).indices).item() < start


def test_padding_does_not_count() -> None:
    logits = noise(9, 4)
    mask = torch.tensor([True] * 6 + [False] * 3)
    experts = logits.topk(2).indices
    torch.testing.assert_close(balance_loss(logits, experts, mask=mask), balance_loss(logits[:6], experts[:6]))
    torch.testing.assert_close(z_loss(logits, mask=mask), z_loss(logits[:6]))


def test_no_token_costs_nothing() -> None:
    assert float(balance_loss(noise(0, 4), torch.zeros(0, 2, dtype=torch.int64))) == 0
    assert float(z_loss(noise(0, 4))) == 0
    assert float(z_loss(noise(3, 4), mask=torch.zeros(3, dtype=torch.bool))) == 0


def test_the_z_loss_is_as_written_and_its_gradient_too() -> None:
    logits = noise(5, 3).requires_grad_()
    expected = logits.exp().sum(-1).log().square().mean()
    torch.testing.assert_close(z_loss(logits), expected)
    (ours,) = torch.autograd.grad(z_loss(logits), logits)
    (exact,) = torch.autograd.grad(expected, logits)
    torch.testing.assert_close(ours, exact)


def test_shapes_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(RoutingRejected):
        balance_loss(noise(5, 4), torch.zeros(4, 2, dtype=torch.int64))
    with pytest.raises(RoutingRejected):
        z_loss(noise(5, 4), mask=torch.ones(4, dtype=torch.bool))
