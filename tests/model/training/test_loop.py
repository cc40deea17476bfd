"""A tiny mixture trained end to end: what it learns, what it must leave alone, and how it stops and goes on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from model.errors import TrainingFailed, TrainingRejected
from model.progress import Progress
from model.training.graft import Graft, graft
from model.training.loop import Course, train
from model.training.rows import split
from model.training.settings import TrainingSettings
from tests.model.training.tiny_moe import encoded, quick, rows, tiny_moe

LONG = quick(steps=36, rate=1e-2, balance=0.05, evaluate_every=12, checkpoint_every=36)


def quiet(_: Progress) -> None:
    """Nobody is told."""


def trained(
    base: Path, folder: Path, settings: TrainingSettings, *, model: Any = None, **how: Any
) -> tuple[Graft, Course]:
    """Train the tiny mixture from its random weights, or go on."""
    learning, measured = (encoded(base, part) for part in split(rows(), settings.held_out))
    grafted = graft(model or tiny_moe(), settings)
    how = {"report": quiet, "origin": {"data": "of the test"}} | how
    return grafted, train(grafted, learning, measured, settings, folder=folder, **how)


def values(grafted: Graft) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in grafted.learned()}


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return model(torch.arange(3, 40)[None]).logits


@pytest.fixture(scope="module")
def long(base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Graft, Course, dict[str, torch.Tensor]]:
    """One run of 36 steps, its last quarter through int4, and the base's state from before it."""
    model = tiny_moe()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    return *trained(base, tmp_path_factory.mktemp("long"), LONG, model=model), before


def test_the_loss_on_held_out_rows_falls_by_more_than_half(long: tuple[Graft, Course, Any]) -> None:
    _, course, _ = long
    assert course.finished
    assert course.after.answer < 0.4 * course.before.answer
    assert all(course.after.by_domain[name] < 0.5 * course.before.by_domain[name] for name in ("legal", "medical"))
    assert [entry["step"] for entry in course.curve] == [12, 24, 36]
    assert course.curve[-1]["answer"] == course.after.answer, "the last point of the curve is the result"


def test_no_expert_is_starved(long: tuple[Graft, Course, Any]) -> None:
    _, course, _ = long
    assert course.after.least_load >= 0.25
    assert all(sum(shares) == pytest.approx(1) for shares in course.after.load.values())


def test_general_text_is_held_to_the_dense_model(long: tuple[Graft, Course, Any], base: Path, tmp_path: Path) -> None:
    """Against the same run without the KL term, which drifts."""
    _, course, _ = long
    free = replace(LONG, general_rows=0, evaluate_every=36)
    _, drifted = trained(base, tmp_path, free)
    assert course.after.general is not None
    assert drifted.after.general is not None
    assert course.after.general < 0.5 * drifted.after.general


def test_no_weight_of_the_base_moves_by_a_bit(long: tuple[Graft, Course, Any]) -> None:
    grafted, _, before = long
    now = {name.replace(".base.", "."): tensor for name, tensor in grafted.model.state_dict().items()}
    assert all(torch.equal(now[name], tensor) for name, tensor in before.items() if ".gate.weight" not in name)
    gates = {layer: grafted.gates[layer].base.weight for layer in grafted.layers}
    assert all(torch.equal(gate, before[f"model.layers.{layer}.mlp.gate.weight"]) for layer, gate in gates.items())


def test_with_the_experts_off_the_model_is_the_dense_one(long: tuple[Graft, Course, Any]) -> None:
    grafted, _, _ = long
    dense = logits(tiny_moe())
    assert not torch.equal(logits(grafted.model), dense)
    with grafted.switches.off():
        assert torch.equal(logits(grafted.model), dense)
    assert not torch.equal(logits(grafted.model), dense), "they are on again"


@pytest.mark.parametrize("stopped_at", [1, 3, 4])
def test_a_run_that_goes_on_is_the_run_that_was_not_interrupted(base: Path, tmp_path: Path, stopped_at: int) -> None:
    """To the bit: weights, AdamW's state, the curve; stopped between measurements, at one, and before the int4 part."""
    settings = quick(steps=6, quantized_share=0.34)
    whole, course = trained(base, tmp_path / "whole", settings)
    seen = iter(range(1, 99))
    _, stopped = trained(base, tmp_path / "parts", settings, stop=lambda: next(seen) == stopped_at)
    assert (stopped.finished, stopped.step) == (False, stopped_at)
    again, rest = trained(base, tmp_path / "parts", settings)
    assert rest == course
    assert all(torch.equal(tensor, values(whole)[name]) for name, tensor in again.learned())
    first, second = (sorted((tmp_path / name).glob("checkpoint-00000006/*")) for name in ("whole", "parts"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert len(first) == 4


def test_going_on_after_the_end_changes_nothing(base: Path, tmp_path: Path) -> None:
    settings = quick(steps=3)
    grafted, course = trained(base, tmp_path, settings)
    again, same = trained(base, tmp_path, settings)
    assert same == course
    assert all(torch.equal(tensor, values(grafted)[name]) for name, tensor in again.learned())


def test_another_seed_is_another_run(base: Path, tmp_path: Path) -> None:
    one, other = (trained(base, tmp_path / str(seed), quick(steps=2, warmup=0, seed=seed))[0] for seed in (0, 1))
    assert any(not torch.equal(tensor, values(other)[name]) for name, tensor in values(one).items())


def test_a_loss_that_is_not_finite_ends_the_run_and_keeps_the_checkpoint(base: Path, tmp_path: Path) -> None:
    settings = quick(steps=6, checkpoint_every=2)

    def poison(progress: Progress) -> None:
        if progress.done == 3:
            with torch.no_grad():
                grafted.model.lm_head.weight.fill_(float("nan"))

    learning, measured = (encoded(base, part) for part in split(rows(), settings.held_out))
    grafted = graft(tiny_moe(), settings)
    with pytest.raises(TrainingFailed, match="loss of step 3 is nan") as caught:
        train(grafted, learning, measured, settings, folder=tmp_path, origin={}, report=poison)
    assert caught.value.remedy
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["checkpoint-00000002"]
    assert all(bool(tensor.isfinite().all()) for _, tensor in grafted.learned())


def test_a_gradient_that_is_not_finite_ends_the_run(base: Path, tmp_path: Path) -> None:
    """The loss may be finite and its gradient not."""
    settings = quick(steps=3, checkpoint_every=1)
    learning, measured = (encoded(base, part) for part in split(rows(), settings.held_out))
    grafted = graft(tiny_moe(), settings)
    grafted.gates[0].weight.register_hook(lambda gradient: gradient * float("inf"))
    before = values(grafted)
    with pytest.raises(TrainingFailed, match="gradient of step 0"):
        train(grafted, learning, measured, settings, folder=tmp_path, origin={}, report=quiet)
    assert all(torch.equal(tensor, before[name]) for name, tensor in grafted.learned())


def test_a_checkpoint_of_another_run_is_refused(base: Path, tmp_path: Path) -> None:
    trained(base, tmp_path, quick(steps=2, warmup=0))
    with pytest.raises(TrainingRejected, match="another settings"):
        trained(base, tmp_path, quick(steps=2, warmup=0, seed=1))
    with pytest.raises(TrainingRejected, match="another data"):
        trained(base, tmp_path, quick(steps=2, warmup=0), origin={"data": "of others"})


def test_experts_that_would_be_too_large_are_refused_before_the_first_step(base: Path, tmp_path: Path) -> None:
    said: list[Progress] = []
    with pytest.raises(TrainingRejected, match="2 layers make a file of") as caught:
        trained(base, tmp_path, quick(most_megabytes=0.04), report=said.append)
    assert "at most 1 of them" in caught.value.remedy
    assert (said, list(tmp_path.iterdir())) == ([], [])


def test_a_base_in_bfloat16_learns_in_float32(base: Path, tmp_path: Path) -> None:
    """A step of 3e-5 on a weight of 0.1 is below bfloat16's resolution, and must not be lost."""
    model = tiny_moe(kind=torch.bfloat16)
    settings = quick(steps=3, warmup=0, rate=3e-5, decay=0.0)
    learning, measured = (encoded(base, part) for part in split(rows(), settings.held_out))
    grafted = graft(model, settings)
    before = values(grafted)
    course = train(grafted, learning, measured, settings, folder=tmp_path, origin={}, report=quiet)
    assert course.finished
    assert all(tensor.dtype == torch.float32 for _, tensor in grafted.learned())
    moved = values(grafted)["model.layers.1.mlp.experts.0.up_proj.weight"]
    start = before["model.layers.1.mlp.experts.0.up_proj.weight"]
    assert bool((moved != start).float().mean() > 0.9)
    assert bool(((moved - start).abs() < 1e-4).all())
    assert all(parameter.dtype == torch.bfloat16 for parameter in grafted.model.lm_head.parameters())


def test_one_domain_alone_moves_its_experts_alone(base: Path, tmp_path: Path) -> None:
    settings = quick(steps=3, warmup=0, domain="medical")
    learning, measured = (encoded(base, part) for part in split(rows(), settings.held_out))
    grafted = graft(tiny_moe(zero=False), settings)
    before = values(grafted)
    train(grafted, learning, measured, settings, folder=tmp_path, origin={}, report=quiet)
    moved = {name for name, tensor in grafted.learned() if not torch.equal(tensor, before[name])}
    assert {name.split("experts.")[1][0] for name in moved} == {"2", "3"}
    assert not any("gate.weight" in name for name in moved)


def test_progress_says_the_loss_and_the_time_left(base: Path, tmp_path: Path) -> None:
    said: list[Progress] = []
    trained(base, tmp_path, quick(steps=3), report=said.append)
    assert [(progress.done, progress.total, progress.unit) for progress in said] == [(n, 3, "steps") for n in (1, 2, 3)]
    assert all("loss " in progress.step and "min left" in progress.step for progress in said)


def test_the_curve_is_json(base: Path, tmp_path: Path) -> None:
    _, course = trained(base, tmp_path, quick(steps=3))
    assert json.loads(json.dumps(course.curve)) == course.curve
    assert {"trained_answer", "trained_balance", "trained_z", "trained_kl", "least_load"} <= set(course.curve[0])
