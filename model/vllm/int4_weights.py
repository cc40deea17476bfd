"""Takes a checkpoint's tensors one after the other, and packs each layer for the kernels as soon as it is whole.

So there is one layout of the weights in memory, and beside it the tensors of the layers not yet whole. A layer's
queries, keys and values become one matrix, gate and up another; the experts of a layer lie in one. Embedding and last
layer, bfloat16 in the file, are quantized here to int8 by groups (half a step is 0.4 % of a group's largest weight).

D model, H query heads, G heads of keys and values, A width of a head, E experts, F width of an expert, F' of the shared
expert, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch

from model.errors import KernelRejected
from model.kernels import cpu
from model.kernels.packing import GROUP_SIZES, ExpertMatrix, from_words, quantize_groups
from model.vllm.shape import ModelShape

__all__ = ["LayerWeights", "ModelWeights", "WeightReader"]

_ROWS: Final = 512
"""Rows of the embedding quantized at a time: what is in between stays in the cache, six times as fast as 8192 rows."""
_ATTENTION: Final = ("q_proj", "k_proj", "v_proj")
_MLP: Final = ("gate_proj", "up_proj", "down_proj")
_IGNORED: Final = ("weight_shape",)
"""Known from the configuration already."""


@dataclass(frozen=True, slots=True, eq=False)
class LayerWeights:
    """One decoder layer.

    Attributes:
        attention_norm: bfloat16, (D,).
        qkv: (1, (H + 2 G) A, D), int4.
        qkv_bias: bfloat16, ((H + 2 G) A,).
        output: (1, D, H A), int4.
        mlp_norm: bfloat16, (D,).
        gate: float32, (E, D).
        shared_gate: float32, (1, D); None where it is all zeros, and the shared expert counts half.
        shared_gate_up: (1, 2F', D), int4.
        shared_down: (1, D, F'), int4.
        gate_up: (E, 2F, D), int4.
        down: (E, D, F), int4.
    """

    attention_norm: torch.Tensor
    qkv: cpu.CpuMatrix
    qkv_bias: torch.Tensor
    output: cpu.CpuMatrix
    mlp_norm: torch.Tensor
    gate: torch.Tensor
    shared_gate: torch.Tensor | None
    shared_gate_up: cpu.CpuMatrix
    shared_down: cpu.CpuMatrix
    gate_up: cpu.CpuMatrix
    down: cpu.CpuMatrix


@dataclass(frozen=True, slots=True, eq=False)
class ModelWeights:
    """All of them.

    Attributes:
        embedding: (1, V, D), int8.
        layers: In order.
        norm: bfloat16, (D,).
        last: (1, V, D), int8; the embedding itself where they are tied.
    """

    embedding: cpu.CpuMatrix
    layers: tuple[LayerWeights, ...]
    norm: torch.Tensor
    last: cpu.CpuMatrix


class WeightReader:
    """Collects tensors by name.

    Args:
        shape: What the configuration says.
    """

    def __init__(self, shape: ModelShape) -> None:
        self._shape = shape
        self._layer_names = frozenset(_layer_names(shape))
        self._waiting: dict[int, dict[str, torch.Tensor]] = {}
        self._layers: dict[int, LayerWeights] = {}
        self._others: dict[str, torch.Tensor] = {}
        self._embedding: cpu.CpuMatrix | None = None
        self._last: cpu.CpuMatrix | None = None

    def add(self, name: str, tensor: torch.Tensor) -> None:
        """Take one tensor.

        Raises:
            KernelRejected: the model has no such tensor, or it has another shape.
        """
        if name.rpartition(".")[2] in _IGNORED:
            return
        if name == "model.embed_tokens.weight":
            self._embedding = self._vocabulary(name, tensor)
        elif name == "lm_head.weight":
            # some files store the tied matrix twice
            self._last = None if self._shape.tied else self._vocabulary(name, tensor)
        elif name == "model.norm.weight":
            self._others[name] = _shaped(name, tensor, (self._shape.hidden,)).clone()
        else:
            self._add_to_layer(name, tensor)

    def finish(self) -> ModelWeights:
        """Return the whole.

        Raises:
            KernelRejected: a tensor is missing.
        """
        for number in range(self._shape.layers):
            missing = self._layer_names - self._waiting.get(number, {}).keys()
            if number not in self._layers:
                raise _missing(f"model.layers.{number}.{min(missing)}")
        if self._embedding is None:
            raise _missing("model.embed_tokens.weight")
        last = self._embedding if self._shape.tied else self._last
        if last is None:
            raise _missing("lm_head.weight")
        if "model.norm.weight" not in self._others:
            raise _missing("model.norm.weight")
        layers = tuple(self._layers[number] for number in range(self._shape.layers))
        return ModelWeights(self._embedding, layers, self._others["model.norm.weight"], last)

    def _add_to_layer(self, name: str, tensor: torch.Tensor) -> None:
        number, _, rest = name.removeprefix("model.layers.").partition(".")
        if not number.isdecimal() or int(number) >= self._shape.layers or rest not in self._layer_names:
            raise KernelRejected(
                f"The checkpoint has a tensor {name}, which this model has not.",
                remedy="Build the checkpoint anew: ./vouch model build.",
            )
        waiting = self._waiting.setdefault(int(number), {})
        waiting[rest] = tensor
        if len(waiting) == len(self._layer_names):
            self._layers[int(number)] = _Layer(self._shape, self._waiting.pop(int(number)), int(number)).packed()

    def _vocabulary(self, name: str, tensor: torch.Tensor) -> cpu.CpuMatrix:
        shape = self._shape
        _shaped(name, tensor, (shape.vocabulary, shape.hidden))
        group = next((size for size in sorted(GROUP_SIZES, reverse=True) if shape.hidden % size == 0), None)
        if group is None:
            raise KernelRejected(f"{name} has rows of {shape.hidden}.", remedy=f"Multiples of {min(GROUP_SIZES)} fit.")
        parts = [
            quantize_groups(rows[None], bits=8, group=group, symmetric=True)  # (1, v, D)
            for rows in tensor.split(_ROWS)
        ]
        packed = torch.cat([part.packed for part in parts], dim=1)  # (1, V, D)
        scale = torch.cat([part.scale for part in parts], dim=1)  # (1, V, D/S)
        return cpu.pack(ExpertMatrix(packed, scale, None, 8, group))


class _Layer:
    """The tensors of one layer, all there, on their way into `LayerWeights`."""

    def __init__(self, shape: ModelShape, tensors: dict[str, torch.Tensor], number: int) -> None:
        self._shape = shape
        self._tensors = tensors
        self._number = number

    def packed(self) -> LayerWeights:
        """Check shapes and pack."""
        shape = self._shape
        query, key = shape.heads * shape.head, shape.kv_heads * shape.head
        rows = {"q_proj": query, "k_proj": key, "v_proj": key}
        bias = [self._floats(f"self_attn.{name}.bias", (rows[name],)) for name in _ATTENTION]
        shared_gate = self._floats("mlp.shared_expert_gate.weight", (1, shape.hidden)).float()
        return LayerWeights(
            attention_norm=self._floats("input_layernorm.weight", (shape.hidden,)).clone(),
            qkv=self._rows([(f"self_attn.{name}", rows[name]) for name in _ATTENTION], shape.hidden),
            qkv_bias=torch.cat(bias),
            output=self._rows([("self_attn.o_proj", shape.hidden)], query),
            mlp_norm=self._floats("post_attention_layernorm.weight", (shape.hidden,)).clone(),
            gate=self._floats("mlp.gate.weight", (shape.experts, shape.hidden)).float(),
            shared_gate=shared_gate if shared_gate.any() else None,
            shared_gate_up=self._gate_up(["mlp.shared_expert"], shape.shared),
            shared_down=self._down(["mlp.shared_expert"], shape.shared),
            gate_up=self._gate_up(self._experts(), shape.expert),
            down=self._down(self._experts(), shape.expert),
        )

    def _experts(self) -> list[str]:
        return [f"mlp.experts.{expert}" for expert in range(self._shape.experts)]

    def _gate_up(self, owners: list[str], width: int) -> cpu.CpuMatrix:
        parts = [
            self._matrix([(f"{owner}.gate_proj", width), (f"{owner}.up_proj", width)], self._shape.hidden)
            for owner in owners
        ]
        return cpu.pack(_stacked(parts))

    def _down(self, owners: list[str], width: int) -> cpu.CpuMatrix:
        return cpu.pack(
            _stacked([self._matrix([(f"{owner}.down_proj", self._shape.hidden)], width) for owner in owners])
        )

    def _rows(self, layers: list[tuple[str, int]], inputs: int) -> cpu.CpuMatrix:
        return cpu.pack(self._matrix(layers, inputs))

    def _matrix(self, layers: list[tuple[str, int]], inputs: int) -> ExpertMatrix:
        """Join linear layers with the same inputs, one below the other: (1, N, I)."""
        groups = inputs // self._shape.group
        words = [self._tensor(f"{name}.weight_packed", (rows, inputs // 8), torch.int32) for name, rows in layers]
        scales = [self._floats(f"{name}.weight_scale", (rows, groups)) for name, rows in layers]
        zero = None
        if not self._shape.symmetric:
            zero = torch.cat([self._zero(name, rows, groups) for name, rows in layers])[None]  # (1, N, I/S)
        packed = from_words(torch.cat(words)[None])  # (1, N, I/2)
        return ExpertMatrix(packed, torch.cat(scales)[None], zero, 4, self._shape.group)

    def _zero(self, name: str, rows: int, groups: int) -> torch.Tensor:
        """Unpack zero points, which lie eight rows to a word: uint8, (N, I/S)."""
        words = self._tensor(f"{name}.weight_zero_point", (-(-rows // 8), groups), torch.int32)
        shifts = torch.arange(0, 32, 4, dtype=torch.int32)  # (8)
        values = (words[:, None, :] >> shifts[None, :, None]) & 15  # (N/8, 8, I/S)
        return values.flatten(0, 1)[:rows].to(torch.uint8)

    def _floats(self, name: str, shape: tuple[int, ...]) -> torch.Tensor:
        return self._tensor(name, shape, torch.bfloat16)

    def _tensor(self, name: str, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        full = f"model.layers.{self._number}.{name}"
        tensor = _shaped(full, self._tensors[name], shape)
        if tensor.dtype != dtype:
            raise KernelRejected(f"{full} is {tensor.dtype}.", remedy=f"Build the checkpoint with {dtype}.")
        return tensor


def _stacked(matrices: list[ExpertMatrix]) -> ExpertMatrix:
    if len(matrices) == 1:
        return matrices[0]
    first = matrices[0]
    zero = None if first.zero is None else torch.cat([matrix.zero for matrix in matrices])  # (E, N, I/S)
    packed = torch.cat([matrix.packed for matrix in matrices])  # (E, N, I/2)
    scale = torch.cat([matrix.scale for matrix in matrices])  # (E, N, I/S)
    return ExpertMatrix(packed, scale, zero, first.bits, first.group)


def _layer_names(shape: ModelShape) -> list[str]:
    names = ["input_layernorm.weight", "post_attention_layernorm.weight"]
    names += ["mlp.gate.weight", "mlp.shared_expert_gate.weight"]
    names += [f"self_attn.{name}.bias" for name in _ATTENTION]
    linear = [f"self_attn.{name}" for name in (*_ATTENTION, "o_proj")]
    owners = ["mlp.shared_expert", *(f"mlp.experts.{expert}" for expert in range(shape.experts))]
    linear += [f"{owner}.{name}" for owner in owners for name in _MLP]
    kinds = ["weight_packed", "weight_scale"] + ([] if shape.symmetric else ["weight_zero_point"])
    return names + [f"{layer}.{kind}" for layer in linear for kind in kinds]


def _shaped(name: str, tensor: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    if tuple(tensor.shape) != shape:
        raise KernelRejected(
            f"{name} has the shape {tuple(tensor.shape)}, and config.json asks for {shape}.",
            remedy="Build the checkpoint anew: ./vouch model build.",
        )
    return tensor


def _missing(name: str) -> KernelRejected:
    return KernelRejected(
        f"The checkpoint has no tensor {name}.", remedy="Build the checkpoint anew: ./vouch model build."
    )
