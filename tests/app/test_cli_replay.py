"""`./vouch audit replay` as a program, on what a service answered: same, changed, erased, and with the model again."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.cli import app
from app.service import Service
from tests.app.conftest import REPORT, add, serving
from tests.app.test_cli import environment

Make = Callable[..., Service]
QUESTION = "What was the revenue of Halden Marine in 2025?"
REPLY = "Revenue of Halden Marine was 412 million euro in 2025 [1]. Its chair is Ines Varga [1]."


@pytest.fixture
def answer(make_service: Make) -> dict[str, Any]:
    """The data folder of a service that answered one question and was stopped; what it answered."""
    with serving(make_service(REPLY)) as client:
        add(client, "report.md", REPORT)
        reply = client.post("/v1/ask", json={"question": QUESTION, "stream": False, "domain": "general"})
    return dict(reply.json())


def audit(tmp_path: Path, *words: str, **more: str) -> Result:
    env = dict(environment(tmp_path, **({"VOUCH_MODEL_URL": ""} | more)))
    return CliRunner().invoke(app, ["audit", *words], env=env)


def replayed(tmp_path: Path, what: str, *, code: int, **more: str) -> dict[str, Any]:
    done = audit(tmp_path, "replay", what, "--json", **more)
    assert done.exit_code == code, (done.stdout, done.stderr, done.exception)
    return dict(json.loads(done.stdout))


def test_without_a_model_evidence_and_verdicts_are_as_they_were(tmp_path: Path, answer: dict[str, Any]) -> None:
    found = replayed(tmp_path, answer["id"], code=4)
    assert {item["state"] for item in found["evidence"]} == {"same"}
    assert [(claim["state"], claim["now"]["verdict"]) for claim in found["claims"]] == [
        ("same", claim["verdict"]) for claim in answer["claims"]
    ]
    assert found["text"] == {"state": "not_replayed", "why": "no model server is named (VOUCH_MODEL_URL)"}
    assert (found["differs"], found["complete"]) == (False, False)
    assert {"prompt", "checks", "vouch"} <= set(found["versions"]["same"])
    assert found["versions"]["differ"]["model"]["now"] is None


def test_an_answer_is_named_by_its_id_its_entry_its_intent_or_a_file(tmp_path: Path, answer: dict[str, Any]) -> None:
    entry = answer["receipt"]["entry"]
    whole, receipt = tmp_path / "answer.json", tmp_path / "receipt.json"
    whole.write_text(json.dumps(answer), encoding="utf-8")
    receipt.write_text(json.dumps(answer["receipt"]), encoding="utf-8")
    for what in (str(entry), str(entry - 1), str(whole), str(receipt)):
        assert replayed(tmp_path, what, code=4)["entry"] == entry


def test_what_is_printed_holds_no_content(tmp_path: Path, answer: dict[str, Any]) -> None:
    done = audit(tmp_path, "replay", answer["id"])
    assert done.exit_code == 4
    assert "evidence 1 (passage): same" in done.stdout
    assert "claim 0: same (supported; supported)" in done.stdout
    for word in ("Halden", "412", "Varga", "revenue"):
        assert word not in done.stdout + json.dumps(replayed(tmp_path, answer["id"], code=4))


def test_it_is_recorded_before_it_is_told(tmp_path: Path, answer: dict[str, Any]) -> None:
    replayed(tmp_path, answer["id"], code=4)
    rows = json.loads(audit(tmp_path, "search", "--action", "audit.replay", "--json").stdout)["rows"]
    assert [(row["answer_id"], row["actor"]) for row in rows] == [(answer["id"], "operator")]
    assert json.loads(audit(tmp_path, "verify").stdout)["intact"]


def test_a_passage_that_was_changed_or_deleted_is_told(tmp_path: Path, answer: dict[str, Any]) -> None:
    passage = answer["evidence"][0]["passage_id"]
    with closing(sqlite3.connect(tmp_path / "data" / "vouch.db")) as database, database:
        database.execute("UPDATE passages SET text = 'Revenue was nothing.' WHERE id = ?", [passage])
    found = replayed(tmp_path, answer["id"], code=3)
    assert found["evidence"][0]["state"] == "changed"
    cited = [claim for claim, then in zip(found["claims"], answer["claims"], strict=True) if "1" in then["cites"]]
    assert cited
    assert {claim["why"] for claim in cited} == {"evidence that it cites is not as it was"}
    with closing(sqlite3.connect(tmp_path / "data" / "vouch.db")) as database, database:
        database.execute("DELETE FROM passages WHERE id = ?", [passage])
    assert replayed(tmp_path, answer["id"], code=3)["evidence"][0]["state"] == "gone"


def test_what_was_erased_cannot_be_replayed_and_is_named(tmp_path: Path, answer: dict[str, Any]) -> None:
    assert audit(tmp_path, "erase", "--subject", "operator").exit_code == 0
    found = replayed(tmp_path, answer["id"], code=4)
    assert {item["state"] for item in found["evidence"]} == {"same"}, "digests stand in the ledger, not in the vault"
    assert {claim["why"] for claim in found["claims"]} == {"its text was erased"}
    assert "erased" in found["text"]["why"]
    assert not found["differs"]


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("0" * 32, "no answer"),
        ("0", "no answer's outcome"),
        ("999999", "no entry 999999"),
        ("not-there.json", "no answer"),
    ],
)
def test_what_is_no_answer_is_refused(tmp_path: Path, answer: dict[str, Any], what: str, said: str) -> None:
    done = audit(tmp_path, "replay", what)
    assert done.exit_code == 1
    assert said in done.stderr


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"receipt": 5}', '{"entry": "x", "leaf": "y"}'])
def test_a_file_without_a_receipt_is_refused(tmp_path: Path, answer: dict[str, Any], content: str) -> None:
    path = tmp_path / "receipt.json"
    path.write_text(content, encoding="utf-8")
    done = audit(tmp_path, "replay", str(path))
    assert done.exit_code == 1
    assert "holds no receipt" in done.stderr


def test_a_receipt_of_another_ledger_is_refused(tmp_path: Path, answer: dict[str, Any]) -> None:
    path = tmp_path / "receipt.json"
    path.write_text(json.dumps(answer["receipt"] | {"leaf": "0" * 64}), encoding="utf-8")
    done = audit(tmp_path, "replay", str(path))
    assert done.exit_code == 1
    assert "not the one that the receipt is of" in done.stderr


def test_without_a_ledger_it_says_so(tmp_path: Path) -> None:
    done = audit(tmp_path, "replay", "0" * 32)
    assert done.exit_code == 1
    assert "no ledger here" in done.stderr
