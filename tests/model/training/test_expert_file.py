from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from model.catalog import card
from model.errors import DiskFull, TrainingRejected
from model.recipe import Form, ingredients
from model.training.expert_file import (
    FILE,
    MANIFEST,
    base_digest,
    bytes_of,
    read_experts,
    read_manifest,
    weights_digest,
    write_experts,
)
from model.training.graft import graft
from tests.model.training.tiny_moe import quick, tiny_moe

FIELDS = {"form": "full", "base": {"model_type": "qwen2_moe", "digest": "b" * 64}}


def learned(**changes: Any) -> dict[str, torch.Tensor]:
    return {name: tensor.detach() for name, tensor in graft(tiny_moe(zero=False), quick(**changes)).learned()}


def written(folder: Path, tensors: dict[str, torch.Tensor], **changes: Any) -> Path:
    write_experts(folder, tensors, manifest=FIELDS | changes, most_bytes=1_000_000)
    return folder


def test_weights_come_back_within_half_a_step_of_their_row(tmp_path: Path) -> None:
    tensors = learned()
    found = dict(read_experts(written(tmp_path / "experts", tensors), base="b" * 64))
    assert list(found) == sorted(tensors)
    for name, tensor in tensors.items():
        if ".gate.weight" in name:
            assert torch.equal(found[name], tensor)
        else:
            step = tensor.abs().amax(1, keepdim=True) / 127
            assert bool(((found[name] - tensor).abs() <= 0.501 * step).all())


def test_the_file_is_as_the_module_says(tmp_path: Path) -> None:
    held = load_file(written(tmp_path / "experts", learned()) / FILE)
    prefix = "model.layers.1.mlp.experts.2.down_proj"
    assert (held[f"{prefix}.weight"].dtype, tuple(held[f"{prefix}.weight"].shape)) == (torch.int8, (64, 32))
    assert (held[f"{prefix}.weight_scale"].dtype, tuple(held[f"{prefix}.weight_scale"].shape)) == (
        torch.float32,
        (64, 1),
    )
    assert held["model.layers.0.mlp.gate.weight"].dtype == torch.float32
    assert len(held) == 2 * (1 + 4 * 3 * 2)


def test_adapters_are_kept_in_float32(tmp_path: Path) -> None:
    tensors = learned(form="adapters", rank=3)
    found = dict(read_experts(written(tmp_path / "experts", tensors, form="adapters"), base="b" * 64))
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())


@pytest.mark.parametrize("changes", [{}, {"form": "adapters", "rank": 2}])
def test_the_size_is_known_before(changes: dict[str, Any], tmp_path: Path) -> None:
    tensors = learned(**changes)
    size = (written(tmp_path / "experts", tensors) / FILE).stat().st_size
    header = size - bytes_of(tensors)
    assert 0 < header < 250 * len(tensors) * 2


def test_the_experts_of_the_default_model_fit_in_four_layers() -> None:
    """40 MB of int8: 8 experts of 256 beside a width of 1,536 take 9.5 MB a layer."""
    shapes = {
        f"experts.{place}.{name}_proj.weight": torch.empty(size, device="meta")
        for place in range(8)
        for name, size in (("gate", (256, 1536)), ("up", (256, 1536)), ("down", (1536, 256)))
    }
    layer = bytes_of(shapes | {"gate.weight": torch.empty(8, 1536, device="meta")})
    assert 4 * layer < 40e6 < 5 * layer


def test_the_same_tensors_make_the_same_bytes(tmp_path: Path) -> None:
    one, two = (written(tmp_path / name, learned()) for name in ("one", "two"))
    assert [(one / name).read_bytes() for name in (FILE, MANIFEST)] == [
        (two / name).read_bytes() for name in (FILE, MANIFEST)
    ]


def test_a_file_that_is_too_large_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(TrainingRejected, match="are allowed"):
        write_experts(tmp_path / "experts", learned(), manifest=FIELDS, most_bytes=10_000)
    assert list(tmp_path.iterdir()) == []


def test_numbers_that_are_not_finite_are_not_written(tmp_path: Path) -> None:
    tensors = learned()
    next(iter(tensors.values()))[0, 0] = float("nan")
    with pytest.raises(TrainingRejected, match="not finite"):
        written(tmp_path / "experts", tensors)


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path / "experts", learned())
    before = read_manifest(tmp_path / "experts")

    def full(path: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DiskFull):
        written(tmp_path / "experts", learned(layers=(1,)))
    assert read_manifest(tmp_path / "experts") == before


def test_experts_of_another_base_are_refused(tmp_path: Path) -> None:
    folder = written(tmp_path / "experts", learned())
    with pytest.raises(TrainingRejected, match="another base") as caught:
        list(read_experts(folder, base="c" * 64))
    assert "without them" in caught.value.remedy


def test_a_changed_byte_is_refused(tmp_path: Path) -> None:
    folder = written(tmp_path / "experts", learned())
    content = bytearray((folder / FILE).read_bytes())
    content[-3] ^= 8
    (folder / FILE).write_bytes(content)
    with pytest.raises(TrainingRejected, match="has changed"):
        list(read_experts(folder, base="b" * 64))


@pytest.mark.parametrize("text", ["", "{}", '{"format": 1, "form": "full"}', "[1]"])
def test_a_manifest_that_says_nothing_is_refused(text: str, tmp_path: Path) -> None:
    folder = written(tmp_path / "experts", learned())
    (folder / MANIFEST).write_text(text)
    with pytest.raises(TrainingRejected, match="no expert file"):
        read_manifest(folder)


def test_a_later_format_is_refused(tmp_path: Path) -> None:
    folder = written(tmp_path / "experts", learned())
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(manifest | {"format": 2}))
    with pytest.raises(TrainingRejected, match="another format"):
        read_manifest(folder)


def test_the_digest_of_a_base_is_that_of_its_weights(base: Path, tmp_path: Path) -> None:
    names = ("config.json", "model.safetensors")
    for name in names:
        (tmp_path / name).write_bytes((base / name).read_bytes())
    assert base_digest(tmp_path) == base_digest(base), "the tokenizer is not a part of it"
    content = bytearray((tmp_path / names[1]).read_bytes())
    content[-1] ^= 1
    (tmp_path / names[1]).write_bytes(content)
    assert base_digest(tmp_path) != base_digest(base)
    with pytest.raises(TrainingRejected, match="no weights"):
        base_digest(tmp_path / "nowhere")


def test_all_forms_of_one_model_are_one_base(tmp_path: Path) -> None:
    """With the inputs that `model build` writes into the manifests of its forms."""
    model = card("qwen2.5-coder-1.5b-instruct")
    forms: tuple[Form, ...] = ("moe", "int4", "bf16")
    for form in forms:
        (tmp_path / form).mkdir()
        manifest = {"form": form, "inputs": ingredients(model, form), "outputs": {form: "x"}}
        (tmp_path / form / MANIFEST).write_text(json.dumps(manifest))
    wanted = weights_digest({file.name: file.sha256 for file in model.files})
    assert {base_digest(tmp_path / form) for form in forms} == {wanted}
    other = card("qwen2.5-coder-0.5b-instruct")
    assert weights_digest({file.name: file.sha256 for file in other.files}) != wanted


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"inputs": {"model.gguf": "a"}}', '{"inputs": {"weights": []}}'])
def test_a_manifest_without_weights_is_no_base(text: str, tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(TrainingRejected, match="names no weights"):
        base_digest(tmp_path)
