"""Searched scales lose less than nearest ones where it counts, and hold to the same bytes and bounds."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import KernelRejected
from model.int4_search import search_groups
from model.kernels.packing import ExpertMatrix, dequantize, quantize_groups


def random(outputs: int, inputs: int, seed: int, *, tails: bool = False) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(1, outputs, inputs, generator=generator)
    return (weight**3 if tails else weight).bfloat16()


def loss(weight: torch.Tensor, matrix: ExpertMatrix, importance: torch.Tensor) -> float:
    return float(((weight.float() - dequantize(matrix)).square() * importance).sum())


@given(
    outputs=st.sampled_from([1, 5, 130]),
    groups=st.sampled_from([1, 3]),
    symmetric=st.booleans(),
    tails=st.booleans(),
    weighted=st.booleans(),
    seed=st.integers(0, 999),
)
@settings(max_examples=40, deadline=None)
def test_it_never_loses_more_than_rounding_to_the_nearest(
    outputs: int, groups: int, symmetric: bool, tails: bool, weighted: bool, seed: int
) -> None:
    weight = random(outputs, groups * 128, seed, tails=tails)
    importance = torch.rand(groups * 128, generator=torch.Generator().manual_seed(seed)) if weighted else None
    counts = torch.ones(groups * 128) if importance is None else importance
    searched = search_groups(weight, importance, group=128, symmetric=symmetric)
    nearest = quantize_groups(weight, bits=4, group=128, symmetric=symmetric)
    assert loss(weight, searched, counts) <= loss(weight, nearest, counts) * 1.01
    assert searched.packed.dtype == torch.uint8
    assert searched.scale.dtype == torch.bfloat16
    assert (searched.zero is None) == symmetric


@pytest.mark.parametrize("symmetric", [True, False])
def test_on_common_weights_it_gains_several_percent(symmetric: bool) -> None:
    weight = random(64, 512, 1)
    ones = torch.ones(512)
    searched = loss(weight, search_groups(weight, None, group=128, symmetric=symmetric), ones)
    assert searched < 0.93 * loss(weight, quantize_groups(weight, bits=4, group=128, symmetric=symmetric), ones)


def test_inputs_that_matter_more_lose_less() -> None:
    weight = random(256, 128, 2, tails=True)
    importance = torch.full((128,), 0.01)
    importance[:16] = 10.0
    errors = [
        (weight.float() - dequantize(search_groups(weight, given, group=128, symmetric=False))).square().mean((0, 1))
        for given in (importance, None)
    ]
    assert float(errors[0][:16].mean()) < 0.8 * float(errors[1][:16].mean())
    assert float(errors[0][16:].mean()) > float(errors[1][16:].mean())


def test_weights_on_a_grid_of_sixteen_steps_are_kept() -> None:
    """What was published in 4 bits by groups of our own loses nothing but the rounding of its scale."""
    grid = torch.randint(0, 16, (1, 32, 256), generator=torch.Generator().manual_seed(3))
    grid[..., ::128], grid[..., 1::128] = 0, 15
    weight = (grid.float() - 5) * 0.25
    assert torch.allclose(dequantize(search_groups(weight, None, group=128, symmetric=False)), weight, rtol=1e-5)


def test_zeros_stay_zeros_and_every_scale_is_finite() -> None:
    weight = torch.zeros(1, 4, 256, dtype=torch.bfloat16)
    weight[0, 1, 7] = 3.75  # fifteen or eight steps that bfloat16 has
    for symmetric in (True, False):
        matrix = search_groups(weight, torch.zeros(256), group=128, symmetric=symmetric)
        assert bool(matrix.scale.isfinite().all())
        assert bool((matrix.scale != 0).all())
        assert torch.equal(dequantize(matrix), weight.float())


def test_rows_do_not_depend_on_those_beside_them() -> None:
    """Work is cut into pieces for the cache; the cuts must not show."""
    weight = random(600, 256, 4)
    importance = torch.rand(256, generator=torch.Generator().manual_seed(4))
    whole = search_groups(weight, importance, group=128, symmetric=False)
    alone = search_groups(weight[:, 411:412], importance, group=128, symmetric=False)
    assert torch.equal(whole.packed[:, 411:412], alone.packed)
    assert torch.equal(whole.scale[:, 411:412], alone.scale)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(KernelRejected, match="groups of 128"):
        search_groups(torch.ones(1, 4, 200), None, group=128, symmetric=True)
    with pytest.raises(KernelRejected, match="importances for 256"):
        search_groups(torch.ones(1, 4, 256), torch.ones(128), group=128, symmetric=True)
