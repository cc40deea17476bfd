"""`/v1/documents`: taking files in, refusing bad ones, and showing pages to those who may see them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from io import BytesIO

import httpx
import pytest
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from app.identity.principal import Role
from app.service import Service
from tests.app.conftest import REPORT, add, serving

Make = Callable[..., Service]


def pdf(*pages: str, password: str | None = None) -> bytes:
    out = BytesIO()
    canvas = Canvas(out, encrypt=StandardEncryption(password) if password else None)
    for text in pages:
        if text:
            canvas.drawString(72, 720, text)
        else:
            canvas.rect(100, 100, 200, 200, fill=1)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def refusal(client: httpx.Client, name: str, content: bytes) -> tuple[str, str]:
    """Add a file; return the code with which it was refused, at the door or while it was read, and the remedy."""
    reply = client.post("/v1/documents", files={"files": (name, content)})
    if reply.status_code != 202:
        return reply.json()["error"]["code"], reply.json()["error"]["remedy"]
    document = add(client, name, content)
    assert document["state"] == "failed", document
    return document["error_code"], document["remedy"]


def test_bad_files_are_refused_by_name_and_the_next_one_is_served(make_service: Make) -> None:
    bomb = BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", b"0" * (300 << 20))
    bad = {
        "locked.pdf": (pdf("secret", password="x"), "encrypted_file"),
        "cut.pdf": (pdf("one", "two")[:300], "damaged_file"),
        "empty.pdf": (b"", "empty_file"),
        "program.pdf": (b"\x7fELF" + b"\0" * 500, "unsupported_format"),
        "scan.pdf": (pdf("", ""), "no_text"),
    }
    with serving(make_service()) as client:
        for name, (content, code) in bad.items():
            found, remedy = refusal(client, name, content)
            assert (name, found) == (name, code)
            assert remedy
        assert refusal(client, "bomb.docx", bomb.getvalue())[0] in {"damaged_file", "parse_limit", "file_too_large"}
        good = add(client, "report.md", REPORT)
        listed = client.get("/v1/documents").json()
    assert good["state"] == "ready"
    assert good["passages"] >= 1
    assert listed["total"] >= 1


def test_a_file_over_the_limit_is_refused_before_it_fills_the_disk(make_service: Make) -> None:
    service = make_service(environ={"VOUCH_MAX_FILE_MB": "1"})
    with serving(service) as client:
        declared = client.post("/v1/documents", files={"files": ("big.txt", b"word " * 700_000)})
        between = client.post("/v1/documents", files={"files": ("near.txt", b"word " * 230_000)})
        assert client.get("/v1/documents").json()["total"] == 0
    assert declared.status_code == 413
    assert declared.json()["error"]["code"] == "too_large"
    assert between.status_code == 413
    assert between.json()["error"]["code"] == "file_too_large"
    assert not [path for path in (service.settings.data_dir / "files").rglob("*") if path.is_file()]


def test_too_many_pages_are_refused(make_service: Make) -> None:
    with serving(make_service(environ={"VOUCH_MAX_PAGES": "3"})) as client:
        assert refusal(client, "long.pdf", pdf("1", "2", "3", "4"))[0] == "too_many_pages"
        assert add(client, "short.pdf", pdf("one page", "two pages", "three pages"))["pages"] == 3


def test_several_files_go_in_at_once_and_each_refusal_is_told(make_service: Make) -> None:
    with serving(make_service()) as client:
        files = [("files", ("a.md", REPORT.encode())), ("files", ("b.md", b"")), ("files", ("c.bin", b"\x00\x01\x02"))]
        reply = client.post("/v1/documents", files=files)
    body = reply.json()
    assert [item["name"] for item in body["documents"]] == ["a.md"]
    assert [(item["name"], item["error"]["code"]) for item in body["refused"]] == [
        ("b.md", "empty_file"),
        ("c.bin", "unsupported_format"),
    ]


def test_every_add_is_recorded_with_its_outcome(make_service: Make) -> None:
    service = make_service()
    with serving(service) as client:
        document = add(client, "report.md", REPORT)
        client.post("/v1/documents", files={"files": ("b.md", b"")})
        outcomes = [entry.event for entry in service.ledger.find(action="document.add.outcome")]
    assert [event.outcome for event in outcomes] == ["ok", "refused"]
    assert outcomes[0].body["sha256"] == document["sha256"]
    assert outcomes[1].body["code"] == "empty_file"


def test_the_page_of_a_citation_is_drawn_with_the_passage_highlighted(make_service: Make) -> None:
    service = make_service("The covenant ratio is 3.5 to 1 [1].")
    with serving(service) as client:
        document = add(client, "agreement.pdf", pdf("Preface", "The covenant ratio is 3.5 to 1 at all times."))
        body = {"question": "What is the covenant ratio?", "stream": False}
        answer = client.post("/v1/ask", json=body).json()
        item = answer["evidence"][0]
        address = f"/v1/documents/{document['id']}/pages/{item['locator']['page']}/image"
        plain = client.get(address)
        marked = client.get(address, params={"passage": item["passage_id"]})
        other = client.get(f"/v1/documents/{document['id']}/pages/9/image")
    assert item["locator"]["page"] == 2
    assert item["locator"]["boxes"]
    assert plain.headers["content-type"] == marked.headers["content-type"] == "image/png"
    assert plain.content != marked.content
    assert other.status_code == 404


def test_text_of_a_page_comes_with_the_place_of_the_passage(make_service: Make) -> None:
    service = make_service("The auditor of the company is Brenner and Partners [1].")
    with serving(service) as client:
        document = add(client, "report.md", REPORT)
        answer = client.post("/v1/ask", json={"question": "Who is the auditor of the company?", "stream": False}).json()
        item = answer["evidence"][0]
        address = f"/v1/documents/{document['id']}/pages/1"
        view = client.get(address, params={"passage": item["passage_id"]}).json()
    assert "Brenner" in view["text"][view["start"] : view["end"]]


def test_what_a_key_was_not_granted_does_not_exist_for_it(make_service: Make) -> None:
    service = make_service("NOT_FOUND", environ={"VOUCH_AUTH": "keys"})
    default = frozenset({"default"})
    author = service.keys.create(
        "author", role=Role.CONTRIBUTOR, labels=frozenset({"internal", "secret"}), collections=default
    )
    reader = service.keys.create("reader", role=Role.READER, labels=frozenset({"internal"}), collections=default)
    other = service.keys.create("other", role=Role.READER, labels=frozenset({"secret"}), collections=frozenset({"x"}))
    with serving(service, headers={"Authorization": f"Bearer {author}"}) as client:
        hidden = add(client, "hidden.md", REPORT, label="secret")
        assert hidden["state"] == "ready"
        address = f"/v1/documents/{hidden['id']}"
        question = {"question": "Who is the auditor of the company?", "stream": False}
        assert client.post("/v1/ask", json=question).json()["evidence"]
        for key in (reader, other):
            seen = {"Authorization": f"Bearer {key}"}
            assert client.get("/v1/documents", headers=seen).json() == {"documents": [], "total": 0}
            assert set(client.get("/v1/status", headers=seen).json()["documents"].values()) == {0}
            for path in (
                address,
                f"{address}/file",
                f"{address}/pages/1",
                f"{address}/pages/1/image",
                f"{address}/pages/1?passage=1",
            ):
                assert client.get(path, headers=seen).status_code == 404, path
            assert client.post("/v1/ask", json=question, headers=seen).json()["evidence"] == []
            assert client.delete(address, headers=seen).status_code == 403
        refused = client.post("/v1/documents", files={"files": ("a.md", b"x y z")}, data={"label": "top"})
    assert refused.status_code == 403


def test_a_deleted_document_is_gone_everywhere(make_service: Make) -> None:
    service = make_service("NOT_FOUND")
    with serving(service) as client:
        document = add(client, "report.md", REPORT)
        question = {"question": "Who is the auditor of the company?", "stream": False}
        assert client.post("/v1/ask", json=question).json()["evidence"]
        assert client.delete(f"/v1/documents/{document['id']}").status_code == 204
        assert client.post("/v1/ask", json=question).json()["evidence"] == []
        assert client.get(f"/v1/documents/{document['id']}").status_code == 404
        assert client.delete(f"/v1/documents/{document['id']}").status_code == 404
        actions = [entry.event.action for entry in service.ledger.entries(limit=100)]
    assert "document.delete" in actions
    assert not [path for path in (service.settings.data_dir / "files").rglob("*") if path.is_file()]


def test_the_file_itself_comes_back_to_be_saved_and_the_ledger_knows(make_service: Make) -> None:
    service = make_service()
    page = "<html><body><h1>Report</h1><script>alert(1)</script><p>The covenant ratio is 3.5.</p></body></html>"
    with serving(service) as client:
        document = add(client, "年报 2022.html", page)
        reply = client.get(f"/v1/documents/{document['id']}/file")
        downloads = [entry.event.body for entry in service.ledger.find(action="document.download")]
    assert reply.content == page.encode()
    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.headers["content-disposition"].startswith("attachment;")
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert len(downloads) == 1
    assert document["id"] in str(downloads[0])


@pytest.mark.parametrize("name", ["../../etc/passwd.md", "a/b\\c.md", "x" * 3000 + ".md", "名称.md", "a\x01b.md"])
def test_a_hostile_name_is_only_a_name(make_service: Make, name: str) -> None:
    service = make_service()
    with serving(service) as client:
        document = add(client, name, REPORT)
    assert document["state"] == "ready"
    outside = [path for path in service.settings.data_dir.parent.rglob("passwd*")]
    assert outside == []


def test_many_documents_are_looked_up_by_id_or_bytes_within_the_scope(make_service: Make) -> None:
    service = make_service(environ={"VOUCH_AUTH": "keys"})
    default, both = frozenset({"default"}), frozenset({"staff", "board"})
    writer = service.keys.create("writer", role=Role.CONTRIBUTOR, labels=both, collections=default)
    reader = service.keys.create("reader", role=Role.READER, labels=frozenset({"staff"}), collections=default)
    with serving(service) as client:
        mine = {"Authorization": f"Bearer {writer}"}
        made = [
            client.post(
                "/v1/documents",
                files={"files": (f"{label}.txt", b"The same words for both.")},
                data={"label": label, "bulk": "true"},
                headers=mine,
            ).json()["documents"][0]
            for label in ("staff", "board")
        ]
        assert made[0]["sha256"] == made[1]["sha256"]

        def found(headers: dict[str, str], **wanted: object) -> set[str]:
            reply = client.post("/v1/documents/lookup", json=wanted, headers=headers)
            assert reply.status_code == 200, reply.text
            return {document["id"] for document in reply.json()["documents"]}

        ids, digest = [document["id"] for document in made], made[0]["sha256"]
        assert found(mine, ids=[*ids, "0" * 32]) == set(ids)
        assert found(mine, sha256=[digest], label="board") == {ids[1]}
        assert found(mine, sha256=[digest, "0" * 64], label="staff") == {ids[0]}
        assert found(mine, sha256=[digest], label="nobody's") == set()
        theirs = {"Authorization": f"Bearer {reader}"}
        assert found(theirs, ids=ids) == {ids[0]}
        assert found(theirs, sha256=[digest], label="board") == set()
        assert found(theirs) == set()
        too_many = client.post("/v1/documents/lookup", json={"ids": ["x"] * 501}, headers=mine)
        assert too_many.status_code == 422
