"""The child is what its parent says it is: limited, alone, and gone with its parent; and its server forgets it."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from retrieval.errors import DamagedFile, DocumentNotFound, ParseLimit, RetrievalError
from retrieval.parsing.sandbox import Sandbox
from retrieval.parsing.server_process import ServerProcess
from retrieval.parsing.types import PDF, Limits

ROOT = Path(__file__).resolve().parents[3]
LIMITS = Limits(max_bytes=50 << 20, max_pages=500, timeout_s=30, memory_mb=321)


def job(path, **changes):
    return {"do": "parse", "path": str(path), "media_type": PDF, "max_pages": 500, **changes}


def short_pdf(pdf):
    return pdf(lambda canvas: canvas.drawString(50, 50, "words"), name="short.pdf")


def long_pdf(pdf):
    def draw(canvas):
        for number in range(400):
            canvas.drawString(50, 50, f"Page {number} " + "with many words " * 20)
            canvas.showPage()

    return pdf(draw)


@pytest.fixture
def sandbox():
    with Sandbox() as made:
        yield made


def children_of(pid, command=b"retrieval.parsing.forkserver"):
    """Process ids of the children of a process that run this command, zombies left out."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = int(process.joinpath("stat").read_text().rsplit(")", 1)[1].split()[1])
            if parent == pid and command in process.joinpath("cmdline").read_bytes():
                found.append(int(process.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def server_of(pid):
    """The fork server of a process, waited for."""
    return waited_for(lambda: children_of(pid))[0]


def child_of(pid):
    """The process that reads for a process, waited for."""
    return waited_for(lambda: [child for server in children_of(pid) for child in children_of(server)])[0]


def waited_for(seen):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if found := seen():
            return found
        time.sleep(0.01)
    raise AssertionError("nothing was seen")


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_the_kernel_holds_the_limits(pdf, sandbox):
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
        "import sys, time\nfrom retrieval.parsing.sandbox import Sandbox\nfrom retrieval.parsing.types import Limits\n"
        "limits = Limits(max_bytes=9**9, max_pages=500, timeout_s=60, memory_mb=512)\n"
        f"events = Sandbox().run({job(long_pdf(pdf))!r}, limits=limits)\n"
        "next(events)\nprint('begun', flush=True)\ntime.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout.readline() == b"begun\n"
        server, child = server_of(parent.pid), child_of(parent.pid)
        assert alive(child)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert waited_for(lambda: not alive(child) and not alive(server))


def test_events_come_in_order(pdf, sandbox):
    path = pdf(lambda canvas: canvas.drawString(50, 50, "words"))
    kinds = [next(iter(event)) for event in sandbox.run(job(path), limits=LIMITS)]
    assert kinds == ["total", "page"]


def test_a_reader_that_does_not_start_is_no_fault_of_the_document(tmp_path, sandbox):
    with pytest.raises(RetrievalError) as caught:
        list(sandbox.run(job(tmp_path / "x", media_type="no/such"), limits=LIMITS))
    assert caught.value.code == "retrieval"
    assert "installation" in caught.value.remedy


def test_a_child_killed_from_outside_is_a_limit(pdf, sandbox):
    events = sandbox.run(job(long_pdf(pdf)), limits=LIMITS)
    next(events)
    os.kill(child_of(os.getpid()), signal.SIGKILL)
    with pytest.raises(ParseLimit):
        list(events)


def test_a_child_that_crashes_is_damage(pdf, sandbox):
    events = sandbox.run(job(long_pdf(pdf)), limits=LIMITS)
    next(events)
    os.kill(child_of(os.getpid()), signal.SIGSEGV)
    with pytest.raises(DamagedFile):
        list(events)


def test_a_stopped_child_runs_into_its_time(pdf, sandbox):
    events = sandbox.run(job(long_pdf(pdf)), limits=LIMITS.model_copy(update={"timeout_s": 3.0}))
    next(events)
    pid = child_of(os.getpid())
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(ParseLimit, match="3 seconds"):
        list(events)
    assert not alive(pid)


def test_a_child_may_not_say_more_than_it_may_hold(put, sandbox):
    # 60 MiB of memory are enough to read these words, but not 1 MiB of answers.
    path = put("a.txt", b"some words here\n\n" * 200_000)
    with pytest.raises(ParseLimit):
        list(
            sandbox.run(
                job(path, media_type="text/plain", max_pages=10**6), limits=LIMITS.model_copy(update={"memory_mb": 1})
            )
        )


def test_refusals_keep_their_kind(pdf, sandbox):
    path = pdf(lambda canvas: canvas.drawString(50, 50, "words"))
    with pytest.raises(DocumentNotFound):
        list(sandbox.run({"do": "render", "path": str(path), "page": 7, "boxes": [], "scale": 1.0}, limits=LIMITS))
    with pytest.raises(DamagedFile):
        list(sandbox.run(job("/no/such/file"), limits=LIMITS))


def test_the_child_dies_with_its_server_and_the_next_job_has_another(pdf, sandbox):
    events = sandbox.run(job(long_pdf(pdf)), limits=LIMITS)
    next(events)
    server, child = server_of(os.getpid()), child_of(os.getpid())
    os.kill(server, signal.SIGKILL)
    with pytest.raises(ParseLimit):
        list(events)
    assert waited_for(lambda: not alive(child))
    assert [next(iter(event)) for event in sandbox.run(job(short_pdf(pdf)), limits=LIMITS)] == ["total", "page"]
    assert server_of(os.getpid()) != server


def test_a_server_that_died_while_idle_is_replaced(pdf, sandbox):
    path = short_pdf(pdf)
    list(sandbox.run(job(path), limits=LIMITS))
    os.kill(server_of(os.getpid()), signal.SIGKILL)
    assert len(list(sandbox.run(job(path), limits=LIMITS))) == 2


def test_a_server_that_takes_a_job_and_dies_before_a_word_is_replaced_once(pdf, sandbox, monkeypatch):
    """What a kernel that is slow to bury a killed process looks like: the job goes in, and nothing comes out."""
    path, begin, killed = short_pdf(pdf), ServerProcess.begin, []

    def begin_and_die(server: ServerProcess, asked: dict[str, object]) -> bool:
        os.kill(server.pid, signal.SIGSTOP)
        taken = begin(server, asked)
        os.kill(server.pid, signal.SIGKILL)
        killed.append(server.pid)
        if len(killed) == times:
            monkeypatch.setattr(ServerProcess, "begin", begin)
        return taken

    times = 1
    monkeypatch.setattr(ServerProcess, "begin", begin_and_die)
    assert len(list(sandbox.run(job(path), limits=LIMITS))) == 2
    assert len(killed) == 1
    times, killed = 3, []
    monkeypatch.setattr(ServerProcess, "begin", begin_and_die)
    with pytest.raises(ParseLimit):
        list(sandbox.run(job(path), limits=LIMITS))
    assert len(killed) == 2


def test_one_server_forks_a_new_process_for_every_file(pdf, sandbox):
    path, server, seen = long_pdf(pdf), None, set()
    for _ in range(3):
        events = sandbox.run(job(path), limits=LIMITS)
        next(events)
        seen.add(child_of(os.getpid()))
        assert server in {None, server_of(os.getpid())}
        server = server_of(os.getpid())
        events.close()
        assert children_of(server) == []
    assert len(seen) == 3


def test_jobs_at_the_same_time_have_servers_of_their_own_and_a_closed_sandbox_has_none(pdf):
    path, counts = short_pdf(pdf), []
    with Sandbox() as sandbox:
        held = sandbox.run(job(long_pdf(pdf)), limits=LIMITS)
        next(held)
        threads = [
            threading.Thread(target=lambda: counts.append(len(list(sandbox.run(job(path), limits=LIMITS)))))
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(children_of(os.getpid())) >= 2
    assert counts == [2, 2, 2]
    assert len(children_of(os.getpid())) == 1  # the one that still reads
    held.close()
    assert children_of(os.getpid()) == []


_ESCAPE = """
import json, os, socket, sys, time
from retrieval.parsing import child, forkserver

class Parser:
    @staticmethod
    def read(path, *, max_pages):
        if path.name == "escape":
            for _ in range(2):
                if os.fork() == 0:
                    os.setsid()
                    if os.fork():
                        os._exit(0)
                    while True:
                        try:
                            os.write(1, b'{"page": "forged"}\\n')
                        except OSError:
                            pass
                        time.sleep(0.001)
        if path.name == "poison":
            sys.modules["json"].dumps = None
            os.setpgid(0, os.getppid())
            time.sleep(60)
        return 0, iter(())

child.prepare = lambda job: Parser
child._emit = lambda pages: True
forkserver._prctl(36, 1)
with socket.socket(fileno=0) as given:
    forkserver.serve(given)
"""


def test_nothing_of_a_job_is_left_for_the_next_one(monkeypatch, tmp_path, sandbox):
    """A parser that was taken over leaves processes behind, leaves its group, and spoils its memory."""
    script = tmp_path / "server.py"
    script.write_text(_ESCAPE.replace("\\\\", "\\"))
    popen = subprocess.Popen

    def start(command, **options):
        return popen([sys.executable, str(script)], **{**options, "cwd": ROOT, "env": {"PYTHONPATH": str(ROOT)}})

    monkeypatch.setattr(subprocess, "Popen", start)
    quick = LIMITS.model_copy(update={"timeout_s": 1.5})
    assert list(sandbox.run(job("/x/plain"), limits=quick))[-1] == {"total": 0}
    [server] = children_of(os.getpid(), b"server.py")
    for _ in range(2):
        events = list(sandbox.run(job("/x/escape"), limits=LIMITS))
        assert {"total": 0} in events
        assert children_of(server, b"server.py") == []
        assert list(sandbox.run(job("/x/plain"), limits=quick)) == [{"total": 0}]
    with pytest.raises(ParseLimit):
        list(sandbox.run(job("/x/poison"), limits=quick))
    assert list(sandbox.run(job("/x/plain"), limits=quick)) == [{"total": 0}]
    assert children_of(os.getpid(), b"server.py") == [server]
    assert children_of(server, b"server.py") == []
