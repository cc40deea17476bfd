"""Two tenants over HTTP: every route is called by one with what belongs to the other, and gives nothing away.

The routes are walked: one that is neither probed nor excused here fails the test. What is not yours reads exactly like
what is not there. Each defence is also switched off, when the leak must show.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
import pytest
from sqlalchemy import true

from app.identity.keys import key_id
from app.identity.principal import Principal, Role
from app.service import Service
from app.settings import load
from retrieval import catalog as catalog_module
from retrieval.types import EVERYTHING, Scope
from retrieval.visibility import Visibility
from tests.app.conftest import SmallEmbedder, StillEngine, add, serving
from tests.app.test_api_documents import pdf
from tests.app.test_api_routes import routes_of
from tests.scripted_chat import ScriptedChat

SECRET = "zephyrine"
QUESTION = "What is the codename of the merger?"
STATEMENT = f"The codename of the merger is {SECRET}."
ABSENT = {"document": "0" * 32, "passage": str(10**9)}

Route = tuple[str, str]

NO_DOCUMENT = "shows nothing that comes from documents"
BY_ROLE = "an auditor reads the record of all: ids and digests, no words; swept below"
EXCUSED: dict[Route, str] = {
    ("GET", "/healthz"): NO_DOCUMENT,
    ("GET", "/readyz"): NO_DOCUMENT,
    ("GET", "/metrics"): "counts, for administrators",
    ("GET", "/v1/status"): "counts of the caller's own; tested with the documents, swept below",
    ("POST", "/v1/retrieval/check"): "for administrators: ids of what does not agree",
    ("GET", "/v1/openapi.json"): NO_DOCUMENT,
    ("GET", "/v1/models"): NO_DOCUMENT,
    ("GET", "/v1/domains"): NO_DOCUMENT,
    ("GET", "/"): NO_DOCUMENT,
    ("GET", "/static/{name}"): NO_DOCUMENT,
    ("GET", "/audit"): NO_DOCUMENT,
    ("GET", "/v1/audit/entries"): BY_ROLE,
    ("GET", "/v1/audit/entries/{entry}"): BY_ROLE,
    ("GET", "/v1/audit/state"): BY_ROLE,
    ("GET", "/v1/audit/search"): BY_ROLE,
    ("GET", "/v1/audit/export"): BY_ROLE,
    ("GET", "/v1/audit/answers/{answer_id}"): BY_ROLE,
    ("POST", "/v1/audit/verify"): BY_ROLE,
}
DOMAINS = re.compile(r"/v1/finance/")
"""Routes of plugins that read no documents; each has a store and tests of its own."""

READS: dict[Route, tuple[str, ...]] = {
    # variants of a reading route; {document} and {passage} are the other tenant's, or nobody's
    ("GET", "/v1/documents/{document_id}"): ("/v1/documents/{document}",),
    ("GET", "/v1/documents/{document_id}/file"): ("/v1/documents/{document}/file",),
    ("GET", "/v1/documents/{document_id}/pages/{page}"): (
        "/v1/documents/{document}/pages/1",
        "/v1/documents/{document}/pages/1?passage={passage}",
        "/v1/documents/{document}/pages/1?passage={own_passage}",
        "/v1/documents/{own}/pages/1?passage={passage}",
    ),
    ("GET", "/v1/documents/{document_id}/pages/{page}/image"): (
        "/v1/documents/{document}/pages/1/image",
        "/v1/documents/{document}/pages/1/image?passage={passage}",
        "/v1/documents/{own}/pages/1/image?passage={passage}",
    ),
    ("GET", "/view/{document_id}/{page}"): (
        "/view/{document}/1",
        "/view/{document}/1?passage={passage}",
        "/view/{own}/1?passage={passage}",
    ),
}
OTHERWISE: dict[Route, str] = {
    ("GET", "/v1/documents"): "test_the_list_has_ones_own_documents",
    ("POST", "/v1/documents"): "test_nothing_is_put_where_only_the_other_sees",
    ("POST", "/v1/documents/lookup"): "test_nothing_is_looked_up_that_is_the_others",
    ("DELETE", "/v1/documents/{document_id}"): "test_nobody_deletes_what_is_the_others",
    ("POST", "/v1/ask"): "test_an_answer_rests_on_ones_own_documents",
    ("POST", "/v1/chat/completions"): "test_an_answer_rests_on_ones_own_documents",
    ("GET", "/v1/openings/{record}"): "test_the_others_history_cannot_be_opened",
}
LISTED = [(route, variant) for route, variants in READS.items() for variant in variants]


@dataclass
class Office:
    """A service with two tenants who share it, and what each has in it."""

    service: Service
    client: httpx.Client
    ours: str
    theirs: str
    where: dict[str, str]  # of their documents
    document: dict[str, Any]
    ids: dict[str, str]
    record: int

    def get(self, path: str, key: str, **more: Any) -> httpx.Response:
        return self.call("GET", path, key, **more)

    def call(self, method: str, path: str, key: str, **more: Any) -> httpx.Response:
        return self.client.request(method, path, headers={"Authorization": f"Bearer {key}"}, **more)

    def leaks(self, reply: httpx.Response) -> bool:
        said = f"{reply.text} {reply.headers}"
        return SECRET in said or self.document["id"] in said or self.document["sha256"] in said


def plain(reply: httpx.Response) -> tuple[int, str]:
    """A reply without what differs from one call to the next."""
    return reply.status_code, re.sub(r'"request_id":"[^"]*"', "", reply.text)


def passage_of(service: Service, document_id: str) -> str:
    everything = Scope(subject="x", labels=frozenset({EVERYTHING}), collections=frozenset({EVERYTHING}))
    found = service.catalog.passages(range(1, 100), everything)
    return next(str(passage.id) for passage in found if passage.document_id == document_id)


@pytest.fixture(scope="module", params=["label", "collection"])
def office(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("office")
    places = {"VOUCH_DATA_DIR": str(folder / "data"), "VOUCH_MODEL_DIR": str(folder), "VOUCH_AUTH": "keys"}
    chat = ScriptedChat(replies=[f"{STATEMENT[:-1]} [1]."])
    service = Service(load(places), chat=lambda: chat, engine=StillEngine(), embedders=[SmallEmbedder()])
    keys = {}
    for name in ("ours", "theirs"):
        shared = {"label": "internal", "collection": "default"} | {request.param: name}
        keys[name] = service.keys.create(
            name, role=Role.CONTRIBUTOR, labels=[shared["label"]], collections=[shared["collection"]]
        )
    where = {"label": "internal", "collection": "default"}
    with serving(service, pages=True) as client:
        client.headers["Authorization"] = f"Bearer {keys['ours']}"
        own = add(client, "canteen.pdf", pdf("The codename of the canteen is fish."), **where | {request.param: "ours"})
        client.headers["Authorization"] = f"Bearer {keys['theirs']}"
        document = add(client, f"{SECRET}.pdf", pdf(STATEMENT), **where | {request.param: "theirs"})
        answer = client.post("/v1/ask", json={"question": QUESTION, "stream": False}).json()
        del client.headers["Authorization"]
        ids = {
            "document": document["id"],
            "passage": passage_of(service, document["id"]),
            "own": own["id"],
            "own_passage": passage_of(service, own["id"]),
        }
        there = where | {request.param: "theirs"}
        yield Office(
            service, client, keys["ours"], keys["theirs"], there, document, ids, int(answer["receipt"]["entry"])
        )


def without_sql(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog_module, "_visible", lambda _scope: true())


def without_mask(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.service.index._last_seen = None  # what the index remembers of a scope; only a patched mask makes it untrue
    monkeypatch.setattr(Visibility, "granted", lambda self, _scope: np.ones(len(self.groups) + 1, dtype=np.bool_))


def test_every_route_is_probed_or_excused(office: Office) -> None:
    walked = {route for route in routes_of(office.service) if not DOMAINS.match(route[1])}
    known = [*READS, *OTHERWISE, *EXCUSED]
    assert walked - set(known) == set(), "say here how a new route keeps tenants apart"
    assert set(known) - walked == set()
    assert len(known) == len(set(known))
    assert [test for test in OTHERWISE.values() if test not in globals()] == []
    assert [route for route in EXCUSED if route[1].startswith(("/v1/documents", "/view"))] == []


@pytest.mark.parametrize(("route", "variant"), LISTED, ids=[variant for _, variant in LISTED])
def test_not_yours_reads_like_not_there(office: Office, route: Route, variant: str) -> None:
    address = variant.format(**office.ids)
    hidden = office.get(address, office.ours)
    assert plain(hidden) == plain(office.get(variant.format(**office.ids | ABSENT), office.ours))
    assert hidden.status_code == 404
    assert not office.leaks(hidden)


@pytest.mark.parametrize(("route", "variant"), LISTED, ids=[variant for _, variant in LISTED])
def test_it_shows_when_the_scope_is_not_in_the_sql(
    office: Office, route: Route, variant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_sql(monkeypatch)
    reply = office.get(variant.format(**office.ids), office.ours)
    if "{own" in variant:  # of one's own page with the other's passage, only that the passage exists can show
        assert plain(reply) != plain(office.get(variant.format(**office.ids | ABSENT), office.ours))
    else:
        assert reply.status_code == 200, "the defence was off, and nothing showed: the probe proves nothing"
        assert office.leaks(reply) or reply.headers["content-type"] == "image/png"


def test_the_owner_is_shown_it(office: Office) -> None:
    for _, variant in LISTED:
        if "{own" not in variant:
            reply = office.get(variant.format(**office.ids), office.theirs)
            assert reply.status_code == 200, variant
            assert office.leaks(reply) or reply.headers["content-type"] == "image/png", variant


def test_the_list_has_ones_own_documents(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    collection = {"collection": office.document["collection"]}
    whole, part = office.get("/v1/documents", office.ours), office.get("/v1/documents", office.ours, params=collection)
    assert [item["id"] for item in whole.json()["documents"]] == [office.ids["own"]]
    assert whole.json()["total"] == 1
    assert not office.leaks(whole)
    assert not office.leaks(part)
    if collection["collection"] == "theirs":
        nowhere = office.get("/v1/documents", office.ours, params={"collection": "nowhere"})
        assert plain(part) == plain(nowhere) == (200, '{"documents":[],"total":0}')
    without_sql(monkeypatch)
    assert office.leaks(office.get("/v1/documents", office.ours))
    assert office.leaks(office.get("/v1/documents", office.ours, params=collection))


def test_nothing_is_looked_up_that_is_the_others(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    document = office.document

    def look_up(key: str) -> list[httpx.Response]:
        by_bytes = {"sha256": [document["sha256"]], **office.where}
        return [office.call("POST", "/v1/documents/lookup", key, json=b) for b in ({"ids": [document["id"]]}, by_bytes)]

    assert all(office.leaks(reply) for reply in look_up(office.theirs))
    assert [plain(reply) for reply in look_up(office.ours)] == [(200, '{"documents":[]}')] * 2
    without_sql(monkeypatch)
    assert all(office.leaks(reply) for reply in look_up(office.ours))


def test_nothing_is_put_where_only_the_other_sees(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    def put(where: dict[str, str]) -> httpx.Response:
        return office.call("POST", "/v1/documents", office.ours, files={"files": ("a.md", b"# A\n\nx\n")}, data=where)

    nowhere = {name: "nowhere" if value == "theirs" else value for name, value in office.where.items()}
    assert put(office.where).status_code == 403
    assert plain(put(office.where)) == plain(put(nowhere))
    monkeypatch.setattr(Scope, "allows", lambda self, **_where: True)
    taken = put(office.where)
    assert taken.status_code == 202
    office.service.ingestor.wait([taken.json()["documents"][0]["id"]], 30)
    office.call("DELETE", f"/v1/documents/{taken.json()['documents'][0]['id']}", office.theirs)


def test_nobody_deletes_what_is_the_others(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.client.headers["Authorization"] = f"Bearer {office.theirs}"
    spare = add(office.client, "spare.md", "# Spare\n\nA spare page.\n", **office.where)
    del office.client.headers["Authorization"]
    address = f"/v1/documents/{spare['id']}"
    refused = office.call("DELETE", address, office.ours)
    assert plain(refused) == plain(office.call("DELETE", f"/v1/documents/{'0' * 32}", office.ours))
    assert refused.status_code == 404
    assert office.get(f"{address}/pages/1", office.theirs).status_code == 200
    without_sql(monkeypatch)
    assert office.call("DELETE", address, office.ours).status_code == 204
    assert office.get(address, office.theirs).status_code == 404


def asked(office: Office, key: str) -> Iterator[httpx.Response]:
    """Ask by every road, everywhere and in the other's collection."""
    for collection in (None, office.document["collection"]):
        for stream in (False, True):
            body = {"collection": collection, "stream": stream}
            yield office.call("POST", "/v1/ask", key, json=body | {"question": QUESTION})
            messages = [{"role": "user", "content": QUESTION}]
            yield office.call("POST", "/v1/chat/completions", key, json=body | {"messages": messages})


def unscripted(reply: httpx.Response) -> httpx.Response:
    """The reply without the words of the scripted model, which knows the other's secret whoever asks."""
    text = re.sub(r"event: draft\ndata: .*\n\n", "", reply.text).replace(STATEMENT[:-1], "")
    return httpx.Response(reply.status_code, text=text)


def test_an_answer_rests_on_ones_own_documents(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(office.leaks(reply) for reply in asked(office, office.theirs))
    for reply in asked(office, office.ours):
        assert reply.status_code == 200
        assert not office.leaks(unscripted(reply)), reply.text
    without_sql(monkeypatch)
    assert not any(office.leaks(unscripted(reply)) for reply in asked(office, office.ours)), "the mask holds alone"
    without_mask(office, monkeypatch)
    assert all(office.leaks(unscripted(reply)) for reply in asked(office, office.ours))


def test_the_mask_off_alone_takes_ones_own_results_away(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Why the scope is in the searches and not only in what is fetched: hidden passages would take places."""
    scope = Scope(subject="x", labels=frozenset({"internal", "ours"}), collections=frozenset({"default", "ours"}))
    found = office.service.library.search([QUESTION], scope, k=1)
    assert [item.locator.document_id for item in found] == [office.ids["own"]]
    before = office.service.index.by_words(QUESTION, 1, scope)
    without_mask(office, monkeypatch)
    assert office.service.index.by_words(QUESTION, 1, scope) != before
    assert not any(office.leaks(unscripted(reply)) for reply in asked(office, office.ours)), "the SQL holds alone"


def test_the_others_history_cannot_be_opened(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"/v1/openings/{office.record}"
    assert office.leaks(office.get(address, office.theirs))
    no_answer = next(e.seq for e in office.service.ledger.entries(limit=100) if e.event.action == "document.add.intent")
    hidden, nothing = office.get(address, office.ours), office.get(f"/v1/openings/{no_answer}", office.ours)
    assert hidden.status_code == 404
    assert plain(hidden)[1].replace(str(office.record), "N") == plain(nothing)[1].replace(str(no_answer), "N")
    monkeypatch.setattr(Principal, "may", lambda self, _permission: True)
    assert office.leaks(office.get(address, office.ours))


@pytest.mark.parametrize("role", [Role.CONTRIBUTOR, Role.READER, Role.AUDITOR])
def test_no_reading_route_says_a_word_of_the_other(office: Office, role: Role) -> None:
    """Everything that can be read, with the other's ids in the address, by each role of our tenant."""
    key = office.service.keys.create(f"our {role}", role=role, labels=["ours"], collections=["default", "ours"])
    fill = {
        "document_id": office.ids["document"],
        "page": "1",
        "entry": str(office.record),
        "record": str(office.record),
        "answer_id": office.service.ledger.get(office.record).event.body["answer_id"],
        "name": "page.js",
    }
    for method, path in routes_of(office.service):
        if method == "GET" and not DOMAINS.match(path):
            reply = office.get(path.format(**fill), key)
            assert SECRET not in reply.text, path
            assert role is Role.AUDITOR or office.document["sha256"] not in reply.text, path


def test_a_revoked_key_sees_nothing_at_the_next_call(office: Office) -> None:
    key = office.service.keys.create(
        "leaving", role=Role.READER, labels=[office.where["label"]], collections=[office.where["collection"]]
    )
    address = f"/v1/documents/{office.document['id']}"
    assert office.get(address, key).status_code == 200
    office.service.keys.revoke(key_id(key))
    for path in (address, f"{address}/pages/1", "/v1/documents"):
        assert office.get(path, key).status_code == 401
