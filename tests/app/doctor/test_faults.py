"""A working installation with faults planted in it, one at a time and five at once: each is named, with its remedy."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import app
from app.doctor.all import QUICK
from app.doctor.finding import Finding, Health, examine
from app.doctor.machine import with_memory
from app.service import Service
from app.settings import Settings, load
from model.machine import Machine
from tests.app.conftest import REPORT, StillEngine, add, serving
from tests.retrieval.tiny_model import write_tiny_model


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    write_tiny_model(folder / "tiny")
    return folder


@pytest.fixture(scope="module")
def stopped(model_dir, tmp_path_factory):
    """The data folder of a service that took a document in and was stopped."""
    folder = tmp_path_factory.mktemp("stopped")
    service = Service(load({"VOUCH_DATA_DIR": str(folder), **told(model_dir)}), engine=StillEngine())
    with serving(service) as client:
        add(client, "report.md", REPORT)
        end = time.monotonic() + 60
        while not list((folder / "index").rglob("manifest")):
            assert time.monotonic() < end
            time.sleep(0.05)
    return folder


@pytest.fixture
def data(stopped, tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(stopped, folder)
    return folder


@pytest.fixture
def answering():
    """An address that answers like a model's server: a real socket that lists no model."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            held = self.headers.get("Authorization") == "Bearer right"
            self.send_response(200 if held else 401)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


def told(model_dir: Path) -> dict[str, str]:
    return {"VOUCH_MODEL_DIR": str(model_dir), "VOUCH_EMBEDDERS": "tiny=en"}


@pytest.fixture
def settings(data, model_dir, answering):
    def made(**more: str) -> Settings:
        environ = {
            "VOUCH_DATA_DIR": str(data),
            "VOUCH_PORT": "0",
            "VOUCH_MODEL_URL": answering,
            "VOUCH_MODEL_API_KEY": "right",
        }
        return load(environ | told(model_dir) | more)

    return made


def broken(settings: Settings) -> dict[str, Finding]:
    return {found.part: found for found in examine(settings, QUICK) if found.health is Health.BROKEN}


def test_a_sound_installation_has_no_fault_and_is_left_as_it_was(settings, data):
    before = {path: path.stat().st_mtime_ns for path in data.rglob("*") if path.is_file() and ".db" not in path.suffix}
    found = examine(settings(), QUICK)
    assert [one for one in found if one.health is not Health.WELL] == []
    assert {"database", "ledger", "signed checkpoint", "index", "secrets", "model server"} <= {
        one.part for one in found
    }
    after = {path: path.stat().st_mtime_ns for path in before}
    assert before == after


def test_a_folder_in_which_nothing_ran_yet_is_no_fault_and_nothing_is_made_in_it(settings, tmp_path):
    empty = settings(VOUCH_DATA_DIR=str(tmp_path / "none"))
    assert broken(empty) == {}
    assert not (tmp_path / "none").exists()


def test_a_port_that_another_program_has(settings):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        found = broken(settings(VOUCH_PORT=str(other.getsockname()[1])))
    assert "cannot be used" in found["port"].message
    assert "--port" in found["port"].remedy


def test_a_ledger_that_somebody_changed(settings, data):
    tamper(data)
    assert "ledger" in broken(settings())


def test_a_ledger_that_was_put_back_to_an_older_state(settings, data):
    older = data / "older"
    other = Service(
        load({"VOUCH_DATA_DIR": str(older), "VOUCH_MODEL_URL": "http://127.0.0.1:9/v1"}), engine=StillEngine()
    )
    other.stop()
    for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
        (data / name).unlink(missing_ok=True)
    with sqlite3.connect(older / "ledger.db") as there, sqlite3.connect(data / "ledger.db") as here:
        there.backup(here)
    found = broken(settings())["signed checkpoint"]
    assert "were signed for" in found.message
    assert "backup" in found.remedy


def test_a_database_that_is_none(settings, data):
    (data / "vouch.db").write_bytes(b"not a database at all, whatever its name says" * 100)
    for beside in data.glob("vouch.db-*"):
        beside.unlink()
    assert "database" in broken(settings())


def test_an_index_that_lost_a_file_of_a_document(settings, data):
    for path in (data / "files").rglob("*"):
        if path.is_file():
            path.unlink()
    found = broken(settings())
    assert "file_missing" in found["index"].message
    assert "--repair" in found["index"].remedy


def test_a_secret_that_others_can_read(settings, data):
    (data / "secret").chmod(0o644)
    found = broken(settings())["secrets"]
    assert str(data / "secret") in found.message
    assert found.remedy.startswith("chmod")


def test_a_model_server_that_does_not_answer_and_one_that_refuses_the_key(settings):
    assert "does not answer" in broken(settings(VOUCH_MODEL_URL="http://127.0.0.1:9/v1"))["model server"].message
    assert "refuses the key" in broken(settings(VOUCH_MODEL_API_KEY="wrong"))["model server"].message


def test_weights_that_are_not_here_and_may_not_be_fetched(settings, model_dir):
    named = {"VOUCH_EMBEDDERS": "all-minilm-l6-v2=en", "VOUCH_OFFLINE": "true"}
    found = broken(settings(**named))["embedder all-minilm-l6-v2"]
    assert "VOUCH_OFFLINE" in found.message
    gone = broken(settings(VOUCH_EMBEDDERS="nowhere=en"))["embedder nowhere"]
    assert "no folder" in gone.message


def test_a_folder_that_cannot_be_written(settings, data, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path) != data)
    assert "cannot be written" in broken(settings())["data folder"].message


def test_a_disk_that_is_full(settings, monkeypatch):
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=10_000_000))
    assert {"data folder", "weights folder"} <= broken(settings()).keys()


def test_memory_that_does_not_hold_the_model(settings, data):
    small = Machine(memory=400_000_000, cores=2, vnni=True)
    own = settings(VOUCH_MODEL_URL="")
    found = examine(own, [("memory", lambda one: with_memory(one, small))])[0]
    assert (found.part, found.health) == ("memory", Health.BROKEN)
    assert "needs" in found.message
    assert found.remedy


def test_five_faults_at_once_are_each_named(settings, data, model_dir, monkeypatch):
    tamper(data)
    (data / "secret").chmod(0o666)
    shutil.rmtree(data / "files")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        told_so = {
            "VOUCH_DATA_DIR": str(data),
            "VOUCH_PORT": str(other.getsockname()[1]),
            "VOUCH_MODEL_URL": "http://127.0.0.1:9/v1",
            "COLUMNS": "200",
        } | told(model_dir)
        for name, value in told_so.items():
            monkeypatch.setenv(name, value)
        shown = CliRunner().invoke(app, ["doctor"])
        listed = CliRunner().invoke(app, ["doctor", "--json"])
    assert (shown.exit_code, listed.exit_code) == (1, 1)
    failed = {line.split(":")[0].removeprefix("FAIL  ") for line in shown.stdout.splitlines() if line[:4] == "FAIL"}
    assert {"ledger", "secrets", "index", "port", "model server"} <= failed
    assert all(one["remedy"] for one in json.loads(listed.stdout) if one["health"] == "broken")


def tamper(data: Path) -> None:
    """Change a byte of an entry, as somebody with the file could."""
    with sqlite3.connect(data / "ledger.db") as ledger:
        for (name,) in list(ledger.execute("select name from sqlite_master where type = 'trigger'")):
            ledger.execute(f'drop trigger "{name}"')
        table, column = next(
            (table, column)
            for (table,) in ledger.execute("select name from sqlite_master where type = 'table'")
            for _, column, kind, *_ in ledger.execute(f'pragma table_info("{table}")')
            if kind.upper() == "BLOB" and column == "body"
        )
        ledger.execute(f'update "{table}" set {column} = cast(replace({column}, "service", "sErvice") as blob)')
