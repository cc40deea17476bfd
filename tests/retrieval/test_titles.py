"""Pages without headings are called by the lines at their top, and running headers are not taken for titles."""

import pytest

from retrieval.chunking import chunk
from retrieval.parsing.page_text import PageText
from retrieval.parsing.types import TEXT, BlockKind, ParsedDocument
from retrieval.titles import lines_of, page_titles
from retrieval.types import Box

BODY = "The bank reports its exposure to the board every quarter, and says what has changed."


def pages_of(*tops, heading=None):
    """One page for each list of top lines, all with the same body; `heading` is a page number that gets a heading."""
    made = []
    for number, lines in enumerate(tops, start=1):
        page = PageText()
        if number == heading:
            page.add(BlockKind.HEADING, "Known to the Parser", level=1)
        if lines:
            page.add(BlockKind.PARAGRAPH, "\n".join(lines))
        page.add(BlockKind.PARAGRAPH, BODY)
        made.append(page.page(number))
    return made


def titles_of(*lines):
    """The titles of a page with these lines at its top, amid pages that have none."""
    return page_titles(pages_of(lines, [], [])).get(1, ())


@pytest.mark.parametrize(
    "line",
    [
        "CONSOLIDATED BALANCE SHEETS",
        "Consolidated Statements of Cash Flows",
        "Note 12 — Income Taxes",
        "Item 5.07. Submission of Matters to a Vote of Security Holders",
        "合并资产负债表",
        "第三节 管理层讨论与分析",
        "Discharge Instructions",
    ],
)
def test_a_short_capitalised_line_is_a_title(line):
    assert titles_of(line) == (line,)


@pytest.mark.parametrize(
    "line",
    [
        "the following tables show what was paid in the year",
        "Revenue rose in all regions of the world and so did costs, as we had said before;",
        "Net sales | 11,303 | 11,503 | 11,290",
        "公司营业收入较上年同期增长百分之十二，主要由于新产品投放市场。",
        "2022 2021",
        "12",
        "* * *",
        "A B C",
    ],
)
def test_a_sentence_or_a_row_of_figures_is_none(line):
    assert titles_of(line) == ()


def test_titles_end_where_the_text_begins():
    assert titles_of("Summary of Debt", "as of the end of the year, in millions of euros", "Bonds Issued") == (
        "Summary of Debt",
    )


def test_the_unit_belongs_to_the_title_that_it_follows():
    assert titles_of("Balance Sheets", "(in thousands, except per share data)") == (
        "Balance Sheets",
        "(in thousands, except per share data)",
    )
    assert titles_of("资产负债表", "（单位：人民币千元）") == ("资产负债表", "（单位：人民币千元）")
    assert titles_of("(in thousands, except per share data)") == ()


def test_no_more_than_three():
    assert titles_of("Part One", "Item Two", "Risk Factors", "Market Risk") == ("Part One", "Item Two", "Risk Factors")


def test_cells_beside_each_other_are_one_title():
    assert titles_of("Balance Sheets | Harbour Trading Company") == ("Balance Sheets Harbour Trading Company",)


def test_a_line_at_the_top_of_many_pages_is_a_running_header():
    tops = [
        [f"{n} Harbour Trading Annual Report", f"Chapter {word}"]
        for n, word in enumerate(["Alpha", "Beta", "Gamma", "Delta"])
    ]
    assert page_titles(pages_of(*tops)) == {
        number: (f"Chapter {word}",) for number, word in enumerate(["Alpha", "Beta", "Gamma", "Delta"], start=1)
    }


def test_a_statement_that_goes_on_over_three_pages_is_none():
    tops = [["Statement of Cash Flows"]] * 3 + [[f"Chapter {word}"] for word in ("Alpha", "Beta", "Gamma")]
    assert page_titles(pages_of(*tops))[3] == ("Statement of Cash Flows",)


def test_in_a_long_document_a_twentieth_of_the_pages_makes_a_running_header():
    tops = [
        ["Index to Statements"] if n % 10 == 0 else ["Chapter " + "ABCDEFGHIJ"[n % 10] * (n + 3)] for n in range(100)
    ]
    found = page_titles(pages_of(*tops))
    assert 1 not in found
    assert len(found) == 90


def test_a_heading_that_the_parser_found_is_enough():
    pages = pages_of(["Alpha Part"], ["Beta Part"], ["Gamma Part"], heading=2)
    assert sorted(page_titles(pages)) == [1, 3]


def test_of_two_pages_nothing_is_said():
    assert page_titles(pages_of(["Alpha Part"], ["Beta Part"])) == {}
    assert page_titles([]) == {}


def test_every_passage_of_a_page_carries_its_titles():
    table = "\n".join(f"Line {n} | {n}00 | {n}50" for n in range(120))
    pages = []
    for number in range(1, 4):
        page = PageText()
        if number == 2:
            page.add(BlockKind.PARAGRAPH, "Consolidated Balance Sheets\n(in millions)")
            page.add(BlockKind.TABLE, table)
        page.add(BlockKind.PARAGRAPH, BODY)
        pages.append(page.page(number))
    chunks = chunk(ParsedDocument(media_type=TEXT, pages=tuple(pages)))
    own = [piece.headings for piece in chunks if piece.page == 2]
    assert len(own) > 2
    assert set(own) == {("Consolidated Balance Sheets", "(in millions)")}
    assert {piece.headings for piece in chunks if piece.page != 2} == {()}


def test_lines_that_a_parser_joined_are_read_apart():
    text = "Consolidated Balance Sheets (in millions) Total assets | 7"
    page = PageText()
    boxes = [Box(x0=0, top=at, x1=100, bottom=at + 1) for at in range(3)]
    page.add(BlockKind.PARAGRAPH, text, boxes=boxes, lines=[0, 28, 42])
    made = page.page(1, width=600, height=800)
    assert lines_of(made, length=1000).split() == text.split()
    assert page_titles([made, *pages_of([], [], [])[1:]]) == {1: ("Consolidated Balance Sheets", "(in millions)")}


def test_titles_follow_the_headings_of_earlier_pages():
    pages = pages_of(["Alpha Part"], [], ["Gamma Part"], heading=1)
    chunks = chunk(ParsedDocument(media_type=TEXT, pages=tuple(pages)))
    assert [piece.headings for piece in chunks] == [
        ("Known to the Parser",),
        ("Known to the Parser",),
        ("Known to the Parser", "Gamma Part"),
    ]
