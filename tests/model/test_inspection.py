"""Checkpoints that were cut off, altered, added to, or hold code: none of them is loaded."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from model._files import sha256_of, write_json
from model.build import MANIFEST, read_manifest
from model.errors import WeightsRejected
from model.inspection import inspect, read_header

INDEX = "model.safetensors.index.json"
SHARDS = ("model-00001.safetensors", "model-00002.safetensors")


def manifest_of(folder: Path) -> None:
    """Write the manifest of what is there, in the format that this version reads."""
    outputs = {
        path.name: {"size": path.stat().st_size, "sha256": sha256_of(path)}
        for path in sorted(folder.iterdir())
        if path.name != MANIFEST
    }
    for version in range(1, 10):
        write_json(folder / MANIFEST, {"format": version, "outputs": outputs, "checkpoint": "", "inputs": {}})
        if read_manifest(folder) is not None:
            return
    raise AssertionError("no format is read")


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A small checkpoint of two shards with its manifest."""
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    save_file(
        {"a": torch.arange(12.0).reshape(3, 4), "b": torch.ones(5)}, folder / SHARDS[0], metadata={"format": "pt"}
    )
    save_file({"c": torch.zeros(7, dtype=torch.int8)}, folder / SHARDS[1])
    where = {"a": SHARDS[0], "b": SHARDS[0], "c": SHARDS[1]}
    write_json(folder / INDEX, {"metadata": {}, "weight_map": where})
    write_json(folder / "config.json", {"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"]})
    write_json(folder / "tokenizer.json", {"model": {"vocab": {"auto_map": 1}}})
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    manifest_of(folder)
    return folder


def look(folder: Path) -> list[str]:
    steps: list[str] = []
    inspect(folder, report=lambda progress: steps.append(progress.step))
    return steps


def test_what_was_built_is_taken_and_told(built: Path) -> None:
    assert set(look(built)) == {"checking the weights"}


def test_what_comes_from_elsewhere_has_no_manifest_and_is_taken(built: Path) -> None:
    (built / MANIFEST).unlink()
    assert look(built) == []


def test_a_hidden_file_of_a_writer_under_way_is_no_part_of_it(built: Path) -> None:
    (built / ".manifest.json.123").write_text("{}")
    look(built)


def rewrite(path: Path, at: int, piece: bytes) -> None:
    with path.open("r+b") as stream:
        stream.seek(at)
        stream.write(piece)


def flip_and_hide(folder: Path) -> None:
    """Change one byte of a weight and put the time back."""
    path = folder / SHARDS[0]
    before = path.stat()
    last = path.read_bytes()[-1]
    rewrite(path, before.st_size - 1, bytes([last ^ 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def truncate(folder: Path, left: int) -> None:
    with (folder / SHARDS[1]).open("r+b") as stream:
        stream.truncate(left)


def set_json(folder: Path, name: str, change: dict[str, Any]) -> None:
    path = folder / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a byte, size and time kept": (flip_and_hide, f"{SHARDS[0]} is not the file that was built"),
    "a template": (
        lambda folder: (folder / "chat_template.jinja").write_text("{{ message }}."),
        "chat_template.jinja is not the file",
    ),
    "a missing tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), "tokenizer.json is missing"),
    "an added template": (
        lambda folder: (folder / "additional.jinja").write_text("x"),
        "additional.jinja is not a file of the checkpoint",
    ),
}

STRUCTURE: dict[str, tuple[Callable[[Path], object], str]] = {
    "the end of a shard": (lambda folder: truncate(folder, 90), f"{SHARDS[1]} has 90 bytes; its header says"),
    "most of a shard": (lambda folder: truncate(folder, 20), f"{SHARDS[1]} is no safetensors file"),
    "all of a shard": (lambda folder: truncate(folder, 0), f"{SHARDS[1]} is no safetensors file"),
    "a shard": (lambda folder: (folder / SHARDS[1]).unlink(), "1 tensors of the index are in no file, such as c"),
    "both shards": (lambda folder: [(folder / name).unlink() for name in SHARDS], "no safetensors files"),
    "a header's length": (
        lambda folder: rewrite(folder / SHARDS[0], 0, struct.pack("<Q", 1 << 62)),
        f"{SHARDS[0]} is no safetensors file",
    ),
    "a header's text": (lambda folder: rewrite(folder / SHARDS[0], 8, b"[1, 2"), "is no safetensors file"),
    "more than the header says": (
        lambda folder: rewrite(folder / SHARDS[0], (folder / SHARDS[0]).stat().st_size, b"more"),
        f"{SHARDS[0]} has",
    ),
    "an index": (lambda folder: (folder / INDEX).write_text("{}"), f"{INDEX} cannot be read"),
    "an index of lists": (
        lambda folder: (folder / INDEX).write_text('{"weight_map": {"a": []}}'),
        f"{INDEX} cannot be read",
    ),
    "code by config": (
        lambda folder: set_json(folder, "config.json", {"auto_map": {"AutoConfig": "code.Config"}}),
        r"config.json asks to run code .*auto_map",
    ),
    "code by a nested config": (
        lambda folder: set_json(folder, "config.json", {"text_config": [{"auto_map": {}}]}),
        "config.json asks to run code",
    ),
    "code by an escaped name": (
        lambda folder: (folder / "processor_config.json").write_text('{"auto\\u005fmap": {}}'),
        "processor_config.json asks to run code",
    ),
    "code by tokenizer": (
        lambda folder: (folder / "tokenizer_config.json").write_text('{"auto_map": {}}'),
        "tokenizer_config.json asks to run code",
    ),
    "a config that is no JSON": (lambda folder: (folder / "config.json").write_text("{"), "config.json cannot be read"),
    "a config without end": (
        lambda folder: (folder / "config.json").write_text('{"auto_map":' * 100_000),
        "config.json cannot be read",
    ),
    **{
        f"a file {name}": (lambda folder, name=name: (folder / name).write_bytes(b""), f"{name} could run code")
        for name in ("modeling_x.py", "pytorch_model.bin", "weights.pt", "state.pkl", "a.so")
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGE)
def test_what_was_built_and_has_changed_is_refused(built: Path, kind: str) -> None:
    damage, words = DAMAGE[kind]
    damage(built)
    with pytest.raises(WeightsRejected, match=words) as caught:
        look(built)
    assert str(built) in caught.value.remedy


@pytest.mark.parametrize("kind", STRUCTURE)
@pytest.mark.parametrize("elsewhere", [False, True], ids=["built", "elsewhere"])
def test_what_is_damaged_or_holds_code_is_refused_with_and_without_a_manifest(
    built: Path, kind: str, *, elsewhere: bool
) -> None:
    damage, words = STRUCTURE[kind]
    damage(built)
    (built / MANIFEST).unlink() if elsewhere else manifest_of(built)
    with pytest.raises(WeightsRejected, match=words):
        look(built)


def test_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsRejected, match="no folder"):
        look(tmp_path / "nothing")


def test_whoever_watches_can_end_it(built: Path) -> None:
    class Left(Exception):
        pass

    def leave(_: object) -> None:
        raise Left

    with pytest.raises(Left):
        inspect(built, report=leave)


def test_a_header_says_what_is_inside(built: Path) -> None:
    assert read_header(built / SHARDS[1]) == {"c": {"dtype": "I8", "shape": [7], "data_offsets": [0, 7]}}
