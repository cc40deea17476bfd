"""A checkpoint's tensors on their way into the kernels' layout: nothing lost or mixed up, nothing strange taken."""

from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path

import pytest
import torch

from model.errors import KernelRejected
from model.kernels import cpu
from model.vllm.int4_weights import ModelWeights, WeightReader
from model.vllm.shape import ModelShape, shape_of
from tests.model.vllm.tiny_int4 import EXPERTS, HIDDEN, VOCABULARY, dequantized, tensors_of, tiny_int4, tiny_moe

SCHEMES = ("symmetric", "asymmetric")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("weights")
    dense = tiny_moe(root / "dense")
    return {name: tiny_int4(dense, root / name, symmetric=name == "symmetric") for name in SCHEMES}


def shape_in(folder: Path) -> ModelShape:
    shape = shape_of(json.loads((folder / "config.json").read_text()))
    assert shape is not None
    return shape


def read(shape: ModelShape, tensors: dict[str, torch.Tensor]) -> ModelWeights:
    reader = WeightReader(shape)
    for name, tensor in tensors.items():
        reader.add(name, tensor)
    return reader.finish()


def product(matrix: cpu.CpuMatrix, x: torch.Tensor) -> torch.Tensor:
    return cpu.linear(x, matrix).float()


def close(got: torch.Tensor, expected: torch.Tensor) -> bool:
    """Within 2 % of the largest: activations are rounded to int8 by group, results to bfloat16; see test_domain_moe."""
    return bool((got - expected).abs().max() < 0.02 * expected.abs().max())


@pytest.mark.parametrize("scheme", SCHEMES)
def test_linear_layers_compute_with_the_weights_of_the_file(scheme: str, folders: dict[str, Path]) -> None:
    folder = folders[scheme]
    weights, plain = read(shape_in(folder), tensors_of(folder)), dequantized(folder)
    x = torch.randn(5, HIDDEN, generator=torch.Generator().manual_seed(1)).bfloat16()
    for number, layer in enumerate(weights.layers):
        start = f"model.layers.{number}."
        rows = torch.cat([plain[f"{start}self_attn.{name}_proj.weight"] for name in "qkv"])
        assert close(product(layer.qkv, x), x.float() @ rows.T)
        assert close(product(layer.output, x), x.float() @ plain[f"{start}self_attn.o_proj.weight"].T)
        bias = torch.cat([plain[f"{start}self_attn.{name}_proj.bias"] for name in "qkv"])
        assert torch.equal(layer.qkv_bias.float(), bias)
        assert torch.equal(layer.gate, plain[f"{start}mlp.gate.weight"])
        assert torch.equal(layer.attention_norm.float(), plain[f"{start}input_layernorm.weight"])
        assert torch.equal(layer.mlp_norm.float(), plain[f"{start}post_attention_layernorm.weight"])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_each_expert_computes_with_its_own_weights(scheme: str, folders: dict[str, Path]) -> None:
    folder = folders[scheme]
    weights, plain = read(shape_in(folder), tensors_of(folder)), dequantized(folder)
    x = torch.randn(1, HIDDEN, generator=torch.Generator().manual_seed(2)).bfloat16()
    layer = weights.layers[1]
    owners = {None: "model.layers.1.mlp.shared_expert"}
    owners |= {expert: f"model.layers.1.mlp.experts.{expert}" for expert in range(EXPERTS)}
    for expert, owner in owners.items():
        gate, up, down = (plain[f"{owner}.{name}_proj.weight"] for name in ("gate", "up", "down"))
        expected = (torch.nn.functional.silu(x.float() @ gate.T) * (x.float() @ up.T)) @ down.T
        routed = {
            "gate_up": layer.gate_up,
            "down": layer.down,
            "experts": torch.tensor([[expert or 0]]),
            "weights": torch.ones(1, 1),
        }
        got = cpu.mixture(
            x,
            shared_gate_up=layer.shared_gate_up if expert is None else None,
            shared_down=layer.shared_down if expert is None else None,
            **({} if expert is None else routed),
        )
        assert (got.float() - expected).abs().max() < 0.04 * expected.abs().max(), "two roundings to int8 in a row"


def test_a_shared_gate_of_zeros_is_known_as_such(folders: dict[str, Path]) -> None:
    folder = folders["symmetric"]
    first, second = read(shape_in(folder), tensors_of(folder)).layers
    assert first.shared_gate is None
    assert second.shared_gate is not None
    assert second.shared_gate.shape == (1, HIDDEN)


def test_embedding_and_last_layer_are_one_int8_matrix_close_to_the_file(folders: dict[str, Path]) -> None:
    folder = folders["symmetric"]
    weights, table = read(shape_in(folder), tensors_of(folder)), dequantized(folder)["model.embed_tokens.weight"]
    assert weights.last is weights.embedding
    assert weights.embedding.bits == 8
    rows = cpu.embed(torch.arange(VOCABULARY), weights.embedding).float()
    largest = table.unflatten(-1, (-1, weights.embedding.group)).abs().amax(-1, keepdim=True)
    # half a step, the scale rounded to bfloat16 (1/256 of 127 steps at most), and the result rounded to bfloat16
    bound = largest * (0.5 / 127 + 2**-8 + 2**-8)
    assert ((rows - table).unflatten(-1, (-1, weights.embedding.group)).abs() <= bound).all()
    x = torch.randn(3, HIDDEN, generator=torch.Generator().manual_seed(3)).bfloat16()
    assert close(product(weights.last, x), x.float() @ table.T)


def test_a_last_layer_of_its_own_is_a_second_matrix(folders: dict[str, Path]) -> None:
    folder = folders["symmetric"]
    tensors = tensors_of(folder)
    own = dataclasses.replace(shape_in(folder), tied=False)
    with pytest.raises(KernelRejected, match=r"no tensor lm_head\.weight"):
        read(own, tensors)
    weights = read(own, tensors | {"lm_head.weight": -tensors["model.embed_tokens.weight"]})
    x = torch.randn(2, HIDDEN, generator=torch.Generator().manual_seed(4)).bfloat16()
    assert torch.equal(product(weights.last, x), -product(weights.embedding, x))


def test_the_order_of_the_tensors_does_not_matter(folders: dict[str, Path]) -> None:
    folder = folders["asymmetric"]
    tensors = tensors_of(folder)
    names = list(tensors)
    random.Random(5).shuffle(names)
    first, second = read(shape_in(folder), tensors), read(shape_in(folder), {name: tensors[name] for name in names})
    x = torch.randn(2, HIDDEN, generator=torch.Generator().manual_seed(5)).bfloat16()
    for one, other in zip(first.layers, second.layers, strict=True):
        assert torch.equal(cpu.linear(x, one.qkv), cpu.linear(x, other.qkv))
        assert torch.equal(cpu.linear(x, one.shared_gate_up), cpu.linear(x, other.shared_gate_up))


def names_of(folder: Path) -> list[str]:
    return [name for name in tensors_of(folder) if not name.endswith("weight_shape")]


def test_each_tensor_is_needed(folders: dict[str, Path]) -> None:
    folder = folders["asymmetric"]
    tensors, shape = tensors_of(folder), shape_in(folder)
    for name in [*random.Random(6).sample(names_of(folder), 12), "model.norm.weight", "model.embed_tokens.weight"]:
        with pytest.raises(KernelRejected, match=name.replace(".", r"\.")):
            read(shape, {other: tensor for other, tensor in tensors.items() if other != name})


def test_each_tensor_has_its_shape_and_its_type(folders: dict[str, Path]) -> None:
    folder = folders["asymmetric"]
    tensors, shape = tensors_of(folder), shape_in(folder)
    for name in [*random.Random(7).sample(names_of(folder), 12), "model.norm.weight", "model.embed_tokens.weight"]:
        with pytest.raises(KernelRejected, match=rf"{name} has the shape .* asks for"):
            read(shape, tensors | {name: tensors[name][:-1]})
    name = "model.layers.0.self_attn.q_proj.weight_scale"
    with pytest.raises(KernelRejected, match=rf"{name} is torch\.float16"):
        read(shape, tensors | {name: tensors[name].half()})


@pytest.mark.parametrize(
    "name",
    [
        "model.layers.2.input_layernorm.weight",
        "model.layers.0.mlp.experts.8.up_proj.weight_packed",
        "model.layers.0.self_attn.q_proj.weight",
        "model.layers.0.self_attn.q_proj.weight_g_idx",
        "model.vision.weight",
    ],
)
def test_a_tensor_that_the_model_has_not_is_refused_by_name(name: str, folders: dict[str, Path]) -> None:
    with pytest.raises(KernelRejected, match=name.replace(".", r"\.")):
        WeightReader(shape_in(folders["symmetric"])).add(name, torch.zeros(1))
