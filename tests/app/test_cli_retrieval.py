"""`./vouch retrieval check` and `migrate`, and the route: alone, beside a running service, recorded."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.cli import app
from app.identity.principal import Role
from app.service import Service
from app.settings import load
from app.up import RECORD
from tests.app.conftest import REPORT, StillEngine, add, serving
from tests.app.test_cli import environment
from tests.retrieval.tiny_model import write_tiny_model

Make = Callable[..., Service]


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of weights with one small embedding model, as the settings of these tests name it."""
    folder = tmp_path_factory.mktemp("models")
    write_tiny_model(folder / "tiny")
    return folder


@pytest.fixture
def settings(model_dir: Path, tmp_path: Path) -> dict[str, str]:
    return told_of(model_dir) | {"VOUCH_MILVUS_URI": str(tmp_path / "milvus.db")}


def told_of(model_dir: Path) -> dict[str, str]:
    return {"VOUCH_MODEL_DIR": str(model_dir), "VOUCH_EMBEDDERS": "tiny=en"}


@pytest.fixture(scope="module")
def stopped(model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a service that took a document in and was stopped."""
    folder = tmp_path_factory.mktemp("stopped")
    service = Service(load({"VOUCH_DATA_DIR": str(folder)} | told_of(model_dir)), engine=StillEngine())
    with serving(service) as client:
        add(client, "report.md", REPORT)
        end = time.monotonic() + 60
        while not list((folder / "index").rglob("manifest")):
            assert time.monotonic() < end
            time.sleep(0.05)
    return folder


@pytest.fixture
def filled(stopped: Path, tmp_path: Path) -> Path:
    """A copy of that folder, for the test to change."""
    return Path(shutil.copytree(stopped, tmp_path / "data", ignore=shutil.ignore_patterns("*.sock")))


def run(tmp_path: Path, settings: dict[str, str], *words: str) -> Result:
    return CliRunner().invoke(app, ["retrieval", *words], env=dict(environment(tmp_path, **settings)))


def actions(service: Service) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for entry in service.ledger.entries(limit=1000):
        if entry.event.action.startswith("retrieval."):
            yield entry.event.action, entry.event.outcome, dict(entry.event.body)


def test_what_is_whole_is_proven_and_recorded(
    tmp_path: Path, filled: Path, settings: dict[str, str], make_service: Make
) -> None:
    done = run(tmp_path, settings, "check", "--deep", "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["agrees"]
    assert report["deep"]
    assert (report["counts"]["documents"], report["counts"]["files"]) == (1, 1)
    plain = run(tmp_path, settings, "check")
    assert plain.exit_code == 0
    assert "everything agrees" in plain.stdout
    found = list(actions(make_service(environ=settings, embedders=None)))
    assert [(action, outcome, body["deep"]) for action, outcome, body in found] == [
        ("retrieval.check", "ok", True),
        ("retrieval.check", "ok", False),
    ]


def test_what_is_not_is_told_mended_and_recorded(
    tmp_path: Path, filled: Path, settings: dict[str, str], make_service: Make
) -> None:
    orphan = filled / "files" / "ab" / ("ab" + "0" * 62)
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(b"left behind")
    os.utime(orphan, (time.time() - 7200, time.time() - 7200))
    next((filled / "index").rglob("manifest")).write_bytes(b"?")
    told = run(tmp_path, settings, "check")
    assert told.exit_code == 1
    assert "file_orphan" in told.stdout
    assert "snapshot_damaged" in told.stdout
    assert "--repair" in told.stderr
    assert str(tmp_path) not in told.output
    mended = run(tmp_path, settings, "check", "--repair", "--json")
    assert mended.exit_code == 0, mended.output
    assert json.loads(mended.stdout)["mended"] == {"file_orphan": 1, "snapshot_damaged": 1}
    assert not orphan.exists()
    found = [(action, outcome) for action, outcome, _ in actions(make_service(environ=settings, embedders=None))]
    assert found == [
        ("retrieval.check", "ok"),
        ("retrieval.repair.intent", "ok"),
        ("retrieval.repair.outcome", "ok"),
    ]


def test_what_cannot_be_mended_stays_an_error(tmp_path: Path, filled: Path, settings: dict[str, str]) -> None:
    for path in (filled / "files").rglob("*"):
        if path.is_file():
            path.unlink()
    done = run(tmp_path, settings, "check", "--repair")
    assert done.exit_code == 1
    assert "file_missing" in done.stdout
    assert "add the file again" in done.stdout


def test_beside_a_running_service_its_own_indexes_are_checked(
    tmp_path: Path, settings: dict[str, str], make_service: Make
) -> None:
    service = make_service(environ=settings)
    with serving(service) as client:
        add(client, "report.md", REPORT)
        end = time.monotonic() + 60
        while not client.post("/v1/retrieval/check").json()["agrees"]:
            assert time.monotonic() < end
            time.sleep(0.05)
        (service.settings.data_dir / RECORD).write_text(json.dumps({"url": str(client.base_url)}))
        service.index._lexical.remove(service.index.held().words.tolist())  # in the memory of the service alone
        done = run(tmp_path, settings, "check")
        assert done.exit_code == 1, done.output
        assert "words_missing" in done.stdout
        assert run(tmp_path, settings, "check", "--repair").exit_code == 0
        assert client.post("/v1/retrieval/check", params={"deep": True}).json()["agrees"]


def test_only_an_administrator_may_check(make_service: Make) -> None:
    service = make_service(environ={"VOUCH_AUTH": "keys"})
    with serving(service) as client:
        for role, status in ((Role.CONTRIBUTOR, 403), (Role.AUDITOR, 403), (Role.ADMIN, 200)):
            key = service.keys.create(f"a {role}", role=role, labels=["internal"], collections=["default"])
            reply = client.post("/v1/retrieval/check", headers={"Authorization": f"Bearer {key}"})
            assert reply.status_code == status, reply.text


def test_a_repair_that_fails_is_recorded_as_one(make_service: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_call: object) -> None:
        raise OSError("no")

    service = make_service(engine=StillEngine())
    with serving(service) as client:
        add(client, "report.md", REPORT)
        service.ingestor.wait([], 1)
        for path in (service.settings.data_dir / "files").rglob("*"):
            if path.is_file():
                path.unlink()
        monkeypatch.setattr("app.retrieval_care.repair", broken)
        assert client.post("/v1/retrieval/check", params={"repair": True}).status_code == 500
        found = [(action, outcome) for action, outcome, _ in actions(service)]
    assert found == [("retrieval.repair.intent", "ok"), ("retrieval.repair.outcome", "error")]


def test_vectors_are_moved_to_milvus_and_the_service_answers_from_there(
    tmp_path: Path, filled: Path, settings: dict[str, str], make_service: Make
) -> None:
    pytest.importorskip("milvus_lite", reason="Milvus Lite is not installed; it comes with the extra `dev`")
    done = run(tmp_path, settings, "migrate", "--to", "milvus", "--queries", "5", "--json")
    assert done.exit_code == 0, done.output
    moved = json.loads(done.stdout)
    assert moved["agrees"]
    assert moved["models"][0]["added"] == moved["models"][0]["vectors"] > 0
    again = run(tmp_path, settings, "migrate", "--to", "milvus", "--queries", "5")
    assert again.exit_code == 0
    assert "0 added" in again.stdout
    assert "VOUCH_VECTOR_STORE=milvus" in again.stderr
    there = settings | {"VOUCH_VECTOR_STORE": "milvus"}
    assert run(tmp_path, there, "check").exit_code == 0
    assert "already" in run(tmp_path, there, "migrate", "--to", "milvus").stderr
    back = run(tmp_path, there, "migrate", "--to", "faiss", "--queries", "5", "--json")
    assert back.exit_code == 0, back.output
    assert json.loads(back.stdout)["models"][0]["overlap"] == 1.0
    found = [action for action, _, _ in actions(make_service(environ=settings, embedders=None))]
    assert found.count("retrieval.migrate.intent") == found.count("retrieval.migrate.outcome") == 3


def test_milvus_without_an_address_is_refused_before_anything_is_moved(
    tmp_path: Path, filled: Path, settings: dict[str, str]
) -> None:
    done = run(tmp_path, {**settings, "VOUCH_MILVUS_URI": ""}, "migrate", "--to", "milvus")
    assert done.exit_code == 1
    assert "VOUCH_MILVUS_URI" in done.stderr
