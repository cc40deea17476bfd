"""`./vouch audit search, answer, open, erase, prune, rebuild` as programs: alone, and beside a running service."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.cli import app
from app.ledger.commitment import Opening
from app.service import Service
from tests.app.conftest import REPORT, add, serving
from tests.app.test_cli import environment, vouch

Make = Callable[..., Service]
QUESTION = "What was the revenue of Halden Marine in 2025?"
REPLY = "Revenue of Halden Marine was 412 million euro in 2025 [1]."


@pytest.fixture
def answer(make_service: Make) -> dict[str, Any]:
    """The data folder of a service that answered one question and was stopped; what it answered."""
    with serving(make_service(REPLY)) as client:
        add(client, "report.md", REPORT)
        reply = client.post("/v1/ask", json={"question": QUESTION, "stream": False})
    return dict(reply.json())


def audit(tmp_path: Path, *words: str, **more: str) -> Result:
    """Run a command in this process, as the launcher's Python does; a process for each would take minutes."""
    return CliRunner().invoke(app, ["audit", *words], env=dict(environment(tmp_path, **more)))


def told(tmp_path: Path, *words: str, **more: str) -> Any:
    done = audit(tmp_path, *words, **more)
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def refused(tmp_path: Path, *words: str, **more: str) -> str:
    done = audit(tmp_path, *words, **more)
    assert done.exit_code == 1, done.stdout
    assert isinstance(done.exception, SystemExit), "an error is told, not raised"
    assert done.stdout == ""
    return done.stderr


def test_searching_telling_and_opening(tmp_path: Path, answer: dict[str, Any]) -> None:
    entry = answer["receipt"]["entry"]
    found = told(tmp_path, "search", "--domain", "general", "--json")
    assert [row["seq"] for row in found["rows"]] == [entry]
    table = audit(tmp_path, "search", "--action", "answer.", "--csv", "--limit", "1")
    assert [row["answer_id"] for row in csv.DictReader(io.StringIO(table.stdout))] == [answer["id"]]
    assert f"--before {entry}" in table.stderr
    plain = audit(tmp_path, "search", "--verdict", "supported").stdout
    assert "1 supported" in plain
    assert told(tmp_path, "answer", answer["id"])["state"] == "ok"
    opened = told(tmp_path, "open", str(entry))["texts"]["answer"]
    assert opened["text"] == answer["text"]
    assert Opening(opened["text"], opened["salt"]).opens(opened["commitment"])
    events = told(tmp_path, "search", "--limit", "8", "--json")["rows"]
    assert {"audit.search", "audit.read", "content.open"} <= {row["action"] for row in events}
    assert told(tmp_path, "verify")["intact"]


def test_erasing_leaves_every_proof(tmp_path: Path, answer: dict[str, Any]) -> None:
    receipt = answer["receipt"]
    done = told(tmp_path, "erase", "--subject", "operator")
    assert (done["keys"], done["clean"]) == (1, True)
    assert told(tmp_path, "open", str(receipt["entry"]))["texts"] == {}
    assert told(tmp_path, "verify", "--known", f"{receipt['size']}:{receipt['root']}")["intact"]
    again = audit(tmp_path, "erase", "--subject", "operator")
    assert again.exit_code == 0
    assert "erased before" in again.stderr
    assert "no name" in refused(tmp_path, "erase", "--subject", "")
    assert audit(tmp_path, "erase").exit_code == 2


def test_pruning_shows_before_it_does(tmp_path: Path, answer: dict[str, Any]) -> None:
    nothing = told(tmp_path, "prune")
    assert (nothing["minimum"], nothing["applied"]) == (0, False)
    assert "no policy is stated" in nothing["ends"]
    assert "no policy is stated" in refused(tmp_path, "prune", "--apply")
    policy = {"VOUCH_RETENTION_DAYS": '{"*": 183}'}
    young = told(tmp_path, "prune", **policy)
    assert young["minimum"] == 0
    assert "183 days" in young["ends"]
    assert told(tmp_path, "verify")["minimum"] == 0


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ('{"financ": 7305, "*": 183}', "Did you mean 'finance'"),
        ('{"finance": -1}', "-1 days for 'finance'"),
        ('{"finance": 0}', "0 days for 'finance'"),
        ("six months", "not a table"),
    ],
)
def test_a_policy_that_is_wrong_is_refused_by_name(
    tmp_path: Path, answer: dict[str, Any], policy: str, said: str
) -> None:
    assert said in refused(tmp_path, "prune", VOUCH_RETENTION_DAYS=policy)


def test_a_changed_copy_is_named_and_made_anew(tmp_path: Path, answer: dict[str, Any]) -> None:
    assert told(tmp_path, "verify")["copy_behind"] == 0
    with closing(sqlite3.connect(tmp_path / "data" / "vouch.db")) as database, database:
        database.execute("DELETE FROM audit_events WHERE seq = ?", [answer["receipt"]["entry"]])
    said = refused(tmp_path, "verify")
    assert f"audit_events row {answer['receipt']['entry']} is missing" in said
    assert "rebuild" in said
    assert told(tmp_path, "rebuild")["entries"] > answer["receipt"]["entry"]
    assert told(tmp_path, "verify")["intact"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("search", "--since", "yesterday"), "--since: not a date"),
        (("search", "--limit", "0"), "--limit"),
        (("search", "--limit", "1000000"), "--limit"),
        (("search", "--before", "-5"), "--before"),
        (("answer", "nobody"), "no such answer"),
        (("open", "999999"), "no entry 999999"),
        (("open", "0"), "commits to no content"),
    ],
)
def test_bad_words_are_a_sentence(tmp_path: Path, answer: dict[str, Any], words: tuple[str, ...], said: str) -> None:
    assert said in refused(tmp_path, *words)


def test_without_a_ledger_it_says_so(tmp_path: Path) -> None:
    for words in (("search",), ("prune",), ("erase", "--subject", "alice"), ("open", "0"), ("rebuild",)):
        assert "no ledger here" in refused(tmp_path, *words)


def test_another_secret_is_told_and_nothing_is_lost(tmp_path: Path, answer: dict[str, Any]) -> None:
    other = {"VOUCH_SECRET": "another secret, which has as many characters as it must"}
    for words in (("open", str(answer["receipt"]["entry"])), ("erase", "--subject", "operator"), ("search",)):
        assert "under another secret" in refused(tmp_path, *words, **other)
    service = vouch(tmp_path, "up", "--port", "0", **other)
    assert service.returncode == 1
    assert "under another secret" in service.stderr
    assert told(tmp_path, "open", str(answer["receipt"]["entry"]))["texts"]["answer"]["text"] == answer["text"]


def test_beside_a_running_service(tmp_path: Path, make_service: Make) -> None:
    """The service holds the right to write: the commands append through its socket."""
    with serving(make_service(REPLY)) as client:
        add(client, "report.md", REPORT)
        entry = client.post("/v1/ask", json={"question": QUESTION, "stream": False}).json()["receipt"]["entry"]
        [found] = told(tmp_path, "search", "--action", "answer.outcome", "--json")["rows"]
        assert found["seq"] == entry
        assert told(tmp_path, "open", str(entry - 1))["texts"]["question"]["text"] == QUESTION
        assert told(tmp_path, "erase", "--subject", "operator")["keys"] == 1
        assert told(tmp_path, "open", str(entry - 1))["gone"] == ["question"]
        assert client.post("/v1/ask", json={"question": QUESTION, "stream": False}).status_code == 200
        assert told(tmp_path, "rebuild")["entries"] > entry
        assert told(tmp_path, "verify")["intact"]
        assert client.post("/v1/audit/verify").json()["intact"]
    assert told(tmp_path, "verify")["intact"]
