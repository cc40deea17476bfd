"""The child is what its parent says it is: limited, alone, and gone with its parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from retrieval.errors import DamagedFile, DocumentNotFound, ParseLimit, RetrievalError
from retrieval.parsing import sandbox
from retrieval.parsing.types import PDF, Limits

LIMITS = Limits(max_bytes=50 << 20, max_pages=500, timeout_s=30, memory_mb=321)


def job(path, **changes):
    return {"do": "parse", "path": str(path), "media_type": PDF, "max_pages": 500, **changes}


def long_pdf(pdf):
    def draw(canvas):
        for number in range(400):
            canvas.drawString(50, 50, f"Page {number} " + "with many words " * 20)
            canvas.showPage()

    return pdf(draw)


def child_of(pid):
    """The parsing child of a process, waited for."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                parent = int(process.joinpath("stat").read_text().rsplit(")", 1)[1].split()[1])
                command = process.joinpath("cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == pid and b"retrieval.parsing.child" in command:
                return int(process.name)
        time.sleep(0.01)
    raise AssertionError("no child was seen")


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_the_kernel_holds_the_limits(pdf):
    events = sandbox.run(job(long_pdf(pdf)), limits=LIMITS)
    next(events)  # the limits are set before the first event
    pid = child_of(os.getpid())
    limits = {
        line[:25].strip(): line[25:].split()[0] for line in Path(f"/proc/{pid}/limits").read_text().splitlines()[1:]
    }
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    environment = Path(f"/proc/{pid}/environ").read_bytes()
    group = os.getpgid(pid)
    events.close()
    assert limits["Max address space"] == str(321 << 20)
    assert limits["Max cpu time"] == "31"
    assert limits["Max file size"] == "0"
    assert limits["Max core file size"] == "0"
    assert limits["Max open files"] == "64"
    assert status["NoNewPrivs"].strip() == "1"
    assert environment == b"LC_ALL=C.UTF-8\x00"
    assert group == pid
    assert group != os.getpgid(0)
    assert not alive(pid)


def test_the_child_dies_with_its_parent(pdf):
    script = (
        "import sys, time\nfrom retrieval.parsing import sandbox\nfrom retrieval.parsing.types import Limits\n"
        "limits = Limits(max_bytes=9**9, max_pages=500, timeout_s=60, memory_mb=512)\n"
        f"events = sandbox.run({job(long_pdf(pdf))!r}, limits=limits)\n"
        "next(events)\nprint('begun', flush=True)\ntime.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout.readline() == b"begun\n"
        child = child_of(parent.pid)
        assert alive(child)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    deadline = time.monotonic() + 10
    while alive(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not alive(child)


def test_events_come_in_order(pdf):
    path = pdf(lambda canvas: canvas.drawString(50, 50, "words"))
    kinds = [next(iter(event)) for event in sandbox.run(job(path), limits=LIMITS)]
    assert kinds == ["total", "page"]


def test_a_reader_that_does_not_start_is_no_fault_of_the_document(tmp_path):
    with pytest.raises(RetrievalError) as caught:
        list(sandbox.run(job(tmp_path / "x", media_type="no/such"), limits=LIMITS))
    assert caught.value.code == "retrieval"
    assert "installation" in caught.value.remedy


def test_a_child_killed_from_outside_is_a_limit(pdf):
    events = sandbox.run(job(long_pdf(pdf)), limits=LIMITS)
    next(events)
    os.kill(child_of(os.getpid()), signal.SIGKILL)
    with pytest.raises(ParseLimit):
        list(events)


def test_a_child_that_crashes_is_damage(pdf):
    events = sandbox.run(job(long_pdf(pdf)), limits=LIMITS)
    next(events)
    os.kill(child_of(os.getpid()), signal.SIGSEGV)
    with pytest.raises(DamagedFile):
        list(events)


def test_a_stopped_child_runs_into_its_time(pdf):
    events = sandbox.run(job(long_pdf(pdf)), limits=LIMITS.model_copy(update={"timeout_s": 3.0}))
    next(events)
    pid = child_of(os.getpid())
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(ParseLimit, match="3 seconds"):
        list(events)
    assert not alive(pid)


def test_a_child_may_not_say_more_than_it_may_hold(put):
    # 60 MiB of memory are enough to read these words, but not 1 MiB of answers.
    path = put("a.txt", b"some words here\n\n" * 200_000)
    with pytest.raises(ParseLimit):
        list(
            sandbox.run(
                job(path, media_type="text/plain", max_pages=10**6), limits=LIMITS.model_copy(update={"memory_mb": 1})
            )
        )


def test_refusals_keep_their_kind(pdf):
    path = pdf(lambda canvas: canvas.drawString(50, 50, "words"))
    with pytest.raises(DocumentNotFound):
        list(sandbox.run({"do": "render", "path": str(path), "page": 7, "boxes": [], "scale": 1.0}, limits=LIMITS))
    with pytest.raises(DamagedFile):
        list(sandbox.run(job("/no/such/file"), limits=LIMITS))
