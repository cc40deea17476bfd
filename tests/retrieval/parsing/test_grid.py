"""Rows with named columns become tables that keep their header and their columns."""

from retrieval.parsing.flow import PAGE_CHARS
from retrieval.parsing.grid import grid


def texts(header, rows):
    return [piece.text for piece in grid(header, rows)]


def test_an_empty_cell_keeps_its_place_and_an_empty_column_goes():
    assert texts(("a", "b", "c"), [["1", "", "3"], ["", "", "4"]]) == ["a | c\n1 | 3\n| 4"]


def test_short_rows_are_filled_and_long_ones_cut():
    assert texts(("a", "b"), [["1"], ["2", "3", "4"]]) == ["a | b\n1 |\n2 | 3"]


def test_no_cells_are_no_table():
    assert texts(("a",), [[""], []]) == []


def test_a_table_without_a_header_is_its_rows():
    assert texts(("", ""), [["Born", "1961"], ["Sex", "female"]]) == ["Born | 1961\nSex | female"]


def test_each_piece_of_a_long_table_has_the_header():
    pieces = texts(("number", "word"), [[str(n), "word" * 5] for n in range(400)])
    assert len(pieces) > 2
    assert all(piece.startswith("number | word\n") and len(piece) <= PAGE_CHARS for piece in pieces)
    rows = [line for piece in pieces for line in piece.split("\n")[1:]]
    assert [row.split(" | ")[0] for row in rows] == [str(n) for n in range(400)]


def test_a_cell_is_one_line_without_bars():
    assert texts(("a", "b"), [["x\ny | z", "w"]]) == ["a | b\nx y / z | w"]
