"""The fallback of `model.kernels.cpu` in plain PyTorch: any x86-64, no compiler.

Letters: those of `model.kernels.cpu`.

| bits | rows | what computes |
|---|---|---|
| 4 | up to `FEW_ROWS` | `aten::_weight_int4pack_mm_for_cpu`: widens weights in registers |
| 4 | more | a GEMM of weights dequantized by tiles of `_TILE` outputs |
| 8 | any | a GEMM of weights dequantized while loading |

So int4 weights lie in memory twice, as PyTorch's kernel wants them (an order that depends on the processor) and as they
came: one byte a weight. int8 weights lie there in the type of the GEMM, two bytes. PyTorch has no kernel for int8 by
groups, and dequantizing a vocabulary for each token would cost more than reading it.

The GEMM's type is bfloat16 where the processor multiplies that (AVX512-BF16 or AMX), float32 elsewhere: oneDNN's
bfloat16 without such instructions is several times slower than float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from model.errors import KernelRejected
from model.kernels.packing import ExpertMatrix, dequantize

__all__ = ["FEW_ROWS", "Stored", "embed", "linear", "mixture", "store"]

FEW_ROWS: Final = 12
"""Where the packed int4 kernel (163 GFLOP/s at any rows) and dequantizing for a GEMM (418, and the tiles) cross."""
_TILE: Final = 1024
"""Outputs dequantized at a time: 1,024 x 1,536 in bfloat16 are 3 MB, which stay in the cache until they are used."""
_BLOCK: Final = 64
"""PyTorch packs int4 by 64 outputs at most; others are filled up with zeros."""


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """E matrices as the fallback reads them.

    Attributes:
        matrix: As they came (int4); None for int8.
        words: uint8, shape (E, N', I / 2), in PyTorch's own order, N' = N rounded up to `_BLOCK`; None for int8.
        scales: bfloat16, shape (E, I / S, N', 2): scale, and what is added to (q - 8) * scale; None for int8.
        dense: Shape (E, N, I), in the GEMM's type; None for int4.
        experts: E.
        outputs: N.
        group: S.
    """

    matrix: ExpertMatrix | None
    words: Any
    scales: Any
    dense: Any
    experts: int
    outputs: int
    group: int


def store(matrix: ExpertMatrix) -> Stored:
    """Make what `linear`, `mixture` and `embed` read. Shares memory with an int4 matrix."""
    import torch

    shape = (matrix.experts, matrix.outputs, matrix.group)
    if matrix.bits == 8:
        return Stored(None, None, None, dequantize(matrix).to(_gemm_type()), *shape)
    room = -matrix.outputs % _BLOCK
    values = torch.stack((matrix.packed & 15, matrix.packed >> 4), dim=-1).flatten(-2).int()  # (E, N, I)
    values = torch.nn.functional.pad(values, (0, 0, 0, room), value=8)  # (E, N', I)
    words = torch.stack([torch.ops.aten._convert_weight_to_int4pack_for_cpu(each, 1) for each in values])
    scale = matrix.scale.float()  # (E, N, I/S)
    shift = torch.zeros_like(scale) if matrix.zero is None else (8.0 - matrix.zero.float()) * scale  # (E, N, I/S)
    pair = torch.nn.functional.pad(torch.stack((scale, shift), dim=-1), (0, 0, 0, 0, 0, room))  # (E, N', I/S, 2)
    return Stored(matrix, words, pair.transpose(1, 2).contiguous().bfloat16(), None, *shape)


def linear(x: Any, stored: Stored, bias: Any | None) -> Any:
    """Compute x @ W^T + bias; shapes as `model.kernels.cpu.linear`."""
    product = _product(x, stored, 0)  # (T, N)
    if bias is not None:
        product = product + bias
    return product.to(x.dtype)


def mixture(
    x: Any,
    *,
    shared: tuple[Stored, Stored] | None,
    shared_scale: Any,
    routed: tuple[Stored, Stored] | None,
    experts: Any | None,
    weights: Any | None,
) -> Any:
    """Compute the shared expert and the routed ones, one after the other; shapes as `model.kernels.cpu.mixture`.

    Raises:
        KernelRejected: an expert that is not there.
    """
    import torch

    result = torch.zeros(x.shape, dtype=torch.float32)  # (T, D)
    if shared is not None:
        result += shared_scale * _mlp(x, *shared, 0).float()
    if routed is not None and experts is not None and weights is not None:
        _check_range(experts, routed[1].experts, "Experts", "Check the router.")
        for expert in experts.unique().tolist():
            tokens, slots = torch.where(experts == expert)  # (t), (t)
            products = _mlp(x[tokens], *routed, expert).float()  # (t, D)
            result.index_add_(0, tokens, products * weights[tokens, slots, None])
    return result.to(x.dtype)


def embed(ids: Any, stored: Stored) -> Any:
    """Return rows, bfloat16; shapes as `model.kernels.cpu.embed`.

    Raises:
        KernelRejected: an id that is no row.
    """
    import torch

    _check_range(ids, stored.outputs, "Rows", "The tokenizer is not that of this model.")
    if stored.dense is not None:
        return stored.dense[0][ids].bfloat16()  # (T, I)
    return dequantize(_rows(stored, 0, ids)).squeeze(0).to(torch.bfloat16)  # (T, I)


def _mlp(x: Any, gate_up: Stored, down: Stored, expert: int) -> Any:
    import torch

    gate, up = _product(x, gate_up, expert).float().chunk(2, dim=-1)  # (T, F), (T, F)
    return _product((torch.nn.functional.silu(gate) * up).to(x.dtype), down, expert)  # (T, D)


def _product(x: Any, stored: Stored, expert: int) -> Any:
    import torch

    kind = _gemm_type()
    if stored.dense is not None:
        return torch.nn.functional.linear(x.to(kind), stored.dense[expert])  # (T, N)
    if x.shape[0] <= FEW_ROWS:
        packed, scales, group = stored.words[expert], stored.scales[expert], stored.group
        product = torch.ops.aten._weight_int4pack_mm_for_cpu(x.contiguous(), packed, group, scales)  # (T, N')
        return product[:, : stored.outputs]
    tiles = [
        torch.nn.functional.linear(
            x.to(kind), dequantize(_rows(stored, expert, slice(n, n + _TILE))).squeeze(0).to(kind)
        )
        for n in range(0, stored.outputs, _TILE)
    ]
    return torch.cat(tiles, dim=-1)  # (T, N)


def _rows(stored: Stored, expert: int, rows: Any) -> ExpertMatrix:
    whole: Any = stored.matrix
    zero = None if whole.zero is None else whole.zero[expert : expert + 1, rows]
    return ExpertMatrix(
        whole.packed[expert : expert + 1, rows], whole.scale[expert : expert + 1, rows], zero, whole.bits, whole.group
    )


def _check_range(numbers: Any, count: int, what: str, remedy: str) -> None:
    if numbers.numel() and (int(numbers.min()) < 0 or int(numbers.max()) >= count):
        raise KernelRejected(f"{what} from {int(numbers.min())} to {int(numbers.max())} of {count}.", remedy=remedy)


def _gemm_type() -> Any:
    import torch

    return torch.bfloat16 if torch.ops.mkldnn._is_mkldnn_bf16_supported() else torch.float32
