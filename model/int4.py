"""int4: a checkpoint into one with 4-bit weights by groups of 128 inputs, in compressed-tensors' "pack-quantized".

For every linear layer NAME.weight of shape (N, I), with groups of S inputs:

| tensor | type | shape | meaning |
|---|---|---|---|
| NAME.weight_packed | int32 | (N, I/8) | eight integers a word, the first in the lowest bits |
| NAME.weight_scale | bfloat16 | (N, I/S) | step of each group |
| NAME.weight_zero_point | int32 | (N/8, I/S) | asymmetric only: eight outputs a word |
| NAME.weight_shape | int64 | (2) | N and I |

The formula and the bytes are those of `model.kernels.packing`. Router, shared gate, norms, embedding and output layer
stay in bfloat16: they are few, and their error reaches every token unattenuated (what is served makes int8 of the
embedding and the output layer while loading). transformers' and vLLM's own loaders read this layout; docs/model.md says
which part of it which of them computes on which machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from model.errors import BuildFailed, KernelRejected
from model.int4_search import search_groups
from model.kernels.packing import ExpertMatrix, dequantize, from_words, quantize_groups
from model.progress import Report
from model.quantize import LINEAR, require_finite
from model.shards import Weights, write

__all__ = [
    "BITS",
    "GROUP",
    "Rounding",
    "packed_tensors",
    "quantization",
    "quantize_int4",
    "round_to_nearest",
    "searched",
    "unpacked",
]

BITS: Final = 4
GROUP: Final = 128
_UNQUANTIZED: Final = ("lm_head", r"re:.*mlp\.gate$", r"re:.*shared_expert_gate$")
_NIBBLES: Final = 8
"""Integers in a word of 32 bits."""

Rounding = Callable[[str, Any], ExpertMatrix]
"""Takes the name of a layer and its weight, shape (1, N, I), and chooses integers and scales."""


def quantization(*, symmetric: bool, group: int = GROUP) -> dict[str, Any]:
    """Return the ``quantization_config`` that says how the weights lie."""
    weights = {
        "num_bits": BITS,
        "type": "int",
        "symmetric": symmetric,
        "strategy": "group",
        "group_size": group,
        "dynamic": False,
    }
    return {
        "quant_method": "compressed-tensors",
        "format": "pack-quantized",
        "quantization_status": "compressed",
        "ignore": list(_UNQUANTIZED),
        "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights, "input_activations": None}},
    }


def round_to_nearest(*, symmetric: bool, group: int = GROUP) -> Rounding:
    """Return the plain method: each group's range in equal steps."""

    def rounding(_: str, weight: Any) -> ExpertMatrix:
        return quantize_groups(weight, bits=BITS, group=group, symmetric=symmetric)

    return rounding


def searched(importance: Callable[[str], Any | None], *, symmetric: bool, group: int = GROUP) -> Rounding:
    """Return the better method: `model.int4_search`, with the importance of each layer's inputs by the layer's name."""

    def rounding(name: str, weight: Any) -> ExpertMatrix:
        return search_groups(weight, importance(name), group=group, symmetric=symmetric)

    return rounding


def packed_tensors(name: str, matrix: ExpertMatrix) -> dict[str, Any]:
    """Return what stands for the weight `name` in the file.

    Raises:
        BuildFailed: zero points do not fill whole words, because the outputs are no multiple of 8.
    """
    import torch

    stem = name.removesuffix("weight")
    outputs, inputs = matrix.outputs, matrix.inputs
    tensors = {
        f"{stem}weight_packed": matrix.packed[0].view(torch.int32),  # (N, I/8)
        f"{stem}weight_scale": matrix.scale[0],  # (N, I/S)
        f"{stem}weight_shape": torch.tensor([outputs, inputs]),
    }
    if matrix.zero is not None:
        if outputs % _NIBBLES:
            raise BuildFailed(
                f"{name} has {outputs} outputs, no multiple of {_NIBBLES}.", remedy="Quantize it symmetrically."
            )
        tensors[f"{stem}weight_zero_point"] = _words(matrix.zero[0])
    return tensors


def unpacked(tensors: Mapping[str, Any], *, group: int = GROUP) -> Any:
    """Return the weight, float32, shape (N, I), of "packed", "scale" and, unless symmetric, "zero_point"."""
    import torch

    words = tensors.get("zero_point")
    zero = None
    if words is not None:
        shifts = torch.arange(_NIBBLES, dtype=torch.int32)[None, :, None] * BITS  # (1, 8, 1)
        zero = ((words[:, None] >> shifts) & 15).flatten(0, 1).to(torch.uint8)[None]  # (1, N, I/S)
    packed = from_words(tensors["packed"][None])
    return dequantize(ExpertMatrix(packed, tensors["scale"][None], zero, BITS, group))[0]


def quantize_int4(weights: Weights, folder: Path, rounding: Rounding, *, report: Report, **scheme: Any) -> None:
    """Write the int4 checkpoint of `weights` into `folder`.

    Memory: one shard of half a gigabyte and one tensor in float32.

    Args:
        weights: bfloat16, in the order of the file.
        folder: Where to; the tokenizer is the caller's to copy.
        rounding: Chooses integers and scales of each layer.
        report: Told each tensor.
        scheme: What `quantization` takes; what `rounding` gives must agree with it.

    Raises:
        BuildFailed: a layer holds numbers that are not finite, or its inputs do not divide into groups.
    """

    def change(name: str, tensor: Any) -> Mapping[str, Any]:
        if not name.endswith(LINEAR):
            return {name: tensor}
        require_finite(name, tensor)
        try:
            return packed_tensors(name, rounding(name, tensor[None]))
        except KernelRejected as error:
            raise BuildFailed(f"{name}: {error.message}", remedy=error.remedy) from error

    config = {**weights.config, "quantization_config": quantization(**scheme)}
    write(weights, folder, step="quantizing the weights", report=report, config=config, change=change)


def _words(zero: Any) -> Any:
    """Pack zero points, uint8 of shape (N, I/S), along the outputs into int32 of shape (N/8, I/S)."""
    import torch

    eights = zero.to(torch.int64).unflatten(0, (-1, _NIBBLES))  # (N/8, 8, I/S)
    shifts = torch.arange(_NIBBLES)[None, :, None] * BITS  # (1, 8, 1)
    words = (eights << shifts).sum(dim=1)  # (N/8, I/S), up to 2^32 - 1
    return torch.where(words >= 1 << 31, words - (1 << 32), words).to(torch.int32)  # (N/8, I/S)
