"""What the chat shows: links to pages, struck claims, and no markup from anyone but us."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from app.answering.harmless import visible
from app.answering.types import Answer, Claim, Receipt, Verdict
from retrieval.types import Evidence, Locator
from ui.render import answer_html, failure_html, plain, progress_html, view_path
from ui.words import CATALOG, preferred, say, say_reason

RECEIPT = Receipt(entry=12, leaf="ab" * 32, size=13, root="cd" * 32, time="2026-01-01T00:00:00Z")
HOSTILE = [
    "<script>alert(1)</script>",
    "![x](https://evil.example/?q=1)",
    "[click](javascript:alert(1))",
    '<img src=x onerror="alert(1)">',
    "<a href='https://evil.example'>x</a>",
    "https://evil.example/auto",
    "<details open ontoggle=alert(1)>",
    "&lt;script&gt;",
    "`code` **bold** _em_ ~~s~~ # head\n- item\n\n    block\n| a | b |\n|---|---|",
    "$$\\href{javascript:1}{x}$$",
]


def evidence(text: str = "Revenue was 412.", name: str = "report.pdf") -> Evidence:
    locator = Locator(document_id="d" * 32, document=name, page=7)
    return Evidence.of("1", text, locator, passage_id=42)


def answer(
    text: str,
    *claims: Claim,
    abstained: bool = False,
    language: str = "en",
    source: Evidence | None = None,
    ended: str | None = None,
    kept_out: dict[str, int] | None = None,
) -> Answer:
    return Answer(
        id="a",
        question="q",
        language=language,  # type: ignore[arg-type]
        domain="general",
        text=text,
        claims=claims,
        evidence=(source or evidence(),),
        abstained=abstained,
        ended=ended,
        kept_out=kept_out or {},
        receipt=RECEIPT,
    )


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def supported(text: str) -> Claim:
    return Claim(text=text, cites=("1",), verdict=Verdict.SUPPORTED, score=0.9)


def test_a_mark_becomes_a_link_to_the_page_with_the_passage() -> None:
    shown = answer_html(answer("Revenue was 412 [1].", supported("Revenue was 412.")))
    links = [attrs["href"] for tag, attrs in Tags(shown).found if tag == "a"]
    assert links == [f"/view/{'d' * 32}/7?passage=42"] * 2
    assert "page 7" in html.unescape(shown)
    assert "Record 12" in html.unescape(shown)


def test_a_mark_without_evidence_stays_text() -> None:
    shown = answer_html(answer("Revenue was 412 [1] [9].", supported("Revenue was 412.")))
    assert len([1 for tag, _ in Tags(shown).found if tag == "a"]) == 2
    assert "[9]" in html.unescape(shown)


def test_what_was_struck_out_is_shown_as_such() -> None:
    wrong = Claim(text="Revenue was 999.", cites=("1",), verdict=Verdict.CONTRADICTED, score=0.1, reason="number")
    shown = answer_html(answer("Revenue was 412 [1].", supported("Revenue was 412."), wrong))
    assert "<del>Revenue was 999.</del>" in shown
    assert "1 struck out" in html.unescape(shown)


def test_an_abstention_shows_the_nearest_passages() -> None:
    shown = answer_html(answer("Your documents do not answer this.", abstained=True))
    assert "The nearest passages" in shown
    assert "report" in html.unescape(shown)


def test_a_chinese_answer_is_surrounded_by_chinese() -> None:
    shown = html.unescape(answer_html(answer("营收为412 [1]。", supported("营收为412。"), language="zh")))
    assert "出处" in shown
    assert "第 7 页" in shown


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_and_never_acts(text: str) -> None:
    source = evidence(text, name=text)
    wrong = Claim(text=text, cites=("1",), verdict=Verdict.UNSUPPORTED, score=0.0, reason=text)
    pieces = [
        answer_html(answer(text, supported(text), wrong, source=source)),
        answer_html(answer(text, abstained=True, source=source)),
        progress_html([supported(text), wrong], text, text, "en"),
        failure_html(text, text),
        plain(text),
    ]
    allowed = {"p", "a", "b", "ol", "ul", "li", "div", "span", "small", "del", "details", "summary", "br"}
    for piece in pieces:
        rendered = MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(piece)
        for tag, attrs in Tags(rendered).found:
            assert tag in allowed, (tag, piece)
            assert not [name for name in attrs if name.startswith("on")]
            assert attrs.get("href", "/view/").startswith("/view/")  # type: ignore[union-attr]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("ended", ["cut", "repeating", "leaked"])
def test_a_draft_that_was_ended_early_says_so(ended: str, language: str) -> None:
    shown = html.unescape(answer_html(answer("Revenue.", language=language, ended=ended)))
    assert say(f"ended_{ended}", language) in shown
    assert say(f"ended_{ended}", language) not in html.unescape(answer_html(answer("Revenue.", language=language)))


def test_orders_that_were_kept_from_the_model_are_counted() -> None:
    assert "2 sentences of the sources give the assistant orders" in answer_html(
        answer("Revenue.", kept_out={"1": 1, "3": 1})
    )


def test_the_escape_is_needed() -> None:
    # the other side of the test above: without it, Markdown does make a tag of the same text
    assert "<img" in MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(HOSTILE[1])


@given(st.text(max_size=200))
def test_plain_text_reads_as_it_was_written(text: str) -> None:
    shown = plain(text)
    assert html.unescape(shown.replace("<br>", "\n")) == visible(text)
    assert not re.search("[<>\"'`*\\[\\]()!#|$~]", shown.replace("<br>", "").replace("&#", ""))


def test_a_draft_is_marked_as_unchecked() -> None:
    shown = progress_html([supported("Checked.")], "not yet", "", "en")
    assert "draft, not yet checked" in shown
    assert shown.index("Checked.") < shown.index("not yet")
    assert "正在检索" in progress_html([], "", say("searching", "zh"), "zh")


def test_a_passage_without_a_number_opens_its_page() -> None:
    item = evidence().model_copy(update={"passage_id": None})
    assert view_path(item) == f"/view/{'d' * 32}/7"


def test_every_phrase_has_both_languages_and_the_same_places() -> None:
    for key, words in CATALOG.items():
        assert set(words) == {"en", "zh"}, key
        assert set(re.findall(r"{\w+}", words["en"])) == set(re.findall(r"{\w+}", words["zh"])), key


@pytest.mark.parametrize(
    ("header", "language"),
    [("zh-CN,zh;q=0.9,en;q=0.8", "zh"), ("en-US,en", "en"), ("de,zh", "en"), ("", "en"), (None, "en"), ("ZH", "zh")],
)
def test_the_browser_says_the_language(header: str | None, language: str) -> None:
    assert preferred(header) == language


def claim(text: str, **fields) -> Claim:
    return Claim(text=text, **({"cites": ("1",), "verdict": Verdict.SUPPORTED, "score": 0.9} | fields))


def test_a_source_shows_the_words_that_carry_the_claim():
    source = evidence("Much before it. Revenue was 412. Much after it.")
    shown = html.unescape(
        answer_html(answer("Revenue was 412 [1].", claim("x", quote="Revenue was 412."), source=source))
    )
    assert "<small>Revenue was 412.</small>" in shown


def test_words_that_the_source_does_not_have_are_not_shown_as_its_own():
    shown = html.unescape(answer_html(answer("Revenue was 412 [1].", claim("x", quote="Revenue was 999."))))
    assert "999" not in shown


def test_a_citation_that_was_moved_says_so():
    moved, kept = (answer_html(answer("R [1].", claim("R.", corrected=on))) for on in (True, False))
    assert say("corrected", "en") in moved
    assert say("corrected", "en") not in kept


@pytest.mark.parametrize("language", ["en", "zh"])
def test_why_a_claim_was_struck_out_is_said_in_words(language):
    struck = claim("R.", cites=(), verdict=Verdict.CONTRADICTED, reason="negation")
    assert plain(say("reason_negation", language)) in answer_html(answer("", struck, abstained=True, language=language))


def test_a_reason_without_words_is_shown_as_its_code():
    assert say_reason("brand_new", "en") == "brand_new"
    assert say_reason(None, "zh") == ""
