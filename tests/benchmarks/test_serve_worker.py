"""A contender in a process of its own: calls, failures, deaths, and that nothing of it is left."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.serve_worker import ContenderFailed, Entrant, Worker
from model._children import session_members

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
Make = Callable[..., Worker]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Worker] = []

    def worker(environment: dict[str, str] | None = None, **arguments: Any) -> Worker:
        path = {"PYTHONPATH": str(HERE)}
        entrant = Entrant("fake", "fake_contender:Fake", arguments, 0.1, {**path, **(environment or {})})
        made.append(Worker(entrant, tmp_path / "fake.log"))
        return made[-1]

    yield worker
    for one in made:
        one.end()


def test_a_call_returns_what_the_contender_returns(make: Make) -> None:
    worker = make(step_s=0.25)
    assert worker.call("start", timeout_s=30)["version"] == "fake 1"
    assert worker.call("generate", timeout_s=30, prompts=[[1, 2]], new_tokens=3) == [0.25, 0.5, 0.75]


def test_what_libraries_print_goes_to_the_log(make: Make, tmp_path: Path) -> None:
    make().call("start", timeout_s=30)
    assert "a library that prints" in (tmp_path / "fake.log").read_text()


def test_its_environment_is_its_own(make: Make) -> None:
    assert make({"FAKE_VERSION": "fake 2"}).call("start", timeout_s=30)["version"] == "fake 2"


def test_a_failure_is_told_and_the_contender_lives_on(make: Make) -> None:
    worker = make(fails_at="answer 1")
    worker.call("start", timeout_s=30)
    with pytest.raises(ContenderFailed, match="RuntimeError: it broke"):
        worker.call("generate", timeout_s=30, prompts=[[1]], new_tokens=1)
    assert worker.call("generate", timeout_s=30, prompts=[[1]], new_tokens=1) == [0.5]


def test_a_death_is_told_with_the_last_error_of_the_log(make: Make) -> None:
    worker = make(fails_at="start", fails_with="die")
    with pytest.raises(ContenderFailed, match="ended during start: OutOfMemoryError: no room for 3 GB"):
        worker.call("start", timeout_s=30)
    with pytest.raises(ContenderFailed):
        worker.call("start", timeout_s=30)


def test_a_contender_that_hangs_is_given_up_and_ended(make: Make) -> None:
    worker = make(fails_at="answer 1", fails_with="hang")
    worker.call("start", timeout_s=30)
    with pytest.raises(ContenderFailed, match="did not answer within 1 s"):
        worker.call("generate", timeout_s=1, prompts=[[1]], new_tokens=1)
    worker.end()
    assert session_members(worker.session) == []


def test_a_factory_that_is_not_there_is_told_at_the_first_call(tmp_path: Path) -> None:
    worker = Worker(Entrant("fake", "no_such_module:Fake", {}, 0.1), tmp_path / "log")
    with pytest.raises(ContenderFailed, match="ModuleNotFoundError: No module named 'no_such_module'"):
        worker.call("start", timeout_s=30)
    worker.end()


def test_an_interpreter_that_is_not_there_is_told(tmp_path: Path) -> None:
    worker = Worker(Entrant("fake", "fake_contender:Fake", {}, 0.1, python="/no/such/python"), tmp_path / "log")
    with pytest.raises(ContenderFailed, match="No such file or directory: '/no/such/python'"):
        worker.call("start", timeout_s=30)
    worker.end()


def test_it_ends_with_whoever_asked_for_it_even_halted_and_by_force(tmp_path: Path) -> None:
    code = (
        "import time; from pathlib import Path; from benchmarks.serve_worker import Entrant, Worker\n"
        "from benchmarks.serve_load import halt\n"
        f"worker = Worker(Entrant('fake', 'fake_contender:Fake', {{}}, 0.1, {{'PYTHONPATH': {str(HERE)!r}}}),"
        f" Path({str(tmp_path / 'log')!r}))\n"
        "worker.call('start', timeout_s=30); halt([worker.session])\n"
        "print(worker.session, flush=True); time.sleep(600)"
    )
    asker = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert asker.stdout is not None
    session = int(asker.stdout.readline())
    assert session_members(session)
    asker.kill()
    asker.communicate()
    deadline = time.monotonic() + 30
    while session_members(session) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert session_members(session) == []


@pytest.mark.parametrize("module", ["serve_contender", "serve_llama", "serve_transformers", "serve_vllm"])
def test_a_contender_is_imported_without_what_it_measures(module: str) -> None:
    # so that a rival that is missing is told of when it starts, in words
    code = f"import sys, benchmarks.{module}; sys.exit(bool({{'llama_cpp', 'torch', 'vllm'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
