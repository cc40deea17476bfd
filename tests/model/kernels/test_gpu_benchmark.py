"""What of the GPU benchmark runs without a GPU: refusals, layouts against vLLM's own code, the roofline, the table."""

from __future__ import annotations

import importlib.metadata
import inspect
from typing import Any

import pytest
import torch

from app.bench import available, run
from benchmarks import gpu_contenders, kernels_gpu
from benchmarks.gpu_contenders import Inputs, gptq_words, marlin_arguments, require_vllm, wna16_arguments
from benchmarks.gpu_roofline import CARDS, Layer, bound, card_of
from model.errors import KernelRejected
from model.kernels.packing import dequantize, quantize_groups
from model.kernels.reference import experts_reference

TINY = Layer("tiny", 256, 128, 5, 3)
QWEN3, OWN = kernels_gpu.LAYERS


def made(bits: int = 4, tokens: int = 7) -> Inputs:
    return kernels_gpu.make_inputs(TINY, tokens=tokens, bits=bits, device="cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_it_refuses_by_name() -> None:
    assert "kernels_gpu" in available()
    said: list[str] = []
    with pytest.raises(KernelRejected, match="needs a CUDA card") as caught:
        run("kernels_gpu", report=said.append)
    assert "GPU box" in caught.value.remedy
    assert said == []


@pytest.mark.parametrize("version", [None, "0.31.9", "0.33.0", "1.0.32"])
def test_another_vllm_is_refused_by_name(version: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def installed(name: str) -> str:
        if name != "vllm" or version is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(importlib.metadata, "version", installed)
    with pytest.raises(KernelRejected, match=version or "GPU build is not installed"):
        require_vllm()


def test_its_own_minor_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "0.32.1")
    assert require_vllm() == "0.32.1"


def test_a_batch_is_drawn_as_a_router_would_choose() -> None:
    inputs = made(tokens=50)
    assert inputs.hidden.shape == (50, 256)
    assert all(len(set(row)) == 3 and 0 <= min(row) <= max(row) < 5 for row in inputs.experts.tolist())
    torch.testing.assert_close(inputs.weights.sum(-1), torch.ones(50))
    assert (inputs.experts.dtype, inputs.weights.dtype, inputs.hidden.dtype) == (
        torch.int32,
        torch.float32,
        torch.bfloat16,
    )
    again = made(tokens=50)
    assert torch.equal(inputs.hidden, again.hidden)
    assert torch.equal(inputs.gate_up.packed, again.gate_up.packed)


def test_the_error_is_relative_to_the_references_result() -> None:
    inputs = made()
    right = experts_reference(inputs.hidden, inputs.experts.long(), inputs.weights, inputs.gate_up, inputs.down)
    assert kernels_gpu.error_of(right, inputs) == 0
    assert kernels_gpu.error_of(right * 1.1, inputs) == pytest.approx(0.1, rel=1e-4)
    assert kernels_gpu.error_of(right.bfloat16(), inputs) < kernels_gpu.TOLERANCE
    mixed = experts_reference(inputs.hidden, inputs.experts.long().flip(0), inputs.weights, inputs.gate_up, inputs.down)
    assert kernels_gpu.error_of(mixed, inputs) > kernels_gpu.TOLERANCE, "another token's experts are seen"


@pytest.mark.parametrize("bits", [4, 8])
def test_vllms_triton_kernel_reads_our_bytes(bits: int) -> None:
    """Its index arithmetic (fused_moe_kernel_gptq_awq), written out: byte k / V, low half first."""
    inputs = made(bits)
    for matrix, name in ((inputs.gate_up, "w1"), (inputs.down, "w2")):
        stored = wna16_arguments(inputs)[name]
        scale = gpu_contenders.wna16_quantization(inputs)[f"{name}_scale"]
        k = torch.arange(matrix.inputs)
        byte = stored[:, :, k // 2] if bits == 4 else stored[:, :, k]
        whole = (byte >> (k % 2 * 4)) & 15 if bits == 4 else byte
        value = (whole.float() - 2 ** (bits - 1)) * scale.float()[:, :, k // matrix.group]
        assert torch.equal(value, dequantize(matrix))


@pytest.fixture(scope="module")
def vllm() -> Any:
    return pytest.importorskip(
        "vllm.model_executor.layers.fused_moe.fused_moe", reason="vLLM is not installed on this machine"
    )


@pytest.mark.parametrize("bits", [4, 8])
def test_the_words_for_marlin_are_those_of_vllms_gptq(bits: int, vllm: Any) -> None:
    from vllm.model_executor.layers.quantization.utils.quant_utils import gptq_pack

    matrix = made(bits).down
    words = gptq_words(matrix)
    for expert in range(matrix.experts):
        whole = dequantize(matrix)[expert] / matrix.scale[expert].float().repeat_interleave(matrix.group, -1)
        integers = (whole + 2 ** (bits - 1)).round().int().T.contiguous()  # (I, N)
        assert torch.equal(words[expert], gptq_pack(integers, bits, matrix.inputs, matrix.outputs))


@pytest.mark.parametrize("bits", [4, 8])
def test_the_rivals_take_the_arguments_that_are_built(bits: int, vllm: Any) -> None:
    from vllm import _custom_ops
    from vllm.model_executor.layers.fused_moe import config
    from vllm.model_executor.layers.fused_moe.experts.marlin_moe import fused_marlin_moe
    from vllm.model_executor.layers.quantization.utils import marlin_utils

    inputs = made(bits)
    make = config.int4_w4a16_moe_quant_config if bits == 4 else config.int8_w8a16_moe_quant_config
    quantization = make(**gpu_contenders.wna16_quantization(inputs))
    assert (quantization.use_int4_w4a16, quantization.use_int8_w8a16) == (bits == 4, bits == 8)
    assert quantization.block_shape == [0, 128]
    inspect.signature(vllm.fused_experts).bind(**wna16_arguments(inputs), quant_config=quantization)

    repacked = []

    def repack(words: Any, **how: Any) -> Any:
        """The GPU's own repacking, as far as shapes go (vllm/_custom_ops.py)."""
        inspect.signature(_custom_ops.gptq_marlin_moe_repack).bind(words, **how)
        assert words.shape[1:] == (how["size_k"] * bits // 32, how["size_n"])
        repacked.append(how)
        return torch.zeros((words.shape[0], how["size_k"] // 16, how["size_n"] * (bits // 2)), dtype=torch.int32)

    arguments = marlin_arguments(inputs, repack=repack, permute=marlin_utils.marlin_moe_permute_scales)
    inspect.signature(fused_marlin_moe).bind(**arguments, quant_type_id=0, workspace=None)
    assert [(how["size_k"], how["size_n"], how["num_bits"]) for how in repacked] == [(256, 256, bits), (128, 256, bits)]
    # what fused_marlin_moe itself asserts of shapes
    assert arguments["w1"].shape[1] * 16 == inputs.hidden.shape[1]
    assert arguments["w2"].shape[2] // (bits // 2) == inputs.hidden.shape[1]
    assert arguments["w1_scale"].shape == (5, 2, 256)
    assert arguments["w2_scale"].shape == (5, 1, 256)
    assert arguments["topk_weights"].dtype == torch.float32
    assert torch.equal(arguments["w1_scale"].flatten().sort().values, inputs.gate_up.scale.flatten().sort().values)


def test_the_other_names_of_vllm_are_there(vllm: Any) -> None:
    from vllm.config import VllmConfig, set_current_vllm_config
    from vllm.model_executor.layers.fused_moe.router.fused_topk_router import fused_topk
    from vllm.model_executor.layers.quantization.utils.marlin_utils import marlin_make_workspace_new
    from vllm.scalar_type import scalar_types

    inspect.signature(fused_topk).bind(None, None, 8, True)
    inspect.signature(marlin_make_workspace_new).bind(None, 4)
    inspect.signature(set_current_vllm_config).bind(VllmConfig)
    assert (str(scalar_types.uint4b8), str(scalar_types.uint8b128)) == ("uint4b8", "uint8b128")


def test_zero_points_are_refused() -> None:
    inputs = made()
    asymmetric = quantize_groups(torch.randn(5, 256, 256), bits=4, group=128, symmetric=False)
    other = Inputs(inputs.hidden, inputs.experts, inputs.weights, asymmetric, inputs.down)
    with pytest.raises(KernelRejected, match="zero points"):
        wna16_arguments(other)
    with pytest.raises(KernelRejected, match="zero points"):
        marlin_arguments(other, repack=lambda *_, **__: None, permute=lambda **_: None)


@pytest.mark.parametrize(
    ("layer", "tokens", "reached", "a100", "h100", "by"),
    [
        (QWEN3, 1, 8, 9.5, 5.8, "memory"),
        (QWEN3, 8, 52, 62, 37, "memory"),
        (QWEN3, 512, 128, 153, 93, "memory"),
        (QWEN3, 4096, 128, 991, 313, "arithmetic"),
        (OWN, 64, 8, 2.4, 1.5, "memory"),
        (OWN, 4096, 8, 62, 20, "arithmetic"),
    ],
)
def test_the_bound_is_that_of_the_docs(
    layer: Layer, tokens: int, reached: int, a100: float, h100: float, by: str
) -> None:
    """The table of docs/kernels.md, rounded to two figures there."""
    for card, wanted in (("A100-SXM4-80GB", a100), ("H100 80GB HBM3", h100)):
        found = bound(layer, CARDS[card], tokens=tokens, reached=reached, bits=4, group=128)
        assert found.seconds * 1e6 == pytest.approx(wanted, rel=0.04)
        assert found.by == by


def test_cards_are_known_by_their_drivers_names() -> None:
    card = card_of("NVIDIA H100 80GB HBM3")
    assert card is not None
    assert card.name == "H100 SXM"
    assert card_of("NVIDIA GeForce RTX 4090") is None


def test_a_row_says_its_share_of_the_roofline() -> None:
    inputs = kernels_gpu.make_inputs(TINY, tokens=1, bits=4, device="cpu")
    card = CARDS["A100-SXM4-80GB"]
    least = bound(TINY, card, tokens=1, reached=3, bits=4, group=128).seconds
    row = kernels_gpu.row_of(TINY, inputs, card, "ours", 1e-6)
    # three experts of 3 * 256 * 128 weights at 0.516 bytes are 152 kB: 75 ns
    assert row["bound_us"] == pytest.approx(least * 1e6, abs=0.01)
    assert row["roofline_percent"] == pytest.approx(7.5, abs=0.1)
    assert (row["us"], row["tokens"], row["bits"], row["bound_by"]) == (1.0, 1, 4, "memory")
    assert kernels_gpu.row_of(TINY, inputs, None, "ours", 1e-6)["roofline_percent"] is None


def test_ratios_are_over_the_rival_at_the_same_shape() -> None:
    def line(contender: str, us: float | None, tokens: int = 8, bits: int | None = 4) -> dict[str, Any]:
        return {
            "layer": "own",
            "bits": bits,
            "tokens": tokens,
            "contender": contender,
            "us": us,
            "roofline_percent": us,
        }

    rows = [
        line("ours", 10.0),
        line("vLLM Marlin", 15.0),
        line("vLLM WNA16", 5.0),
        line("vLLM Marlin", 7.0, tokens=1),
        line("ours", 2.0, bits=None) | {"roofline_percent": None},
        line("vLLM topk_softmax", 3.0, bits=None),
        {"layer": "own", "bits": 8, "contender": "vLLM WNA16", "wrong": True, "error": 1.0, "tokens": 1},
    ]
    assert kernels_gpu.ratios(rows) == {
        "own, int4, 8 tokens, over vLLM Marlin": 1.5,
        "own, int4, 8 tokens, over vLLM WNA16": 0.5,
        "own, router, 8 tokens, over vLLM topk_softmax": 1.5,
    }
    assert kernels_gpu.metrics(rows) == {"roofline percent, own, int4": [10.0, 10.0], "wrong": ["vLLM WNA16"]}
