"""HTML and Markdown come out as what a reader sees."""

import pytest

from retrieval.parsing.html import pieces_of
from retrieval.parsing.parse import parse
from retrieval.parsing.types import HTML, MARKDOWN, BlockKind


@pytest.fixture
def html(put, limits):
    return lambda markup: parse(put("page.html", f"<html>{markup}</html>".encode()), name="page.html", limits=limits)


@pytest.fixture
def markdown(put, limits):
    return lambda text: parse(put("page.md", text.encode()), name="page.md", limits=limits)


def levels(document):
    return [block.level for page in document.pages for block in page.blocks if block.kind is BlockKind.HEADING]


def test_html_blocks(html, blocks_of):
    document = html(
        "<head><title>Not shown</title></head><body><h1>Policy</h1><p>First <b>bold</b> and <a href='x'>link</a>.</p>"
        "<h2>Rules</h2><ul><li>one<li>two <em>words</em><ul><li>inner</ul></ul><ol><li><p>three</p></ol>"
        "<dl><dt>term<dd>meaning</dl>text without a tag<div>in a div<br>second line</div>"
        "<table><caption>Fees</caption><tr><th>Kind<th>2024<tr><td>Fixed<td>1,000</table><p>After.</p></body>"
    )
    assert document.media_type == HTML
    assert blocks_of(document) == [
        ("heading", "Policy"),
        ("paragraph", "First bold and link."),
        ("heading", "Rules"),
        ("list_item", "one"),
        ("list_item", "two words"),
        ("list_item", "inner"),
        ("list_item", "three"),
        ("list_item", "term"),
        ("list_item", "meaning"),
        ("paragraph", "text without a tag"),
        ("paragraph", "in a div second line"),
        ("paragraph", "Fees"),
        ("table", "Kind | 2024\nFixed | 1,000"),
        ("paragraph", "After."),
    ]
    assert levels(document) == [1, 2]


@pytest.mark.parametrize(
    "hidden",
    [
        "<script>evil</script>",
        "<style>evil</style>",
        "<noscript>evil</noscript>",
        "<template>evil</template>",
        "<!-- evil -->",
        "<p hidden>evil</p>",
        "<p aria-hidden='true'>evil</p>",
        "<p style='display:none'>evil</p>",
        "<p style='color: red; DISPLAY : NONE !important'>evil</p>",
        "<div style='visibility:hidden'><b>evil</b></div>",
        "<span style='font-size:0px'>evil</span>",
        "<span style='opacity:0.0'>evil</span>",
        "<svg><text>evil</text></svg>",
        "<iframe>evil</iframe>",
        "<textarea>evil</textarea>",
        "<table><tr hidden><td>evil</td></tr><tr><td style='display:none'>evil</td></tr></table>",
        "<table hidden><tr><td>evil</td></tr></table>",
        "<table><tr><td><span hidden>evil</span></td></tr></table>",
    ],
)
def test_hidden_html_is_dropped(hidden):
    assert [piece.text for piece in pieces_of(f"<p>before</p>{hidden}<p>after</p>")] == ["before", "after"]


@pytest.mark.parametrize(
    "shown",
    [
        "<p style='display:block'>kept</p>",
        "<p aria-hidden='false'>kept</p>",
        "<p style='opacity:0.5'>kept</p>",
        "<p style='font-size:0.8em'>kept</p>",
        "<p class='hidden'>kept</p>",
    ],
)
def test_html_that_only_looks_hidden_is_kept(shown):
    assert [piece.text for piece in pieces_of(shown)] == ["kept"]


def test_a_table_that_lays_out_others_is_walked_through(html, blocks_of):
    document = html(
        "<table><tr><td><h1>Title</h1></td></tr><tr><td><table><tr><td>a<td>1<tr><td>b<td>2</table></td></tr></table>"
    )
    assert blocks_of(document) == [("heading", "Title"), ("table", "a | 1\nb | 2")]


def test_html_entities_and_invisible_characters(html):
    assert html("<p>5 &lt; 6 &amp; 7&nbsp;km pay&#x200b;ment&#xE0041;</p>").pages[0].text == "5 < 6 & 7 km payment"


def test_an_entity_bomb_does_not_expand_in_html(put, limits):
    bomb = b'<!DOCTYPE html [<!ENTITY a "evil evil"><!ENTITY b "&a;&a;&a;">]><html><p>start &b; end</p></html>'
    text = parse(put("a.html", bomb), name="a.html", limits=limits).pages[0].text
    assert "evil" not in text.split("start")[1]


def test_html_names_its_encoding(put, limits):
    page = "<html><head><meta charset='gb2312'></head><body><p>资本充足率</p></body></html>".encode("gbk")
    assert parse(put("a.html", page), name="a.html", limits=limits).pages[0].text == "资本充足率"


def test_markdown_blocks(markdown, blocks_of):
    document = markdown(
        "# Policy\n\nFirst *soft*\nline with a [link](http://x.invalid) and `code`.\n\n"
        "Rules\n-----\n\n- one\n- two\n  more of two\n\n1. three\n\n> quoted\n\n"
        "| Kind | 2024 |\n|---|---:|\n| Fixed | 1,000 |\n| **Other** | 7 |\n\n"
        "```python\nx = 1\ny = 2\n```\n\n![a chart](x.png)\n"
    )
    assert document.media_type == MARKDOWN
    assert blocks_of(document) == [
        ("heading", "Policy"),
        ("paragraph", "First soft line with a link and code."),
        ("heading", "Rules"),
        ("list_item", "one"),
        ("list_item", "two more of two"),
        ("list_item", "three"),
        ("paragraph", "quoted"),
        ("table", "Kind | 2024\nFixed | 1,000\nOther | 7"),
        ("paragraph", "x = 1\ny = 2"),
        ("paragraph", "a chart"),
    ]
    assert levels(document) == [1, 2]


def test_html_in_markdown_is_read_as_html(markdown, blocks_of):
    document = markdown(
        "before\n\n<!-- evil -->\n\n<div hidden>evil</div>\n\n<div><b>kept</b></div>\n\nin <b>line</b>\n"
    )
    assert blocks_of(document) == [("paragraph", "before"), ("paragraph", "kept"), ("paragraph", "in line")]


def test_deep_markdown_is_survived(put, limits):
    document = parse(put("a.md", b"> " * 5000 + b"deep\n\nflat\n"), name="a.md", limits=limits)
    assert "flat" in document.pages[-1].text
