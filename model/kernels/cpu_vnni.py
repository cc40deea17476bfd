"""Our own kernels of `model.kernels.cpu`, in C++ for AVX512-VNNI: int4 or int8 weights, int8 activations.

Letters: those of `model.kernels.cpu`, G = I / S groups, n in 0 .. N - 1, g = i // S.

    a[t, g]    = max |x[t, i]| / 127 over the group             float32
    p[t, i]    = round(x[t, i] / a[t, g])                       int8, ties to even
    y[t, n]    = sum over g of scale[n, g] * a[t, g] * sum over i in g of (q[n, i] - zero[n, g]) * p[t, i]

The inner sum is exact, in int32: 128 products of at most 255 * 127. The outer one is in float32, groups in order.
So a row's result is the same bits whatever other rows come with it, and whichever thread computes it. In a mixture gate
and up stay float32 until h = silu(gate) * up is quantized like x; the parts of a token are added in the order shared
expert, then the routed ones by number, which is the same in every batch as well.

Sources, one idea a file: `csrc/layout.h` (memory), `quantize.h`, `product.cpp` (the inner loops), `linear.cpp`,
`mixture.cpp`, `pack.cpp`, `ops.cpp` (what torch sees).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from model.errors import KernelRejected
from model.kernels.packing import ExpertMatrix

__all__ = ["Stored", "embed", "linear", "mixture", "store"]


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """E matrices in the layout of csrc/layout.h.

    Attributes:
        operations: The loaded library.
        blocks: uint8, shape (E, blocks, bytes of a block), contiguous, at a multiple of 64.
        form: bits, group, E, N, I, whether there are zero points, whether scales are float32.
    """

    operations: Any
    blocks: Any
    form: list[int]


def store(matrix: ExpertMatrix, operations: Any) -> Stored:
    """Pack a matrix: a second copy, in another order. Scales stay bfloat16, or become float32."""
    import torch

    wide = matrix.scale.dtype != torch.bfloat16
    scale = (matrix.scale.float() if wide else matrix.scale).contiguous()
    zero = None if matrix.zero is None else matrix.zero.contiguous()
    form = [matrix.bits, matrix.group, matrix.experts, matrix.outputs, matrix.inputs, int(zero is not None), int(wide)]
    return Stored(operations, operations.pack(matrix.packed.contiguous(), scale, zero, form), form)


def linear(x: Any, stored: Stored, bias: Any | None) -> Any:
    """Compute x @ W^T + bias; shapes as `model.kernels.cpu.linear`."""
    return stored.operations.linear(x, stored.blocks, stored.form, bias)


def mixture(
    x: Any,
    *,
    shared: tuple[Stored, Stored] | None,
    shared_scale: Any,
    routed: tuple[Stored, Stored] | None,
    experts: Any | None,
    weights: Any | None,
) -> Any:
    """Compute a layer's MLP in one parallel region; shapes as `model.kernels.cpu.mixture`.

    Raises:
        KernelRejected: an expert that is not there, a width of experts that is no multiple of 64, or shared and routed
            experts with different groups.
    """
    import torch

    pair = shared or routed
    if pair is None:
        raise KernelRejected("A mixture of no experts.", remedy="Give the shared expert, the routed ones, or both.")
    scales = shared_scale.float().contiguous() if isinstance(shared_scale, torch.Tensor) else None
    try:
        return pair[0].operations.mixture(
            x,
            *_arguments(shared),
            1.0 if scales is not None else float(shared_scale),
            scales,
            *_arguments(routed),
            None if experts is None else experts.long().contiguous(),
            None if weights is None else weights.contiguous(),
        )
    except IndexError as error:
        raise KernelRejected(str(error).partition("\n")[0], remedy="Check the router.") from error
    except ValueError as error:
        raise KernelRejected(
            str(error).partition("\n")[0], remedy='Use `pack(..., kind="torch")` for experts of this shape.'
        ) from error


def embed(ids: Any, stored: Stored) -> Any:
    """Return rows, bfloat16; shapes as `model.kernels.cpu.embed`.

    Raises:
        KernelRejected: an id that is no row.
    """
    try:
        return stored.operations.embed(ids.long().contiguous(), stored.blocks, stored.form)
    except IndexError as error:
        raise KernelRejected(
            str(error).partition("\n")[0], remedy="The tokenizer is not that of this model."
        ) from error


def _arguments(pair: tuple[Stored, Stored] | None) -> tuple[Any, ...]:
    if pair is None:
        return None, [], None, []
    return pair[0].blocks, pair[0].form, pair[1].blocks, pair[1].form
