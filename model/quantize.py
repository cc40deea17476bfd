"""W8A8: a bfloat16 checkpoint into one with int8 weights, computed with int8 activations.

Each output channel (row) r of a linear layer's weight W, shape (out, in), gets the scale s_r = max_i |W_ri| / 127 and
the integers Q_ri = round(W_ri / s_r), so that |W_ri - s_r Q_ri| <= s_r / 2. Symmetric: no zero point. Activations are
quantized in the same way while serving, one scale a token, so nothing about them is stored. This is the per-channel,
per-token scheme of SmoothQuant (Xiao et al., 2023, section 3) without its smoothing.

The embedding and the output layer stay in bfloat16: their error reaches every token unattenuated. The layout is
"int-quantized" of compressed-tensors, which vLLM loads as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from model.errors import BuildFailed
from model.progress import Report
from model.shards import Checkpoint, copy_companions, write

__all__ = ["LINEAR", "QUANTIZATION", "quantize", "quantize_rows", "require_finite"]

_LEVELS: Final = 127
"""-128 is left out, so that the range is symmetric and int8 products cannot overflow in pairs."""
LINEAR: Final = "_proj.weight"
"""How the names of the weights of linear layers end, in every architecture that is built here."""
_UNQUANTIZED: Final = ("lm_head",)

QUANTIZATION: Final[dict[str, Any]] = {
    "quant_method": "compressed-tensors",
    "format": "int-quantized",
    "quantization_status": "compressed",
    "ignore": list(_UNQUANTIZED),
    "config_groups": {
        "group_0": {
            "targets": ["Linear"],
            "weights": {"num_bits": 8, "type": "int", "symmetric": True, "strategy": "channel", "dynamic": False},
            "input_activations": {
                "num_bits": 8,
                "type": "int",
                "symmetric": True,
                "strategy": "token",
                "dynamic": True,
            },
        }
    },
}


def quantize_rows(weight: Any) -> tuple[Any, Any]:
    """Quantize a matrix row by row.

    Args:
        weight: Tensor of floats, shape (out, in).

    Returns:
        The integers, int8, shape (out, in), and the scales, float32, shape (out, 1). A row of zeros gets the scale 1.
    """
    import torch

    values = weight.float()  # (out, in)
    largest = values.abs().amax(dim=1, keepdim=True)  # (out, 1)
    scale = torch.where(largest > 0, largest / _LEVELS, torch.ones_like(largest))  # (out, 1)
    integers = torch.round(values / scale).clamp_(-_LEVELS, _LEVELS).to(torch.int8)  # (out, in)
    return integers, scale


def quantize(source: Path, folder: Path, *, report: Report) -> None:
    """Write the W8A8 checkpoint of the bfloat16 checkpoint `source` into `folder`.

    Memory: one shard of half a gigabyte and one tensor in float32.

    Raises:
        BuildFailed: a layer holds numbers that are not finite, or nothing was there to quantize.
        WeightsRejected: a shard is truncated or is not what the index says.
    """
    weights = Checkpoint(source)
    if not any(name.endswith(LINEAR) for name in weights.names):
        raise BuildFailed("The checkpoint has no linear layers to quantize.", remedy="Use a model from the catalog.")
    config = {**weights.config, "quantization_config": QUANTIZATION}
    write(weights, folder, step="quantizing the weights", report=report, config=config, change=_quantized)
    copy_companions(source, folder)


def require_finite(name: str, tensor: Any) -> None:
    """Raise BuildFailed when a layer holds NaN or infinity."""
    if not bool(tensor.isfinite().all()):
        raise BuildFailed(f"The layer {name} holds numbers that are not finite.", remedy="Fetch the weights anew.")


def _quantized(name: str, tensor: Any) -> dict[str, Any]:
    if not name.endswith(LINEAR):
        return {name: tensor}
    require_finite(name, tensor)
    integers, scale = quantize_rows(tensor)
    return {name: integers, f"{name}_scale": scale}
