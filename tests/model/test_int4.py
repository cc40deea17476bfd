"""The int4 checkpoint: bytes that others read as we wrote them, errors within half a step, odd input refused."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from model.errors import BuildFailed, WeightsRejected
from model.int4 import GROUP, packed_tensors, quantization, quantize_int4, round_to_nearest
from model.kernels.packing import ExpertMatrix, dequantize, from_words
from model.progress import Progress
from model.shards import Checkpoint
from model.upcycle import ExpertPlan, Upcycled
from tests.model.test_quantize import whole

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of torch.jit, which its own compiler still imports
    from compressed_tensors.compressors.pack_quantized.helpers import unpack_from_int32

PLAN = ExpertPlan(experts=4, width=128, active=2)
LAYER = "model.layers.0.mlp.shared_expert.up_proj."


def quiet(_: Progress) -> None:
    """Nobody listens."""


def written(dense: Path, folder: Path, *, symmetric: bool = True) -> Path:
    rounding = round_to_nearest(symmetric=symmetric)
    quantize_int4(Upcycled(Checkpoint(dense), PLAN), folder, rounding, report=quiet, symmetric=symmetric)
    return folder


@pytest.fixture(scope="module")
def folder(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tiny_checkpoint, tmp_path_factory.mktemp("int4") / "int4")


@pytest.fixture
def altered(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "altered"))


@given(
    outputs=st.sampled_from([8, 24, 128]),
    groups=st.sampled_from([1, 2, 5]),
    symmetric=st.booleans(),
    spread=st.sampled_from([1e-3, 1.0, 100.0]),
    seed=st.integers(0, 999),
)
@settings(max_examples=40, deadline=None)
def test_others_unpack_what_we_packed(outputs: int, groups: int, symmetric: bool, spread: float, seed: int) -> None:
    """compressed-tensors' own unpacking and formula give the weights that our kernels compute with."""
    generator = torch.Generator().manual_seed(seed)
    weight = (torch.randn(1, outputs, groups * GROUP, generator=generator) * spread).bfloat16()
    matrix = round_to_nearest(symmetric=symmetric)("x", weight)
    tensors = packed_tensors("x.weight", matrix)
    assert tensors["x.weight_shape"].tolist() == [outputs, groups * GROUP]
    integers = unpack_from_int32(tensors["x.weight_packed"], 4, torch.Size([outputs, groups * GROUP]))
    zero: Any = 0.0
    if not symmetric:
        zero = unpack_from_int32(tensors["x.weight_zero_point"], 4, torch.Size([outputs, groups]), packed_dim=0)
        zero = zero.float()[..., None]
    parts = (integers.float().unflatten(-1, (groups, GROUP)) - zero) * tensors["x.weight_scale"].float()[..., None]
    assert torch.equal(parts.flatten(-2), dequantize(matrix)[0])


def test_zero_points_of_every_size_survive_their_packing() -> None:
    """The highest of eight sets the sign bit of its word."""
    zero = torch.arange(16, dtype=torch.uint8).reshape(1, 16, 1)
    packed = torch.zeros(1, 16, GROUP // 2, dtype=torch.uint8)
    matrix = ExpertMatrix(packed, torch.ones(1, 16, 1), zero, 4, GROUP)
    words = packed_tensors("x.weight", matrix)["x.weight_zero_point"]
    assert words.dtype == torch.int32
    assert words.shape == (2, 1)
    assert (unpack_from_int32(words, 4, torch.Size([16, 1]), packed_dim=0) + 8).flatten().tolist() == list(range(16))


def test_outputs_that_do_not_fill_words_are_refused() -> None:
    matrix = round_to_nearest(symmetric=False)("x", torch.randn(1, 12, GROUP))
    with pytest.raises(BuildFailed, match="12 outputs"):
        packed_tensors("x.weight", matrix)


def test_linear_layers_are_packed_and_the_rest_is_as_it_was(tiny_checkpoint: Path, folder: Path) -> None:
    before = dict(Upcycled(Checkpoint(tiny_checkpoint), PLAN))
    after = whole(folder)
    linear = {name for name in before if name.endswith("_proj.weight")}
    assert len(linear) == 2 * (4 + 3 + 4 * 3)
    parts = ("packed", "scale", "shape")
    assert set(after) == (set(before) - linear) | {f"{name}_{part}" for name in linear for part in parts}
    for name in set(before) - linear:
        assert torch.equal(after[name], before[name]), name


def test_the_kernels_see_the_files_bytes_as_weights(tiny_checkpoint: Path, folder: Path) -> None:
    weight = dict(Upcycled(Checkpoint(tiny_checkpoint), PLAN))[f"{LAYER}weight"].float()
    tensors = whole(folder)
    packed = from_words(tensors[f"{LAYER}weight_packed"][None])
    matrix = ExpertMatrix(packed, tensors[f"{LAYER}weight_scale"][None], None, 4, GROUP)
    steps = matrix.scale[0].float().repeat_interleave(GROUP, dim=-1)
    assert bool(((dequantize(matrix)[0] - weight).abs() <= steps * 0.53).all()), "half a step, and the scale's rounding"


def test_experts_that_were_zero_stay_zero(folder: Path) -> None:
    tensors = whole(folder)
    name = "model.layers.1.mlp.experts.3.down_proj.weight"
    assert set(from_words(tensors[f"{name}_packed"][None]).unique().tolist()) == {0x88}
    assert bool(tensors[f"{name}_scale"].isfinite().all())


def test_the_config_says_how_the_weights_lie(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    assert config["quantization_config"] == quantization(symmetric=True)
    assert config["architectures"] == ["Qwen2MoeForCausalLM"]


def test_transformers_reads_it_unchanged(tiny_checkpoint: Path, folder: Path) -> None:
    """Its own loader, experts and all, gives the weights that we wrote."""
    theirs = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    dense = AutoModelForCausalLM.from_pretrained(tiny_checkpoint, dtype=torch.float32).eval()
    ids = torch.arange(3, 60)[None]
    with torch.no_grad():
        ours, exact = theirs(ids).logits, dense(ids).logits  # it unpacks at the first use
    assert float((ours - exact).norm() / exact.norm()) < 0.3
    tensors = whole(folder)
    for name in (LAYER, "model.layers.1.self_attn.k_proj."):
        packed = from_words(tensors[f"{name}weight_packed"][None])
        weight = dequantize(ExpertMatrix(packed, tensors[f"{name}weight_scale"][None], None, 4, GROUP))[0]
        assert torch.allclose(theirs.get_submodule(name[:-1]).weight, weight, rtol=1e-2, atol=1e-6)
    experts = theirs.model.layers[1].mlp.experts
    assert not experts.down_proj.any()
    assert experts.gate_up_proj.any()


def test_the_same_input_gives_the_same_bytes(tiny_checkpoint: Path, folder: Path, tmp_path: Path) -> None:
    again = written(tiny_checkpoint, tmp_path / "again")
    names = sorted(path.name for path in folder.iterdir())
    assert names == sorted(path.name for path in again.iterdir())
    for name in names:
        assert (folder / name).read_bytes() == (again / name).read_bytes(), name


def test_inputs_that_do_not_divide_into_groups_are_refused(tiny_checkpoint: Path, tmp_path: Path) -> None:
    odd = Upcycled(Checkpoint(tiny_checkpoint), ExpertPlan(experts=4, width=96))
    with pytest.raises(BuildFailed, match=r"experts\.0\.down_proj.*groups of 128") as caught:
        quantize_int4(odd, tmp_path / "out", round_to_nearest(symmetric=True), report=quiet, symmetric=True)
    assert caught.value.remedy


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_refused(altered: Path, tmp_path: Path, poison: float) -> None:
    tensors = load_file(altered / "model.safetensors")
    tensors["model.layers.1.self_attn.q_proj.weight"][3, 5] = poison
    save_file(tensors, altered / "model.safetensors")
    with pytest.raises(BuildFailed, match=r"layers\.1\.self_attn\.q_proj"):
        written(altered, tmp_path / "out")


def test_a_byte_missing_at_the_end_is_found_before_anything_is_written(altered: Path, tmp_path: Path) -> None:
    shard = altered / "model.safetensors"
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(WeightsRejected):
        written(altered, tmp_path / "out")
    assert not (tmp_path / "out").exists()
