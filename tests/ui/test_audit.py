"""The auditor's page: who may see it, what it says, and what it does in a real browser, wide and narrow."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import text

from app.identity.principal import Role
from app.service import Service
from tests.app.conftest import REPORT, add, serving
from tests.ui.test_browser import CHROMIUM, browser, opened
from ui.words import CATALOG

__all__ = ["browser"]

Make = Callable[..., Service]
QUESTION = "What was the revenue of Halden Marine in 2025?"
REPLY = "Revenue of Halden Marine was 412 million euro in 2025 [1]. The chair is Ines Varga [1]."
in_a_browser = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (Debian: apt-get install chromium)"),
]


def ask(client: httpx.Client) -> dict[str, object]:
    return dict(client.post("/v1/ask", json={"question": QUESTION, "stream": False}).json())


@pytest.mark.parametrize("role", list(Role))
def test_only_people_who_may_audit_get_the_page(make_service: Make, role: Role) -> None:
    service = make_service(environ={"VOUCH_AUTH": "keys"})
    key = service.keys.create("someone", role=role, labels=frozenset(), collections=frozenset())
    with serving(service, pages=True, headers={"Authorization": f"Bearer {key}"}) as client:
        page = client.get("/audit")
        may = client.get("/v1/status").json().get("may", []) if role is not Role.AUDITOR else ["audit"]
    assert (page.status_code == 200) == (role in {Role.AUDITOR, Role.ADMIN})
    assert ("audit" in may) == (role in {Role.AUDITOR, Role.ADMIN})
    if role is Role.AUDITOR:
        assert 'href="/ui/"' not in page.text, "an auditor may not ask"


def test_it_speaks_both_languages_and_runs_no_script_but_its_own(make_service: Make) -> None:
    with serving(make_service(), pages=True) as client:
        english = client.get("/audit")
        chinese = client.get("/audit", headers={"Accept-Language": "zh-CN,zh;q=0.9"})
        script = client.get("/static/audit.js").text
    assert "Verify everything" in english.text
    assert "验证全部" in chinese.text
    for page in (english, chinese):
        assert "default-src 'none'; script-src 'self'" in page.headers["content-security-policy"]
        assert "<script>" not in page.text
    said = set(re.findall(r'say\("(\w+)"', script)) | set(re.findall(r'(?:pair\(list|cell\()\s*,?\s*"(\w+)"', script))
    assert {f"audit_{key}" for key in said} <= CATALOG.keys()


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


class TestInABrowser:
    pytestmark = in_a_browser

    @pytest.mark.parametrize(("width", "locale"), [(1440, "en-US"), (360, "zh-CN")])
    def test_search_story_and_verification(
        self, make_service: Make, browser: Browser, tmp_path: Path, width: int, locale: str
    ) -> None:
        with serving(make_service(REPLY), pages=True) as client:
            add(client, "report.md", REPORT)
            answer = ask(client)
            page, trouble = opened(browser, f"{str(client.base_url).rstrip('/')}/audit", locale)
            page.set_viewport_size({"width": width, "height": 900})
            expect(page.locator("#rows tr")).not_to_have_count(0, timeout=30_000)
            expect(page.locator("#state dd").first).not_to_have_text("")
            page.select_option("#verdict", "unsupported")
            expect(page.locator("#rows tr")).to_have_count(1)
            page.locator("#rows button.link").click()
            expect(page.locator("#story")).to_be_visible()
            expect(page.locator("#story .head code")).to_have_text(str(answer["id"]))
            expect(page.locator("#story details")).to_have_count(2)
            page.locator("#story details summary").last.click()
            expect(page.locator("#story pre").last).to_contain_text('"action": "answer.outcome"')
            assert "verdict=unsupported" in (page.get_attribute("#csv", "href") or "")
            page.click("#verify")
            expect(page.locator("#verified")).to_have_class("good", timeout=30_000)
            assert fits(page)
            page.screenshot(path=str(tmp_path / "audit.png"), full_page=True)
            assert "Halden" not in page.content()
            assert trouble == []

    def test_what_is_wrong_is_said_on_the_page(self, make_service: Make, browser: Browser) -> None:
        service = make_service(REPLY)
        with serving(service, pages=True) as client:
            ask(client)
            page, trouble = opened(browser, f"{str(client.base_url).rstrip('/')}/audit", "en-US")
            expect(page.locator("#rows tr")).not_to_have_count(0, timeout=30_000)
            with service.copy.engine.begin() as connection:
                connection.execute(text("UPDATE audit_events SET actor = 'mallory' WHERE seq = 0"))
            page.click("#verify")
            expect(page.locator("#verified")).to_have_class("bad", timeout=30_000)
            expect(page.locator("#verified")).to_contain_text("audit_events row 0: actor is 'mallory'")
            assert trouble == []

    def test_names_that_are_markup_are_text(self, make_service: Make, browser: Browser) -> None:
        service = make_service(environ={"VOUCH_AUTH": "keys"})
        name = "<img src=x onerror=alert(1)>"
        granted = {"labels": frozenset({"internal"}), "collections": frozenset({"default"})}
        reader = service.keys.create(name, role=Role.READER, **granted)
        auditor = service.keys.create("ines", role=Role.AUDITOR, **granted)
        with serving(service, pages=True) as client:
            client.get("/v1/documents", headers={"Authorization": f"Bearer {reader}"})
            context = browser.new_context(locale="en-US", extra_http_headers={"Authorization": f"Bearer {auditor}"})
            page = context.new_page()
            page.goto(f"{str(client.base_url).rstrip('/')}/audit")
            page.fill("#person", name)
            page.press("#person", "Enter")
            expect(page.locator("#rows tr")).to_have_count(1, timeout=30_000)
            expect(page.locator("#rows td").nth(2)).to_have_text(name)
            assert page.locator("#rows img").count() == 0

    def test_the_page_of_questions_leads_there(self, make_service: Make, browser: Browser) -> None:
        with serving(make_service(), pages=True) as client:
            page, _ = opened(browser, f"{client.base_url}", "en-US")
            link = page.locator("#vouch-audit")
            expect(link).to_be_visible(timeout=30_000)
            link.click()
            expect(page.locator("h1")).to_have_text("Audit")
