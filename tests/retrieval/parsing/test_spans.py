"""Cells over several rows and columns stand where a reader sees them, in HTML and in Word."""

import docx
import pytest

from retrieval.parsing import docx as word
from retrieval.parsing.html import pieces_of
from retrieval.parsing.spans import SpannedTable
from retrieval.parsing.types import BlockKind


def table(markup):
    (text,) = [piece.text for piece in pieces_of(f"<table>{markup}</table>") if piece.kind is BlockKind.TABLE]
    return text.split("\n")


def test_empty_cells_keep_their_place():
    assert table("<tr><td>Item<td>2023<td>2024<tr><td>Rent<td><td>5") == ["Item | 2023 | 2024", "Rent |  | 5"]


def test_a_report_s_figures_stand_under_their_years():
    row = "<tr><td>{}<td>$<td>{}<td><td><td>$<td>{}<td>)</tr>"
    markup = (
        "<tr><td><td colspan=7>Year ended December 31,</tr>"
        "<tr><td><td colspan=3>2023<td><td colspan=3>2022</tr>"
        + row.format("Revenue", "5,000", "(4,000")
        + row.format("Cost", "1,200", "(900")
    )
    assert table(markup) == [
        " | Year ended December 31, 2023 | Year ended December 31, 2022",
        "Revenue | $5,000 | $(4,000)",
        "Cost | $1,200 | $(900)",
    ]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["Tax", "12.5", "%"], "Tax | 12.5%"),
        (["Loss", "(", "5", ")"], "Loss | (5)"),
        (["Loss", "($", "5", ")"], "Loss | ($5)"),
        (["Price", "US$", "5"], "Price | US$5"),
        (["a", "$", "b"], "a | $ | b"),
        (["%", "of sales"], "% | of sales"),
        (["Sum", "$", "", "5"], "Sum | $5"),
    ],
)
def test_signs_are_joined_to_their_figure_and_to_nothing_else(cells, expected):
    grid = SpannedTable()
    grid.add((cell, 1, 1) for cell in cells)
    assert grid.text() == expected


def test_a_cell_over_rows_is_written_in_each_and_pushes_the_others():
    markup = "<tr><td rowspan=2>North<td>Oslo<td>1<tr><td>Bergen<td>2<tr><td>South<td>Rome<td>3"
    assert table(markup) == ["North | Oslo | 1", "North | Bergen | 2", "South | Rome | 3"]


def test_a_cell_over_rows_and_columns():
    assert table("<tr><td rowspan=2 colspan=2>A<td>x<tr><td>y<tr><td>p<td>q<td>z") == [
        "A |  | x",
        "A |  | y",
        "p | q | z",
    ]


@pytest.mark.parametrize("span", ["0", "-3", "x", "9" * 400, "1000000", "", " 2 ", "²"])
def test_strange_spans_do_no_harm(span):
    lines = table(f"<tr><td colspan='{span}' rowspan='{span}'>a<td>b<tr><td>c<td>d")
    assert "a" in lines[0]
    assert "b" in lines[0]
    assert "c" in lines[1]


def test_wide_spans_over_many_rows_take_no_room():
    grid = SpannedTable()
    for number in range(1000):
        grid.add([("a", 999, 60_000), (str(number), 1, 1)] if number == 0 else [(str(number), 1, 1)])
    lines = grid.text().split("\n")
    assert len(lines) == 1000
    assert lines[-1].endswith("999")


def test_merged_cells_in_word(tmp_path):
    document = docx.Document()
    made = document.add_table(rows=4, cols=3)
    for row, texts in enumerate([("Item", "2023", ""), ("", "Q1", "Q2"), ("Rent", "1", "2"), ("", "", "4")]):
        for column, text in enumerate(texts):
            made.cell(row, column).text = text
    made.cell(0, 1).merge(made.cell(0, 2))
    made.cell(0, 0).merge(made.cell(1, 0))
    made.cell(2, 0).merge(made.cell(3, 0))
    path = tmp_path / "a.docx"
    document.save(str(path))
    (page,) = word.read(path, max_pages=9)[1]
    assert page.text.split("\n") == ["Item | 2023 Q1 | 2023 Q2", "Rent | 1 | 2", "Rent |  | 4"]
