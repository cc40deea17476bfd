"""`/v1/audit` and `/v1/openings` over a real server: what an auditor finds, what is recorded, what nobody is given."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app.identity.principal import OPERATOR, Role
from app.ledger.commitment import Opening
from app.ledger.erasure import erase
from app.service import Service
from tests.app.conftest import REPORT, add, serving

Make = Callable[..., Service]
QUESTION = "What was the revenue of Halden Marine in 2025?"
REPLY = "Revenue of Halden Marine was 412 million euro in 2025 [1]. The chair is Ines Varga [1]."
KEYS = {"VOUCH_AUTH": "keys"}


def ask(client: httpx.Client, question: str = QUESTION) -> dict[str, Any]:
    for _ in range(100):  # the search is brought up while the page answers already
        reply = client.post("/v1/ask", json={"question": question, "stream": False})
        if reply.status_code != 503:
            break
        time.sleep(0.2)
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


def key_of(service: Service, subject: str, role: Role) -> dict[str, str]:
    granted = {"labels": frozenset({"internal"}), "collections": frozenset({"default"})}
    return {"Authorization": f"Bearer {service.keys.create(subject, role=role, **granted)}"}


def actions(service: Service) -> list[tuple[str, str, str]]:
    found = [entry.event for entry in service.ledger.entries(limit=1000)]
    return [(event.action, event.actor.subject, event.outcome) for event in found]


def test_an_answer_is_found_and_its_story_told(make_service: Make) -> None:
    with serving(make_service(REPLY)) as client:
        document = add(client, "report.md", REPORT)
        answer = ask(client)
        by = {
            "document": document["id"],
            "digest": answer["evidence"][0]["digest"],
            "verdict": "unsupported",
            "domain": "general",
        }
        for name, value in by.items():
            rows = client.get("/v1/audit/search", params={name: value, "action": "answer.outcome"}).json()["rows"]
            assert [row["seq"] for row in rows] == [answer["receipt"]["entry"]], name
        used = client.get("/v1/audit/search", params={"digest": document["sha256"], "action": "answer."}).json()
        assert [row["answer_id"] for row in used["rows"]] == [answer["id"]]
        told = client.get(f"/v1/audit/answers/{answer['id']}").json()
    assert told["state"] == "ok"
    assert told["verdicts"] == {"supported": 1, "unsupported": 1}
    assert told["receipt"]["leaf"] == answer["receipt"]["leaf"]
    assert {item["digest"] for item in told["documents"]} == {item["digest"] for item in answer["evidence"]}
    assert "412 million" not in json.dumps(told)


def test_a_search_sees_what_was_recorded_just_before(make_service: Make) -> None:
    with serving(make_service(REPLY)) as client:
        for number in range(3):
            answer = ask(client, f"{QUESTION} {number}")
            rows = client.get("/v1/audit/search", params={"answer": answer["id"]}).json()["rows"]
            assert [row["action"] for row in rows] == ["answer.outcome", "answer.intent"]


def test_pages_follow_each_other_by_next(make_service: Make) -> None:
    with serving(make_service(REPLY)) as client:
        for number in range(5):
            ask(client, f"{QUESTION} {number}")
        seen: list[int] = []
        params: dict[str, Any] = {"action": "answer.", "limit": 3}
        while True:
            page = client.get("/v1/audit/search", params=params).json()
            seen += [row["seq"] for row in page["rows"]]
            if page["next"] is None:
                break
            params["before"] = page["next"]
    assert len(seen) == len(set(seen)) == 10
    assert seen == sorted(seen, reverse=True)


def test_exports_come_as_files_and_name_the_next_page(make_service: Make) -> None:
    with serving(make_service(REPLY)) as client:
        ask(client)
        table = client.get("/v1/audit/export", params={"format": "csv", "action": "answer.", "limit": 1})
        rows = list(csv.DictReader(io.StringIO(table.text)))
        told = client.get("/v1/audit/export", params={"action": "answer."})
    assert table.headers["content-type"].startswith("text/csv")
    assert 'filename="ledger.csv"' in table.headers["content-disposition"]
    assert table.headers["x-next-before"] == rows[0]["seq"]
    assert (rows[0]["supported"], rows[0]["unsupported"]) in {("1", "1"), ("0", "0")}
    assert told.json()["rows"][0]["seq"] == int(rows[0]["seq"])
    assert "x-next-before" not in told.headers


def test_the_auditors_own_reads_are_in_the_ledger(make_service: Make) -> None:
    service = make_service(REPLY, environ=KEYS)
    auditor = key_of(service, "ines", Role.AUDITOR)
    reader = key_of(service, "alice", Role.READER)
    with serving(service) as client:
        reply = client.post("/v1/ask", json={"question": QUESTION, "stream": False}, headers=reader)
        answer = reply.json()["id"]
        for path in (
            "/v1/audit/entries",
            "/v1/audit/entries/0",
            "/v1/audit/state",
            "/v1/audit/search?person=alice",
            "/v1/audit/export?format=csv",
            f"/v1/audit/answers/{answer}",
        ):
            assert client.get(path, headers=auditor).status_code == 200, path
        assert client.post("/v1/audit/verify", headers=auditor).status_code == 200
        found = [action for action, who, outcome in actions(service) if who == "ines" and outcome == "ok"]
    assert found == [*["audit.read"] * 3, "audit.search", "audit.export", "audit.read", "audit.verify"]


def test_an_auditor_has_no_way_to_content_and_the_attempt_is_recorded(make_service: Make) -> None:
    service = make_service(REPLY, environ=KEYS)
    auditor = key_of(service, "ines", Role.AUDITOR)
    reader = key_of(service, "alice", Role.READER)
    with serving(service) as client:
        answer = client.post("/v1/ask", json={"question": QUESTION, "stream": False}, headers=reader).json()
        refused = client.get(f"/v1/openings/{answer['receipt']['entry']}", headers=auditor)
        asked = client.post("/v1/ask", json={"question": QUESTION, "stream": False}, headers=auditor)
        seen = client.get("/v1/audit/entries", headers=auditor).text
        assert [item for item in actions(service) if item[1:] == ("ines", "denied")] == [
            ("ask.attempt", "ines", "denied")
        ] * 2
    assert (refused.status_code, asked.status_code) == (403, 403)
    assert "Halden" not in seen


def test_people_open_their_own_content_and_nobody_elses(make_service: Make) -> None:
    service = make_service(REPLY, environ=KEYS)
    alice, bob = key_of(service, "alice", Role.READER), key_of(service, "bob", Role.READER)
    admin = key_of(service, "root", Role.ADMIN)
    with serving(service) as client:
        answer = client.post("/v1/ask", json={"question": QUESTION, "stream": False}, headers=alice).json()
        entry = answer["receipt"]["entry"]
        own = client.get(f"/v1/openings/{entry - 1}", headers=alice).json()
        assert own["texts"]["question"]["text"] == QUESTION
        given = client.get(f"/v1/openings/{entry}", headers=admin).json()
        assert given["texts"]["answer"]["text"] == answer["text"]
        assert client.get(f"/v1/openings/{entry}", headers=bob).status_code == 404
        recorded = client.get(f"/v1/audit/entries/{entry}", headers=admin).json()
        opened = [item[1:] for item in actions(service) if item[0] == "content.open"]
    item = given["texts"]["answer"]
    assert Opening(item["text"], item["salt"]).opens(recorded["body"]["answer"])
    assert opened == [("alice", "ok"), ("root", "ok"), ("bob", "denied")]


def test_after_an_erasure_beside_the_running_service_everything_still_verifies(make_service: Make) -> None:
    service = make_service(REPLY)
    with serving(service) as client:
        answer = ask(client)
        done = erase(service.vault, service.ledger, subject="operator", actor=OPERATOR)
        assert done.keys == 1
        gone = client.get(f"/v1/openings/{answer['receipt']['entry']}").json()
        assert gone["texts"] == {}
        assert client.get(f"/v1/audit/answers/{answer['id']}").json()["content"] == "gone"
        assert client.post("/v1/audit/verify").json()["intact"]
        again = ask(client)
        assert client.get(f"/v1/openings/{again['receipt']['entry']}").json()["texts"]["answer"]["text"]


def test_a_row_of_the_copy_that_was_changed_is_named_by_the_verification(make_service: Make) -> None:
    service = make_service(REPLY)
    with serving(service) as client:
        add(client, "report.md", REPORT)
        answer = ask(client)
        whole = client.post("/v1/audit/verify").json()
        assert whole["copy_rows"] > whole["size"]
        with service.copy.engine.begin() as connection:
            statement = text("UPDATE audit_verdicts SET verdict = 'contradicted' WHERE verdict = 'unsupported'")
            connection.execute(statement)
        found = client.post("/v1/audit/verify")
    assert found.status_code == 503
    assert found.json()["error"]["code"] == "ledger_copy_differs"
    assert f"audit_verdicts row {answer['receipt']['entry']}" in found.json()["error"]["message"]


def test_the_state_says_how_far_ledger_and_copy_are(make_service: Make) -> None:
    with serving(make_service(REPLY)) as client:
        ask(client)
        state = client.get("/v1/audit/state").json()
        metrics = client.get("/metrics").text
    assert state["size"] == state["copied"]
    assert state["copy_problem"] is None
    assert (len(state["root"]), state["minimum"]) == (64, 0)
    assert "vouch_ledger_copy_lag" in metrics


def test_without_the_vault_there_is_no_answer_and_the_rest_works(make_service: Make) -> None:
    service = make_service(REPLY)
    with serving(service) as client:
        add(client, "report.md", REPORT)
        ask(client)
        with service.vault.engine.begin() as connection:
            connection.execute(text("ALTER TABLE vault_items RENAME TO vault_items_elsewhere"))
        for body in ({"question": QUESTION, "stream": False}, {"question": QUESTION}):
            refused = client.post("/v1/ask", json=body)
            assert refused.status_code == 503
            assert refused.json()["error"]["code"] == "vault_unavailable"
            assert "412" not in refused.text
        assert client.get("/v1/documents").status_code == 200
        with service.vault.engine.begin() as connection:
            connection.execute(text("ALTER TABLE vault_items_elsewhere RENAME TO vault_items"))
        assert not ask(client)["abstained"]


def grep(folder: Path, word: bytes) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and word in path.read_bytes()]


def test_planted_words_are_in_no_ledger_no_copy_no_vault_and_no_log(
    make_service: Make, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    service = make_service("Bird CANARY-1111 lives in CANARY-2222 tower [1]. It is CANARY-3333 years old [1].")
    with serving(service) as client:
        add(client, "birds.md", "# Birds\n\nBird CANARY-1111 lives in CANARY-2222 tower.\n")
        body = {
            "question": "Where does bird CANARY-1111 live, CANARY-4444?",
            "history": [{"question": "CANARY-5555?", "answer": "CANARY-6666."}],
            "stream": False,
        }
        answer = client.post("/v1/ask", json=body).json()
        opened = client.get(f"/v1/openings/{answer['receipt']['entry'] - 1}").json()
        shown = [
            client.get("/v1/audit/entries", params={"limit": 1000}).text,
            client.get("/v1/audit/search").text,
            client.get("/v1/audit/export", params={"format": "csv"}).text,
            client.get(f"/v1/audit/answers/{answer['id']}").text,
            client.get("/metrics").text,
        ]
    assert "CANARY-4444" in opened["texts"]["question"]["text"], "otherwise nothing was kept that could be found"
    assert "CANARY-6666" in opened["texts"]["history"]["text"]
    assert not [text_of for text_of in shown if "CANARY" in text_of]
    assert "CANARY" not in "".join(capfd.readouterr())
    data = tmp_path / "data"
    for number in (3333, 4444, 5555, 6666):  # said by the model or the asker alone: nowhere in plain text
        assert grep(data, f"CANARY-{number}".encode()) == []
    assert [name for name in grep(data, b"CANARY") if "ledger" in name] == []
