"""The command, in this process and in one of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from model.errors import TrainingRejected
from model.progress import Progress
from model.training.expert_file import base_digest, read_experts, read_manifest
from model.training.train import main, run
from tests.model.training.tiny_moe import DOMAINS, quick, rows, tiny_moe, write_rows

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_rows(tmp_path / "rows.jsonl", rows())


def flags(**changes: Any) -> list[str]:
    values = quick(**changes).as_dict()
    return [word for name, value in values.items() for word in ("--set", f"{name}={json.dumps(value)}")]


def test_the_command_trains_and_writes_what_the_build_takes(
    base: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["--base", str(base), "--data", str(data), "--out", str(out), *flags(steps=4)]) == 0
    assert "(4 of 4)" in capsys.readouterr().out
    manifest = read_manifest(out / "experts")
    assert manifest["base"] == {"model_type": "qwen2_moe", "digest": base_digest(base)}
    assert (manifest["layers"], manifest["domains"]) == ([0, 1], list(DOMAINS))
    assert (manifest["experts"], manifest["width"], manifest["hidden"]) == (4, 32, 64)
    assert manifest["settings"] == quick(steps=4).as_dict()
    figures = manifest["figures"]
    assert figures["after"]["answer"] < figures["before"]["answer"]
    curve = json.loads((out / "curve.json").read_text())
    assert [entry["step"] for entry in curve["curve"]] == [3, 4]
    assert curve["before"] == figures["before"]
    # the tensors have the names and shapes of a plain Qwen2-MoE checkpoint, so a merge is one copy each
    held = dict(tiny_moe().named_parameters())
    for name, tensor in read_experts(out / "experts", base=base_digest(base)):
        layer = name.rsplit(".mlp.", 1)[0]
        if ".experts." in name:
            fused = "down_proj" if "down" in name else "gate_up_proj"
            _, outputs, inputs = held[f"{layer}.mlp.experts.{fused}"].shape
            assert tensor.shape == (outputs // (1 if "down" in name else 2), inputs)
        else:
            assert tensor.shape == held[name].shape


def test_the_delivered_experts_put_into_the_base_give_the_measured_loss(base: Path, data: Path, tmp_path: Path) -> None:
    """Merged into plain transformers, without any code of ours: the loss on held-out rows is the manifest's."""
    from model.training.rows import GENERAL, split
    from tests.model.training.tiny_moe import encoded

    settings = quick(steps=8, rate=1e-2, quantized_share=0.0)
    run(base, data, tmp_path / "out", settings, report=lambda _: None)
    model = tiny_moe()
    with torch.no_grad():
        for name, tensor in read_experts(tmp_path / "out" / "experts", base=base_digest(base)):
            block = model.model.layers[int(name.split(".")[2])].mlp
            if ".experts." not in name:
                block.gate.weight.copy_(tensor)
                continue
            place = int(name.split(".experts.")[1].split(".")[0])
            width = 32
            target = block.experts.down_proj[place] if "down" in name else block.experts.gate_up_proj[place]
            part = target if "down" in name else target[:width] if "gate_proj" in name else target[width:]
            part.copy_(tensor)
    total, count = 0.0, 0
    for row in encoded(base, split(rows(), settings.held_out)[1]):
        if row.domain != GENERAL:
            with torch.no_grad():
                found = torch.log_softmax(model(torch.tensor([row.ids])).logits[0], -1)
            total -= sum(float(found[place - 1, row.ids[place]]) for place in range(row.start, len(row.ids)))
            count += len(row.ids) - row.start
    after = read_manifest(tmp_path / "out" / "experts")["figures"]["after"]["answer"]
    # rows rounded to int8: half a 254th of a row's range
    assert total / count == pytest.approx(after, rel=0.01)


def test_a_second_stage_begins_with_the_experts_of_the_first(base: Path, data: Path, tmp_path: Path) -> None:
    run(base, data, tmp_path / "one", quick(steps=2), report=lambda _: None)
    first, digest = tmp_path / "one" / "experts", base_digest(base)
    second = quick(steps=2, domain="legal")
    assert run(base, data, tmp_path / "two", second, start=first, report=lambda _: None)
    before, after = (dict(read_experts(folder, base=digest)) for folder in (first, tmp_path / "two" / "experts"))
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert {name.split("experts.")[1][0] for name in moved} == {"0", "1"}
    assert read_manifest(tmp_path / "two" / "experts")["start"] == read_manifest(first)["file"]["sha256"]
    with pytest.raises(TrainingRejected, match="other layers"):
        run(base, data, tmp_path / "three", quick(layers=(1,)), start=first, report=lambda _: None)
    with pytest.raises(TrainingRejected, match="another start"):
        run(base, data, tmp_path / "two", second, report=lambda _: None)


def test_the_data_of_a_run_cannot_be_changed_under_it(base: Path, data: Path, tmp_path: Path) -> None:
    run(base, data, tmp_path / "out", quick(steps=2), report=lambda _: None)
    write_rows(data, rows(46))
    with pytest.raises(TrainingRejected, match="another data"):
        run(base, data, tmp_path / "out", quick(steps=2), report=lambda _: None)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"auto_map": {"AutoModel": "x.Y"}}, "code that comes with the weights"),
        ({"quantization_config": {"quant_method": "compressed-tensors"}}, "is quantized"),
        ({"model_type": "gpt2"}, "is not known"),
        ({"model_type": "nothing-known"}, "cannot be loaded"),
        ({"vouch": {"domains": ["a", "b", "c"]}}, "cannot be shared out"),
    ],
)
def test_a_base_that_cannot_be_trained_is_refused(
    change: dict[str, Any], said: str, base: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "base"
    folder.mkdir()
    for path in base.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | change))
    status = main(["--base", str(folder), "--data", str(data), "--out", str(tmp_path / "out"), *flags()])
    assert status == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out" / "experts").exists()


def test_errors_are_lines_of_json_when_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["--base", str(tmp_path), "--data", "x", "--out", str(tmp_path), "--json"]
    assert main(command) == 1
    first, last = capsys.readouterr().out.splitlines()
    assert Progress.from_line(first) == Progress("reading the base", 0, 0, "")
    assert json.loads(last).keys() == {"error", "message", "remedy"}
    assert main([*command, "--set", "steps=none"]) == 1
    assert "steps" in json.loads(capsys.readouterr().out)["message"]


def test_settings_come_from_a_file_and_single_ones_on_top(base: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(json.dumps(quick(steps=2).as_dict()))
    command = ["--base", str(base), "--data", str(data), "--out", str(tmp_path / "out")]
    more = ["--settings", str(tmp_path / "settings.json"), "--set", "form=adapters", "--set", "rank=2"]
    assert main([*command, *more]) == 0
    manifest = read_manifest(tmp_path / "out" / "experts")
    assert (manifest["form"], manifest["settings"]["rank"], manifest["settings"]["steps"]) == ("adapters", 2, 2)


def test_help_says_what_it_takes() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "model.training.train", "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert all(flag in done.stdout for flag in ("--base", "--data", "--out", "--settings", "--start"))


KILLED: dict[str, Any] = {"steps": 6, "checkpoint_every": 1, "evaluate_every": 6, "accumulate": 1}


def unbroken(base: Path, data: Path, out: Path) -> list[Progress]:
    """Run, or go on, in this process, with one thread as the other has."""
    said: list[Progress] = []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert run(base, data, out, quick(**KILLED), report=said.append)
    finally:
        torch.set_num_threads(threads)
    return [progress for progress in said if progress.unit == "steps"]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 3), (signal.SIGKILL, -9)])
def test_a_killed_run_goes_on(number: signal.Signals, status: int, base: Path, data: Path, tmp_path: Path) -> None:
    """SIGTERM ends it with a checkpoint, SIGKILL leaves the last one; both end where an unbroken run does."""
    out = tmp_path / "out"
    command = ["-m", "model.training.train", "--base", str(base), "--data", str(data), "--out", str(out)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    child = subprocess.Popen(
        [sys.executable, *command, *flags(**KILLED)], cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL
    )
    try:
        while not list(out.glob("checkpoint-*")) and child.poll() is None:  # the test's own time limit ends it
            time.sleep(0.01)
        child.send_signal(number)
        assert child.wait() in (status, 0), "0 where it was faster than the signal"
    finally:
        child.kill()
        child.wait()
    steps = unbroken(base, data, out)
    assert not steps or steps[0].done >= 2, "it went on, and did not begin anew"
    unbroken(base, data, tmp_path / "whole")
    ours, whole = (folder / "experts" / "experts.safetensors" for folder in (out, tmp_path / "whole"))
    assert ours.read_bytes() == whole.read_bytes()
