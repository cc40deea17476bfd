"""The scorecard in service: no table, a table, a new table, a touched model; over HTTP with a real ledger."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from app.service import Service
from domains.finance import models
from domains.finance.credit.characteristics import CHARACTERISTICS, NOT_USED
from domains.finance.credit.errors import ApplicantRefused, ApplicationsRefused, NoScorecard
from domains.finance.credit.serving import ACCEPT, DECLINE, NAME, CreditDesk, band
from domains.finance.models import ModelAltered
from tests.app.conftest import make_service, serving
from tests.domains.finance.credit.conftest import make_rows, write_rows

__all__ = ["make_service"]  # a fixture of the service's own tests

APPLICANT: Mapping[str, Any] = {
    "credit_amount": 2500,
    "duration_in_month": 48,
    "status_of_existing_checking_account": "... < 0 DM",
    "housing": "own",
}


class Ledger:
    """A recorder that keeps what it was given."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any, dict[str, Any]]] = []

    def record(self, action: str, *, actor: Any, body: Mapping[str, Any], outcome: str = "ok") -> int:
        self.events.append((action, actor, dict(body)))
        return len(self.events)

    @property
    def actions(self) -> list[str]:
        return [action for action, _, _ in self.events]


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_rows(tmp_path / "credit", make_rows(120))
    return tmp_path


def test_without_a_table_it_says_where_one_must_lie(tmp_path: Path, ledger: Ledger) -> None:
    with pytest.raises(NoScorecard) as refused:
        CreditDesk(tmp_path, ledger).score(APPLICANT, actor=None)
    assert "domains/finance/credit/rows.jsonl" in refused.value.remedy
    assert ledger.events == []


def test_a_table_that_is_put_there_later_is_taken(tmp_path: Path, ledger: Ledger) -> None:
    desk = CreditDesk(tmp_path, ledger)
    with pytest.raises(NoScorecard):
        desk.scorecard()
    write_rows(tmp_path / "credit", make_rows(120))
    assert desk.score(APPLICANT, actor=None).band in ("accept", "refer", "decline")


def test_a_table_that_is_too_small_is_refused_and_nothing_is_kept(tmp_path: Path, ledger: Ledger) -> None:
    write_rows(tmp_path / "credit", make_rows(3))
    with pytest.raises(ApplicationsRefused):
        CreditDesk(tmp_path, ledger).scorecard()
    assert not (tmp_path / "models").exists()
    assert ledger.events == []


def test_fitted_once_then_loaded(folder: Path, ledger: Ledger) -> None:
    first = CreditDesk(folder, ledger)
    once, twice = first.score(APPLICANT, actor="ann"), first.score(APPLICANT, actor="ann")
    later = CreditDesk(folder, ledger).score(APPLICANT, actor="bob")
    assert ledger.actions == ["model.fitted", "credit.scored", "credit.scored", "model.loaded", "credit.scored"]
    assert once.scored == twice.scored == later.scored
    assert once.model.digest == later.model.digest == ledger.events[0][2]["digest"]
    assert [actor for _, actor, _ in ledger.events] == [None, "ann", "ann", None, "bob"]


def test_a_model_outlives_its_table(folder: Path, ledger: Ledger) -> None:
    before = CreditDesk(folder, ledger).score(APPLICANT, actor=None)
    (folder / "credit" / "rows.jsonl").unlink()
    assert CreditDesk(folder, ledger).score(APPLICANT, actor=None).scored == before.scored


def test_another_table_is_fitted_anew(folder: Path, ledger: Ledger) -> None:
    before = CreditDesk(folder, ledger).score(APPLICANT, actor=None)
    write_rows(folder / "credit", make_rows(130, seed=9))
    after = CreditDesk(folder, ledger).score(APPLICANT, actor=None)
    assert ledger.actions.count("model.fitted") == 2
    assert after.model.digest != before.model.digest
    assert after.model.card.training.rows == 130


def test_a_touched_model_is_refused_and_not_fitted_over(folder: Path, ledger: Ledger) -> None:
    CreditDesk(folder, ledger).scorecard()
    part = next((folder / "models" / NAME).glob("scorecard.*.json"))
    part.write_bytes(part.read_bytes().replace(b"600", b"900", 1))
    with pytest.raises(ModelAltered):
        CreditDesk(folder, ledger).scorecard()
    assert ledger.actions == ["model.fitted"]


def test_the_ledger_gets_digests_and_no_field_of_the_applicant(folder: Path, ledger: Ledger) -> None:
    found = CreditDesk(folder, ledger).score(APPLICANT, actor="ann")
    action, actor, body = ledger.events[found.record - 1]
    assert (action, actor, body["model"]) == ("credit.scored", "ann", found.model.digest)
    assert len(body["input"]) == len(body["output"]) == 64
    assert "2500" not in json.dumps(body)
    assert "... < 0 DM" not in json.dumps(body)


@pytest.mark.parametrize("name", sorted(NOT_USED))
def test_what_is_protected_is_refused_by_name_in_both_languages(folder: Path, ledger: Ledger, name: str) -> None:
    with pytest.raises(ApplicantRefused, match=f"The field {name} is not taken") as refused:
        CreditDesk(folder, ledger).score({**APPLICANT, name: "x"}, actor=None)
    assert "不接受字段" in refused.value.message
    assert ledger.events == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"credit_amount": None}, "credit_amount is missing"),
        ({"duration_in_month": ""}, "duration_in_month is missing"),
        ({"shoe_size": 44}, "no field 'shoe_size'"),
        ({"credit_amount": "1e300"}, "credit_amount is no figure"),
        ({"credit_amount": float("nan")}, "credit_amount is no figure"),
        ({"housing": 3}, "housing is no text"),
    ],
)
def test_an_applicant_that_cannot_be_scored_is_refused(
    folder: Path, ledger: Ledger, fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(ApplicantRefused, match=said):
        CreditDesk(folder, ledger).score({**APPLICANT, **fields}, actor=None)


def test_what_is_left_out_is_named(folder: Path, ledger: Ledger) -> None:
    found = CreditDesk(folder, ledger).score({**APPLICANT, "housing": "boat"}, actor=None)
    assert "housing" in found.scored.unseen
    assert "credit_amount" not in found.scored.unseen
    assert found.bins["housing"] == "(not seen)"


@pytest.mark.parametrize(
    ("p", "advice"),
    [(0.0, "accept"), (ACCEPT - 1e-9, "accept"), (ACCEPT, "refer"), (DECLINE - 1e-9, "refer"), (DECLINE, "decline")],
)
def test_bands_begin_where_they_say(p: float, advice: str) -> None:
    assert band(p) == advice


@pytest.fixture
def service(make_service: Callable[..., Service], tmp_path: Path) -> Service:
    write_rows(tmp_path / "data" / "domains" / "finance" / "credit", make_rows(120))
    return make_service()


def test_over_http(service: Service) -> None:
    with serving(service) as client:
        said = client.post("/v1/finance/credit/score", json=dict(APPLICANT)).json()
        assert said["score"] == sum(item["points"] for item in said["points"])
        assert {item["characteristic"] for item in said["points"]} <= {item.name for item in CHARACTERISTICS}
        codes = [item["code"] for item in said["reasons"]]
        assert set(codes[:2]) == {"status_of_existing_checking_account", "duration_in_month"}  # what made the table
        assert set(said["notice"]) == {"en", "zh"}
        event = service.ledger.get(said["record"]).event
        assert (event.action, event.actor.subject) == ("finance.credit.scored", "operator")
        assert event.body["model"] == said["model"]["digest"]
        listed = client.get("/v1/finance/models").json()["models"]
        assert [(item["name"], item["digest"]) for item in listed if item["name"] == NAME] == [
            (NAME, said["model"]["digest"])
        ]
        card = client.get(said["model"]["card"]).json()
        assert card["digest"] == said["model"]["digest"]
        assert set(card["card"]["not_inputs"]) == set(NOT_USED)
        page = client.get(said["model"]["card"], params={"format": "markdown", "language": "zh"})
        assert page.headers["content-type"].startswith("text/markdown")
        assert page.text.startswith("# 模型卡: 信用评分卡")


@pytest.mark.parametrize("name", ["sex", "age_in_years", "foreign_worker"])
def test_over_http_a_protected_field_is_refused(service: Service, name: str) -> None:
    with serving(service) as client:
        reply = client.post("/v1/finance/credit/score", json={**APPLICANT, name: "female"})
        assert reply.status_code == 422
        assert reply.json()["error"]["code"] == "credit_applicant"


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'{"credit_amount": "x"}', b'{"credit_amount": -1}', b'{"housing": 1, "credit_amount": 1}'],
)
def test_over_http_a_body_that_does_not_fit_is_a_4xx(service: Service, body: bytes) -> None:
    with serving(service) as client:
        reply = client.post("/v1/finance/credit/score", content=body, headers={"content-type": "application/json"})
        assert reply.status_code in (400, 422)
        assert reply.json()["error"]["remedy"]


def test_over_http_without_a_table(make_service: Callable[..., Service]) -> None:
    with serving(make_service()) as client:
        reply = client.post("/v1/finance/credit/score", json=dict(APPLICANT))
        assert reply.status_code == 503
        assert "rows.jsonl" in reply.json()["error"]["remedy"]
        assert client.get("/v1/finance/models").json() == {"models": []}


@pytest.mark.parametrize("name", ["nothing", "..", "%2e%2e%2f", "A", "credit-scorecard%00", "x" * 300])
def test_over_http_a_model_that_is_not_there(make_service: Callable[..., Service], name: str) -> None:
    with serving(make_service()) as client:
        assert client.get(f"/v1/finance/models/{name}/card").status_code in (404, 422)


def test_over_http_an_altered_model_is_listed_as_such(service: Service, tmp_path: Path) -> None:
    with serving(service) as client:
        client.post("/v1/finance/credit/score", json=dict(APPLICANT))
        place = tmp_path / "data" / "domains" / "finance" / "models" / NAME
        (place / models.MANIFEST).write_bytes(b"{}")
        entry = client.get("/v1/finance/models").json()["models"][0]
        assert entry["digest"] is None
        assert "manifest" in entry["problem"]
        assert client.get(f"/v1/finance/models/{NAME}/card").status_code == 503
