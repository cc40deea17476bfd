"""The command line as a program: its words, its exit status, its JSON."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    """A service that never finds a model: what needs none must work all the same."""
    return os.environ | {
        "VOUCH_DATA_DIR": str(tmp_path / "data"),
        "VOUCH_MODEL_DIR": str(tmp_path / "models"),
        "VOUCH_MODEL_URL": "http://127.0.0.1:9/v1",
        "VOUCH_OFFLINE": "true",
        "COLUMNS": "200",
        **more,
    }


def vouch(tmp_path: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "app", *words]
    return subprocess.run(
        command, env=environment(tmp_path, **more), capture_output=True, text=True, timeout=120, check=False
    )


@contextmanager
def up(tmp_path: Path, *words: str, **more: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "app", "up", "--port", "0", *words]
    child = subprocess.Popen(command, env=environment(tmp_path, **more), stderr=subprocess.PIPE, text=True)
    try:
        record = tmp_path / "data" / "service.json"
        for _ in range(600):
            if record.exists() and child.poll() is None:
                url = json.loads(record.read_text())["url"]
                try:
                    httpx.get(f"{url}/healthz", timeout=2)
                    break
                except httpx.HTTPError:
                    pass
            time.sleep(0.1)
        else:
            raise AssertionError("the service did not come up")
        yield child, url
    finally:
        if child.poll() is None:
            child.kill()
        child.communicate(timeout=30)


def test_help_lists_the_commands(tmp_path: Path) -> None:
    done = vouch(tmp_path, "--help")
    assert done.returncode == 0
    for word in ("up", "ingest", "ask", "eval", "model", "audit", "users"):
        assert word in done.stdout


@pytest.mark.parametrize(
    ("words", "more", "said"),
    [
        (("up",), {"VOUCH_PROT": "1"}, "Did you mean port"),
        (("up",), {"VOUCH_HOST": "0.0.0.0"}, "VOUCH_AUTH=keys"),
        (("ingest", "/no/such/file.pdf"), {}, "There is no file or folder"),
        (("eval", "astrology", "--data", "."), {}, "There is no suite"),
        (("eval", "scifact", "--data", "/no/such"), {}, "is not a folder"),
        (("users", "add", "x", "--role", "king"), {}, "There is no role"),
        (("users", "revoke", "nobody"), {}, "no such key"),
        (("audit", "verify"), {}, "ledger"),
        (("model", "build", "gpt-99"), {}, "gpt-99"),
        (("model", "build"), {}, "SHA-256"),
        (("model", "build", "--form", "int3"), {}, "There is no form"),
        (("model", "check", "--form", "moe"), {"VOUCH_MODEL_DIR": "/no/such"}, "There is no checkpoint"),
    ],
)
def test_a_failure_is_a_sentence_a_remedy_and_status_one(
    tmp_path: Path, words: tuple[str, ...], more: dict[str, str], said: str
) -> None:
    done = vouch(tmp_path, *words, **more)
    assert done.returncode == 1, done.stderr
    assert said.lower() in done.stderr.lower()
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_taken_port_is_named_with_the_way_out(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = vouch(tmp_path, "up", "--port", str(port))
    assert done.returncode == 1
    assert f"Port {port}" in done.stderr
    assert f"--port {port + 1}" in done.stderr


def test_keys_are_made_listed_and_revoked(tmp_path: Path) -> None:
    key = vouch(tmp_path, "users", "add", "alice", "--role", "reader", "--label", "internal").stdout.strip()
    [row] = [json.loads(line) for line in vouch(tmp_path, "users", "list").stdout.splitlines()]
    assert row["subject"] == "alice"
    assert key not in json.dumps(row)
    assert vouch(tmp_path, "users", "revoke", row["id"]).returncode == 0
    [row] = [json.loads(line) for line in vouch(tmp_path, "users", "list").stdout.splitlines()]
    assert row["revoked_at"]


def test_the_page_is_there_at_once_and_a_second_service_is_refused(tmp_path: Path) -> None:
    with up(tmp_path) as (_child, url):
        assert httpx.get(f"{url}/", follow_redirects=True, timeout=30).status_code == 200
        assert httpx.get(f"{url}/readyz", timeout=30).status_code == 503
        second = vouch(tmp_path, "up", "--port", "0")
        assert second.returncode == 1
        assert "Traceback" not in second.stderr
        assert httpx.get(f"{url}/healthz", timeout=30).status_code == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with up(tmp_path) as (child, _url):
        child.send_signal(number)
        assert child.wait(timeout=30) in (0, 130, -number)
        assert not (tmp_path / "data" / "service.json").exists()
    verified = vouch(tmp_path, "audit", "verify")
    assert json.loads(verified.stdout)["intact"] is True


def test_with_keys_the_first_start_writes_the_operators_key(tmp_path: Path) -> None:
    with up(tmp_path, VOUCH_AUTH="keys") as (_child, url):
        path = tmp_path / "data" / "operator.key"
        assert path.stat().st_mode & 0o077 == 0
        assert httpx.get(f"{url}/v1/status", timeout=30).status_code == 401
        headers = {"Authorization": f"Bearer {path.read_text()}"}
        assert httpx.get(f"{url}/v1/status", headers=headers, timeout=30).status_code == 200


def test_the_ledger_is_verified_beside_a_running_service_and_exported(tmp_path: Path) -> None:
    with up(tmp_path) as (_child, url):
        httpx.get(f"{url}/v1/documents", timeout=30)
        live: dict[str, Any] = json.loads(vouch(tmp_path, "audit", "verify").stdout)
        known = f"{live['size']}:{live['root']}"
        assert vouch(tmp_path, "audit", "verify", "--known", known).returncode == 0
        forged = vouch(tmp_path, "audit", "verify", "--known", f"{live['size']}:{'0' * 64}")
        assert forged.returncode == 1
        assert "receipt" in forged.stderr
        out = tmp_path / "ledger.jsonl"
        assert vouch(tmp_path, "audit", "export", str(out)).returncode == 0
    verifier = Path(__file__).resolve().parents[2] / "app" / "ledger" / "verifier.py"
    alone = subprocess.run(
        [sys.executable, "-I", str(verifier), str(out), "--known", known], capture_output=True, text=True, check=False
    )
    assert alone.returncode == 0, alone.stderr


def test_documents_wait_in_the_queue_until_the_search_can_take_them(tmp_path: Path) -> None:
    file = tmp_path / "note.md"
    file.write_text("# Note\n\nThe meeting is on Monday.\n", encoding="utf-8")
    with up(tmp_path) as (_child, url):
        reply = httpx.post(f"{url}/v1/documents", files={"files": (file.name, file.read_bytes())}, timeout=30)
        assert reply.json()["documents"][0]["state"] == "queued"
        status = httpx.get(f"{url}/v1/status", timeout=30).json()
        assert status["documents"]["queued"] == 1
