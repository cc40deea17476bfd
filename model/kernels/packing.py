"""How quantized expert weights lie in memory, and how a matrix becomes them: int4 or int8 by groups of inputs.

Dimensions: E experts, N outputs, I inputs, S group size, V values in a byte (2 for int4, 1 for int8).

    w[n, i] = scale[n, i // S] * (q[n, i] - zero[n, i // S])             q in 0 .. 2^bits - 1

| tensor | type | shape | layout |
|---|---|---|---|
| packed | uint8 | (E, N, I / V) | inputs contiguous; int4: input 2j is the low half of byte j, 2j + 1 the high half |
| scale | bfloat16, float16 or float32 | (E, N, I / S) | any strides |
| zero | uint8 | (E, N, I / S) | any strides; None: symmetric, 2^(bits - 1) |

These are the bytes of compressed-tensors' "pack-quantized" (int32 words, the first value in the lowest bits), seen as
bytes on a little-endian machine; `from_words` makes the view without a copy. Its zero points are packed along the
outputs as well; unpack them once while loading, they are 1/S of the weights.

Quantization here is round-to-nearest: what the kernels are tested with, and the floor for better methods.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from model.errors import KernelRejected

__all__ = ["GROUP_SIZES", "ExpertMatrix", "dequantize", "from_words", "quantize_groups"]

GROUP_SIZES: Final = (32, 64, 128)
_BITS: Final = (4, 8)


@dataclass(frozen=True, slots=True, eq=False)
class ExpertMatrix:
    """One matrix of each expert, quantized. See the module for types, shapes and layout.

    Raises:
        KernelRejected: a type, shape or layout that the kernels do not take.
    """

    packed: Any
    scale: Any
    zero: Any | None
    bits: int
    group: int

    def __post_init__(self) -> None:
        import torch

        if self.bits not in _BITS or self.group not in GROUP_SIZES:
            raise _reject(
                f"{self.bits} bits in groups of {self.group} are not supported.",
                f"Quantize with {_BITS[0]} or {_BITS[1]} bits and groups of {', '.join(map(str, GROUP_SIZES))}.",
            )
        if self.packed.dtype != torch.uint8 or self.packed.ndim != 3 or self.packed.stride(-1) != 1:
            raise _reject(
                f"Packed weights of type {self.packed.dtype}, shape {tuple(self.packed.shape)}, strides "
                f"{self.packed.stride()}.",
                "uint8 of three dimensions is needed, the last one contiguous.",
            )
        if self.inputs % self.group or not self.inputs or not self.outputs:
            raise _reject(
                f"{self.inputs} inputs do not divide into groups of {self.group}.",
                "Quantize with a group size that divides the inputs, or pad the layer with zeros.",
            )
        shape = (self.experts, self.outputs, self.inputs // self.group)
        if tuple(self.scale.shape) != shape or not self.scale.is_floating_point():
            raise _reject(f"Scales of shape {tuple(self.scale.shape)}.", f"Floats of shape {shape} are needed.")
        if self.zero is not None and (tuple(self.zero.shape) != shape or self.zero.dtype != torch.uint8):
            raise _reject(f"Zero points of shape {tuple(self.zero.shape)}.", f"uint8 of shape {shape} is needed.")

    @property
    def experts(self) -> int:
        """E."""
        return int(self.packed.shape[0])

    @property
    def outputs(self) -> int:
        """N."""
        return int(self.packed.shape[1])

    @property
    def inputs(self) -> int:
        """I."""
        return int(self.packed.shape[2]) * (8 // self.bits)


def quantize_groups(weight: Any, *, bits: int, group: int, symmetric: bool) -> ExpertMatrix:
    """Quantize to the nearest, by groups.

    Symmetric: scale = max|w| / (2^(bits-1) - 1), zero = 2^(bits-1). Asymmetric: the range min(w, 0) to max(w, 0) in
    2^bits - 1 steps. No weight moves by more than half a step, and a little for the rounding of the scale. A group of
    zeros has the scale 1.

    Args:
        weight: Floats, shape (E, N, I); the scales have its type.
        bits: 4 or 8.
        group: S, one of `GROUP_SIZES`; divides I.
        symmetric: Whether the zero point is fixed.

    Raises:
        KernelRejected: the inputs do not divide into groups, or the bits or group are not supported.
    """
    import torch

    if weight.ndim != 3 or bits not in _BITS or group not in GROUP_SIZES or weight.shape[-1] % group:
        raise _reject(
            f"A weight of shape {tuple(weight.shape)} does not divide into groups of {group} with {bits} bits.",
            f"Three dimensions, {_BITS} bits, groups of {GROUP_SIZES} that divide the inputs are needed.",
        )
    most = (1 << bits) - 1
    parts = weight.float().unflatten(-1, (-1, group))  # (E, N, I/S, S)
    if symmetric:
        step = parts.abs().amax(-1) / ((1 << (bits - 1)) - 1)  # (E, N, I/S)
    else:
        low = parts.amin(-1).clamp_max(0)  # (E, N, I/S)
        step = (parts.amax(-1).clamp_min(0) - low) / most  # (E, N, I/S)
    scale = torch.where(step > 0, step, torch.ones_like(step)).to(weight.dtype)  # (E, N, I/S)
    zero = None
    offset = torch.full_like(step, float(1 << (bits - 1)))  # (E, N, I/S)
    if not symmetric:
        offset = torch.round(-low / scale.float()).clamp_(0, most)  # (E, N, I/S)
        zero = offset.to(torch.uint8)
    whole = torch.round(parts / scale.float()[..., None]) + offset[..., None]  # (E, N, I/S, S)
    values = whole.clamp_(0, most).to(torch.uint8).flatten(-2)  # (E, N, I)
    packed = values if bits == 8 else values[..., 0::2] | (values[..., 1::2] << 4)  # (E, N, I/V)
    return ExpertMatrix(packed.contiguous(), scale, zero, bits, group)


def dequantize(matrix: ExpertMatrix) -> Any:
    """Return the weights as float32, shape (E, N, I): each one exact, but for the rounding of one product."""
    import torch

    values = matrix.packed  # (E, N, I/V)
    if matrix.bits == 4:
        values = torch.stack((values & 15, values >> 4), dim=-1).flatten(-2)  # (E, N, I)
    zero = float(1 << (matrix.bits - 1)) if matrix.zero is None else matrix.zero.float()[..., None]  # (E, N, I/S, 1)
    parts = values.float().unflatten(-1, (-1, matrix.group)) - zero  # (E, N, I/S, S)
    return (parts * matrix.scale.float()[..., None]).flatten(-2)  # (E, N, I)


def from_words(words: Any) -> Any:
    """View compressed-tensors' packed int32, shape (E, N, words), as the bytes that the kernels read, without a copy.

    Raises:
        KernelRejected: the words are not int32, or their last dimension is not contiguous.
    """
    import torch

    if words.dtype != torch.int32 or words.ndim != 3 or words.stride(-1) != 1:
        raise _reject(f"Packed words of type {words.dtype}, strides {words.stride()}.", "Contiguous int32 is needed.")
    return words.view(torch.uint8)


def _reject(message: str, remedy: str) -> KernelRejected:
    return KernelRejected(message, remedy=remedy)
