"""Whose work it was: the contender's sessions are told from the rest of the machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.serve_load import elsewhere, free_gb, halt, resident_gb, resume

pytestmark = pytest.mark.skipif(not os.path.exists("/proc/stat"), reason="needs Linux's /proc")

BUSY = """
import time
end = time.process_time() + 0.5
while time.process_time() < end:
    pass
print("done", flush=True)
input()
"""


def test_work_of_a_contender_is_not_elsewhere_and_work_of_others_is() -> None:
    share_of_idle = elsewhere([])  # whoever works, it is someone else
    busy = subprocess.Popen(
        [sys.executable, "-c", BUSY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    share_beside = elsewhere([busy.pid])
    begin = time.perf_counter()
    assert busy.stdout is not None
    busy.stdout.readline()
    others, beside = share_of_idle(), share_beside()
    seconds = (time.perf_counter() - begin) * (os.cpu_count() or 1)
    busy.communicate(b"\n")
    # The half second of work is the difference, but for ticks of a hundredth on each of four readings.
    assert (others - beside) * seconds > 0.3
    assert 0 <= beside <= others <= 1


def test_a_session_that_has_ended_is_no_error() -> None:
    done = subprocess.Popen([sys.executable, "-c", ""], start_new_session=True)
    share = elsewhere([done.pid])
    done.wait()
    assert 0 <= share() <= 1


def test_free_memory_is_less_than_all() -> None:
    assert 0 < free_gb() < os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def test_memory_is_that_of_the_sessions_processes() -> None:
    code = "held = bytearray(b'x') * (100 << 20); print('done', flush=True); input()"
    large = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    assert large.stdout is not None
    large.stdout.readline()
    held = resident_gb([large.pid])
    large.communicate(b"\n")
    assert 100 / 1024 < held < 200 / 1024
    assert resident_gb([large.pid]) == resident_gb([]) == 0


def test_what_is_halted_does_nothing_until_it_is_resumed() -> None:
    # a shell stands where the warden does: first of its session, and never halted
    line = "while :; do sleep 0.01; done & echo $!; wait"
    leader = subprocess.Popen(["sh", "-c", line], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert leader.stdout is not None
    child = int(leader.stdout.readline())

    def state(pid: int) -> str:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]

    halt([leader.pid])
    assert eventually(lambda: state(child) == "T")
    assert state(leader.pid) != "T"
    resume([leader.pid])
    assert eventually(lambda: state(child) != "T")
    os.killpg(leader.pid, signal.SIGKILL)
    leader.communicate()


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.01)
    return holds()
