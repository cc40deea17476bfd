from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from model.errors import BuildFailed
from model.progress import Progress
from model.quantize import QUANTIZATION, quantize, quantize_rows


def whole(folder: Path) -> dict[str, torch.Tensor]:
    tensors: dict[str, torch.Tensor] = {}
    for path in sorted(folder.glob("*.safetensors")):
        tensors |= load_file(path)
    return tensors


@given(
    rows=st.sampled_from([1, 3, 64]),
    columns=st.sampled_from([1, 7, 128]),
    spread=st.sampled_from([1e-6, 1e-2, 1.0, 1e4]),
    seed=st.integers(0, 999),
)
@settings(max_examples=40, deadline=None)
def test_no_weight_moves_by_more_than_half_a_step(rows: int, columns: int, spread: float, seed: int) -> None:
    weight = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed)) * spread
    integers, scale = quantize_rows(weight)
    assert integers.dtype == torch.int8
    assert scale.dtype == torch.float32
    assert scale.shape == (rows, 1)
    assert int(integers.min()) >= -127
    error = (integers.float() * scale - weight).abs()
    assert bool((error <= scale * 0.5001).all()), "0.5 of a step, and a little for float32's own rounding"


def test_the_largest_weight_of_a_row_is_kept() -> None:
    integers, scale = quantize_rows(torch.tensor([[0.5, -2.54], [1.27, 0.0]]))
    assert integers.tolist() == [[25, -127], [127, 0]]
    assert scale.flatten().tolist() == pytest.approx([0.02, 0.01])


def test_a_row_of_zeros_stays_zeros() -> None:
    integers, scale = quantize_rows(torch.zeros(2, 5))
    assert not integers.any()
    assert bool(scale.isfinite().all())


def test_rows_do_not_share_a_scale() -> None:
    """One large row must not cost a small one its precision."""
    weight = torch.stack([torch.linspace(-1e-4, 1e-4, 101), torch.linspace(-10, 10, 101)])
    integers, _ = quantize_rows(weight)
    assert integers[0].unique().numel() == 101


def test_linear_layers_are_int8_and_the_rest_is_as_it_was(tiny_checkpoint: Path, tiny_int8: Path) -> None:
    before, after = whole(tiny_checkpoint), whole(tiny_int8)
    linear = {name for name in before if name.endswith("_proj.weight")}
    assert len(linear) == 2 * 7
    assert set(after) == set(before) | {f"{name}_scale" for name in linear}
    for name, tensor in before.items():
        if name in linear:
            step = after[f"{name}_scale"]
            assert after[name].dtype == torch.int8
            assert bool(((after[name].float() * step - tensor.float()).abs() <= step * 0.5001).all())
        else:
            assert after[name].dtype == torch.bfloat16
            assert torch.equal(after[name], tensor)


def test_the_folder_names_its_shards_and_its_scheme(tiny_checkpoint: Path, tiny_int8: Path) -> None:
    index = json.loads((tiny_int8 / "model.safetensors.index.json").read_text())
    tensors = whole(tiny_int8)
    assert set(index["weight_map"]) == set(tensors)
    assert index["metadata"]["total_size"] == sum(tensor.nbytes for tensor in tensors.values())
    config = json.loads((tiny_int8 / "config.json").read_text())
    assert config.pop("quantization_config") == QUANTIZATION
    assert config == json.loads((tiny_checkpoint / "config.json").read_text())
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json", "chat_template.jinja"):
        assert (tiny_int8 / name).read_bytes() == (tiny_checkpoint / name).read_bytes()


def test_progress_counts_the_tensors(tiny_checkpoint: Path, tmp_path: Path) -> None:
    seen: list[Progress] = []
    quantize(tiny_checkpoint, tmp_path / "out", report=seen.append)
    total = len(whole(tiny_checkpoint))
    assert [progress.done for progress in seen] == list(range(total))
    assert {progress.total for progress in seen} == {total}


@pytest.fixture
def altered(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "altered"))


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_refused(altered: Path, tmp_path: Path, poison: float) -> None:
    tensors = load_file(altered / "model.safetensors")
    tensors["model.layers.1.mlp.up_proj.weight"][3, 5] = poison
    save_file(tensors, altered / "model.safetensors")
    with pytest.raises(BuildFailed, match=r"layers\.1\.mlp\.up_proj"):
        quantize(altered, tmp_path / "out", report=lambda _: None)


def test_a_checkpoint_that_brings_code_is_refused(altered: Path, tmp_path: Path) -> None:
    config = json.loads((altered / "config.json").read_text())
    (altered / "config.json").write_text(json.dumps({**config, "auto_map": {"AutoModel": "evil.Model"}}))
    with pytest.raises(BuildFailed, match="auto_map"):
        quantize(altered, tmp_path / "out", report=lambda _: None)
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_without_linear_layers_is_refused(altered: Path, tmp_path: Path) -> None:
    save_file({"model.norm.weight": torch.ones(4)}, altered / "model.safetensors")
    with pytest.raises(BuildFailed, match="no linear layers"):
        quantize(altered, tmp_path / "out", report=lambda _: None)
