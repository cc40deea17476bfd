"""The page that a citation opens, over a real server."""

from __future__ import annotations

from collections.abc import Callable

from app.identity.principal import Role
from app.service import Service
from tests.app.conftest import REPORT, add, serving

Make = Callable[..., Service]
ASK = {"question": "Who is the auditor of the company?", "stream": False}


def test_a_text_page_shows_the_passage_marked(make_service: Make) -> None:
    with serving(make_service("The auditor of the company is Brenner and Partners [1]."), pages=True) as client:
        document = add(client, "report.md", REPORT)
        item = client.post("/v1/ask", json=ASK).json()["evidence"][0]
        page = client.get(f"/view/{document['id']}/1", params={"passage": item["passage_id"]})
    assert page.status_code == 200
    marked = page.text.split("<mark", 1)[1].split("</mark>", 1)[0]
    assert "Brenner and Partners" in marked
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_markup_in_a_document_or_its_name_is_text(make_service: Make) -> None:
    with serving(make_service("NOT_FOUND"), pages=True) as client:
        document = add(client, "<img src=x>.txt", "Plain words before.\n\n<script>alert(1)</script> and words after.\n")
        page = client.get(f"/view/{document['id']}/1")
    assert "<script>" not in page.text
    assert "<img src=x>" not in page.text


def test_a_page_that_is_not_there_and_a_passage_of_another_page_are_not_found(make_service: Make) -> None:
    with serving(make_service("NOT_FOUND"), pages=True) as client:
        one = add(client, "one.md", REPORT)
        two = add(client, "two.md", REPORT.replace("Brenner", "Ahrens"))
        item = client.post("/v1/ask", json=ASK).json()["evidence"][0]
        other = two if item["locator"]["document_id"] == one["id"] else one
        assert client.get(f"/view/{one['id']}/2").status_code == 404
        assert client.get(f"/view/{'0' * 32}/1").status_code == 404
        assert client.get(f"/view/{other['id']}/1", params={"passage": item["passage_id"]}).status_code == 404


def test_the_page_speaks_the_browsers_language(make_service: Make) -> None:
    with serving(make_service("NOT_FOUND"), pages=True) as client:
        document = add(client, "one.md", REPORT)
        chinese = client.get(f"/view/{document['id']}/1", headers={"Accept-Language": "zh-CN"})
        english = client.get(f"/view/{document['id']}/1", headers={"Accept-Language": "fr"})
    assert "第 1 页，共 1 页" in chinese.text
    assert "Page 1 of 1" in english.text


def test_the_viewer_asks_for_the_same_permission(make_service: Make) -> None:
    service = make_service("NOT_FOUND", environ={"VOUCH_AUTH": "keys"})
    everything = frozenset({"*"})
    author = service.keys.create("author", role=Role.ADMIN, labels=everything, collections=everything)
    reader = service.keys.create("reader", role=Role.READER, labels=frozenset({"x"}), collections=everything)
    with serving(service, pages=True) as client:
        client.headers["Authorization"] = f"Bearer {author}"
        document = add(client, "one.md", REPORT)
        assert client.get(f"/view/{document['id']}/1").status_code == 200
        client.headers["Authorization"] = f"Bearer {reader}"
        assert client.get(f"/view/{document['id']}/1").status_code == 404


def test_static_files_are_two_styles_and_a_script(make_service: Make) -> None:
    with serving(make_service(), pages=True) as client:
        script = client.get("/static/page.js")
        assert script.text.startswith("window.vouchWords = {")
        for name in ("page.css", "viewer.css"):
            assert client.get(f"/static/{name}").status_code == 200
        for name in ("none.js", "..%2fpages.py", "pages.py"):
            assert client.get(f"/static/{name}").status_code == 404


def test_gradio_shows_no_file_of_the_machine(make_service: Make) -> None:
    service = make_service()
    with serving(service, pages=True) as client:
        home = client.get("/ui/")
        assert home.status_code == 200
        for target in ("/etc/passwd", str(service.settings.data_dir / "vouch.db"), "../../vouch.db", "%2e%2e/vouch.db"):
            for form in (f"/ui/gradio_api/file={target}", f"/ui/file={target}"):
                assert client.get(form).status_code in (403, 404), form
        upload = client.post("/ui/gradio_api/upload", files={"files": ("a.txt", b"x" * 100)})
        assert upload.status_code >= 400  # documents go through the API, never through Gradio's cache
