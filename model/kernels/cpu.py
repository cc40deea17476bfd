"""Quantized products on a CPU: linear layers, the MLP of a mixture, embeddings; our own kernel, or PyTorch's.

Dimensions: T tokens, K chosen experts, E matrices (1 for a linear layer), N outputs, I inputs, S group, D model,
F width of an expert, F' width of the shared expert.

    linear     y = x @ W^T + b                                                        (T, I) -> (T, N)
    mixture    y = c * MLP_shared(x) + sum over k of w_k * MLP_{e_k}(x)               (T, D) -> (T, D)
               MLP(x) = (silu(g) * u) @ W_down^T,  g, u = split(x @ W_gate_up^T)
    embed      y = W[ids]                                                             (T,) -> (T, I)

Two implementations stand behind these functions, and `pack` decides which one a matrix is for:

| kind | needs | int4 | int8 |
|---|---|---|---|
| "vnni" | AVX512-VNNI and a C++ compiler | our kernel: activations in int8 by group, exact integer sums | the same |
| "torch" | any x86-64 | PyTorch's packed int4 kernel for few rows, GEMM of dequantized weights for many | bfloat16 |

A matrix in memory has one layout ("vnni"; `model/kernels/csrc/layout.h` draws it), or what the fallback needs.

Not covered: tensors on other devices, gradients, float16 activations.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import structlog

from model.errors import BuildFailed, KernelRejected
from model.kernels import cpu_build, cpu_torch, cpu_vnni
from model.kernels.packing import ExpertMatrix

__all__ = ["Availability", "CpuMatrix", "available", "build", "embed", "linear", "mixture", "pack"]

Kind = Literal["vnni", "torch"]

_log: Final = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Availability:
    """Which implementation computes here.

    Attributes:
        kind: "vnni" or "torch".
        reason: Why, in words.
    """

    kind: Kind
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class CpuMatrix:
    """E quantized matrices, packed for one implementation. Made by `pack`.

    Attributes:
        kind: The implementation that reads it.
        experts: E.
        outputs: N.
        inputs: I.
        bits: 4 or 8.
        group: S.
        stored: The implementation's own tensors.
    """

    kind: Kind
    experts: int
    outputs: int
    inputs: int
    bits: int
    group: int
    stored: Any


def build(report: Callable[[str], None]) -> Path:
    """Compile our own kernels for this machine unless that was done; returns the library's path.

    Raises:
        BuildFailed: no compiler, or it refused. `available` then says "torch", and everything works, more slowly.
    """
    return cpu_build.build(report)


@functools.cache
def available() -> Availability:
    """Say which implementation computes here, and why. The first call builds and loads what is missing, and logs it."""
    found = _find()
    _log.info("cpu_kernels", kind=found.kind, reason=found.reason)
    return found


@functools.cache
def _operations() -> Any:
    return cpu_build.load(build(lambda step: _log.info("cpu_kernels_build", step=step)))


def _find() -> Availability:
    lacking = cpu_build.missing_instructions()
    if lacking:
        return Availability("torch", f"the processor has no {', '.join(lacking)}")
    try:
        _operations()
    except BuildFailed as error:
        return Availability("torch", f"{error.message} {error.remedy}")
    return Availability("vnni", "the processor has AVX512-VNNI, and our own kernels are built")


def pack(matrix: ExpertMatrix, *, kind: Kind | None = None) -> CpuMatrix:
    """Bring quantized weights into the layout that the kernels read. The argument is not kept.

    Args:
        matrix: (E, N, I), int4 or int8, groups of 32, 64 or 128.
        kind: The implementation; by default that of `available`.

    Raises:
        KernelRejected: the matrix is not in the CPU's memory.
    """
    if matrix.packed.device.type != "cpu":
        raise KernelRejected(
            f"Packed weights on the device {matrix.packed.device}.", remedy="Move them to the CPU, or use Triton's."
        )
    chosen = kind or available().kind
    if chosen == "vnni" and available().kind != "vnni":
        raise KernelRejected(f"Our own kernels do not run here: {available().reason}.", remedy="Pack for torch.")
    return CpuMatrix(
        kind=chosen,
        experts=matrix.experts,
        outputs=matrix.outputs,
        inputs=matrix.inputs,
        bits=matrix.bits,
        group=matrix.group,
        stored=cpu_vnni.store(matrix, _operations()) if chosen == "vnni" else cpu_torch.store(matrix),
    )


def linear(x: Any, matrix: CpuMatrix, bias: Any | None = None) -> Any:
    """Compute x @ W^T + bias.

    Args:
        x: bfloat16, shape (T, I), rows contiguous (any distance between them).
        matrix: E = 1.
        bias: bfloat16 or float32, shape (N,), or None.

    Returns:
        bfloat16, shape (T, N).

    Raises:
        KernelRejected: types, shapes or strides that do not go together.
    """
    _check_rows(x, matrix.inputs)
    if matrix.experts != 1:
        raise KernelRejected(f"A linear layer of {matrix.experts} matrices.", remedy="Give `mixture` the experts.")
    if bias is not None and tuple(bias.shape) != (matrix.outputs,):
        raise KernelRejected(
            f"A bias of shape {tuple(bias.shape)} for {matrix.outputs} outputs.", remedy=f"({matrix.outputs},) fits."
        )
    if matrix.kind == "vnni":
        return cpu_vnni.linear(x, matrix.stored, bias)
    return cpu_torch.linear(x, matrix.stored, bias)


def mixture(
    x: Any,
    *,
    shared_gate_up: CpuMatrix | None,
    shared_down: CpuMatrix | None,
    shared_scale: Any = 1.0,
    gate_up: CpuMatrix | None = None,
    down: CpuMatrix | None = None,
    experts: Any | None = None,
    weights: Any | None = None,
) -> Any:
    """Compute the whole MLP of a layer: the shared expert and the routed ones. Either may be absent, not both.

    Args:
        x: bfloat16, shape (T, D), rows contiguous.
        shared_gate_up: (1, 2F', D), the F' rows of the gate before those of up.
        shared_down: (1, D, F').
        shared_scale: c, a number or a tensor of shape (T, 1).
        gate_up: (E, 2F, D).
        down: (E, D, F).
        experts: int32 or int64, shape (T, K), each in 0 .. E - 1.
        weights: float32, shape (T, K).

    Returns:
        bfloat16, shape (T, D).

    Raises:
        KernelRejected: types, shapes or strides that do not go together, or an expert that is not there.
    """
    _check_pair(shared_gate_up, shared_down, "shared expert")
    _check_pair(gate_up, down, "routed experts")
    if shared_gate_up is None and gate_up is None:
        raise KernelRejected("A mixture of no experts.", remedy="Give the shared expert, the routed ones, or both.")
    for first in (shared_gate_up, gate_up):
        if first is not None:
            _check_rows(x, first.inputs)
    if shared_gate_up is not None and shared_gate_up.experts != 1:
        raise KernelRejected(f"{shared_gate_up.experts} shared experts.", remedy="Concatenate them to one.")
    if gate_up is not None:
        _check_choice(x, experts, weights)
    shared = None if shared_gate_up is None or shared_down is None else (shared_gate_up.stored, shared_down.stored)
    routed = None if gate_up is None or down is None else (gate_up.stored, down.stored)
    kinds = {matrix.kind for matrix in (shared_gate_up, gate_up) if matrix is not None}
    if len(kinds) > 1:
        raise KernelRejected("Shared and routed experts are packed for different kernels.", remedy="Pack them alike.")
    return (cpu_vnni if "vnni" in kinds else cpu_torch).mixture(
        x, shared=shared, shared_scale=shared_scale, routed=routed, experts=experts, weights=weights
    )


def embed(ids: Any, matrix: CpuMatrix) -> Any:
    """Look rows up in a matrix, so that an embedding and the last layer can share one.

    Args:
        ids: int32 or int64, shape (T,), each in 0 .. N - 1.
        matrix: E = 1.

    Returns:
        bfloat16, shape (T, I).

    Raises:
        KernelRejected: the ids are no whole numbers in one dimension, or one is not a row.
    """
    import torch

    if ids.ndim != 1 or ids.dtype not in (torch.int32, torch.int64) or matrix.experts != 1:
        raise KernelRejected(
            f"Ids of shape {tuple(ids.shape)}, type {ids.dtype}, for {matrix.experts} matrices.",
            remedy="Whole numbers of shape (tokens,) and one matrix are needed.",
        )
    return (cpu_vnni if matrix.kind == "vnni" else cpu_torch).embed(ids, matrix.stored)


def _check_rows(x: Any, inputs: int) -> None:
    import torch

    if x.ndim != 2 or x.shape[1] != inputs or x.dtype != torch.bfloat16 or x.stride(1) != 1:
        raise KernelRejected(
            f"Activations of type {x.dtype}, shape {tuple(x.shape)}, strides {x.stride()}.",
            remedy=f"bfloat16 of shape (tokens, {inputs}), each row contiguous, is needed.",
        )


def _check_pair(gate_up: CpuMatrix | None, down: CpuMatrix | None, name: str) -> None:
    if gate_up is None and down is None:
        return
    if gate_up is None or down is None or gate_up.kind != down.kind:
        raise KernelRejected(f"Half of the {name} is missing, or packed for another kernel.", remedy="Give both.")
    if (gate_up.experts, gate_up.outputs, gate_up.inputs) != (down.experts, 2 * down.inputs, down.outputs):
        raise KernelRejected(
            f"The {name}: gate and up of {gate_up.experts} x {gate_up.outputs} x {gate_up.inputs} do not fit down of "
            f"{down.experts} x {down.outputs} x {down.inputs}.",
            remedy="(E, 2F, D) and (E, D, F) are needed.",
        )


def _check_choice(x: Any, experts: Any | None, weights: Any | None) -> None:
    import torch

    if experts is None or weights is None or experts.ndim != 2 or experts.shape[0] != x.shape[0]:
        raise KernelRejected(
            "The chosen experts or their weights are missing, or not one row a token.",
            remedy=f"Both of shape ({x.shape[0]}, chosen) are needed.",
        )
    if experts.dtype not in (torch.int32, torch.int64) or weights.dtype != torch.float32:
        raise KernelRejected(
            f"Chosen experts of type {experts.dtype}, weights of type {weights.dtype}.",
            remedy="int32 or int64, and float32, are needed.",
        )
    if weights.shape != experts.shape:
        raise KernelRejected(
            f"Weights of shape {tuple(weights.shape)} for experts of shape {tuple(experts.shape)}.",
            remedy="One weight an expert is needed.",
        )
