"""Our own CPU kernel against exact sums; on a machine that cannot run it these are skipped and say why."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch

from model.errors import KernelRejected
from model.kernels import cpu
from model.kernels.packing import dequantize
from tests.model.kernels.cpu_reference import mixture, noise, packed_mixture, product, quantized

HALF_STEP = 2.0**-8
"""What one rounding to bfloat16 moves a number by, at most, as a share of it."""


@pytest.fixture(scope="module", autouse=True)
def own() -> None:
    found = cpu.available()
    if found.kind != "vnni":
        pytest.skip(found.reason)


def assert_one_rounding(found: torch.Tensor, exact: torch.Tensor) -> None:
    assert found.dtype == torch.bfloat16
    assert found.shape == exact.shape
    torch.testing.assert_close(found.double(), exact, rtol=HALF_STEP, atol=1e-5)


@pytest.mark.parametrize("scale", [torch.bfloat16, torch.float16, torch.float32], ids=str)
@pytest.mark.parametrize("group", [32, 64, 128])
@pytest.mark.parametrize("symmetric", [True, False], ids=["symmetric", "asymmetric"])
@pytest.mark.parametrize("bits", [4, 8])
def test_a_product_is_exact_up_to_its_one_rounding(bits: int, symmetric: bool, group: int, scale: torch.dtype) -> None:
    """Widths that fill no block, one, and more; rows on both sides of each switch between loops."""
    for outputs, inputs in ((1, group), (64, 3 * group), (83, 5 * group), (200, 2 * group)):
        matrix = quantized(1, outputs, inputs, bits=bits, group=group, symmetric=symmetric, scale=scale)
        packed = cpu.pack(matrix, kind="vnni")
        bias = noise(outputs, seed=3)
        for rows in (0, 1, 2, 3, 4, 5, 6, 7, 13, 47, 48, 61, 257):
            x = noise(rows, inputs, seed=rows).bfloat16()
            assert_one_rounding(cpu.linear(x, packed), product(x, matrix))
            for each in (bias, bias.bfloat16()):
                assert_one_rounding(cpu.linear(x, packed, each), product(x, matrix) + each.double())


@pytest.mark.parametrize("bits", [4, 8])
def test_a_row_is_the_same_bits_in_every_batch(bits: int) -> None:
    packed = cpu.pack(quantized(1, 130, 640, bits=bits, symmetric=False), kind="vnni")
    x = noise(600, 640).bfloat16()
    whole = cpu.linear(x, packed)
    for first, last in ((0, 1), (5, 12), (100, 148), (250, 260), (3, 600), (599, 600)):
        assert torch.equal(cpu.linear(x[first:last], packed), whole[first:last])


def test_the_number_of_threads_changes_no_bit() -> None:
    packed = cpu.pack(quantized(1, 300, 256), kind="vnni")
    x = noise(70, 256).bfloat16()
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            results.append(cpu.linear(x, packed))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


def test_rows_may_lie_apart() -> None:
    matrix = quantized(1, 64, 128)
    wide = noise(9, 300).bfloat16()
    part = wide[:, 100:228]
    assert_one_rounding(cpu.linear(part, cpu.pack(matrix, kind="vnni")), product(part, matrix))
    assert_one_rounding(cpu.linear(part[::2], cpu.pack(matrix, kind="vnni")), product(part[::2], matrix))


def test_rows_of_zeros_and_of_no_numbers_stay_what_they_are() -> None:
    packed = cpu.pack(quantized(1, 70, 256), kind="vnni")
    x = noise(8, 256).bfloat16()
    clean = cpu.linear(x, packed)
    x[2], x[4, 7], x[6, 200] = 0, float("nan"), float("inf")
    spoiled = cpu.linear(x, packed)
    assert not spoiled[2].any()
    assert bool(spoiled[4].isnan().all())
    assert not spoiled[6].isfinite().any(), "an infinite activation must not come out as a number"
    for row in (0, 1, 3, 5, 7):
        assert torch.equal(spoiled[row], clean[row])


def test_extreme_scales_do_not_overflow() -> None:
    """The largest sums there are: 255 * 127 in every place, and activations near the ends of bfloat16."""
    matrix = quantized(1, 64, 128, bits=8, symmetric=False)
    matrix.packed.fill_(255)
    matrix.zero.fill_(0)
    matrix.scale.fill_(1.0)
    for size in (1e-30, 1.0, 1e30):
        x = torch.full((3, 128), size).bfloat16()
        assert_one_rounding(cpu.linear(x, cpu.pack(matrix, kind="vnni")), product(x, matrix))


@pytest.mark.parametrize("symmetric", [True, False], ids=["symmetric", "asymmetric"])
@pytest.mark.parametrize("bits", [4, 8])
def test_an_embedding_is_the_rows_of_the_matrix(bits: int, symmetric: bool) -> None:
    for scale in (torch.bfloat16, torch.float32):
        matrix = quantized(1, 150, 256, bits=bits, symmetric=symmetric, group=64, scale=scale)
        packed = cpu.pack(matrix, kind="vnni")
        for ids in (torch.arange(150), torch.tensor([149, 0, 149], dtype=torch.int32), torch.zeros(0).long()):
            assert torch.equal(cpu.embed(ids, packed), dequantize(matrix)[0][ids.long()].bfloat16())


@pytest.mark.parametrize("ids", [torch.tensor([0, 150]), torch.tensor([-1])], ids=["above", "below"])
def test_a_row_that_is_not_there_is_refused(ids: torch.Tensor) -> None:
    with pytest.raises(KernelRejected, match="of 150"):
        cpu.embed(ids, cpu.pack(quantized(1, 150, 128, bits=8), kind="vnni"))


SHARED = {
    flag: (quantized(1, 512, 256, symmetric=flag), quantized(1, 256, 256, symmetric=flag)) for flag in (True, False)
}
ROUTED = {
    flag: (quantized(5, 256, 256, symmetric=flag, seed=2), quantized(5, 256, 128, symmetric=flag, seed=3))
    for flag in (True, False)
}


def choice(rows: int, how: str) -> torch.Tensor:
    if how == "one takes all":
        return torch.full((rows, 1), 3)
    if how == "the same twice":
        return torch.full((rows, 2), 4)
    if how == "two of five":
        return torch.arange(2 * rows).reshape(rows, 2) % 2
    return torch.stack([torch.randperm(5)[:2] for _ in range(rows)]) if rows else torch.zeros(0, 2).long()


@pytest.mark.parametrize("how", ["any", "one takes all", "the same twice", "two of five"])
@pytest.mark.parametrize("parts", ["both", "shared", "routed"])
@pytest.mark.parametrize("symmetric", [True, False], ids=["symmetric", "asymmetric"])
def test_a_mixture(symmetric: bool, parts: str, how: str) -> None:
    """The hidden layer is rounded to int8 from float32, so a value at the edge of a step may fall to its other side."""
    shared = SHARED[symmetric] if parts != "routed" else None
    routed = ROUTED[symmetric] if parts != "shared" else None
    packed = packed_mixture("vnni", shared, routed)
    torch.manual_seed(0)
    for rows in (0, 1, 2, 7, 31):
        x, experts, weights = noise(rows, 256, seed=rows).bfloat16(), choice(rows, how), torch.rand(rows, 2)
        weights = weights[:, : experts.shape[1]]
        for scale in (0.5, torch.rand(rows, 1)):
            found = cpu.mixture(x, **packed, shared_scale=scale, experts=experts, weights=weights)
            expected = mixture(x, shared, scale, routed, experts, weights)
            torch.testing.assert_close(found.double(), expected, rtol=2e-2, atol=4e-3)
            assert (found - expected).norm() <= 4e-3 * expected.norm()


def test_a_token_of_a_mixture_is_the_same_bits_in_every_batch() -> None:
    packed = packed_mixture("vnni", SHARED[True], ROUTED[True])
    torch.manual_seed(0)
    x, experts, weights = noise(700, 256).bfloat16(), choice(700, "any"), torch.rand(700, 2)

    def compute(rows: slice) -> torch.Tensor:
        return cpu.mixture(x[rows], **packed, shared_scale=0.5, experts=experts[rows].int(), weights=weights[rows])

    whole = compute(slice(0, 700))
    for rows in (slice(0, 1), slice(1, 8), slice(250, 298), slice(10, 700, 7), slice(699, 700)):
        assert torch.equal(compute(rows), whole[rows])


@pytest.mark.parametrize("number", [-1, 5])
def test_an_expert_that_is_not_there_is_refused(number: int) -> None:
    packed = packed_mixture("vnni", None, ROUTED[True])
    with pytest.raises(KernelRejected, match="of 5"):
        cpu.mixture(
            noise(3, 256).bfloat16(), **packed, experts=torch.tensor([[0], [number], [1]]), weights=torch.ones(3, 1)
        )


def test_widths_that_fill_no_block_are_refused_with_a_way_out() -> None:
    pair = quantized(1, 192, 128, group=32), quantized(1, 128, 96, group=32)
    x = noise(2, 128).bfloat16()
    with pytest.raises(KernelRejected, match="multiple of 64") as caught:
        cpu.mixture(x, **packed_mixture("vnni", pair, None))
    assert "torch" in caught.value.remedy
    assert cpu.mixture(x, **packed_mixture("torch", pair, None)).shape == x.shape


def test_shared_and_routed_experts_must_group_alike() -> None:
    other = quantized(1, 512, 256, group=64), quantized(1, 256, 256, group=64)
    packed = packed_mixture("vnni", other, ROUTED[True])
    with pytest.raises(KernelRejected, match="same groups"):
        cpu.mixture(noise(1, 256).bfloat16(), **packed, experts=torch.zeros(1, 1).long(), weights=torch.ones(1, 1))


def operations() -> Any:
    return cpu.pack(quantized(1, 64, 128), kind="vnni").stored.operations


@pytest.mark.parametrize(
    "form",
    [
        [4, 128, 1, 64, 128, 0],
        [5, 128, 1, 64, 128, 0, 0],
        [4, 16, 1, 64, 128, 0, 0],
        [4, 128, 1, 64, 200, 0, 0],
        [4, 128, 1, 128, 128, 0, 0],
        [4, 128, 2, 64, 128, 0, 0],
        [8, 128, 1, 64, 128, 0, 0],
        [4, 128, 1, 64, 128, 1, 0],
        [4, 128, 0, 64, 128, 0, 0],
    ],
    ids=str,
)
def test_no_form_lets_the_kernel_read_beyond_its_weights(form: list[int]) -> None:
    stored = cpu.pack(quantized(1, 64, 128), kind="vnni").stored
    with pytest.raises(ValueError, match=r"."):
        operations().linear(noise(1, 128).bfloat16(), stored.blocks, form, None)


def test_the_threads_are_torch_s_own() -> None:
    """A second OpenMP runtime would bring a second pool of threads, and both would fight for the same cores."""
    program = """
import os, torch
from model.kernels import cpu
from model.kernels.packing import quantize_groups
torch.set_num_threads(3)
packed = cpu.pack(quantize_groups(torch.randn(1, 640, 128), bits=4, group=128, symmetric=True), kind="vnni")
x = torch.randn(64, 128).bfloat16()
torch.randn(512, 512) @ torch.randn(512, 512)
torch.sort(torch.randn(1_000_000)).values.sum()
before = len(os.listdir("/proc/self/task"))
for _ in range(5):
    cpu.linear(x, packed)
print(before, len(os.listdir("/proc/self/task")))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=300)
    before, after = done.stdout.split()[-2:]
    assert int(after) == int(before) > 2
