"""Layer by layer the same numbers as the whole model, and a perplexity that says what a form loses."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from model.errors import BuildFailed
from model.int4 import quantize_int4, round_to_nearest
from model.layerwise import Layers
from model.perplexity import METHODS, Loss, measure, round_activations
from model.progress import Progress
from model.shards import Checkpoint
from model.upcycle import ExpertPlan, Upcycled, upcycle
from tests.tiny_model import VOCABULARY

PLAN = ExpertPlan(experts=4, width=128)


def quiet(_: Progress) -> None:
    """Nobody listens."""


@pytest.fixture(scope="module")
def forms(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Checkpoint]:
    folder = tmp_path_factory.mktemp("forms")
    rows = {layer: torch.randn(4, 128, generator=torch.Generator().manual_seed(layer)) for layer in range(2)}
    upcycle(tiny_checkpoint, folder / "moe", PLAN, rows, report=quiet)
    for symmetric in (True, False):
        mixture = Upcycled(Checkpoint(tiny_checkpoint), PLAN, rows)
        rounding = round_to_nearest(symmetric=symmetric)
        quantize_int4(mixture, folder / f"int4-{symmetric}", rounding, report=quiet, symmetric=symmetric)
    return {name: Checkpoint(folder / name) for name in ("moe", "int4-True", "int4-False")}


def windows(seed: int) -> dict[str, list[torch.Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    return {name: [torch.randint(0, VOCABULARY, (40,), generator=generator) for _ in range(3)] for name in ("a", "b")}


def found(dense: Path, forms: dict[str, Checkpoint | str], *, served: bool = False) -> dict[str, Loss]:
    losses = measure(Checkpoint(dense), forms, windows(1), calibration=None, served=served, report=quiet)
    return {loss.form: loss for loss in losses}


def test_layer_by_layer_the_loss_is_that_of_the_whole_model(tiny_checkpoint: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny_checkpoint, dtype=torch.bfloat16).eval()
    layers = Layers(Checkpoint(tiny_checkpoint))
    ids = windows(2)["a"][0]
    with torch.no_grad():
        [hidden] = layers.embed([ids])
        for index in range(len(layers)):
            hidden = layers.forward(layers.layer(index), hidden)
        logits = model(ids[None]).logits[0, :-1].float()
        expected = torch.nn.functional.cross_entropy(logits, ids[1:], reduction="none")
        assert torch.allclose(layers.losses(hidden, ids), expected, atol=2e-2)


def test_the_mixture_loses_nothing_and_int4_a_little(tiny_checkpoint: Path, forms: dict[str, Checkpoint]) -> None:
    losses = found(tiny_checkpoint, dict(forms))
    assert list(losses) == ["bf16", "moe", "int4-True", "int4-False"]
    assert losses["moe"].perplexity == losses["bf16"].perplexity
    assert losses["moe"].ratio == losses["bf16"].ratio == 1.0
    for name in ("int4-True", "int4-False"):
        assert losses[name].ratio != 1.0
        assert 0.9 < losses[name].ratio < 1.2
        assert losses[name].low <= losses[name].ratio <= losses[name].high
        mean = sum(math.log(ratio) for ratio in losses[name].by_text.values()) / 2
        assert math.exp(mean) == pytest.approx(losses[name].ratio, rel=1e-4), "both texts have as many tokens"


def test_a_built_form_and_its_method_agree(tiny_checkpoint: Path, forms: dict[str, Checkpoint]) -> None:
    """With experts that do nothing, the checkpoint is the dense model with its weights rounded."""
    losses = found(tiny_checkpoint, {"built": forms["int4-False"], "method": "nearest-asymmetric"})
    assert losses["built"].perplexity == pytest.approx(losses["method"].perplexity, rel=2e-3)


def test_every_method_is_computed(tiny_checkpoint: Path) -> None:
    losses = found(tiny_checkpoint, {name: name for name in METHODS})
    assert len({loss.perplexity for loss in losses.values()}) == len(METHODS) + 1


def test_served_arithmetic_is_not_the_reference(tiny_checkpoint: Path) -> None:
    plain, served = (found(tiny_checkpoint, {"x": "nearest-symmetric"}, served=on)["x"] for on in (False, True))
    assert plain.perplexity != served.perplexity
    assert served.ratio == pytest.approx(plain.ratio, rel=0.05)


def test_activations_are_rounded_by_groups() -> None:
    states = torch.zeros(1, 2, 256)
    states[0, 0, 0], states[0, 0, 1] = 127.0, 0.6
    states[0, 1, 200], states[0, 1, 201] = 1.27, 0.0149
    rounded = round_activations(states)
    assert rounded[0, 0, :2].tolist() == [127.0, 1.0]
    assert rounded[0, 1, 200:202].tolist() == pytest.approx([1.27, 0.01])
    assert not rounded[0, 0, 128:].any()


def test_an_architecture_that_is_not_known_is_refused(tiny_checkpoint: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_checkpoint, tmp_path / "other"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "mamba"}))
    with pytest.raises(BuildFailed, match="mamba"):
        Layers(Checkpoint(folder))
