"""What serving a checkpoint costs in memory, worked out from its config and its files before anything is loaded.

Dimensions: L layers, D width of the hidden state, I width of the MLP, V vocabulary, H key-value heads of width d each,
C tokens of context, S sequences at the same time, T tokens of one step.

    weights      bytes of the safetensors files; what the loader holds beside them goes back before the cache is made.
                 On a CPU vLLM's own int8 layers keep their weights twice: as loaded, and as oneDNN packs them
    cache        a token costs 2 L H d numbers of 2 bytes; with multi-head latent attention (DeepSeek-V2, arXiv
                 2405.04434, section 2.1) L (r + rope) numbers of 2 bytes, r = kv_lora_rank, rope = qk_rope_head_dim
    activations  T (6 D + 3 I) numbers of 2 bytes: residual, norm, query, key, value and output; gate, up and product.
                 S V numbers of 10 bytes: the logits in bfloat16, in float32 and sorted or exponentiated once more
    program      the interpreters of vLLM's processes with their libraries

The formula is held against what the processes really took in docs/serving.md.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from model.errors import WeightsRejected
from model.inspection import read_header

__all__ = ["Footprint", "Shape", "footprint", "read_shape"]

_NUMBER: Final = 2
"""Bytes of bfloat16, in which cache and activations are kept."""
_LOGIT: Final = 10
_MIB: Final = 1 << 20
_PROGRAM_CPU: Final = 2300 * _MIB
"""Server 1.0, engine 0.7, worker 0.4 GiB, measured; two of three import all of torch and transformers."""
_PROGRAM_CUDA: Final = 1800 * _MIB
"""CUDA context, cuBLAS' work space and the graphs that vLLM captures, on each card; a guess, not measured here."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a checkpoint decides its memory.

    Attributes:
        layers: L.
        hidden: D.
        intermediate: I, of the dense layer or the shared expert and the chosen experts together.
        vocabulary: V.
        cached: Numbers that one token keeps in the cache of one layer.
        positions: Longest context that the model was made for, in tokens.
        heads: Attention heads; parallel cards divide them.
        weights: Bytes of the weights.
        twice: Bytes of those that a CPU holds in two layouts.
        splits: Most devices that can share the cache: its heads; a latent has one, which each device keeps whole.
    """

    layers: int
    hidden: int
    intermediate: int
    vocabulary: int
    cached: int
    positions: int
    heads: int
    weights: int
    twice: int = 0
    splits: int = 1

    @property
    def token(self) -> int:
        """Bytes of the key-value cache that one token takes."""
        return self.layers * self.cached * _NUMBER


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes on one device, by what they are for."""

    weights: int
    cache: int
    activations: int
    program: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.cache + self.activations + self.program


def read_shape(folder: Path) -> Shape:
    """Read the shape of a checkpoint from its ``config.json`` and the sizes of its files.

    Raises:
        WeightsRejected: the config is missing, is no JSON, or lacks a number that decides the memory.
    """
    remedy = f"Remove {folder} and build it again, or name another folder."
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsRejected(f"{folder} has no config.json that can be read.", remedy=remedy) from error
    try:
        return _shape(config, folder)
    except (KeyError, TypeError, ValueError, ZeroDivisionError, AttributeError) as error:
        raise WeightsRejected(
            f"The checkpoint's config.json does not say how large the model is ({error}).", remedy=remedy
        ) from error


def _shape(config: Mapping[str, Any], folder: Path) -> Shape:
    heads = _positive(config, "num_attention_heads")
    hidden = _positive(config, "hidden_size")
    if "kv_lora_rank" in config:
        splits, cached = 1, _positive(config, "kv_lora_rank") + _positive(config, "qk_rope_head_dim")
    else:
        width = _positive(config, "head_dim") if config.get("head_dim") else hidden // heads
        splits = _positive(config, "num_key_value_heads") if "num_key_value_heads" in config else heads
        cached = 2 * width * splits
    return Shape(
        layers=_positive(config, "num_hidden_layers"),
        hidden=hidden,
        intermediate=_intermediate(config),
        vocabulary=_positive(config, "vocab_size"),
        cached=cached,
        positions=_positive(config, "max_position_embeddings"),
        heads=heads,
        weights=sum(path.stat().st_size for path in folder.glob("*.safetensors")),
        twice=_int8_bytes(folder) if _format(config) == "int-quantized" else 0,
        splits=splits,
    )


def _format(config: Mapping[str, Any]) -> str:
    return str((config.get("quantization_config") or {}).get("format"))


def _int8_bytes(folder: Path) -> int:
    tensors = [entry for path in folder.glob("*.safetensors") for entry in read_header(path).values()]
    return sum(math.prod(entry["shape"]) for entry in tensors if entry["dtype"] == "I8")


def _intermediate(config: Mapping[str, Any]) -> int:
    """Width of all that one token passes in an MLP: dense, or the shared experts and the chosen ones side by side."""
    dense = int(config.get("intermediate_size") or 0)
    expert = int(config.get("moe_intermediate_size") or 0)
    shared = int(config.get("shared_expert_intermediate_size") or 0)
    shared += int(config.get("n_shared_experts") or 0) * expert
    mixture = shared + int(config.get("num_experts_per_tok") or 0) * expert
    width = max(dense, mixture)
    if width <= 0:
        raise ValueError("intermediate_size")
    return width


def _positive(config: Mapping[str, Any], name: str) -> int:
    value = config[name]
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ValueError(f"{name} is {value!r}")
    return value


def footprint(shape: Shape, *, cache: int, sequences: int, batch: int, cuda: bool, cards: int = 1) -> Footprint:
    """Return what serving takes on each of `cards` devices; on a CPU there is one, the machine.

    Args:
        shape: The checkpoint's.
        cache: Bytes of the key-value cache, on all devices together.
        sequences: S.
        batch: T.
        cuda: Whether a CUDA device holds it.
        cards: Devices that share weights and, as far as it can be split, the cache (tensor and pipeline parallel).
    """
    per_token = (6 * shape.hidden + 3 * shape.intermediate) * _NUMBER
    return Footprint(
        weights=-(-shape.weights // cards) if cuda else shape.weights + shape.twice,
        cache=-(-cache // min(cards, shape.splits)),
        activations=batch * per_token + sequences * shape.vocabulary * _LOGIT,
        program=_PROGRAM_CUDA if cuda else _PROGRAM_CPU,
    )
