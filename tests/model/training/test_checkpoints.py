from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from model.errors import DiskFull, TrainingFailed, TrainingRejected
from model.training.checkpoints import Checkpoint, full_disk, latest, save, write_whole

ORIGIN = {"data": "d", "settings": {"steps": 3}}


def checkpoint(step: int, **changes: Any) -> Checkpoint:
    fields: dict[str, Any] = {
        "step": step,
        "origin": ORIGIN,
        "curve": [{"step": step, "answer": 1.0 / 3}],
        "pending": [{"answer": 0.1}],
        "steps": {"a": float(step)},
        "weights": {"a": torch.tensor([1.0 / 3, step]), "b": torch.zeros(2, 2)},
        "first": {"a": torch.tensor([1e-30, 2.0])},
        "second": {"a": torch.tensor([0.5, 0.25])},
    }
    return Checkpoint(**(fields | changes))


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    save(tmp_path, checkpoint(7), keep=1)
    found = latest(tmp_path, ORIGIN)
    assert found is not None
    wanted = checkpoint(7)
    assert (found.step, found.curve, found.pending, found.steps) == (7, wanted.curve, wanted.pending, {"a": 7.0})
    for name in ("weights", "first", "second"):
        held, expected = getattr(found, name), getattr(wanted, name)
        assert held.keys() == expected.keys()
        assert all(torch.equal(held[key], expected[key]) for key in held)


def test_the_latest_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 10):
        save(tmp_path, checkpoint(step), keep=2)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["checkpoint-00000002", "checkpoint-00000010"]
    found = latest(tmp_path, ORIGIN)
    assert found is not None
    assert found.step == 10


def test_there_may_be_none(tmp_path: Path) -> None:
    assert latest(tmp_path, ORIGIN) is None
    assert latest(tmp_path / "nowhere", ORIGIN) is None


class _Interrupted(BaseException):
    """As an interruption comes: past everything that catches errors."""


def test_an_interruption_while_writing_leaves_the_one_before(tmp_path: Path) -> None:
    save(tmp_path, checkpoint(1), keep=1)

    class Dying(dict[str, Any]):
        def items(self) -> Any:
            raise _Interrupted

    with pytest.raises(_Interrupted):
        save(tmp_path, checkpoint(2, second=Dying()), keep=1)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-00000001"]


def test_what_a_killed_process_left_half_written_is_never_read(tmp_path: Path) -> None:
    """SIGKILL runs no clean-up: the folder stays, with a name that begins with a dot."""
    save(tmp_path, checkpoint(1), keep=2)
    half = tmp_path / ".checkpoint-00000002.writing"
    half.mkdir()
    (half / "weights.safetensors").write_bytes(b"half")
    found = latest(tmp_path, ORIGIN)
    assert found is not None
    assert found.step == 1
    save(tmp_path, checkpoint(2), keep=2)
    assert not half.exists()
    assert sorted(path.name for path in (tmp_path / "checkpoint-00000002").iterdir()) == [
        "first.safetensors",
        "second.safetensors",
        "state.json",
        "weights.safetensors",
    ]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_said_and_leaves_the_one_before(number: int, tmp_path: Path) -> None:
    save(tmp_path, checkpoint(1), keep=1)

    class Full(dict[str, Any]):
        def items(self) -> Any:
            raise OSError(number, "as the system says it")

    with pytest.raises(DiskFull, match="last whole checkpoint is kept"):
        save(tmp_path, checkpoint(2, first=Full()), keep=1)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-00000001"]
    assert latest(tmp_path, ORIGIN) is not None


def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(DiskFull), full_disk():
        Path("/dev/full").write_bytes(b"x")


def test_other_errors_of_the_system_pass() -> None:
    with pytest.raises(PermissionError), full_disk():
        raise PermissionError(errno.EACCES, "no")


@pytest.mark.parametrize("name", ["weights", "first", "second"])
def test_a_changed_byte_is_seen(name: str, tmp_path: Path) -> None:
    path = save(tmp_path, checkpoint(1), keep=1) / f"{name}.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(TrainingFailed, match=f"{name}.safetensors has changed"):
        latest(tmp_path, ORIGIN)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"step": 1, "digests": {}}'])
def test_a_damaged_state_is_refused_with_a_way_back(text: str, tmp_path: Path) -> None:
    (save(tmp_path, checkpoint(1), keep=1) / "state.json").write_text(text)
    with pytest.raises(TrainingFailed, match="damaged") as caught:
        latest(tmp_path, ORIGIN)
    assert "the one before" in caught.value.remedy


def test_tensors_that_are_none_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path, checkpoint(1), keep=1)
    (path / "first.safetensors").write_bytes(b"\0" * 16)
    state = json.loads((path / "state.json").read_text())
    state["digests"].pop("first.safetensors")
    (path / "state.json").write_text(json.dumps(state))
    with pytest.raises(TrainingFailed, match="damaged"):
        latest(tmp_path, ORIGIN)


def test_another_origin_is_named(tmp_path: Path) -> None:
    save(tmp_path, checkpoint(1), keep=1)
    with pytest.raises(TrainingRejected, match="another base, data\\."):
        latest(tmp_path, ORIGIN | {"data": "e", "base": "b"})


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    for text in ("one", "two"):
        with write_whole(tmp_path / "result") as work:
            (work / text).write_text(text)
    assert [path.name for path in (tmp_path / "result").iterdir()] == ["two"]
