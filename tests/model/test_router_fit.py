"""Rows fitted to text send its tokens to the experts of its domain, in closed form and without ties."""

from __future__ import annotations

import pytest
import torch

from model.errors import BuildFailed
from model.router_fit import SHARPNESS, SIBLING, fit_rows

EXPERTS, PAIR, HIDDEN = 8, 2, 64


def tokens(count: int, seed: int, *, spread: float = 0.5) -> tuple[torch.Tensor, torch.Tensor]:
    """Clusters as hidden states have them: one direction a text, one a domain, a large constant one, noise."""
    generator = torch.Generator().manual_seed(7)
    domains = torch.randn(EXPERTS // PAIR, HIDDEN, generator=generator)
    parts = torch.randn(EXPERTS, HIDDEN, generator=generator) * 0.7
    common = torch.full((HIDDEN,), 3.0)
    generator.manual_seed(seed)
    classes = torch.randint(0, EXPERTS, (count,), generator=generator)
    noise = torch.randn(count, HIDDEN, generator=generator) * spread
    return common + domains[classes // PAIR] + parts[classes] + noise, classes


def test_unseen_tokens_go_to_their_domain() -> None:
    rows = fit_rows(*tokens(2000, 1), EXPERTS, PAIR)
    states, classes = tokens(1000, 2)
    best = (states @ rows.T).topk(PAIR, dim=1).indices
    assert float((best[:, 0] == classes).float().mean()) > 0.97
    assert float((best // PAIR == (classes // PAIR)[:, None]).float().mean()) > 0.97


def test_it_solves_the_problem_that_it_states() -> None:
    """The gradient of the penalized squares is zero at the rows."""
    states, classes = tokens(500, 3)
    ridge = 0.05
    rows = fit_rows(states, classes, EXPERTS, PAIR, ridge=ridge).double() / SHARPNESS
    weight = 1.0 / torch.bincount(classes).double()[classes]
    sibling = (torch.arange(EXPERTS)[None] // PAIR == (classes // PAIR)[:, None]).double() * SIBLING
    targets = sibling.scatter(1, classes[:, None], 1.0)
    exact = states.double()
    moments = exact.T @ (exact * weight[:, None])
    penalty = ridge * moments.diagonal().mean() * rows
    gradient = ((exact @ rows.T - targets) * weight[:, None]).T @ exact + penalty
    assert float(gradient.abs().max()) < 1e-4 * float(moments.diagonal().mean())


def test_parts_count_the_same_however_long_their_text_is() -> None:
    states, classes = tokens(2000, 4)
    often = torch.cat([torch.arange(2000), *[(classes == 3).nonzero().flatten()] * 5])
    once, repeated = (fit_rows(states[rows], classes[rows], EXPERTS, PAIR) for rows in (torch.arange(2000), often))
    assert torch.allclose(once, repeated, rtol=1e-3, atol=1e-4)


def test_no_two_experts_are_equal() -> None:
    rows = fit_rows(*tokens(2000, 5), EXPERTS, PAIR)
    distances = torch.cdist(rows, rows) + torch.eye(EXPERTS) * 10
    assert float(distances.min()) > 0.01 * float(rows.norm(dim=1).mean())


def test_fewer_tokens_than_dimensions_still_have_a_solution() -> None:
    rows = fit_rows(*tokens(40, 6), EXPERTS, PAIR)
    assert bool(rows.isfinite().all())


def test_an_expert_without_text_is_refused() -> None:
    states, classes = tokens(500, 8)
    with pytest.raises(BuildFailed, match="text for 7 of 8"):
        fit_rows(states[classes != 5], classes[classes != 5], EXPERTS, PAIR)


def test_states_that_are_not_finite_are_refused() -> None:
    states, classes = tokens(500, 9)
    states[17, 3] = float("inf")
    with pytest.raises(BuildFailed, match="not finite"):
        fit_rows(states, classes, EXPERTS, PAIR)
