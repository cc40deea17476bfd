"""W4A16 and W8A16 grouped GEMM in Triton: the chosen experts of each token, in two products and a sum.

Dimensions: T tokens, K chosen experts, E experts, P = T * K pairs, D model, F width of an expert, S group size,
V values in a byte, R rows and C columns of a tile, B inputs of a step.

    h[p]    = silu(x[t] @ gate[e]^T) * (x[t] @ up[e]^T)        pair p = token t at expert e, rows sorted by expert
    z[t, k] = weight[t, k] * (h[p] @ down[e]^T)
    y[t]    = sum over k of z[t, k], in the order of k

    a @ w^T within a group  =  (a @ (q - zero)^T) * scale

The integers q - zero are at most 255 in magnitude, which bfloat16 and float16 hold exactly, so the tensor cores
multiply whole numbers and the scale is applied to their float32 sum, once a step: no weight is ever rounded.
Accumulation is in float32; h and z are rounded to the type of x.

| argument | type | shape | layout |
|---|---|---|---|
| hidden | bfloat16, float16 | (T, D) | any strides |
| experts | int32, int64 | (T, K) | any; each in 0 .. E - 1 |
| weights | float32 | (T, K) | any |
| gate_up | `ExpertMatrix` (E, 2F, D) | | model.kernels.packing; the F rows of the gate, then those of up |
| down | `ExpertMatrix` (E, D, F) | | the same |

S divides D and F; nothing else must be even. Bases aligned to 16 bytes and strides that are multiples of 16 load in
whole vectors; others are right, and slower. No atomics: a result is the same each time. A row's result does not depend
on the other rows at one tile height R, so leave R alone where batches must agree to the bit.

In the interpreter (TRITON_INTERPRET=1, tensors on the CPU) products are taken in float32, because Triton 3.7 interprets
bfloat16 as its bits in a dot.

Not covered: biases and the clamped activation of gpt-oss, float32 activations, zero points packed along the outputs.
"""

from __future__ import annotations

from typing import Any, Final

import torch
import triton
import triton.language as tl

from model.errors import KernelRejected
from model.kernels.dispatch import dispatch
from model.kernels.packing import ExpertMatrix
from model.kernels.reference import check_experts

__all__ = ["STEP", "TILES", "experts_triton", "tile_rows"]

TILES: Final = {16: 64, 32: 64, 64: 32}
"""C for each R: the largest without a spilled register on sm_80 and sm_90 (docs/kernels.md has the report)."""
STEP: Final = 64
"""B, or S where that is less; with 128 more registers are spilled."""
_SUM_WIDTH: Final = 1024


@triton.jit
def group_product(
    rows: tl.tensor,  # (R, B)
    packed: tl.tensor,
    scale: tl.tensor,
    zero: tl.tensor,
    outputs: tl.tensor,  # (C)
    inside: tl.tensor,  # (C)
    block: tl.tensor,
    packed_n: tl.tensor,
    scale_n: tl.tensor,
    scale_g: tl.tensor,
    zero_n: tl.tensor,
    zero_g: tl.tensor,
    BITS: tl.constexpr,  # noqa: N803 -- Triton writes compile-time constants so
    S: tl.constexpr,  # noqa: N803
    B: tl.constexpr,  # noqa: N803
    C: tl.constexpr,  # noqa: N803
) -> tl.tensor:
    """Multiply rows with one block of inputs of C outputs: float32, shape (R, C)."""
    V: tl.constexpr = 8 // BITS  # noqa: N806
    group = block * B // S
    places = block * (B // V) + tl.arange(0, B // V)  # (B/V)
    held = tl.load(packed + outputs[:, None] * packed_n + places[None, :], mask=inside[:, None], other=0)  # (C, B/V)
    if BITS == 4:
        values = tl.join(held & 15, held >> 4).reshape(C, B)  # (C, B)
    else:
        values = held  # (C, B)
    if zero is None:
        whole = values.to(tl.int16) - (1 << (BITS - 1))  # (C, B)
    else:
        zeros = tl.load(zero + outputs * zero_n + group * zero_g, mask=inside, other=0)  # (C)
        whole = values.to(tl.int16) - zeros.to(tl.int16)[:, None]  # (C, B)
    factors = tl.load(scale + outputs * scale_n + group * scale_g, mask=inside, other=0.0).to(tl.float32)  # (C)
    product = tl.dot(rows, tl.trans(whole.to(rows.dtype)), input_precision="ieee")  # (R, C)
    return product * factors[None, :]


@triton.jit
def gate_up_kernel(
    hidden: tl.tensor,
    packed: tl.tensor,
    scale: tl.tensor,
    zero: tl.tensor,
    pairs: tl.tensor,
    tile_expert: tl.tensor,
    tile_start: tl.tensor,
    tile_end: tl.tensor,
    result: tl.tensor,
    width: tl.tensor,  # F
    blocks: tl.tensor,  # D / B
    chosen: tl.tensor,  # K
    hidden_t: tl.tensor,
    hidden_d: tl.tensor,
    packed_e: tl.tensor,
    packed_n: tl.tensor,
    scale_e: tl.tensor,
    scale_n: tl.tensor,
    scale_g: tl.tensor,
    zero_e: tl.tensor,
    zero_n: tl.tensor,
    zero_g: tl.tensor,
    BITS: tl.constexpr,  # noqa: N803
    S: tl.constexpr,  # noqa: N803
    B: tl.constexpr,  # noqa: N803
    R: tl.constexpr,  # noqa: N803
    C: tl.constexpr,  # noqa: N803
    WIDE: tl.constexpr,  # noqa: N803 -- products in float32: the interpreter
) -> None:
    """Compute R x C of h, shape (P, F), rows sorted by expert."""
    expert = tl.load(tile_expert + tl.program_id(0)).to(tl.int64)
    if expert < 0:
        return
    row = tl.load(tile_start + tl.program_id(0)) + tl.arange(0, R)  # (R)
    there = row < tl.load(tile_end + tl.program_id(0))  # (R)
    token = tl.load(pairs + row, mask=there, other=0).to(tl.int64) // chosen  # (R)
    column = tl.program_id(1) * C + tl.arange(0, C)  # (C)
    inside = column < width  # (C)
    packed += expert * packed_e
    scale += expert * scale_e
    if zero is not None:
        zero += expert * zero_e
    gate = tl.zeros((R, C), dtype=tl.float32)
    up = tl.zeros((R, C), dtype=tl.float32)
    for block in range(blocks):
        entry = block * B + tl.arange(0, B)  # (B)
        address = hidden + token[:, None] * hidden_t + entry[None, :] * hidden_d  # (R, B)
        rows = tl.load(address, mask=there[:, None], other=0.0)  # (R, B)
        if WIDE:
            rows = rows.to(tl.float32)
        gate += group_product(
            rows, packed, scale, zero, column, inside, block, packed_n, scale_n, scale_g, zero_n, zero_g, BITS, S, B, C
        )
        up += group_product(
            rows,
            packed,
            scale,
            zero,
            column + width,
            inside,
            block,
            packed_n,
            scale_n,
            scale_g,
            zero_n,
            zero_g,
            BITS,
            S,
            B,
            C,
        )
    value = gate / (1 + tl.exp(-gate)) * up  # (R, C)
    address = result + row.to(tl.int64)[:, None] * width + column[None, :]  # (R, C)
    tl.store(address, value.to(result.dtype.element_ty), mask=there[:, None] & inside[None, :])


@triton.jit
def down_kernel(
    inner: tl.tensor,
    packed: tl.tensor,
    scale: tl.tensor,
    zero: tl.tensor,
    pairs: tl.tensor,
    weights: tl.tensor,
    tile_expert: tl.tensor,
    tile_start: tl.tensor,
    tile_end: tl.tensor,
    result: tl.tensor,
    width: tl.tensor,  # D
    blocks: tl.tensor,  # F / B
    packed_e: tl.tensor,
    packed_n: tl.tensor,
    scale_e: tl.tensor,
    scale_n: tl.tensor,
    scale_g: tl.tensor,
    zero_e: tl.tensor,
    zero_n: tl.tensor,
    zero_g: tl.tensor,
    BITS: tl.constexpr,  # noqa: N803
    S: tl.constexpr,  # noqa: N803
    B: tl.constexpr,  # noqa: N803
    R: tl.constexpr,  # noqa: N803
    C: tl.constexpr,  # noqa: N803
    WIDE: tl.constexpr,  # noqa: N803
) -> None:
    """Compute R x C of z, shape (P, D), written in the order of the pairs."""
    expert = tl.load(tile_expert + tl.program_id(0)).to(tl.int64)
    if expert < 0:
        return
    row = tl.load(tile_start + tl.program_id(0)) + tl.arange(0, R)  # (R)
    there = row < tl.load(tile_end + tl.program_id(0))  # (R)
    pair = tl.load(pairs + row, mask=there, other=0).to(tl.int64)  # (R)
    column = tl.program_id(1) * C + tl.arange(0, C)  # (C)
    inside = column < width  # (C)
    packed += expert * packed_e
    scale += expert * scale_e
    if zero is not None:
        zero += expert * zero_e
    total = tl.zeros((R, C), dtype=tl.float32)
    for block in range(blocks):
        entry = block * B + tl.arange(0, B)  # (B)
        address = inner + row.to(tl.int64)[:, None] * (blocks * B) + entry[None, :]  # (R, B)
        rows = tl.load(address, mask=there[:, None], other=0.0)  # (R, B)
        if WIDE:
            rows = rows.to(tl.float32)
        total += group_product(
            rows, packed, scale, zero, column, inside, block, packed_n, scale_n, scale_g, zero_n, zero_g, BITS, S, B, C
        )
    total *= tl.load(weights + pair, mask=there, other=0.0)[:, None]  # (R, C)
    address = result + pair[:, None] * width + column[None, :]  # (R, C)
    tl.store(address, total.to(result.dtype.element_ty), mask=there[:, None] & inside[None, :])


@triton.jit
def sum_kernel(
    parts: tl.tensor,
    result: tl.tensor,
    width: tl.tensor,  # D
    chosen: tl.tensor,  # K
    C: tl.constexpr,  # noqa: N803
) -> None:
    """Add the K parts of one token, the first first: y from z."""
    token = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * C + tl.arange(0, C)  # (C)
    inside = column < width  # (C)
    total = tl.zeros((C,), dtype=tl.float32)
    for slot in range(chosen):
        total += tl.load(parts + (token * chosen + slot) * width + column, mask=inside, other=0.0).to(tl.float32)
    tl.store(result + token * width + column, total.to(result.dtype.element_ty), mask=inside)


def tile_rows(pairs: int, experts: int) -> int:
    """Return R: the mean rows of an expert, as a power of two from 16, the least of a tensor core, to 64."""
    mean = max(1, pairs // max(1, experts))
    return min(64, max(16, triton.next_power_of_2(mean)))


def experts_triton(
    hidden: Any, experts: Any, weights: Any, gate_up: ExpertMatrix, down: ExpertMatrix, *, rows: int | None = None
) -> Any:
    """Compute the chosen experts of each token. See the module for types, shapes and layouts.

    Args:
        hidden: x.
        experts: Whose products.
        weights: Of the sum.
        gate_up: The first product.
        down: The second.
        rows: R, one of `TILES`; by default `tile_rows`. Give one value to all batches whose results must agree to the
            bit.

    Returns:
        y, the type of x, shape (T, D), contiguous.

    Raises:
        KernelRejected: shapes, types or a device that the kernel does not take.
    """
    check_experts(hidden, experts, weights, gate_up, down)
    wide = _interpreted(hidden)
    result = torch.zeros(hidden.shape, dtype=hidden.dtype, device=hidden.device)  # (T, D)
    if not experts.numel():
        return result
    height = rows or tile_rows(experts.numel(), gate_up.experts)
    if height not in TILES:
        raise KernelRejected(f"Tiles of {height} rows.", remedy=f"Use one of {', '.join(map(str, TILES))}.")
    plan = dispatch(experts, gate_up.experts, rows=height)
    tiles = (plan.tile_expert, plan.tile_start, plan.tile_end)
    shape = {"R": height, "C": TILES[height], "WIDE": wide}
    pairs, chosen, width, depth = experts.numel(), experts.shape[1], down.inputs, down.outputs  # P, K, F, D
    inner = torch.empty((pairs, width), dtype=hidden.dtype, device=hidden.device)  # (P, F)
    gate_up_kernel[(tiles[0].numel(), triton.cdiv(width, TILES[height]))](
        *(hidden, *_tensors(gate_up), plan.pairs, *tiles, inner, width, _blocks(gate_up), chosen),
        *(*hidden.stride(), *_strides(gate_up)),
        **(shape | _sizes(gate_up)),
    )
    parts = torch.empty((pairs, depth), dtype=hidden.dtype, device=hidden.device)  # (P, D)
    down_kernel[(tiles[0].numel(), triton.cdiv(depth, TILES[height]))](
        *(inner, *_tensors(down), plan.pairs, weights.contiguous(), *tiles, parts, depth, _blocks(down)),
        *_strides(down),
        **(shape | _sizes(down)),
    )
    sum_kernel[(experts.shape[0], triton.cdiv(depth, _SUM_WIDTH))](parts, result, depth, chosen, C=_SUM_WIDTH)
    return result


def _interpreted(hidden: Any) -> bool:
    if hidden.dtype not in (torch.bfloat16, torch.float16):
        raise KernelRejected(
            f"Activations of type {hidden.dtype}.", remedy="Use bfloat16 or float16, or the reference for other types."
        )
    interpreted = not isinstance(gate_up_kernel, triton.JITFunction)
    if hidden.device.type != "cuda" and not interpreted:
        raise KernelRejected(
            f"Triton's kernels do not run on the device {hidden.device}.",
            remedy="Use model.kernels.reference there, or set TRITON_INTERPRET=1 before Python starts, for tests.",
        )
    return interpreted


def _tensors(matrix: ExpertMatrix) -> tuple[Any, ...]:
    return matrix.packed, matrix.scale, matrix.zero


def _strides(matrix: ExpertMatrix) -> tuple[int, ...]:
    zero = (0, 0, 0) if matrix.zero is None else matrix.zero.stride()
    return (*matrix.packed.stride()[:2], *matrix.scale.stride(), *zero)


def _blocks(matrix: ExpertMatrix) -> int:
    return matrix.inputs // min(matrix.group, STEP)


def _sizes(matrix: ExpertMatrix) -> dict[str, int]:
    return {"BITS": matrix.bits, "S": matrix.group, "B": min(matrix.group, STEP)}
