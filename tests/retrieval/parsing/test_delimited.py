"""Tables between delimiters: the delimiter is told by the rows, and no row is lost."""

import pytest

from retrieval.errors import NoText, TooManyPages
from retrieval.parsing.delimited import read
from retrieval.parsing.parse import parse
from retrieval.parsing.types import CSV


@pytest.fixture
def text_of(put):
    def texts(content, max_pages=500):
        data = content if isinstance(content, bytes) else content.encode()
        total, pages = read(put("table.csv", data), max_pages=max_pages)
        pages = list(pages)
        assert total == len(pages)
        return "\n\n".join(page.text for page in pages)

    return texts


@pytest.mark.parametrize(
    "content",
    [
        "a,b,c\n1,2,3\n4,5,6\n",
        "a;b;c\n1;2;3\n4;5;6\n",
        "a\tb\tc\n1\t2\t3\n4\t5\t6\n",
        "a|b|c\n1|2|3\n4|5|6\n",
        "a,b,c\r\n1,2,3\r\n4,5,6",
        "a,b,c\r1,2,3\r4,5,6\r",
        "sep=;\na;b;c\n1;2;3\n4;5;6\n",
        "SEP=,\r\na,b,c\r\n1,2,3\r\n4,5,6\r\n",
        '"a";"b";"c"\n"1";"2";"3"\n4;5;6\n',
        "a, b, c\n1, 2, 3\n4, 5, 6\n",
        "\ufeffa,b,c\n1,2,3\n4,5,6\n",
    ],
)
def test_each_delimiter_is_told(text_of, content):
    assert text_of(content) == "a | b | c\n1 | 2 | 3\n4 | 5 | 6"


def test_commas_in_numbers_do_not_outdo_semicolons(text_of):
    assert text_of("Item;2023;2024\nRent;1,5;2,5\nTax;3,5;4\n") == "Item | 2023 | 2024\nRent | 1,5 | 2,5\nTax | 3,5 | 4"


def test_quotes_hold_delimiters_line_ends_and_quotes(text_of):
    assert text_of('name,text\nx,"a, ""b""\nnext line"\n') == 'name | text\nx | a, "b" next line'


def test_ragged_rows_keep_all_their_cells(text_of):
    assert text_of("a,b,c\n1\n1,2,3,4\n,,x\n") == "a | b | c\n1\n1 | 2 | 3 | 4\n |  | x"


def test_a_quote_that_never_ends_loses_nothing(text_of):
    said = text_of('a,b\n1,"open\n2,3\n4,5\n')
    assert all(word in said for word in ("open", "2,3", "4,5"))


def test_title_and_unit_are_a_heading(put):
    _, pages = read(put("t.csv", "利润表\n单位：万元\n项目,本年\n收入,5\n".encode()), max_pages=9)
    (page,) = pages
    assert [(b.kind.value, page.text[b.start : b.end]) for b in page.blocks] == [
        ("heading", "利润表; 单位：万元"),
        ("table", "项目 | 本年\n收入 | 5"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "gb18030", "utf-8-sig"])
def test_encodings(text_of, encoding):
    rows = "项目,金额,说明\n货币资金,一百万元,期末余额\n应收账款,两百万元,期初余额\n"
    assert text_of(rows.encode(encoding)).startswith("项目 | 金额 | 说明\n货币资金 | 一百万元")


def test_one_column_and_no_text(text_of, put, limits):
    assert text_of("Name\nA\nB\nC\n") == "Name\nA\nB\nC"
    with pytest.raises(NoText):
        parse(put("x.csv", b",,,\n,,,\n"), name="x.csv", limits=limits)


def test_rows_beyond_the_pages_are_told_and_those_within_repeat_their_header(text_of):
    rows = "Name,Value\n" + "".join(f"Line {row} of the table,{row}\n" for row in range(1000))
    with pytest.raises(TooManyPages):
        text_of(rows, max_pages=3)
    said = text_of(rows)
    assert said.count("Name | Value") == len(said.split("\n\n")) > 5
    assert all(f"Line {row} of the table | {row}" in said for row in range(1000))


def test_a_cell_longer_than_the_library_allows_is_read(put, limits):
    document = parse(put("long.csv", b"a,b\nx," + b"y" * 200_000), name="long.csv", limits=limits)
    assert document.media_type == CSV
    assert "y" * 200_000 in document.pages[-1].text
