from __future__ import annotations

import math

import pytest
import torch

from model.errors import RoutingRejected
from model.training.noise import add_gumbel, annealed


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_best_is_a_sample_of_the_softmax() -> None:
    """20,000 draws: a share's standard error is at most 0.0036, and four of them are allowed."""
    for temperature in (0.5, 2.0):
        logits = torch.tensor([1.0, 0.0, -1.0, 0.5])
        drawn = add_gumbel(logits.expand(20_000, 4), temperature=temperature, generator=seeded()).argmax(-1)
        shares = drawn.bincount(minlength=4) / 20_000
        assert (shares - torch.softmax(logits / temperature, -1)).abs().max() < 4 * 0.0036


def test_no_temperature_is_no_noise_and_draws_nothing() -> None:
    generator = seeded()
    before = generator.get_state()
    logits = torch.randn(5, 3)
    assert torch.equal(add_gumbel(logits, temperature=0.0, generator=generator), logits)
    assert torch.equal(generator.get_state(), before)


def test_the_same_seed_gives_the_same_noise() -> None:
    logits = torch.zeros(7, 5)
    one, two, other = (add_gumbel(logits, temperature=1.0, generator=seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_the_noise_is_finite_and_has_the_mean_of_gumbel() -> None:
    noise = add_gumbel(torch.zeros(1_000_000), temperature=1.0, generator=seeded())
    assert bool(noise.isfinite().all())
    # Euler's constant; the standard error of a million draws is pi / sqrt(6) / 1000 = 0.0013
    assert float(noise.mean()) == pytest.approx(0.5772, abs=4 * 0.0013)


def test_the_gradient_passes_as_it_is() -> None:
    logits = torch.randn(4, 3, requires_grad=True)
    upstream = torch.randn(4, 3)
    (gradient,) = torch.autograd.grad(
        (add_gumbel(logits, temperature=1.5, generator=seeded()) * upstream).sum(), logits
    )
    assert torch.equal(gradient, upstream)


@pytest.mark.parametrize("temperature", [-1.0, math.nan, math.inf])
def test_a_temperature_that_makes_no_sense_is_refused(temperature: float) -> None:
    with pytest.raises(RoutingRejected):
        add_gumbel(torch.zeros(1, 2), temperature=temperature, generator=seeded())


def test_the_temperature_falls_from_start_to_end_and_stays() -> None:
    course = [annealed(step, 10, start=2.0, end=0.5) for step in range(13)]
    assert course[0] == 2.0
    assert course[5] == pytest.approx(1.25)
    assert course[10:] == [0.5] * 3
    assert course == sorted(course, reverse=True)
    assert annealed(0, 0) == 1.0
