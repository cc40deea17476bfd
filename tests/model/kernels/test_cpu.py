"""The CPU's products by either implementation against the plain reference, and what both refuse."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from model.errors import KernelRejected
from model.kernels import cpu
from model.kernels.cpu_torch import FEW_ROWS
from model.kernels.packing import dequantize
from model.kernels.reference import experts_reference
from tests.model.kernels.cpu_reference import noise, packed_mixture, quantized

TOLERANCE = {"torch": 0.012, "vnni": 0.03}
"""Of the norm. torch: bfloat16 activations and scales, and h rounded to it. vnni: int8 activations, and h."""


@pytest.fixture(params=["torch", "vnni"])
def kind(request: pytest.FixtureRequest) -> cpu.Kind:
    if request.param == "vnni" and cpu.available().kind != "vnni":
        pytest.skip(cpu.available().reason)
    return request.param  # type: ignore[no-any-return]


def assert_near(found: torch.Tensor, expected: torch.Tensor, kind: str) -> None:
    assert found.dtype == torch.bfloat16
    assert found.shape == expected.shape
    assert (found.float() - expected.float()).norm() <= TOLERANCE[kind] * expected.float().norm()


def test_what_computes_here_has_a_reason() -> None:
    found = cpu.available()
    assert found.kind in ("vnni", "torch")
    assert found.reason
    assert cpu.pack(quantized(1, 64, 128)).kind == found.kind


@pytest.mark.parametrize("symmetric", [True, False], ids=["symmetric", "asymmetric"])
@pytest.mark.parametrize("bits", [4, 8])
def test_a_linear_layer(kind: cpu.Kind, bits: int, symmetric: bool) -> None:
    for outputs, group in ((128, 128), (83, 32), (1, 64)):
        matrix = quantized(1, outputs, 384, bits=bits, symmetric=symmetric, group=group)
        packed = cpu.pack(matrix, kind=kind)
        bias = noise(outputs, seed=5).bfloat16()
        for rows in (0, 1, 7, FEW_ROWS, FEW_ROWS + 1, 61):
            x = noise(rows, 384, seed=rows).bfloat16()
            assert_near(cpu.linear(x, packed, bias), x.float() @ dequantize(matrix)[0].T + bias.float(), kind)


def test_the_two_implementations_agree() -> None:
    if cpu.available().kind != "vnni":
        pytest.skip(cpu.available().reason)
    matrix = quantized(1, 200, 640)
    x = noise(20, 640).bfloat16()
    first, second = (cpu.linear(x, cpu.pack(matrix, kind=kind)) for kind in ("torch", "vnni"))
    assert_near(second, first, "vnni")


@pytest.mark.parametrize("symmetric", [True, False], ids=["symmetric", "asymmetric"])
@pytest.mark.parametrize("rows", [0, 1, 13, 40])
def test_a_mixture(kind: cpu.Kind, rows: int, symmetric: bool) -> None:
    shared = quantized(1, 768, 256, symmetric=symmetric), quantized(1, 256, 384, symmetric=symmetric)
    routed = quantized(5, 256, 256, symmetric=symmetric), quantized(5, 256, 128, symmetric=symmetric)
    torch.manual_seed(0)
    x, weights = noise(rows, 256).bfloat16(), torch.rand(rows, 2)
    experts = torch.stack([torch.randperm(5)[:2] for _ in range(rows)]) if rows else torch.zeros(0, 2).long()
    found = cpu.mixture(x, **packed_mixture(kind, shared, routed), shared_scale=0.5, experts=experts, weights=weights)
    first = experts_reference(x, torch.zeros(rows, 1).long(), torch.ones(rows, 1), *shared)
    assert_near(found, 0.5 * first + experts_reference(x, experts, weights, *routed), kind)


@pytest.mark.parametrize("bits", [4, 8])
def test_an_embedding(kind: cpu.Kind, bits: int) -> None:
    matrix = quantized(1, 90, 128, bits=bits)
    packed = cpu.pack(matrix, kind=kind)
    ids = torch.tensor([89, 0, 7, 7])
    assert torch.equal(cpu.embed(ids, packed), dequantize(matrix)[0][ids].bfloat16())
    for wrong in (torch.tensor([90]), torch.tensor([-1]), torch.zeros(1, 1).long(), torch.zeros(1)):
        with pytest.raises(KernelRejected):
            cpu.embed(wrong, packed)


@pytest.mark.parametrize(
    "x",
    [
        torch.zeros(3, 127).bfloat16(),
        torch.zeros(3, 128),
        torch.zeros(128).bfloat16(),
        torch.zeros(3, 1, 128).bfloat16(),
        torch.zeros(128, 3).bfloat16().T,
        torch.zeros(3, 256).bfloat16()[:, ::2],
    ],
    ids=["inputs", "type", "one dimension", "three", "columns contiguous", "gaps"],
)
def test_activations_of_another_kind_are_refused(kind: cpu.Kind, x: torch.Tensor) -> None:
    with pytest.raises(KernelRejected) as caught:
        cpu.linear(x, cpu.pack(quantized(1, 64, 128), kind=kind))
    assert "128" in caught.value.remedy


def test_what_is_no_linear_layer_is_refused(kind: cpu.Kind) -> None:
    x = noise(2, 128).bfloat16()
    with pytest.raises(KernelRejected, match="2 matrices"):
        cpu.linear(x, cpu.pack(quantized(2, 64, 128), kind=kind))
    with pytest.raises(KernelRejected, match="bias"):
        cpu.linear(x, cpu.pack(quantized(1, 64, 128), kind=kind), torch.zeros(63))


def good(kind: cpu.Kind) -> dict[str, Any]:
    routed = quantized(3, 256, 128), quantized(3, 128, 128)
    shared = quantized(1, 256, 128), quantized(1, 128, 128)
    return packed_mixture(kind, shared, routed) | {
        "x": noise(4, 128).bfloat16(),
        "experts": torch.tensor([[0, 1], [1, 2], [2, 0], [0, 2]]),
        "weights": torch.full((4, 2), 0.5),
    }


@pytest.mark.parametrize(
    "change",
    [
        {"shared_down": None},
        {"gate_up": None},
        {"experts": None},
        {"weights": None},
        {"experts": torch.zeros(3, 2).long()},
        {"experts": torch.zeros(4, 2)},
        {"experts": torch.full((4, 2), 3)},
        {"experts": torch.full((4, 2), -1)},
        {"weights": torch.ones(4, 1)},
        {"weights": torch.ones(4, 2).double()},
        {"x": torch.zeros(4, 64).bfloat16()},
        {"shared_gate_up": None, "shared_down": None, "gate_up": None, "down": None},
    ],
    ids=lambda change: ", ".join(change),
)
def test_a_mixture_whose_parts_do_not_fit_is_refused(kind: cpu.Kind, change: dict[str, Any]) -> None:
    assert cpu.mixture(**good(kind)).shape == (4, 128)
    with pytest.raises(KernelRejected) as caught:
        cpu.mixture(**(good(kind) | change))
    assert caught.value.remedy


def test_matrices_that_do_not_fit_each_other_are_refused(kind: cpu.Kind) -> None:
    changed = good(kind)
    with pytest.raises(KernelRejected, match="do not fit"):
        cpu.mixture(**(changed | {"down": changed["shared_down"]}))
    with pytest.raises(KernelRejected, match="shared experts"):
        cpu.mixture(**(changed | {"shared_gate_up": changed["gate_up"], "shared_down": changed["down"]}))


def test_matrices_for_two_kernels_do_not_mix() -> None:
    if cpu.available().kind != "vnni":
        pytest.skip(cpu.available().reason)
    with pytest.raises(KernelRejected, match="another kernel"):
        cpu.mixture(**(good("vnni") | {"down": good("torch")["down"]}))
    with pytest.raises(KernelRejected, match="different kernels"):
        cpu.mixture(**(good("vnni") | {name: good("torch")[name] for name in ("gate_up", "down")}))
