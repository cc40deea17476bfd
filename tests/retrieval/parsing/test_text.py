"""Plain text is decoded as it was written, and cut where its writer cut it."""

import pytest

from retrieval.errors import DamagedFile
from retrieval.parsing.clean import clean, has_words, one_line
from retrieval.parsing.decode import decode
from retrieval.parsing.flow import PAGE_CHARS, Piece, paginate
from retrieval.parsing.lines import join_lines, words_of
from retrieval.parsing.marks import begins_item, is_marker
from retrieval.parsing.parse import parse
from retrieval.parsing.types import BlockKind

CHINESE = "商业银行应当按照规定计算并持有充足的资本，其资本充足率不得低于百分之八。监管机构可以要求更高的比例。"
TRADITIONAL = "銀行應當按照規定計算並持有充足的資本，其資本充足率不得低於百分之八。監管機構可以要求更高的比例。"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "gb18030", "gbk"])
def test_chinese_is_decoded(put, limits, encoding):
    path = put("a.txt", CHINESE.encode(encoding))
    assert parse(path, name="a.txt", limits=limits).pages[0].text == CHINESE


def test_traditional_chinese_is_decoded(put, limits):
    path = put("a.txt", TRADITIONAL.encode("big5"))
    assert parse(path, name="a.txt", limits=limits).pages[0].text == TRADITIONAL


def test_western_text_is_decoded():
    text = "Die Prüfung der Verträge läuft über die Behörde in Zürich – größtenteils täglich." * 3
    assert decode(text.encode("cp1252")) == text


def test_a_large_file_is_guessed_from_its_beginning():
    text = (CHINESE + "\n") * 3000
    assert decode(text.encode("gb18030")) == text


def test_a_wrong_declaration_is_not_believed():
    page = ("<meta charset=ascii>" + CHINESE).encode("gb18030")
    assert decode(page, declared=True).endswith(CHINESE)


def test_bytes_in_no_encoding_are_damage():
    with pytest.raises(DamagedFile):
        decode(b"\xff\xfe\x00\xd8\x00\xd8")


def test_paragraphs_part_at_empty_lines_and_wrapped_lines_join(put, limits, blocks_of):
    text = "The first paragraph was\nwrapped by hand.\n\nThe second\r\none too.\n\n- one\n- two\n  goes on\n"
    assert blocks_of(parse(put("a.txt", text.encode()), name="a.txt", limits=limits)) == [
        ("paragraph", "The first paragraph was wrapped by hand."),
        ("paragraph", "The second one too."),
        ("list_item", "- one"),
        ("list_item", "- two goes on"),
    ]


def test_without_empty_lines_each_line_is_a_paragraph(put, limits, blocks_of):
    text = "第一条 商业银行应当遵守本办法。\n第二条 本办法自发布之日起施行。\n"
    assert blocks_of(parse(put("a.txt", text.encode()), name="a.txt", limits=limits)) == [
        ("paragraph", "第一条 商业银行应当遵守本办法。"),
        ("paragraph", "第二条 本办法自发布之日起施行。"),
    ]


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ("a\u200bb\u200cc\u200dd\u2060e\ufefff", "abcdef"),
        ("tag\U000e0041\U000e007f!", "tag!"),
        ("left\u202eright\u2066x\u2069", "leftrightx"),
        ("bell\x07 null\x00 escape\x1b[0m", "bell null escape[0m"),
        ("soft\u00adhyphen", "softhyphen"),
        ("a\u00a0b\u2003c", "a b c"),
        ("a\r\nb\rc\x0bd\u2028e", "a\nb\nc\nd\ne"),
        ("\ufb01nance, o\ufb03ce", "finance, office"),
        ("\u2f92\u2f00", "見一"),
        ("\ud800lone", "lone"),
        ("keep\tthis 中文，。 é 😀 №", "keep\tthis 中文，。 é 😀 №"),
    ],
)
def test_clean(raw, plain):
    assert clean(raw) == plain
    assert clean(plain) == plain


def test_one_line_and_words():
    assert one_line(" a\n\t b\u200b \u3000c ") == "a b c"
    assert all(map(has_words, ["§ 5", "中", "é"]))
    assert not has_words("--- … _ §")


def test_long_tables_are_cut_between_rows():
    rows = [f"row {number} | {number * 7}" for number in range(1000)]
    total, pages = paginate([Piece(BlockKind.TABLE, "\n".join(rows))], max_pages=100)
    texts = [page.text for page in pages]
    assert len(texts) == total > 3
    first, *others = (text.split("\n") for text in texts)
    assert {lines[0] for lines in others} == {rows[0]}, "each page begins with the header, as a printed one does"
    assert first + [line for lines in others for line in lines[1:]] == rows
    assert all(len(text) <= PAGE_CHARS + 50 for text in texts)


def test_a_heading_does_not_end_a_page():
    pieces = [
        Piece(BlockKind.PARAGRAPH, "x" * 2500),
        Piece(BlockKind.HEADING, "Next", 1),
        Piece(BlockKind.PARAGRAPH, "y"),
    ]
    _, pages = paginate(pieces, max_pages=10)
    assert [page.text[:4] for page in pages] == ["xxxx", "Next"]


def test_no_pieces_make_one_empty_page():
    total, pages = paginate([], max_pages=10)
    assert (total, [page.text for page in pages]) == (1, [""])


@pytest.mark.parametrize(
    ("lines", "joined"),
    [
        (["inter-", "national"], "international"),
        (["Long-", "term"], "Long-term"),
        (["low-", "er"], "lower"),
        (["COVID-", "19 cases"], "COVID-19 cases"),
        (["Anglo-", "American"], "Anglo-American"),
        (["see -", "this"], "see - this"),
        (["and/", "or"], "and/or"),
        (["资本", "充足"], "资本充足"),
        (["资本 A", "充足"], "资本 A 充足"),
        (["one"], "one"),
        ([], ""),
    ],
)
def test_lines_join(lines, joined):
    text, starts = join_lines(lines, vocabulary=frozenset())
    assert text == joined
    assert len(starts) == len(lines)


def test_the_page_decides_about_a_hyphen():
    lines = ["re-", "entry"]
    assert join_lines(lines, vocabulary=words_of("the re-entry vehicle"))[0] == "re-entry"
    assert join_lines(lines, vocabulary=words_of("the Reentry vehicle"))[0] == "reentry"
    text, starts = join_lines(["the inter-", "national bank"], vocabulary=frozenset())
    assert [text[start:] for start in starts] == [text, "national bank"]


@pytest.mark.parametrize("line", ["• a", "- a", "1. a", "12) a", "(a) b", "（一）总则", "一、总则", "1、总则", "iv. a"])
def test_items_are_seen(line):
    assert begins_item(line)


@pytest.mark.parametrize(
    "line", ["1.5 percent", "a word", "-5", "2024. A year", "一九九八年", "•", "e.g. this", "Inc. was"]
)
def test_what_is_no_item(line):
    assert not begins_item(line)


def test_markers_alone():
    assert all(map(is_marker, ["•", "(a)", "1.", "（二）"]))
    assert not any(map(is_marker, ["1.5", "word", ""]))
