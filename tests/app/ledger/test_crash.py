"""Every write-side system call of an appending process is made to fail, one occurrence at a time.

strace injects an I/O error, a full disk and SIGKILL. Whatever is struck: nothing that was acknowledged is lost, what is
stored verifies, and the next process appends. Where strace is missing it is installed; where that is impossible this
fails, since a promise that was not tested is none.

Not covered: a loss of power. A killed process leaves the kernel's cache as it is.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.identity.principal import OPERATOR
from app.ledger.log import Ledger
from app.storage.engine import connect
from tests.app.ledger import crash_child

CALLS = (
    *("openat", "pwrite64", "pwritev", "write", "writev", "fsync", "fdatasync", "ftruncate", "fallocate", "unlink"),
    *("unlinkat", "rename", "renameat", "close", "lseek", "fcntl", "flock", "fchmod", "fchown", "mkdir"),
)
FOLDER = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""A file system in memory: the calls are the same, and a killed process leaves the kernel's cache on any."""
KINDS = {"EIO": "error=EIO", "ENOSPC": "error=ENOSPC", "SIGKILL": "signal=SIGKILL"}

_children = multiprocessing.get_context("forkserver")
_children.set_forkserver_preload([crash_child.__name__])


@dataclass(frozen=True)
class Outcome:
    """What became of one appending process: entries that it acknowledged, its exit status, the tracer's lines."""

    acknowledged: list[int]
    status: int | None
    trace: str


@pytest.fixture(scope="module")
def strace() -> str:
    found = shutil.which("strace")
    if found is None:
        subprocess.run(["apt-get", "update"], capture_output=True, check=False)
        subprocess.run(["apt-get", "install", "--yes", "strace"], capture_output=True, check=False)
        found = shutil.which("strace")
    if found is None:
        pytest.fail("strace is missing and could not be installed: the ledger's crash safety is not tested here")
    return found


def trace(strace: str, folder: Path, *options: str) -> Outcome:
    """Run the child under strace from its first append on."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    waits, go = multiprocessing.Pipe(duplex=False)
    child = _children.Process(target=crash_child.run, args=(str(folder), theirs, waits))
    child.start()
    theirs.close()
    log = folder / "trace"
    with os.fdopen(os.dup(ours.fileno()), encoding="ascii") as lines:
        ours.close()
        assert lines.readline() == "ready\n"
        command = [strace, "-o", str(log), "-p", str(child.pid), "-e", f"trace={','.join(CALLS)}", *options]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
            assert tracer.stderr is not None
            said = tracer.stderr.readline()
            if "attached" not in said:
                child.kill()
                pytest.fail(f"strace cannot trace here: {said.strip()}")
            os.write(go.fileno(), b"x")
            acknowledged = [int(line) for line in lines]
            child.join(60)
            tracer.wait(60)
    waits.close()
    go.close()
    status = child.exitcode
    child.close()
    return Outcome(acknowledged, status, log.read_text(encoding="utf-8", errors="replace"))


def check(folder: Path, outcome: Outcome) -> None:
    """Hold the ledger that is left against what was acknowledged, and go on with it."""
    engine = connect(f"sqlite:///{folder / 'ledger.db'}", durable=True)
    try:
        with Ledger(engine) as ledger:
            size = ledger.size
            assert all(entry < size for entry in outcome.acknowledged)
            assert len(set(outcome.acknowledged)) == len(outcome.acknowledged)
            assert ledger.verify().size == size
            assert ledger.append("test.event", actor=OPERATOR, body={}).entry == size
            ledger.close_dangling(OPERATOR)
            assert ledger.verify().size == ledger.size
    finally:
        engine.dispose()


def strike(strace: str, call: str, when: int, kind: str) -> bool:
    """Make one occurrence fail; say whether it was reached."""
    with tempfile.TemporaryDirectory(prefix="vouch-crash-", dir=FOLDER) as made:
        folder = Path(made)
        outcome = trace(strace, folder, "-e", f"inject={call}:{KINDS[kind]}:when={when}")
        assert outcome.status != crash_child.BROKEN, f"{kind} at {call} {when}"
        struck = outcome.status == -signal.SIGKILL if kind == "SIGKILL" else "(INJECTED)" in outcome.trace
        check(folder, outcome)
        return struck


@pytest.fixture(scope="module")
def occurrences(strace: str) -> Counter[str]:
    """How often each call occurs when nothing is struck."""
    with tempfile.TemporaryDirectory(prefix="vouch-crash-", dir=FOLDER) as made:
        outcome = trace(strace, Path(made))
        assert outcome.status == 0
        assert outcome.acknowledged == list(range(crash_child.APPENDS))
        check(Path(made), outcome)
    return Counter(re.findall(r"^(\w+)\(", outcome.trace, re.MULTILINE))


def test_the_calls_that_make_an_append_durable_are_seen(occurrences: Counter[str]) -> None:
    assert occurrences["pwrite64"] > crash_child.APPENDS
    assert occurrences["fdatasync"] + occurrences["fsync"] > crash_child.APPENDS
    assert occurrences["openat"] > 0
    assert occurrences["fcntl"] > 0
    assert set(occurrences) <= set(CALLS)


@pytest.mark.parametrize("kind", KINDS)
def test_no_failure_of_any_call_loses_what_was_acknowledged(strace: str, occurrences: Counter[str], kind: str) -> None:
    places = [(call, when) for call, count in sorted(occurrences.items()) for when in range(1, count + 1)]
    with ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool:
        struck = list(pool.map(lambda place: strike(strace, *place, kind), places))
    missed = [place for place, hit in zip(places, struck, strict=True) if not hit]
    assert len(missed) <= len(places) // 20, missed  # the number of calls differs by a few from run to run
