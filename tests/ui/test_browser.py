"""The page in a real browser: add a PDF, ask, open the cited page; in English and in Chinese."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from reportlab.pdfgen.canvas import Canvas

from app.service import Service
from tests.app.conftest import serving

Make = Callable[..., Service]
CHROMIUM = shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (Debian: apt-get install chromium)"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        yield browser
        browser.close()


def agreement() -> bytes:
    out = BytesIO()
    canvas = Canvas(out)
    canvas.drawString(72, 720, "Preface")
    canvas.showPage()
    canvas.drawString(72, 700, "The leverage covenant is 3.25 to 1 at all times.")
    canvas.showPage()
    canvas.save()
    return out.getvalue()


def opened(browser: Browser, url: str, locale: str) -> tuple[Page, list[str]]:
    """Open the page; note every request that leaves this machine and every error in the console."""
    page = browser.new_context(locale=locale).new_page()
    trouble: list[str] = []
    page.on(
        "request",
        lambda request: (
            None
            if "://127.0.0.1" in request.url or request.url.startswith(("data:", "blob:"))
            else trouble.append(request.url)
        ),
    )
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.goto(url)
    return page, trouble


def ask(page: Page, question: str) -> None:
    box = page.locator("#vouch-question textarea")
    box.fill(question)
    page.locator("#vouch-send").click()


def test_a_person_adds_a_pdf_asks_and_opens_the_cited_page(
    make_service: Make, browser: Browser, tmp_path: Path
) -> None:
    service = make_service("The leverage covenant is 3.25 to 1 [1]. The covenant is 9.99 to 1 [1].")
    with serving(service, pages=True) as client:
        page, trouble = opened(browser, f"{client.base_url}", "en-US")
        expect(page.locator("#vouch-status b")).to_have_text("Ready to answer", timeout=30_000)
        page.set_input_files(
            "#vouch-files", {"name": "agreement.pdf", "mimeType": "application/pdf", "buffer": agreement()}
        )
        expect(page.locator("#vouch-list li.ready a")).to_have_text("agreement.pdf", timeout=60_000)
        ask(page, "What is the leverage covenant?")
        link = page.locator("#vouch-chat a", has_text="[1]").first
        expect(link).to_be_visible(timeout=60_000)
        expect(page.locator("#vouch-chat")).to_contain_text("3.25 to 1")
        expect(page.locator("#vouch-chat details summary")).to_contain_text("1 struck out")
        expect(page.locator("#vouch-chat")).to_contain_text("Record")
        page.screenshot(path=str(tmp_path / "chat.png"))
        with page.context.expect_page() as other:
            link.click()
        sheet = other.value
        sheet.wait_for_load_state()
        assert "/view/" in sheet.url
        assert "/2?passage=" in sheet.url
        expect(sheet.locator("nav")).to_contain_text("Page 2 of 2")
        size = sheet.locator("img.sheet").evaluate("image => image.naturalWidth")
        assert size > 300
        sheet.screenshot(path=str(tmp_path / "sheet.png"))
        assert trouble == []


def test_a_chinese_browser_is_spoken_to_in_chinese(make_service: Make, browser: Browser) -> None:
    with serving(make_service("NOT_FOUND"), pages=True) as client:
        page, trouble = opened(browser, f"{client.base_url}", "zh-CN")
        expect(page.locator("#vouch-status b")).to_have_text("可以提问", timeout=30_000)
        expect(page.locator("#vouch-documents h2")).to_have_text("文件")
        ask(page, "公司2019年的营业收入是多少？")
        expect(page.locator("#vouch-chat")).to_contain_text("记录", timeout=60_000)
        assert trouble == []


def test_a_refused_file_says_why_beside_its_name(make_service: Make, browser: Browser) -> None:
    with serving(make_service("NOT_FOUND"), pages=True) as client:
        page, _ = opened(browser, f"{client.base_url}", "en-US")
        page.set_input_files(
            "#vouch-files", {"name": "x.pdf", "mimeType": "application/pdf", "buffer": b"\x7fELF\x00\x01"}
        )
        expect(page.locator("#vouch-list li.failed .error")).to_be_visible(timeout=30_000)
        expect(page.locator("#vouch-list li.failed .name")).to_have_text("x.pdf")


def test_markup_in_an_answer_does_not_act(make_service: Make, browser: Browser) -> None:
    service = make_service('The <img src=x onerror="document.title=1"> leverage covenant is 3.25 to 1 [1].')
    with serving(service, pages=True) as client:
        client.post("/v1/documents", files={"files": ("agreement.pdf", agreement())})
        page, trouble = opened(browser, f"{client.base_url}", "en-US")
        expect(page.locator("#vouch-list li.ready")).to_be_visible(timeout=60_000)
        ask(page, "What is the leverage covenant?")
        expect(page.locator("#vouch-chat")).to_contain_text("Record", timeout=60_000)
        assert page.locator("#vouch-chat img").count() == 0
        assert page.title() == "Vouch"
        assert trouble == []
