"""Tables read into cells: names, periods, scales, per cents; and what is no table."""

from __future__ import annotations

from decimal import Decimal

import pytest

from app.answering.reckoning.lookup import cells_by_year, row_of
from app.answering.reckoning.tables import is_percent, one_figure, scale_beside, tables_of
from retrieval.types import Evidence, Locator

REPORT = """Revenue by product:
| (in thousands) | 2022 | 2021 |
|---|---|---|
| Revenue: | | |
| Paper | $5,200 | $5,000 |
| Board | 1,840 | (2,100) |
| Board margin | 12.5% | 11% |
| Shares outstanding | 300 | 290 |
| Other | - | n/a |
"""


def evidence(text: str, *, number: int = 1, document: str = "d1") -> Evidence:
    return Evidence.of(str(number), text, Locator(document_id=document, document="report.pdf", page=1))


def cell(text: str, row: str, year: int, *beside: Evidence):
    [table] = tables_of(evidence(text), beside)
    return next(one for one in table.cells if one.row == row and year in one.years)


def test_a_cell_knows_its_row_its_column_its_section_and_its_scale():
    found = cell(REPORT, "Paper", 2022)
    assert (found.text, found.value.amount, found.value.unit) == ("$5,200", Decimal(5200), "USD")
    assert (found.section, found.column, found.scale) == ("Revenue:", "2022", Decimal(1000))
    assert found.name == "Paper, 2022"


def test_brackets_are_a_minus_and_a_dash_is_no_figure():
    assert cell(REPORT, "Board", 2021).value.amount == Decimal(-2100)
    assert [one for table in tables_of(evidence(REPORT)) for one in table.cells if one.row == "Other"] == []


def test_per_cents_and_shares_are_not_counted_in_the_tables_scale():
    margin = cell(REPORT, "Board margin", 2022)
    assert is_percent(margin)
    assert margin.scale == 1
    assert cell(REPORT, "Shares outstanding", 2022).scale == 1


@pytest.mark.parametrize(
    ("heading", "scale"),
    [
        ("(in millions)", 10**6),
        ("(Dollars in Thousands)", 1000),
        ("$'000", 1000),
        ("€m", 10**6),
        ("单位：万元", 10**4),
        ("单位：亿元", 10**8),
        ("", 1),
    ],
)
def test_a_scale_is_read_from_the_heading(heading, scale):
    text = f"| {heading} | 2022 | 2021 |\n|---|---|---|\n| Paper | 5,200 | 5,000 |"
    assert cell(text, "Paper", 2022).scale == scale


def test_a_scale_may_stand_beside_the_table_in_the_same_document_only():
    text = "| | 2022 | 2021 |\n|---|---|---|\n| Paper | 5,200 | 5,000 |"
    near = evidence("The table shows revenue (in millions):", number=2)
    far = evidence("The table shows revenue (in thousands):", number=3, document="d2")
    assert cell(text, "Paper", 2022, near, far).scale == 10**6
    assert cell(text, "Paper", 2022, far).scale == 1
    assert scale_beside(evidence("It was 5."), [near, evidence("(in thousands)", number=4)]) == 1


def test_an_amount_with_thousands_is_no_scale():
    text = "| | 2022 | 2021 |\n|---|---|---|\n| Paper | 5,200 | 5,000 |"
    assert cell(text, "Paper", 2022, evidence("The fee was $1,792,000.", number=2)).scale == 1


def test_headings_of_two_lines_are_put_together_and_one_over_all_is_a_title():
    text = """| | | Year ended | |
|---|---|---|---|
| | 2022 | 2021 | 2020 |
| Paper | 1 | 2 | 3 |"""
    [table] = tables_of(evidence(text))
    assert table.title == "Year ended"
    assert [one.column for one in table.cells] == ["2022", "2021", "2020"]


def test_a_table_with_its_periods_down_the_side_is_turned():
    text = "| Year | Paper | Board |\n|---|---|---|\n| 2022 | 5,200 | 1,840 |\n| 2021 | 5,000 | 2,100 |"
    assert cell(text, "Board", 2021).text == "2,100"


def test_lines_without_bars_on_their_sides_are_a_table_too():
    text = "years ended | 2009 | 2008\nsegment revenue | $ 6305 | $ 6197"
    assert cell(text, "segment revenue", 2008).value.amount == Decimal(6197)


@pytest.mark.parametrize(
    "text", ["", "No table.", "a | b", "|||\n|||", "|---|---|", "| x |\n" * 3, "|" * 5000 + "\n" + "|" * 5000]
)
def test_what_is_no_table_has_no_cells(text):
    assert [one for table in tables_of(evidence(text)) for one in table.cells] == []


@pytest.mark.parametrize("text", ["5 of 7", "Note 4", "", "—", "9" * 200, "2022"])
def test_what_is_no_single_figure_is_none(text):
    assert text == "Note 4" or one_figure(text) is None


def test_a_row_is_found_by_its_name_and_only_when_it_is_clear():
    tables = tables_of(evidence(REPORT))
    assert {one.row for one in row_of("paper", tables)} == {"Paper"}
    assert {one.row for one in row_of("board margin", tables)} == {"Board margin"}
    assert row_of("dividend", tables) == ()
    assert row_of("", tables) == ()
    twice = [*tables, *tables_of(evidence(REPORT, number=2))]
    assert row_of("paper", twice) == ()


def test_a_period_that_two_columns_name_is_left_open():
    text = "| | 2022 | 2022 restated | 2021 |\n|---|---|---|---|\n| Paper | 1 | 2 | 3 |"
    [table] = tables_of(evidence(text))
    assert cells_by_year(table.cells, (2022,)) is None
    assert cells_by_year(table.cells, (2021,)) is not None
    assert cells_by_year(table.cells, (2019,)) is None


def test_a_column_of_changes_is_no_period():
    text = "| | 2022 | 2021 | Change 2022 |\n|---|---|---|---|\n| Paper | 1 | 2 | -50% |"
    [table] = tables_of(evidence(text))
    found = cells_by_year(table.cells, (2022, 2021))
    assert found is not None
    assert [one.text for one in found.values()] == ["1", "2"]
