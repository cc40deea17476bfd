"""W8A8: a bfloat16 checkpoint into one with int8 weights, computed with int8 activations.

Each output channel (row) r of a linear layer's weight W, shape (out, in), gets the scale s_r = max_i |W_ri| / 127 and
the integers Q_ri = round(W_ri / s_r), so that |W_ri - s_r Q_ri| <= s_r / 2. Symmetric: no zero point. Activations are
quantized in the same way while serving, one scale a token, so nothing about them is stored. This is the per-channel,
per-token scheme of SmoothQuant (Xiao et al., 2023, section 3) without its smoothing.

The embedding and the output layer stay in bfloat16: their error reaches every token unattenuated. The layout is
"int-quantized" of compressed-tensors, which vLLM loads as it is.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Final

from model._files import write_json
from model.convert import refuse_remote_code
from model.errors import BuildFailed
from model.progress import Progress, Report

__all__ = ["QUANTIZATION", "quantize", "quantize_rows"]

_LEVELS: Final = 127
"""-128 is left out, so that the range is symmetric and int8 products cannot overflow in pairs."""
_SHARD_BYTES: Final = 500_000_000
"""Bytes held before a shard is written: bounds the memory."""
_LINEAR: Final = "_proj.weight"
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
    """
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    refuse_remote_code(config)
    folder.mkdir(parents=True, exist_ok=True)
    writer = _Shards(folder)
    names = _tensor_names(source)
    quantized = 0
    for done, (name, path) in enumerate(names):
        report(Progress("quantizing the weights", done, len(names), "tensors"))
        tensor = _read(path, name)
        if name.endswith(_LINEAR):
            if not bool(tensor.isfinite().all()):
                raise BuildFailed(
                    f"The layer {name} holds numbers that are not finite.", remedy="Fetch the weights anew."
                )
            integers, scale = quantize_rows(tensor)
            writer.add(name, integers)
            writer.add(f"{name}_scale", scale)
            quantized += 1
        else:
            writer.add(name, tensor)
    if not quantized:
        raise BuildFailed("The checkpoint has no linear layers to quantize.", remedy="Use a model from the catalog.")
    writer.close()
    write_json(folder / "config.json", {**config, "quantization_config": QUANTIZATION})
    for path in source.iterdir():
        if path.suffix in {".json", ".jinja", ".txt"} and path.name not in {"config.json", _Shards.INDEX}:
            shutil.copyfile(path, folder / path.name)


def _tensor_names(source: Path) -> list[tuple[str, Path]]:
    from safetensors import safe_open

    names = []
    for path in sorted(source.glob("*.safetensors")):
        with safe_open(path, framework="pt") as archive:
            names += [(name, path) for name in archive.keys()]  # noqa: SIM118 -- not a mapping
    return names


def _read(path: Path, name: str) -> Any:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as archive:
        return archive.get_tensor(name).clone()


class _Shards:
    """Writes tensors into numbered safetensors files and an index, holding one file's worth at a time."""

    INDEX: Final = "model.safetensors.index.json"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, Any] = {}
        self._bytes = 0
        self._total = 0
        self._where: dict[str, str] = {}
        self._shards = 0

    def add(self, name: str, tensor: Any) -> None:
        self._held[name] = tensor.contiguous()
        self._bytes += tensor.nbytes
        if self._bytes >= _SHARD_BYTES:
            self._write()

    def close(self) -> None:
        if self._held:
            self._write()
        write_json(self._folder / self.INDEX, {"metadata": {"total_size": self._total}, "weight_map": self._where})

    def _write(self) -> None:
        from safetensors.torch import save_file

        self._shards += 1
        name = f"model-{self._shards:05}.safetensors"
        save_file(self._held, self._folder / name, metadata={"format": "pt"})
        self._where |= dict.fromkeys(self._held, name)
        self._total += self._bytes
        self._held, self._bytes = {}, 0
