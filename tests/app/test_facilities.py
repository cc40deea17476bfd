"""What the application lends a domain plugin, and what becomes of one that cannot work with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import ClassVar

import pytest
from fastapi import APIRouter, Request

from app import service as service_module
from app.identity.permissions import access_to
from app.identity.principal import Permission
from app.service import Service
from domains import registry as registry_module
from domains.contract import Answerer, Desk, DomainError, DomainPlugin, Facilities, Preparation, Question
from domains.registry import Registry
from tests.app.conftest import serving


class Lender(DomainPlugin):
    name = "lender"
    titles: ClassVar[Mapping[str, str]] = {"en": "Lender", "zh": "放贷"}
    closed = False

    async def prepare(self, question: Question, desk: Desk) -> Preparation:
        return Preparation(queries=(question.text,))

    def open(self, facilities: Facilities) -> None:
        self.lent = facilities

    def close(self) -> None:
        self.closed = True

    def router(self, answerer: Answerer) -> APIRouter:
        router = APIRouter()

        @router.post("/loans")
        def lend(request: Request) -> dict[str, object]:
            caller = request.state.principal
            entry = self.lent.recorder.record("loan.made", actor=caller, body={"amount": 5})
            return {"subject": caller.subject, "entry": entry}

        return router


class Broken(Lender):
    name = "broken"

    def open(self, facilities: Facilities) -> None:
        raise DomainError("There is no licence.", remedy="Get one.")


class Greedy(Lender):
    name = "greedy"
    restricted: ClassVar[Mapping[tuple[str, str], str]] = {("POST", "/loans"): "everything"}


class Careful(Lender):
    name = "careful"
    restricted: ClassVar[Mapping[tuple[str, str], str]] = {("POST", "/loans"): "audit"}


@pytest.fixture
def service(make_service: Callable[..., Service], monkeypatch: pytest.MonkeyPatch) -> Service:
    installed = registry_module.load(only=("general",))
    plugins = {**installed.plugins, "lender": Lender(), "broken": Broken(), "greedy": Greedy(), "careful": Careful()}
    monkeypatch.setattr(service_module, "load", lambda: Registry(MappingProxyType(plugins)))
    return make_service()


def test_a_plugin_gets_a_database_a_folder_and_a_recorder(service: Service) -> None:
    lent = service.registry["lender"].lent
    assert lent.folder.is_dir()
    with lent.database.connect() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1


def test_a_plugins_route_knows_its_caller_and_records_under_its_own_name(service: Service) -> None:
    with serving(service) as client:
        said = client.post("/v1/lender/loans").json()
        assert said["subject"] == "operator"
        assert service.ledger.get(said["entry"]).event.action == "lender.loan.made"


def test_a_plugin_speaks_for_itself_when_nobody_called(service: Service) -> None:
    entry = service.registry["lender"].lent.recorder.record("day.closed", actor=None, body={})
    assert service.ledger.get(entry).event.actor.subject == "domain:lender"


def test_a_plugin_that_cannot_work_costs_its_own_routes_alone(service: Service) -> None:
    assert "broken" not in service.registry
    with serving(service) as client:
        assert client.post("/v1/broken/loans").status_code == 404
        assert client.get("/healthz").status_code == 200


def test_a_plugin_that_cannot_work_is_not_chosen_and_says_why(service: Service) -> None:
    assert {problem.entry_point: problem.reason for problem in service.registry.problems} == {
        "broken": "There is no licence. Get one.",
        "greedy": "It asks for permissions that do not exist: everything. Use one of: ask, read, write, audit, admin.",
    }
    with serving(service) as client:
        reply = client.post("/v1/ask", json={"question": "What is it?", "domain": "broken", "stream": False})
        assert reply.json()["error"]["code"] == "unknown_domain"


def test_a_route_may_ask_for_more_than_the_permission_to_ask(service: Service) -> None:
    reader = {"method": "POST", "path": "/v1/careful/loans", "domains": service.restricted}
    rule = access_to(**reader)
    assert rule is not None
    assert (rule.permission, rule.record) == (Permission.AUDIT, "careful.call")
    other = access_to("POST", "/v1/lender/loans", domains=service.restricted)
    assert other is not None
    assert other.permission == Permission.ASK
    assert access_to("POST", "/v1/nobody/loans", domains=service.restricted) is None


def test_plugins_are_closed_with_the_service(service: Service) -> None:
    plugin = service.registry["lender"]
    with serving(service):
        assert not plugin.closed
    assert plugin.closed
