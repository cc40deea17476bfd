"""From folders of text to small files, and from the files to a build: what was measured, and nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from model.calibrate import calibrate, read_windows
from model.calibration import INPUTS, Calibration, Provenance, digests, load, save
from model.errors import BuildFailed, WeightsRejected
from model.layerwise import Layers
from model.progress import Progress
from model.shards import Checkpoint
from model.upcycle import DOMAINS, ExpertPlan, Upcycled
from tests.tiny_model import CORPUS

PLAN = ExpertPlan(width=128)
WEIGHTS = {"tiny.gguf": "0" * 64}


def quiet(_: Progress) -> None:
    """Nobody listens."""


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("texts")
    for number, domain in enumerate(DOMAINS):
        for part in ("chinese", "english"):
            place = folder / domain / part
            place.mkdir(parents=True)
            (place / "a.txt").write_text(" ".join(CORPUS[number % 3 + 3 * (part == "chinese") :][:2]) * 3)
            (place / "LICENCE").write_text("CC0\n")
    return folder


@pytest.fixture(scope="module")
def calibration(
    tiny_checkpoint: Path, texts: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Calibration]:
    folder = tmp_path_factory.mktemp("calibrated")
    windows, sources = read_windows(texts, PLAN, AutoTokenizer.from_pretrained(tiny_checkpoint), 60)
    found = list(calibrate(Layers(Checkpoint(tiny_checkpoint)), windows, PLAN, report=quiet))
    rows = {layer: value for layer, value, _ in found}
    channels = {(layer, name): value for layer, _, squares in found for name, value in squares.items()}
    save(rows, channels, Provenance("tiny", WEIGHTS, DOMAINS, 8, {"ridge": 0.01}, tuple(sources)), folder=folder)
    loaded = load("tiny", WEIGHTS, folder=folder)
    assert loaded is not None
    return folder, loaded


def test_every_layer_has_rows_and_channel_weights(calibration: tuple[Path, Calibration]) -> None:
    _, found = calibration
    assert {layer: rows.shape for layer, rows in found.rows.items()} == {0: (8, 128), 1: (8, 128)}
    assert set(found.channels) == {(layer, name) for layer in (0, 1) for name in INPUTS}
    assert found.channels[0, "down"].shape == (256,)
    assert all(bool((value > 0).all()) for value in found.channels.values())


def test_channel_weights_are_the_mean_squares_of_what_goes_in(
    tiny_checkpoint: Path, texts: Path, calibration: tuple[Path, Calibration]
) -> None:
    """Measured again in the whole model, as transformers runs it, the first tokens left out."""
    model = AutoModelForCausalLM.from_pretrained(tiny_checkpoint, dtype=torch.bfloat16).eval()
    seen: list[torch.Tensor] = []
    model.model.layers[1].mlp.up_proj.register_forward_pre_hook(lambda _, given: seen.append(given[0][0, 1:]))
    windows, _ = read_windows(texts, PLAN, AutoTokenizer.from_pretrained(tiny_checkpoint), 60)
    with torch.no_grad():
        for window in windows:
            model(window.ids[None])
    expected = torch.cat(seen).double().square().mean(0).float()
    assert torch.allclose(calibration[1].channels[1, "mlp"], expected, rtol=2e-2)


def test_a_checkpoint_takes_the_rows(tiny_checkpoint: Path, calibration: tuple[Path, Calibration]) -> None:
    made = Upcycled(Checkpoint(tiny_checkpoint), PLAN, calibration[1].rows)
    assert made.config["vouch"]["router"] == "fitted"
    assert torch.equal(dict(made)["model.layers.1.mlp.gate.weight"], calibration[1].rows[1])


def test_the_importance_of_a_layer_is_that_of_its_input(calibration: tuple[Path, Calibration]) -> None:
    _, found = calibration
    for name, key in (
        ("model.layers.1.self_attn.v_proj.weight", (1, "attention")),
        ("model.layers.0.self_attn.o_proj.weight", (0, "output")),
        ("model.layers.0.mlp.up_proj.weight", (0, "mlp")),
        ("model.layers.1.mlp.shared_expert.down_proj.weight", (1, "down")),
        ("model.layers.1.mlp.experts.7.gate_proj.weight", (1, "mlp")),
    ):
        assert found.importance(name) is found.channels[key], name
    assert found.importance("model.layers.1.mlp.experts.7.down_proj.weight") is None


def test_the_manifest_names_texts_digests_and_licences(calibration: tuple[Path, Calibration]) -> None:
    folder, found = calibration
    assert len(found.provenance.sources) == 8
    assert found.provenance.sources[0].domain == "finance"
    assert {source.licence for source in found.provenance.sources} == {"CC0"}
    assert digests("tiny", WEIGHTS, folder=folder) == found.digests


def test_measured_twice_it_is_the_same_to_the_byte(
    tiny_checkpoint: Path, texts: Path, calibration: tuple[Path, Calibration]
) -> None:
    windows, _ = read_windows(texts, PLAN, AutoTokenizer.from_pretrained(tiny_checkpoint), 60)
    for layer, rows, _ in calibrate(Layers(Checkpoint(tiny_checkpoint)), windows, PLAN, report=quiet):
        assert torch.equal(rows.bfloat16(), calibration[1].rows[layer])


def test_another_base_has_none(calibration: tuple[Path, Calibration], tmp_path: Path) -> None:
    folder, _ = calibration
    assert load("tiny", {"tiny.gguf": "1" * 64}, folder=folder) is None
    assert load("other", WEIGHTS, folder=folder) is None
    assert digests("tiny", {"tiny.gguf": "1" * 64}, folder=folder) == {}
    assert digests("tiny", WEIGHTS, folder=tmp_path / "nothing") == {}


@pytest.mark.parametrize("part", ["router", "channels"])
@pytest.mark.parametrize("harm", ["altered", "truncated", "missing"])
def test_files_that_are_not_those_measured_are_refused(
    calibration: tuple[Path, Calibration], tmp_path: Path, part: str, harm: str
) -> None:
    folder = Path(shutil.copytree(calibration[0], tmp_path / "copy"))
    path = folder / f"tiny.{part}.safetensors"
    content = path.read_bytes()
    path.unlink()
    if harm != "missing":
        path.write_bytes(content[:-2] if harm == "truncated" else content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(WeightsRejected, match=path.name) as caught:
        load("tiny", WEIGHTS, folder=folder)
    assert "calibrate" in caught.value.remedy


def test_a_manifest_that_makes_no_sense_is_refused(calibration: tuple[Path, Calibration], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(calibration[0], tmp_path / "copy"))
    value = json.loads((folder / "tiny.json").read_text())
    del value["provenance"]["sources"]
    (folder / "tiny.json").write_text(json.dumps(value))
    with pytest.raises(WeightsRejected, match=r"tiny\.json"):
        load("tiny", WEIGHTS, folder=folder)


def test_text_without_a_licence_or_a_part_is_refused(tiny_checkpoint: Path, texts: Path, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint)
    folder = Path(shutil.copytree(texts, tmp_path / "texts"))
    (folder / "legal" / "english" / "LICENCE").unlink()
    with pytest.raises(BuildFailed, match="legal/english"):
        read_windows(folder, PLAN, tokenizer, 60)
    shutil.rmtree(folder / "legal" / "english")
    with pytest.raises(BuildFailed, match="legal has 1 folders"):
        read_windows(folder, PLAN, tokenizer, 60)


def test_files_of_a_part_share_its_tokens(tiny_checkpoint: Path, texts: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(texts, tmp_path / "texts"))
    (folder / "sql" / "english" / "b.txt").write_text(CORPUS[1] * 4)
    windows, sources = read_windows(folder, PLAN, AutoTokenizer.from_pretrained(tiny_checkpoint), 50)
    tokens = {(source.domain, source.part, source.name): source.tokens for source in sources}
    assert tokens["sql", "english", "a.txt"] == tokens["sql", "english", "b.txt"] == 25
    assert tokens["medical", "english", "a.txt"] == 50
    assert sum(len(window.ids) for window in windows) == sum(tokens.values())
    assert {window.expert for window in windows} == set(range(8))
