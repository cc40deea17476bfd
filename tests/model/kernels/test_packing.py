from __future__ import annotations

import sys
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import KernelRejected
from model.kernels.packing import ExpertMatrix, dequantize, from_words, quantize_groups


def noise(*shape: int, seed: int = 0, spread: float = 1.0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * spread


@given(
    bits=st.sampled_from([4, 8]),
    group=st.sampled_from([32, 64, 128]),
    symmetric=st.booleans(),
    shift=st.sampled_from([0.0, 3.0, -3.0]),
    spread=st.sampled_from([1e-4, 1.0, 1e3]),
    seed=st.integers(0, 999),
)
@settings(max_examples=60, deadline=None)
def test_no_weight_moves_by_more_than_half_a_step(
    bits: int, group: int, symmetric: bool, shift: float, spread: float, seed: int
) -> None:
    weight = (noise(2, 3, 256, seed=seed) + shift) * spread
    matrix = quantize_groups(weight, bits=bits, group=group, symmetric=symmetric)
    step = matrix.scale.repeat_interleave(group, dim=-1)
    # asymmetric: the zero point is rounded as well, which moves the ends of the range by up to half a step more
    assert bool(((dequantize(matrix) - weight).abs() <= step * (0.501 if symmetric else 1.001)).all())


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("bits", [4, 8])
def test_zero_stays_zero_exactly(bits: int, symmetric: bool) -> None:
    weight = noise(1, 2, 128)
    weight[0, 0, ::3] = 0
    weight[0, 1] = 0
    matrix = quantize_groups(weight, bits=bits, group=64, symmetric=symmetric)
    assert not dequantize(matrix)[weight == 0].any()


def test_asymmetric_groups_of_one_sign_use_all_levels() -> None:
    weight = torch.linspace(0.0, 1.0, 128).reshape(1, 1, 128)
    symmetric, asymmetric = (quantize_groups(weight, bits=4, group=128, symmetric=flag) for flag in (True, False))
    assert (dequantize(asymmetric) - weight).abs().max() < 0.6 * (dequantize(symmetric) - weight).abs().max()


def test_the_halves_of_a_byte() -> None:
    matrix = quantize_groups(torch.arange(-7.0, 25.0).reshape(1, 1, 32), bits=8, group=32, symmetric=True)
    assert matrix.packed.shape == (1, 1, 32)
    packed = torch.tensor([[[0x21] * 16]], dtype=torch.uint8)
    matrix = ExpertMatrix(packed, torch.ones(1, 1, 1), None, 4, 32)
    assert dequantize(matrix)[0, 0, :4].tolist() == [1 - 8, 2 - 8, 1 - 8, 2 - 8]


@pytest.mark.skipif(sys.byteorder != "little", reason="the words of compressed-tensors are little-endian")
@pytest.mark.parametrize("bits", [4, 8])
def test_the_bytes_are_those_of_compressed_tensors(bits: int) -> None:
    """Packed by the library that writes checkpoints, read as our bytes."""
    packing = pytest.importorskip("compressed_tensors.compressors", reason="compressed-tensors is not installed")
    values = torch.randint(-(1 << (bits - 1)), 1 << (bits - 1), (6, 64), dtype=torch.int8)
    words = packing.pack_to_int32(values, bits)
    assert words.dtype == torch.int32
    matrix = ExpertMatrix(from_words(words[None]), torch.ones(1, 6, 2), None, bits, 32)
    assert torch.equal(dequantize(matrix)[0], values.float())


def good() -> dict[str, Any]:
    matrix = quantize_groups(noise(2, 3, 64), bits=4, group=32, symmetric=False)
    return {name: getattr(matrix, name) for name in ("packed", "scale", "zero", "bits", "group")}


@pytest.mark.parametrize(
    "change",
    [
        {"bits": 3},
        {"group": 16},
        {"group": 128},
        {"packed": torch.zeros(2, 3, 32)},
        {"packed": torch.zeros(3, 32, dtype=torch.uint8)},
        {"packed": torch.zeros(2, 32, 3, dtype=torch.uint8).transpose(1, 2)},
        {"packed": torch.zeros(2, 3, 0, dtype=torch.uint8)},
        {"scale": torch.ones(2, 3, 1)},
        {"scale": torch.ones(2, 3, 2, dtype=torch.int32)},
        {"zero": torch.zeros(2, 3, 2)},
        {"zero": torch.zeros(2, 3, 1, dtype=torch.uint8)},
    ],
    ids=lambda change: str(next(iter(change))),
)
def test_what_the_kernels_do_not_take_is_refused(change: dict[str, Any]) -> None:
    ExpertMatrix(**good())
    with pytest.raises(KernelRejected) as caught:
        ExpertMatrix(**(good() | change))
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("shape", "bits", "group"), [((2, 3, 65), 4, 64), ((3, 64), 4, 64), ((2, 3, 64), 5, 64), ((2, 3, 64), 4, 128)]
)
def test_weights_that_do_not_divide_are_refused(shape: tuple[int, ...], bits: int, group: int) -> None:
    with pytest.raises(KernelRejected, match="does not divide"):
        quantize_groups(torch.zeros(shape), bits=bits, group=group, symmetric=True)


@pytest.mark.parametrize(
    "words", [torch.zeros(1, 2, 4), torch.zeros(2, 4, dtype=torch.int32), torch.zeros(1, 4, 2, dtype=torch.int32).mT]
)
def test_words_of_another_kind_are_refused(words: torch.Tensor) -> None:
    with pytest.raises(KernelRejected):
        from_words(words)
