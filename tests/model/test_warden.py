"""Nothing outlives us: shown with real processes, and killed in every order that leaves one alive to act."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from model._children import Child, child_environment, log_tail, session_members

TREE = "sleep 600 & sh -c 'sleep 601 & sleep 602' & echo $$ > {mark}; sleep 603"
"""A shell with children and grandchildren; the mark is written when they are there."""


def until(condition: Callable[[], object], *, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "mark"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def tree(mark: Path, log: Path) -> Child:
    child = Child(["sh", "-c", TREE.format(mark=mark)], log=log)
    until(lambda: mark.exists() and len(session_members(child.pid)) >= 6)  # the warden, two shells, sleeps
    return child


def test_end_leaves_nothing(mark: Path, log: Path) -> None:
    child = tree(mark, log)
    child.end()
    assert session_members(child.pid) == []


def test_end_twice_is_no_error(mark: Path, log: Path) -> None:
    child = tree(mark, log)
    child.end()
    child.end()


def test_a_command_that_ignores_sigterm_is_killed(mark: Path, log: Path) -> None:
    stubborn = f"trap '' TERM; echo > {mark}; while :; do sleep 1; done"
    child = Child(["sh", "-c", stubborn], log=log)
    until(mark.exists)
    child.end()
    assert session_members(child.pid) == []


def test_a_command_may_put_its_things_in_order(tmp_path: Path, mark: Path, log: Path) -> None:
    polite = f"trap 'echo bye > {tmp_path}/bye; exit 0' TERM; echo > {mark}; while :; do sleep 0.05; done"
    child = Child(["sh", "-c", polite], log=log)
    until(mark.exists)
    child.end()
    assert (tmp_path / "bye").exists()


def test_when_the_command_ends_what_it_left_behind_ends_too(log: Path) -> None:
    child = Child(["sh", "-c", "sleep 600 & exit 7"], log=log)
    assert child.wait(30) == 7
    until(lambda: session_members(child.pid) == [])
    child.end()


def test_a_command_that_was_killed_has_the_status_of_a_shell(log: Path) -> None:
    child = Child(["sh", "-c", "kill -9 $$"], log=log)
    assert child.wait(30) == 128 + signal.SIGKILL
    child.end()


def test_when_we_are_killed_everything_ends(tmp_path: Path, mark: Path, log: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from model._children import Child\n"
        "child = Child(['sh', '-c', sys.argv[1]], log=Path(sys.argv[2]))\n"
        "Path(sys.argv[3]).write_text(str(child.pid)); time.sleep(600)"
    )
    told = tmp_path / "session"
    command = [sys.executable, "-c", code, TREE.format(mark=mark), str(log), str(told)]
    parent = subprocess.Popen(command)
    until(lambda: mark.exists() and told.exists() and told.read_text())
    session = int(told.read_text())
    assert len(session_members(session)) > 2
    parent.kill()
    parent.wait()
    until(lambda: session_members(session) == [])


def test_when_the_warden_is_killed_the_command_ends(mark: Path, log: Path) -> None:
    child = Child(["sh", "-c", f"echo $$ > {mark}; exec sleep 600"], log=log)
    until(lambda: mark.exists() and mark.read_text().strip())
    os.kill(child.pid, signal.SIGKILL)
    until(lambda: session_members(child.pid) == [])
    child.end()


def test_output_and_errors_are_in_the_log_and_the_environment_is_handed_on(log: Path) -> None:
    environment = child_environment(GREETING="hello")
    child = Child(["sh", "-c", "echo $GREETING; echo sorry >&2"], log=log, environment=environment)
    assert child.wait(30) == 0
    child.end()
    assert log_tail(log) == "hello sorry"


def test_a_command_that_does_not_exist_ends_with_an_error(log: Path) -> None:
    child = Child(["/nonexistent/program"], log=log)
    assert child.wait(30) not in {None, 0}
    child.end()
    assert "No such file" in log_tail(log)


def test_the_tail_of_a_log_is_short_and_of_no_log_empty(log: Path) -> None:
    assert log_tail(log) == ""
    log.write_text("x" * 10_000 + "\nthe end\n")
    assert log_tail(log, limit=20).endswith("the end")
    assert len(log_tail(log, limit=20)) == 20


def test_a_zombie_does_not_count_as_living() -> None:
    process = subprocess.Popen(["true"], start_new_session=True)
    until(lambda: Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z")
    assert session_members(process.pid) == []
    process.wait()
