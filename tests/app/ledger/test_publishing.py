"""Publication: when it happens, where it goes, what is visible when it does not, and that it stops no append."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from app.errors import LedgerUnavailable
from app.identity.principal import OPERATOR
from app.ledger.checkpoint import Checkpoint
from app.ledger.checkpoint_folder import CheckpointFolder
from app.ledger.durable_file import create, replace
from app.ledger.log import Ledger
from app.ledger.note import VerifierKey
from app.ledger.publication import open_publisher, open_signer
from app.ledger.publishing import Publisher
from app.settings import Settings, load
from tests.app.storage.disks import SmallDisk


def settings_of(tmp_path: Path, **more: object) -> Settings:
    return load({}, data_dir=tmp_path / "data", **more)


def entry(ledger: Ledger) -> None:
    ledger.append("test.event", actor=OPERATOR, body={})


def until(condition: Callable[[], bool]) -> None:
    """Wait for another thread, as long as it takes; a test that hangs is ended by the suite's own limit."""
    while not condition():
        time.sleep(0.02)


def sizes(folder: Path) -> list[int]:
    return [Checkpoint.parse(note.text).size for note in CheckpointFolder(folder).checkpoints()]


@pytest.fixture
def witness(
    tmp_path: Path, ledger: Ledger, engine: Engine
) -> Iterator[Callable[[], tuple[str, str, subprocess.Popen[str]]]]:
    """Start a real witness of this ledger, on the same port and folder each time."""
    key = open_signer(settings_of(tmp_path), ledger, engine, actor=OPERATOR).identity.keys[0].key
    children: list[subprocess.Popen[str]] = []
    port = "0"

    def start() -> tuple[str, str, subprocess.Popen[str]]:
        nonlocal port
        command = [sys.executable, "-m", "app", "audit", "witness", "--folder", str(tmp_path / "witness")]
        command += ["--port", port, "--name", "example.org/witness", "--log", str(key)]
        child = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ}
        )
        children.append(child)
        assert child.stdout is not None
        said = json.loads(child.stdout.readline())
        port = said["url"].rpartition(":")[2]
        return said["url"], said["key"], child

    yield start
    for child in children:
        child.kill()
        child.communicate(timeout=30)


def test_a_checkpoint_is_published_after_so_many_events(tmp_path: Path, ledger: Ledger, engine: Engine) -> None:
    settings = settings_of(
        tmp_path, checkpoint_events=5, checkpoint_seconds=10_000, checkpoint_dir=tmp_path / "outside"
    )
    publisher = open_publisher(settings, ledger, engine, actor=OPERATOR)
    publisher.start()
    for _ in range(3):
        entry(ledger)
    assert publisher.state()["published"] == 0
    assert publisher.state()["lag"] == 4
    entry(ledger)
    until(lambda: publisher.state()["published"] == 5)
    assert sizes(settings.data_dir / "checkpoints") == sizes(tmp_path / "outside") == [5]
    publisher.stop()
    assert sizes(tmp_path / "outside") == [5]  # nothing new, nothing more


def test_a_checkpoint_is_published_after_so_many_seconds_and_at_the_end(
    tmp_path: Path, ledger: Ledger, engine: Engine
) -> None:
    settings = settings_of(tmp_path, checkpoint_events=1000, checkpoint_seconds=0.5)
    publisher = open_publisher(settings, ledger, engine, actor=OPERATOR)
    publisher.start()
    until(lambda: publisher.state()["published"] == 1)
    entry(ledger)
    publisher.stop()
    assert publisher.state() | {"places": []} == {
        "entries": 2,
        "signed": 2,
        "published": 2,
        "lag": 0,
        "error": "",
        "places": [],
    }


def test_what_an_earlier_process_signed_and_did_not_publish_is_published(
    tmp_path: Path, ledger: Ledger, engine: Engine
) -> None:
    settings = settings_of(tmp_path)
    open_signer(settings, ledger, engine, actor=OPERATOR).sign()
    assert sizes(settings.data_dir / "checkpoints") == []
    publisher = open_publisher(settings, ledger, engine, actor=OPERATOR)
    publisher.start()
    until(lambda: publisher.state()["published"] == 1)
    publisher.stop()


def test_a_folder_that_is_not_there_is_told_and_tried_again_and_appends_go_on(
    tmp_path: Path, ledger: Ledger, engine: Engine
) -> None:
    (tmp_path / "mount").write_text("a file is in the way")
    settings = settings_of(tmp_path, checkpoint_dir=tmp_path / "mount" / "log", checkpoint_seconds=0.2)
    publisher = open_publisher(settings, ledger, engine, actor=OPERATOR)
    publisher.start()
    until(lambda: bool(publisher.state()["places"][1]["error"]))
    for _ in range(10):
        entry(ledger)
    state = publisher.state()
    own, outside = state["places"]
    assert own["published"] >= 1
    assert outside["published"] == state["published"] == 0
    assert "A checkpoint cannot be written to" in outside["error"]
    (tmp_path / "mount").unlink()
    until(lambda: publisher.state()["published"] == 11)
    assert publisher.state()["places"][1]["error"] == ""
    publisher.stop()
    assert max(sizes(tmp_path / "mount" / "log")) == 11


def test_a_full_disk_is_told_and_leaves_no_half_checkpoint(
    tmp_path: Path, ledger: Ledger, engine: Engine, small_disk: SmallDisk
) -> None:
    settings = settings_of(tmp_path, checkpoint_dir=small_disk.folder / "log")
    publisher = open_publisher(settings, ledger, engine, actor=OPERATOR)
    assert publisher.publish()
    small_disk.fill()
    entry(ledger)
    assert not publisher.publish()
    assert "cannot be written" in publisher.state()["places"][1]["error"]
    assert sizes(small_disk.folder / "log") == [1]
    small_disk.free()
    assert publisher.publish()
    assert sizes(small_disk.folder / "log") == [1, 2]


def test_a_witness_cosigns_what_is_published_and_its_absence_is_visible(
    tmp_path: Path, ledger: Ledger, engine: Engine, witness: Callable[[], tuple[str, str, subprocess.Popen[str]]]
) -> None:
    url, key, child = witness()
    settings = settings_of(
        tmp_path, witness_urls=(url,), witness_keys=(key,), checkpoint_dir=tmp_path / "outside", checkpoint_seconds=0.2
    )
    publisher = open_publisher(settings, ledger, engine, actor=OPERATOR)
    assert publisher.publish()
    [note] = CheckpointFolder(tmp_path / "outside").checkpoints()
    names = [key.name for key in note.verified([*publisher.keys, VerifierKey.parse(key)])]
    assert names == [publisher.keys[0].name, "example.org/witness"]
    child.kill()
    child.wait(timeout=30)
    for _ in range(5):
        entry(ledger)
    assert not publisher.publish()
    state = publisher.state()
    assert [place["published"] for place in state["places"]] == [6, 6, 1]
    assert "The witness example.org/witness at" in state["places"][2]["error"]
    assert state["lag"] == 5
    witness()
    publisher.start()
    until(lambda: publisher.state()["lag"] == 0)
    publisher.stop()
    assert [len(note.signatures) for note in CheckpointFolder(tmp_path / "outside").checkpoints()] == [2, 2]


def test_a_publisher_that_knows_nothing_of_the_witness_asks_it_how_far_it_is(
    tmp_path: Path, ledger: Ledger, engine: Engine, witness: Callable[[], tuple[str, str, subprocess.Popen[str]]]
) -> None:
    url, key, _ = witness()
    settings = settings_of(tmp_path, witness_urls=(url,), witness_keys=(key,))
    for _ in range(3):
        entry(ledger)
        assert open_publisher(settings, ledger, engine, actor=OPERATOR).publish()  # each begins without memory of it


def test_an_address_where_no_witness_is_or_another_key_does_not_count(
    tmp_path: Path, ledger: Ledger, engine: Engine, witness: Callable[[], tuple[str, str, subprocess.Popen[str]]]
) -> None:
    url, key, _ = witness()
    other = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"
    settings = settings_of(tmp_path, witness_urls=(f"{url}/nowhere", url), witness_keys=(key, other))
    publisher = open_publisher(settings, ledger, engine, actor=OPERATOR)
    assert not publisher.publish()
    _, nowhere, stranger = publisher.state()["places"]
    assert "it answered 404" in nowhere["error"]
    assert "no signature in its answer is one of its key" in stranger["error"]


def test_a_new_file_is_whole_or_absent_and_never_replaces_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    create(path, b"first", mode=0o640)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    with pytest.raises(FileExistsError):
        create(path, b"second")
    assert path.read_bytes() == b"first"
    replace(path, b"third")
    assert path.read_bytes() == b"third"
    with pytest.raises(FileNotFoundError):
        create(tmp_path / "nowhere" / "file", b"")
    assert os.listdir(tmp_path) == ["file"]


def test_a_checkpoint_can_be_added_to_a_folder_that_only_allows_additions(
    tmp_path: Path, ledger: Ledger, engine: Engine
) -> None:
    folder = tmp_path / "append-only"
    folder.mkdir()
    if subprocess.run(["chattr", "+a", str(folder)], capture_output=True, check=False).returncode:
        pytest.skip("this file system or account has no append-only attribute")
    try:
        publisher = open_publisher(settings_of(tmp_path, checkpoint_dir=folder), ledger, engine, actor=OPERATOR)
        assert publisher.publish()
        [path] = list(folder.iterdir())
        with pytest.raises(PermissionError):
            path.unlink()
    finally:
        subprocess.run(["chattr", "-a", str(folder)], check=True)


def test_a_folder_with_other_files_in_it_gives_only_its_checkpoints(
    tmp_path: Path, ledger: Ledger, engine: Engine
) -> None:
    folder = CheckpointFolder(tmp_path / "outside")
    assert list(folder.checkpoints()) == []
    assert folder.covering(0) is None
    publisher = open_publisher(settings_of(tmp_path, checkpoint_dir=folder.path), ledger, engine, actor=OPERATOR)
    publisher.publish()
    for name in ("readme.txt", f"{7:020}.checkpoint", f"{8:020}.cosigned", f".{9:020}.checkpoint.part"):
        (folder.path / name).write_bytes(b"\xff not a note")
    (folder.path / f"{10:020}.checkpoint").mkdir()
    assert sizes(folder.path) == [1]
    assert folder.covering(0) is not None
    assert folder.covering(1) is None


def test_a_closed_ledger_is_an_error_in_the_state_and_not_an_exception(tmp_path: Path, engine: Engine) -> None:
    with Ledger(engine) as ledger:
        publisher: Publisher = open_publisher(settings_of(tmp_path), ledger, engine, actor=OPERATOR)
    engine.dispose()
    publisher.stop()
    assert isinstance(publisher.state()["error"], str)
    with pytest.raises(LedgerUnavailable):
        entry(ledger)
