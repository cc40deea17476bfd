"""Every route: in the permission table, behind the guard, recorded or excused; every failure in one shape."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from starlette.routing import Mount, Route

from app.api.application import create
from app.identity.permissions import TABLE, Access, access_to
from app.identity.principal import GRANTS, Permission, Role
from app.service import Service
from tests.app.conftest import REPORT, add, serving

Make = Callable[..., Service]
HOST = {"VOUCH_AUTH": "keys"}
NOTHING = {
    "document_id": "0" * 32,
    "page": "1",
    "entry": "0",
    "name": "page.js",
    "answer_id": "0" * 32,
    "record": "0",
}


def routes_of(service: Service) -> Iterator[tuple[str, str]]:
    for route in create(service, pages=True).routes:
        if isinstance(route, Mount):
            assert route.path == "/ui", "a mount is outside of the guard; only Gradio's may be, with its own check"
        elif isinstance(route, Route | APIRoute):
            for method in sorted((route.methods or set()) - {"HEAD"}):
                yield method, route.path


def test_every_route_is_in_the_table_and_every_row_is_a_route(make_service: Make) -> None:
    service = make_service()
    found = set(routes_of(service))
    missing = [item for item in found if access_to(*item, domains=service.restricted) is None]
    assert missing == []
    assert set(TABLE) - found == set()


@pytest.mark.parametrize("rule", TABLE.values(), ids=[" ".join(key) for key in TABLE])
def test_every_rule_is_recorded_or_excused_never_both(rule: Access) -> None:
    assert sum(item is not None for item in (rule.record, rule.recorded_by, rule.exempt)) == 1


def call(client: httpx.Client, method: str, path: str, ids: dict[str, str]) -> httpx.Response:
    address = path
    for name, value in ids.items():
        address = address.replace(f"{{{name}}}", value)
    extra: dict[str, Any] = {}
    if (method, path) == ("POST", "/v1/documents"):
        extra = {"files": {"files": ("other.md", b"# Other\n\nSomething else stands here.\n")}}
    elif path == "/v1/documents/lookup":
        extra = {"json": {"ids": [ids.get("document_id", "0")]}}
    elif path == "/v1/ask":
        extra = {"json": {"question": "What was the revenue in 2025?", "stream": False}}
    elif path == "/v1/chat/completions":
        extra = {"json": {"messages": [{"role": "user", "content": "What was the revenue in 2025?"}]}}
    return client.request(method, address, **extra)


def test_every_route_leaves_an_entry_or_is_excused(make_service: Make) -> None:
    service = make_service("Revenue of Halden Marine was 412 million euro in 2025 [1].")
    with serving(service, pages=True) as client:
        ids = {"document_id": add(client, "report.md", REPORT)["id"], "page": "1", "entry": "0", "name": "page.js"}
        answer = call(client, "POST", "/v1/ask", {}).json()
        ids |= {"answer_id": answer["id"], "record": str(answer["receipt"]["entry"])}
        order = sorted(TABLE, key=lambda key: key[0] == "DELETE")  # deleting comes last
        for method, path in order:
            before = service.ledger.size
            reply = call(client, method, path, ids)
            rule = TABLE[method, path]
            expected = (422,) if path.endswith("/image") else (200, 202, 204, 307)  # the page is not a PDF's
            assert reply.status_code in expected, (method, path, reply.text)
            assert (service.ledger.size > before) == (rule.exempt is None), (method, path)


def test_without_a_key_nothing_but_liveness_is_open(make_service: Make) -> None:
    ids = NOTHING
    with serving(make_service(environ=HOST), pages=True) as client:
        for (method, path), rule in TABLE.items():
            reply = call(client, method, path, ids)
            if rule.permission is not None:
                assert reply.status_code == 401, (method, path)
                assert reply.headers["www-authenticate"].startswith("Basic")
                assert reply.json()["error"]["code"] == "unauthenticated"
            else:
                assert reply.status_code != 401, (method, path)
        assert client.get("/ui/").status_code == 401


@pytest.mark.parametrize("role", list(Role))
def test_each_role_reaches_what_it_was_granted_and_no_more(make_service: Make, role: Role) -> None:
    service = make_service(environ=HOST)
    key = service.keys.create("someone", role=role, labels=frozenset({"internal"}), collections=frozenset({"default"}))
    ids = NOTHING
    with serving(service, pages=True, headers={"Authorization": f"Bearer {key}"}) as client:
        for (method, path), rule in TABLE.items():
            if rule.permission is None:
                continue
            status = call(client, method, path, ids).status_code
            assert (status == 403) == (rule.permission not in GRANTS[role]), (role, method, path, status)
        denied = [entry for entry in service.ledger.entries(limit=1000) if entry.event.outcome == "denied"]
    assert bool(denied) == (GRANTS[role] != frozenset(Permission))


def test_a_browser_may_send_the_key_as_password(make_service: Make) -> None:
    service = make_service(environ=HOST)
    key = service.keys.create("someone", role=Role.READER, labels=frozenset(), collections=frozenset())
    with serving(service) as client:
        assert client.get("/v1/status", auth=("anything", key)).status_code == 200
        assert client.get("/v1/status", auth=("anything", key[:-1])).status_code == 401
        assert client.get("/v1/status", headers={"Authorization": "Basic !!!"}).status_code == 401
        assert client.get("/v1/status", headers={"Authorization": f"Digest {key}"}).status_code == 401


def test_a_revoked_key_is_refused_at_its_next_request(make_service: Make) -> None:
    service = make_service(environ=HOST)
    key = service.keys.create("someone", role=Role.READER, labels=frozenset(), collections=frozenset())
    with serving(service, headers={"Authorization": f"Bearer {key}"}) as client:
        assert client.get("/v1/status").status_code == 200
        service.keys.revoke(service.keys.list()[0].id)
        assert client.get("/v1/status").status_code == 401


def shape(reply: httpx.Response) -> None:
    body = reply.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "remedy", "request_id"}
    assert all(isinstance(value, str) and value for value in body["error"].values())
    for leak in ("Traceback", "sqlite", "SELECT", "/work", "/tmp", ".py"):
        assert leak not in reply.text


def test_every_failure_has_one_shape(make_service: Make) -> None:
    with serving(make_service()) as client:
        nothing = {"document_id": "no-such", "page": "0", "entry": "999999", "name": "none"}
        failures = [
            call(client, method, path, nothing) for method, path in TABLE if "{" in path and path[:5] == "/v1/d"
        ]
        failures += [
            client.get("/v1/nothing"),
            client.put("/v1/ask"),
            client.post("/v1/ask", content=b"{not json", headers={"Content-Type": "application/json"}),
            client.post("/v1/ask", content=b"\xff\xfe", headers={"Content-Type": "application/json"}),
            client.get("/v1/documents?limit=many"),
            client.post("/v1/documents", data={"files": "not a file"}),
            client.get("/v1/audit/entries/999999"),
            client.get("/v1/audit/entries/none"),
            client.get("/v1/audit/answers/none"),
            client.get("/v1/audit/search?limit=many"),
            client.get("/v1/audit/search?colour=red"),
            client.get("/v1/audit/search?since=yesterday"),
            client.get("/v1/audit/export?format=xlsx"),
            client.get("/v1/openings/999999"),
            client.get("/v1/openings/-1"),
            client.get("/v1/openings/none"),
            client.get("/v1/documents/x/pages/99999999999999999999"),
        ]
    assert [reply.status_code for reply in failures if reply.status_code < 400] == []
    assert [reply.status_code for reply in failures if reply.status_code == 500] == []
    for reply in failures:
        shape(reply)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "evil.example:80", ""])
def test_an_unknown_host_name_is_not_answered(make_service: Make, host: str) -> None:
    with serving(make_service()) as client:
        reply = client.get("/healthz", headers={"Host": host})
        assert reply.status_code == 400
        assert client.get("/healthz", headers={"Host": "localhost:1234"}).status_code == 200


def test_a_page_of_another_site_cannot_act(make_service: Make) -> None:
    with serving(make_service("NOT_FOUND")) as client:
        body = {"question": "What?", "stream": False}
        for origin in ("https://evil.example", "null", "http://127.0.0.1:1"):
            reply = client.post("/v1/ask", json=body, headers={"Origin": origin})
            assert reply.status_code == 403, origin
        own = str(client.base_url).rstrip("/")
        assert client.post("/v1/ask", json=body, headers={"Origin": own}).status_code == 200


def test_a_body_without_a_length_is_counted(make_service: Make) -> None:
    with serving(make_service()) as client:
        chunks = itertools.repeat(b"x" * 65_536, 40)
        reply = client.post("/v1/ask", content=chunks, headers={"Content-Type": "application/json"})
        assert reply.status_code == 413
        assert client.get("/healthz").status_code == 200


def test_replies_carry_the_headers_that_keep_content_in_its_place(make_service: Make) -> None:
    with serving(make_service(), pages=True) as client:
        for path in ("/healthz", "/ui/", "/static/page.js"):
            headers = client.get(path).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert "default-src" in headers["content-security-policy"]
            assert "http" not in headers["content-security-policy"]
