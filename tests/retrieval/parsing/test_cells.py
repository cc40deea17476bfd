"""Tables are found in a sheet's cells, and keep their captions, units, headers and notes."""

import pytest

from retrieval.chunking import chunk
from retrieval.parsing.cells import Merge, row_line, table_text, tables
from retrieval.parsing.flow import paginate
from retrieval.parsing.types import BlockKind, ParsedDocument


def found(rows, merges=(), **more):
    return [(piece.kind.value, piece.text) for piece in tables(rows, merges, level=2, **more)]


def test_a_table_keeps_its_rows_and_its_empty_cells():
    rows = [["Item", "2023", "2024"], ["Rent", "", "5"], ["Tax", "1"], ["", "x", "y"]]
    assert found(rows) == [("table", "Item | 2023 | 2024\nRent |  | 5\nTax | 1\n | x | y")]


def test_title_and_unit_above_are_the_caption():
    rows = [["Statement of income"], ["(in millions)"], ["", "", ""], ["Item", "2023"], ["Rent", "5"]]
    assert found(rows) == [
        ("heading", "Statement of income; (in millions)"),
        ("table", "Item | 2023\nRent | 5"),
    ]


@pytest.mark.parametrize(
    "row",
    [
        ["编制单位：某公司", "", "单位：万元"],
        ["In thousands", "USD"],
        ["", "", "金额单位：人民币元"],
        ["Unit: t", "Year 2023"],
    ],
)
def test_a_row_that_names_a_unit_is_part_of_the_caption(row):
    kinds = found([row, ["项目", "期末", "期初"], ["货币资金", "1", "2"]])
    assert [kind for kind, _ in kinds] == ["heading", "table"]
    assert kinds[0][1] == "; ".join(filter(None, row))
    assert kinds[1][1].startswith("项目")


def test_empty_rows_part_tables_and_the_second_does_not_stand_under_the_first_caption():
    rows = [["First"], ["a", "b"], ["1", "2"], [], [], ["c", "d"], ["3", "4"], [], ["Third"], ["e", "f"], ["5", "6"]]
    assert found(rows) == [
        ("heading", "First"),
        ("table", "a | b\n1 | 2"),
        ("heading", "Rows 6 to 7"),
        ("table", "c | d\n3 | 4"),
        ("heading", "Third"),
        ("table", "e | f\n5 | 6"),
    ]
    numbers = range(101, 112)
    assert ("heading", "Rows 106 to 107") in found(rows, numbers=numbers)


def test_notes_below_a_table_are_no_rows_of_it():
    rows = [["a", "b"], ["1", "2"], ["Subtotal"], ["3", "4"], ["Total"], ["Note: unaudited"], ["来源：年报"]]
    assert found(rows) == [
        ("table", "a | b\n1 | 2\nSubtotal\n3 | 4\nTotal"),
        ("paragraph", "Note: unaudited"),
        ("paragraph", "来源：年报"),
    ]


def test_text_in_cells_is_text():
    long = "A sentence of a memorandum that was written into a sheet. " * 4
    assert found([[long], [long]]) == [("paragraph", long.strip())] * 2
    assert found([["Title"], [], [long], [long]])[0] == ("paragraph", "Title")
    assert found([["- one"], [], ["end"]]) == [("list_item", "- one"), ("paragraph", "end")]
    assert found([["Name"], *([f"n{row}"] for row in range(4))]) == [("table", "Name\nn0\nn1\nn2\nn3")]
    assert found([]) == []
    assert found([[], [""]]) == []


def test_a_long_caption_is_text():
    long = "words " * 60
    assert [kind for kind, _ in found([[long], ["a", "b"], ["1", "2"]])] == ["paragraph", "table"]


HEADED = [["Item", "2023", "", "2024", ""], ["", "Q1", "Q2", "Q1", "Q2"], ["Rent", "1", "2", "3", "4"]]
OVER = [Merge(0, 1, 0, 2), Merge(0, 3, 0, 4), Merge(0, 0, 1, 0)]


def test_headers_merged_across_columns_become_one_row():
    assert found(HEADED, OVER) == [("table", "Item | 2023 Q1 | 2023 Q2 | 2024 Q1 | 2024 Q2\nRent | 1 | 2 | 3 | 4")]


def test_the_second_header_row_is_told_by_the_figures_below_it():
    rows = [["Item", "Contact", ""], ["Ann", "Paris", "Rue A"], ["Bob", "Rome", "Via B"]]
    assert found(rows, [Merge(0, 1, 0, 2)])[0][1].startswith("Item | Contact\nAnn | Paris")
    years = [["Item", "Year", ""], ["", "2023", "2024"], ["Rent", "1", "2"]]
    assert found(years, [Merge(0, 1, 0, 2)])[0][1].startswith("Item | Year 2023 | Year 2024\nRent")
    figures = [["Item", "Sum", ""], ["Rent", "1.5", "20"], ["Tax", "1", "2"]]
    assert found(figures, [Merge(0, 1, 0, 2)])[0][1].startswith("Item | Sum\nRent | 1.5 | 20")


def test_a_cell_merged_over_rows_is_written_in_each():
    rows = [["Region", "City"], ["North", "Oslo"], ["", "Bergen"], ["South", "Rome"]]
    assert found(rows, [Merge(1, 0, 2, 0)])[0][1] == "Region | City\nNorth | Oslo\nNorth | Bergen\nSouth | Rome"


@pytest.mark.parametrize(
    "merge", [Merge(0, 0, 10**6, 10**4), Merge(5, 5, 6, 6), Merge(0, 90, 1, 99), Merge(1, 0, 1, 0), Merge(1, 1, 0, 0)]
)
def test_merged_cells_beyond_the_sheet_do_no_harm(merge):
    assert found([["a", "b"], ["1", "2"]], [merge])[0][0] == "table"


def test_many_merged_cells_are_not_filled_without_end():
    rows = [["a", "b"], *([""] * 2 for _ in range(3000))]
    text = found(rows, [Merge(0, 0, 3000, 0)] * 5000)
    assert len(text) == 1


def test_a_wide_row_costs_no_more_than_its_cells():
    wide = ["x"] * 50_000
    rows = [wide, *(["a", "b"] for _ in range(2000)), [""] * 100_000]
    (kind, text), *_ = found(rows, [Merge(1, 0, 1, 49_000), Merge(5, 1, 5, 2)])
    assert kind == "table"
    assert text.count("a | b") == 2000  # 100 million places would take ages; the suite's timeout tells


def test_an_empty_column_is_left_out_and_bars_in_cells_do_not_part_them():
    assert found([["a", "", "b | c"], ["1", "", "2|3"]]) == [("table", "a | b / c\n1 | 2|3")]
    assert row_line(["a", "", "b", "", ""]) == "a |  | b"
    assert row_line(["", ""]) == ""


def test_one_table_alone():
    assert table_text(HEADED, OVER).startswith("Item | 2023 Q1")
    assert table_text([["", ""], ["a", "b"]]) == "a | b"
    assert table_text([]) == ""


def test_every_passage_of_a_long_table_has_caption_and_header():
    rows = [["单位：万元"], ["Item", "Value"], *([f"Line {row} of the table", f"{row * 1000}"] for row in range(400))]
    total, pages = paginate(tables(rows, level=1), max_pages=50)
    document = ParsedDocument(media_type="text/csv", pages=tuple(pages))
    assert total == len(document.pages) > 3
    chunks = chunk(document)
    assert {piece.headings for piece in chunks} == {("单位：万元",)}
    assert all("Item | Value" in piece.text for piece in chunks)
    said = "\n".join(piece.text for piece in chunks)
    assert all(f"Line {row} of the table | {row * 1000}" in said for row in range(400))
    assert all(block.kind is BlockKind.TABLE for page in document.pages[1:] for block in page.blocks)
