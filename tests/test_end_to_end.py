"""The main job with nothing in its place: the real weights in vLLM, real documents, the commands that a person types.

One service is started as `./vouch up` starts it, and asked through REST. What the questions should give stands in
examples/questions.json.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

ROOT = Path(__file__).resolve().parents[1]
QUESTIONS = {
    item["id"]: item for item in json.loads((ROOT / "examples" / "questions.json").read_text("utf-8"))["questions"]
}
ASKED = ["acquisition", "leverage-limit", "archives"]
UNANSWERED = [name for name, item in QUESTIONS.items() if not item["answerable"]]


class Running:
    """A service as a person runs it."""

    def __init__(self, folder: Path, weights: Path) -> None:
        self.environment = os.environ | {
            "VOUCH_DATA_DIR": str(folder / "data"),
            "VOUCH_MODEL_DIR": str(weights),
            "VOUCH_CONTEXT_TOKENS": "4096",
        }
        self.said = (folder / "up.log").open("w+")
        command = [sys.executable, "-m", "app", "up", "--port", "0"]
        self.process = subprocess.Popen(command, env=self.environment, stderr=self.said, stdout=self.said)
        record = folder / "data" / "service.json"
        self.url = ""
        end = time.monotonic() + 120
        while not self.url:
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < end, self.log()
            time.sleep(0.2)
            if record.exists():
                self.url = json.loads(record.read_text())["url"]
        self.client = httpx.Client(base_url=self.url, timeout=600)

    def log(self) -> str:
        self.said.flush()
        return Path(self.said.name).read_text(encoding="utf-8")[-2000:]

    def ready(self, timeout_s: float = 900) -> None:
        """Wait until a question would be answered; the first time this fetches and builds the weights."""
        end = time.monotonic() + timeout_s
        while True:
            try:
                if self.client.get("/readyz").is_success:
                    return
            except httpx.TransportError:
                pass
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < end, self.log()
            time.sleep(1)

    def vouch(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "app", *words]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=900, check=False)

    def ask(self, question: str) -> dict[str, Any]:
        reply = self.client.post("/v1/ask", json={"question": question, "stream": False})
        assert reply.status_code == 200, reply.text
        return dict(reply.json())

    def engines(self) -> list[psutil.Process]:
        """All processes that serve the model."""
        below = psutil.Process(self.process.pid).children(recursive=True)
        return [item for item in below if "vllm" in " ".join([item.name(), *item.cmdline()]).lower()]

    def stop(self) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(timeout=60)
        self.said.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, weights_dir: Path) -> Iterator[Running]:
    service = Running(tmp_path_factory.mktemp("vouch"), weights_dir)
    try:
        service.ready()
        done = service.vouch("ingest", str(ROOT / "examples" / "documents"), "--json")
        assert done.returncode == 0, done.stderr
        assert {item["state"] for item in json.loads(done.stdout)["documents"]} == {"ready"}
        yield service
    finally:
        service.stop()


@pytest.mark.parametrize("name", ASKED)
def test_a_question_is_answered_from_its_page_in_its_language(running: Running, name: str) -> None:
    item = QUESTIONS[name]
    answer = running.ask(item["question"])
    assert not answer["abstained"], answer["claims"]
    assert answer["language"] == item["language"]
    for forms in item["expected"]:
        assert any(form in answer["text"] for form in forms), answer["text"]
    cited = {mark for claim in answer["claims"] if claim["verdict"] == "supported" for mark in claim["cites"]}
    places = {(e["locator"]["document"], e["locator"]["page"]) for e in answer["evidence"] if e["id"] in cited}
    pages = {item["page"], *item.get("other_pages", [])}
    assert any(document == item["document"] and (item["page"] is None or page in pages) for document, page in places)
    assert all(claim["cites"] for claim in answer["claims"] if claim["verdict"] == "supported")


@pytest.mark.parametrize("name", UNANSWERED[:2])
def test_a_question_that_the_documents_do_not_answer_is_not_answered(running: Running, name: str) -> None:
    answer = running.ask(QUESTIONS[name]["question"])
    assert answer["abstained"], answer["text"]
    assert answer["evidence"], "the nearest passages are shown"


def test_the_command_line_prints_the_answer_with_its_sources(running: Running) -> None:
    done = running.vouch("ask", QUESTIONS["acquisition"]["question"])
    assert done.returncode == 0, done.stderr
    assert "£18.5 million" in done.stdout
    assert "annual-report-2025.pdf, page 14" in done.stdout
    assert "record " in done.stdout


def test_vllm_killed_in_mid_answer_is_told_closed_and_replaced(running: Running) -> None:
    question = {"question": QUESTIONS["leverage-limit"]["question"] + " Answer in three sentences."}
    told: list[str] = []

    def listen() -> None:
        with running.client.stream("POST", "/v1/ask", json=question) as reply:
            told.extend(line for line in reply.iter_lines() if line)

    listener = threading.Thread(target=listen)
    listener.start()
    end = time.monotonic() + 300
    while not any(line == "event: draft" for line in told):
        assert time.monotonic() < end, told
        time.sleep(0.05)
    engines = running.engines()
    assert engines
    for process in engines:
        process.kill()
    listener.join(timeout=120)
    assert told[-2] == "event: error", told[-2:]
    error = json.loads(told[-1].removeprefix("data: "))["error"]
    assert error["code"] == "model_interrupted"
    assert error["remedy"]
    entries = running.client.get("/v1/audit/entries", params={"limit": 1000}).json()["entries"]
    assert [entry["outcome"] for entry in entries if entry["action"] == "answer.outcome"][-1] == "unknown"
    running.ready(300)
    again = running.ask(QUESTIONS["acquisition"]["question"])
    assert "£18.5 million" in again["text"]
    assert running.client.post("/v1/audit/verify").json()["intact"]


def test_stopping_leaves_no_process_and_an_intact_ledger(running: Running) -> None:
    below = psutil.Process(running.process.pid).children(recursive=True)
    assert below
    running.process.send_signal(signal.SIGINT)
    running.process.wait(timeout=60)
    _, alive = psutil.wait_procs(below, timeout=30)
    assert alive == []
    assert json.loads(running.vouch("audit", "verify").stdout)["intact"] is True
