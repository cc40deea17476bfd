"""The expert kernels against model.kernels.reference. Runs on a GPU, or interpreted (see ../conftest.py)."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from model.errors import KernelRejected
from model.kernels.packing import ExpertMatrix, quantize_groups
from model.kernels.reference import experts_reference
from model.kernels.triton_experts import experts_triton

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def weights(experts: int, depth: int, width: int, kind: torch.dtype, **how: Any) -> tuple[ExpertMatrix, ExpertMatrix]:
    generator = torch.Generator().manual_seed(depth + width)
    gate_up = torch.randn(experts, 2 * width, depth, generator=generator) / depth**0.5 + 0.02
    down = torch.randn(experts, depth, width, generator=generator) / width**0.5
    first, second = (quantize_groups(matrix.to(kind).to(DEVICE), **how) for matrix in (gate_up, down))
    return first, second


def tokens(
    count: int, depth: int, experts: int, chosen: int, kind: torch.dtype, seed: int = 0
) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(count, depth, generator=generator).to(kind)
    rows = [torch.randperm(experts, generator=generator)[:chosen] for _ in range(count)]
    picked = torch.stack(rows) if rows else torch.zeros(0, chosen, dtype=torch.int64)
    return hidden.to(DEVICE), picked.to(DEVICE), torch.rand(count, chosen, generator=generator).to(DEVICE)


def agree(
    ours: torch.Tensor, hidden: torch.Tensor, picked: torch.Tensor, shares: torch.Tensor, *matrices: ExpertMatrix
) -> None:
    """h, z and y are each rounded to the type of x: three times 2^-8 for bfloat16 (2^-11 for float16) of what is added.

    The interpreter truncates where a GPU rounds, hence the whole unit and not its half. Errors of h and z add up over F
    and K with random signs, so the bound is on the norm of a row.
    """
    exact = experts_reference(hidden, picked, shares, *matrices, dtype=torch.float64)
    unit = torch.finfo(hidden.dtype).eps
    size = experts_reference(hidden, picked, shares.abs(), *matrices, dtype=torch.float64).norm(dim=-1)
    assert ours.dtype == hidden.dtype
    assert bool(((ours.double() - exact).norm(dim=-1) <= 3 * unit * size + 1e-6).all())


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("bits", [4, 8])
def test_the_kernels_compute_the_reference(bits: int, symmetric: bool, kind: torch.dtype) -> None:
    depth = 256 if bits == 4 else 128  # two groups, or one
    matrices = weights(3, depth, 128, kind, bits=bits, group=128, symmetric=symmetric)
    batch = tokens(5, depth, 3, 2, kind)
    agree(experts_triton(*batch, *matrices), *batch, *matrices)


@pytest.mark.parametrize(
    ("count", "experts", "chosen", "depth", "width", "group"),
    [
        (1, 1, 1, 32, 32, 32),
        (1, 8, 2, 128, 128, 128),
        (2, 3, 3, 96, 32, 32),
        (13, 7, 3, 192, 64, 64),
        (37, 2, 1, 128, 128, 128),
        (0, 4, 2, 128, 128, 128),
    ],
)
def test_odd_shapes(count: int, experts: int, chosen: int, depth: int, width: int, group: int) -> None:
    """One token, prime counts, more experts than tokens, columns that do not fill a tile, no token at all."""
    matrices = weights(experts, depth, width, torch.float16, bits=4, group=group, symmetric=False)
    batch = tokens(count, depth, experts, chosen, torch.float16)
    result = experts_triton(*batch, *matrices)
    assert result.shape == (count, depth)
    agree(result, *batch, *matrices)


def test_one_expert_takes_all_and_the_rest_are_empty() -> None:
    matrices = weights(6, 128, 128, torch.bfloat16, bits=4, group=128, symmetric=True)
    hidden, picked, shares = tokens(35, 128, 6, 1, torch.bfloat16)
    picked = torch.full_like(picked, 4)
    agree(experts_triton(hidden, picked, shares, *matrices), hidden, picked, shares, *matrices)


@pytest.mark.parametrize("rows", [16, 32, 64])
def test_every_height_of_a_tile(rows: int) -> None:
    matrices = weights(2, 128, 64, torch.bfloat16, bits=8, group=64, symmetric=True)
    batch = tokens(41, 128, 2, 2, torch.bfloat16)
    agree(experts_triton(*batch, *matrices, rows=rows), *batch, *matrices)


def test_strides_and_gaps() -> None:
    """Activations transposed; weights with a gap after each row and each expert; scales and zero points transposed."""
    first, second = weights(3, 128, 64, torch.float16, bits=4, group=32, symmetric=False)
    hidden, picked, shares = tokens(5, 128, 3, 2, torch.float16)

    def spread(matrix: ExpertMatrix) -> ExpertMatrix:
        experts, outputs, held = matrix.packed.shape
        room = torch.full((experts, outputs + 1, held + 3), 0xAB, dtype=torch.uint8, device=DEVICE)
        room[:, :outputs, :held] = matrix.packed
        turned = [tensor.transpose(1, 2).contiguous().transpose(1, 2) for tensor in (matrix.scale, matrix.zero)]
        return ExpertMatrix(room[:, :outputs, :held], *turned, matrix.bits, matrix.group)

    strided = hidden.T.contiguous().T
    assert not strided.is_contiguous()
    straight = experts_triton(hidden, picked, shares, first, second)
    gappy = experts_triton(strided, picked.int(), shares.T.contiguous().T, spread(first), spread(second))
    assert torch.equal(gappy, straight)


@pytest.mark.parametrize("together", [1, 7])
def test_a_row_does_not_depend_on_the_others(together: int) -> None:
    matrices = weights(4, 128, 128, torch.bfloat16, bits=4, group=128, symmetric=True)
    batch = tokens(20, 128, 4, 2, torch.bfloat16)
    whole = experts_triton(*batch, *matrices, rows=16)
    few = experts_triton(*(part[-together:] for part in batch), *matrices, rows=16)
    assert torch.equal(few, whole[-together:])


def test_a_weight_of_zero_leaves_nothing_and_twice_the_weight_is_twice() -> None:
    matrices = weights(3, 64, 64, torch.float16, bits=8, group=64, symmetric=True)
    hidden, picked, shares = tokens(5, 64, 3, 2, torch.float16)
    assert not experts_triton(hidden, picked, shares * 0, *matrices).any()
    once, twice = (experts_triton(hidden, picked, shares * factor, *matrices) for factor in (1, 2))
    assert torch.equal(twice, once * 2)


def test_what_the_kernel_does_not_take_is_refused() -> None:
    matrices = weights(3, 64, 64, torch.float16, bits=8, group=64, symmetric=True)
    hidden, picked, shares = tokens(5, 64, 3, 2, torch.float16)
    with pytest.raises(KernelRejected, match="float32"):
        experts_triton(hidden.float(), picked, shares, *matrices)
    with pytest.raises(KernelRejected, match="24 rows"):
        experts_triton(hidden, picked, shares, *matrices, rows=24)
    with pytest.raises(KernelRejected):
        experts_triton(hidden[:, :32], picked, shares, *matrices)
