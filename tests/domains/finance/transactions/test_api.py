"""The routes as a caller meets them: a real database, the shipped model, the one error shape."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.api import failures
from app.identity.permissions import access_to
from app.identity.principal import Permission
from domains.contract import Facilities
from domains.finance.plugin import Finance
from domains.finance.transactions.api import MOST_LINES
from domains.finance.transactions.event import Transaction
from domains.finance.transactions.results import Result
from domains.finance.transactions.schemas import MOST
from domains.finance.transactions.service import Risk, open_risk
from domains.finance.transactions.tool import NAME, call_for

from .conftest import KeptRecords, transaction

ROOT = "/v1/finance/transactions"


@pytest.fixture
def risk(facilities: Facilities) -> Iterator[Risk]:
    opened = open_risk(facilities)
    yield opened
    opened.close()


@pytest.fixture
def client(risk: Risk) -> TestClient:
    app = FastAPI()
    failures.install(app)
    app.include_router(risk.router(), prefix="/v1/finance")
    return TestClient(app, raise_server_exceptions=False)


def body(number: int = 0, **fields: Any) -> dict[str, Any]:
    return json.loads(transaction(number, **fields).model_dump_json())


def error_of(response: Any) -> dict[str, str]:
    found = response.json()["error"]
    assert set(found) == {"code", "message", "remedy", "request_id"}
    return found


def test_one_transaction_is_scored_and_can_be_looked_up(client: TestClient) -> None:
    made = client.post(f"{ROOT}/score", json=body(1))
    assert made.status_code == 200
    result = Result.model_validate(made.json())
    assert result.factors == 1024
    again = client.get(f"{ROOT}/T-1").json()
    assert again == made.json() | {"repeated": True}


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"amount": "-1"}, 422, "transaction_refused"),
        ({"amount": "1e300"}, 422, "invalid_request"),
        ({"amount": "NaN"}, 422, "invalid_request"),
        ({"currency": "XXX"}, 422, "transaction_refused"),
        ({"time": "2999-01-01T00:00:00Z"}, 422, "transaction_refused"),
        ({"time": "2026-01-01T00:00:00"}, 422, "invalid_request"),
        ({"colour": "red"}, 422, "invalid_request"),
    ],
)
def test_a_transaction_that_cannot_be_is_refused_in_the_one_shape(
    client: TestClient, changes: dict[str, str], status: int, code: str
) -> None:
    response = client.post(f"{ROOT}/score", json=body(1) | changes)
    assert (response.status_code, error_of(response)["code"]) == (status, code)
    missing = client.get(f"{ROOT}/T-1")
    assert (missing.status_code, error_of(missing)["code"]) == (404, "transaction_not_found")


def test_the_same_id_with_other_content_is_a_conflict(client: TestClient) -> None:
    client.post(f"{ROOT}/score", json=body(1))
    response = client.post(f"{ROOT}/score", json=body(1, account="B"))
    assert (response.status_code, error_of(response)["code"]) == (422, "transaction_conflict")


def test_a_batch_answers_each_by_itself(client: TestClient) -> None:
    sent = [body(1), body(2) | {"amount": "-5"}, body(1)]
    items = client.post(f"{ROOT}/batch", json={"transactions": sent}).json()["items"]
    assert [item["id"] for item in items] == ["T-1", "T-2", "T-1"]
    assert items[0]["error"] is None
    assert items[1]["error"]["code"] == "transaction_refused"
    assert items[2]["result"]["repeated"]


@pytest.mark.parametrize("number", [0, MOST + 1])
def test_a_batch_has_some_and_not_too_many(client: TestClient, number: int) -> None:
    response = client.post(f"{ROOT}/batch", json={"transactions": [body(n) for n in range(number)]})
    assert response.status_code == 422


def test_a_stream_answers_line_by_line_and_a_wrong_line_stops_nothing(client: TestClient) -> None:
    lines = [
        json.dumps(body(1)),
        "{not json",
        json.dumps(body(2)),
        "",
        json.dumps(body(3)) + " " * 20_000,
        json.dumps(body(4)),
    ]
    response = client.post(f"{ROOT}/stream", content="\n".join(lines) + "\n")
    assert response.headers["content-type"].startswith("application/x-ndjson")
    told = [json.loads(line) for line in response.text.splitlines()]
    assert [item["line"] for item in told] == [1, 2, 3, 4, 5, 6]
    assert ["result" in item for item in told] == [True, False, True, False, False, True]
    assert told[4]["error"]["message"].startswith("The line has more than")


def test_a_stream_longer_than_a_block_stays_in_order(client: TestClient) -> None:
    sent = "".join(
        json.dumps(body(n, at=n, merchant=f"M{n}", device=f"D{n}", account=f"A{n}")) + "\n" for n in range(300)
    )
    told = [json.loads(line) for line in client.post(f"{ROOT}/stream", content=sent).text.splitlines()]
    assert [item["id"] for item in told] == [f"T-{n}" for n in range(300)]


@pytest.mark.parametrize(("sent", "lines"), [(b"", 0), (b"\n", 1), (b"{}", 1), (b"{}\n\n", 2)])
def test_a_stream_has_as_many_lines_back_as_it_had(client: TestClient, sent: bytes, lines: int) -> None:
    assert len(client.post(f"{ROOT}/stream", content=sent).text.splitlines()) == lines


def test_too_many_lines_are_refused(client: TestClient) -> None:
    response = client.post(f"{ROOT}/stream", content=b"{}\n" * (MOST_LINES + 1))
    assert (response.status_code, error_of(response)["code"]) == (413, "too_many_transactions")


def test_drift_says_how_much_it_rests_on(client: TestClient) -> None:
    client.post(f"{ROOT}/batch", json={"transactions": [body(n, at=n) for n in range(20)]})
    report = client.get(f"{ROOT}/drift").json()
    assert (report["transactions"], report["reading"]) == (20, "too few")
    assert (
        sum(report["champion_and_challenger"][name] for name in ("both", "champion_only", "challenger_only", "neither"))
        == 20
    )


def test_rules_are_shown_changed_and_refused(client: TestClient, facilities: Facilities) -> None:
    before = client.get(f"{ROOT}/rules").json()
    assert before["problem"] is None
    wrong = client.put(f"{ROOT}/rules", json={"toml": before["toml"].replace("device.count.1h", "device.cuont.1h")})
    assert (wrong.status_code, error_of(wrong)["code"]) == (422, "rules_refused")
    assert "Line" in error_of(wrong)["message"]
    assert client.get(f"{ROOT}/rules").json() == before
    new = '[[rule]]\nname = "all"\nwhen = "event.amount >= 0"\naction = "review"\nen = "All"\nzh = "全部"\n'
    after = client.put(f"{ROOT}/rules", json={"toml": new}).json()
    assert [rule["name"] for rule in after["rules"]] == ["all"]
    scored = client.post(f"{ROOT}/score", json=body(1)).json()
    assert (scored["decision"], scored["rules_digest"]) == ("review", after["digest"])
    assert (facilities.folder / "transactions" / "rules.toml").read_text("utf-8") == new


def test_the_ledger_hears_of_the_model_the_scores_and_the_rules_and_of_no_name(
    client: TestClient, facilities: Facilities
) -> None:
    client.post(f"{ROOT}/batch", json={"transactions": [body(1, account="secret-name"), body(2) | {"amount": "-5"}]})
    client.put(f"{ROOT}/rules", json={"toml": ""})
    records = facilities.recorder
    assert isinstance(records, KeptRecords)
    assert [entry[0] for entry in records.entries] == ["model.loaded", "transactions.scored", "rules.changed"]
    _, scored, changed = (entry[2] for entry in records.entries)
    assert (scored["accepted"], scored["refused"]) == (1, 1)
    assert len(scored["results"]) == len(scored["model"]) == len(changed["after"]) == 64
    assert "secret-name" not in json.dumps(records.entries)


def test_the_card_of_the_model_in_force_is_shown(client: TestClient, risk: Risk) -> None:
    shown = client.get(f"{ROOT}/model").json()
    assert shown["digest"] == risk.scoring.model.digest
    assert shown["card"]["limits"][0]["zh"]


def test_every_route_is_described_with_what_it_takes(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    paths = {path.removeprefix(ROOT) for path in described["paths"]}
    assert paths == {"/score", "/batch", "/stream", "/drift", "/rules", "/model", "/{transaction_id}"}
    example = described["components"]["schemas"]["Transaction"]["examples"][0]
    assert Transaction.model_validate(example).id == example["id"]


# questions


@pytest.mark.parametrize(
    ("question", "language", "name"),
    [
        ("Why was transaction T-17 flagged?", "en", "T-17"),
        ("Explain transaction #G7-0000012.", "en", "G7-0000012"),
        ("交易T-17为什么被拦截？", "zh", "T-17"),
        ("交易编号：A1 怎么了", "zh", None),
        ("What is a transaction cost?", "en", None),
        ("", "en", None),
    ],
)
def test_a_question_about_one_transaction_is_known_by_its_id(question: str, language: Any, name: str | None) -> None:
    call = call_for(question, language=language)
    assert (call and call.arguments["transaction_id"]) == name


def test_the_tool_answers_with_evidence_in_both_languages(risk: Risk) -> None:
    risk.score([transaction(n, at=n, account=f"A{n}", amount="1.10", device="B") for n in range(10)], actor=None)
    (tool,) = risk.tools()
    for language, word in (("en", "log-odds"), ("zh", "对数几率")):
        made = tool.invoke(
            {"type": "tool_call", "id": "1", "name": NAME, "args": {"transaction_id": "T-9", "language": language}}
        )
        assert word in made.content
        assert [item.text for item in made.artifact] == [made.content]
        assert made.artifact[0].locator.cell == "T-9"


def test_the_tool_says_when_there_is_nothing_and_gives_no_evidence(risk: Risk) -> None:
    (tool,) = risk.tools()
    made = tool.invoke({"type": "tool_call", "id": "1", "name": NAME, "args": {"transaction_id": "T-0"}})
    assert "No transaction" in made.content
    assert made.artifact == []


def test_only_an_administrator_changes_the_rules() -> None:
    rule = access_to("PUT", f"{ROOT}/rules", domains={"finance": Finance.restricted})
    assert rule is not None
    assert (rule.permission, rule.record) == (Permission.ADMIN, "finance.call")
    asked = access_to("POST", f"{ROOT}/score", domains={"finance": Finance.restricted})
    assert asked is not None
    assert (asked.permission, asked.record) == (Permission.ASK, "finance.call")
