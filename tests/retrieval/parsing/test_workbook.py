"""A workbook comes out as a spreadsheet shows it: sheets, tables, formats, and a word on what nobody sees."""

import datetime
import re
import subprocess
import sys
import zipfile

import openpyxl
import pytest
import xlsxwriter
from openpyxl.chart import BarChart
from openpyxl.styles import Font, PatternFill
from openpyxl.styles.colors import Color

from retrieval.errors import DamagedFile, NoText, TooManyPages
from retrieval.parsing.parse import parse
from retrieval.parsing.sandbox import Sandbox
from retrieval.parsing.types import XLSX
from retrieval.parsing.workbook import read


@pytest.fixture
def sheet(tmp_path):
    """Fill the first sheet of a workbook and get the file; the sheet's own workbook is `.parent`."""

    def make(fill, *, name="book.xlsx"):
        workbook, path = openpyxl.Workbook(), tmp_path / name
        fill(workbook.active)
        workbook.save(path)
        return path

    return make


def blocks(path, max_pages=500):
    total, pages = read(path, max_pages=max_pages)
    pages = list(pages)
    assert total == len(pages)
    return [(b.kind.value, page.text[b.start : b.end]) for page in pages for b in page.blocks]


def remarks(path):
    return [(one.code, one.detail) for page in read(path, max_pages=500)[1] for one in page.remarks]


def test_figures_are_shown_in_their_formats(sheet):
    def fill(one):
        one.append(["Item", "Value"])
        for row, (value, code) in enumerate(
            [
                (0.125, "0.0%"),
                (1234567.5, "#,##0.00"),
                (-5, "#,##0_);(#,##0)"),
                (datetime.date(2024, 3, 31), "yyyy-mm-dd"),
                (datetime.datetime(2024, 3, 31, 9, 30), "d mmm yyyy h:mm"),  # noqa: DTZ001 - a sheet has no zones
                (datetime.time(9, 30), "h:mm"),
                (0.1 + 0.2, "General"),
                (True, "General"),
                ("text", "@"),
                ("#N/A", "General"),
            ],
            2,
        ):
            one.cell(row, 1, f"r{row}")
            one.cell(row, 2, value).number_format = code

    assert blocks(sheet(fill)) == [
        (
            "table",
            "Item | Value\nr2 | 12.5%\nr3 | 1,234,567.50\nr4 | (5)\nr5 | 2024-03-31\nr6 | 31 Mar 2024 9:30\nr7 | 9:30\n"
            "r8 | 0.3\nr9 | TRUE\nr10 | text\nr11 | #N/A",
        )
    ]


def test_sheets_begin_pages_under_their_names(sheet):
    def fill(one):
        one.title = "资产负债表"
        one.append(["a", "b"])
        one.append([1, 2])
        one.parent.create_sheet("Notes").append(["c", "d"])

    total, pages = read(sheet(fill), max_pages=9)
    assert total == 2
    assert [page.text for page in pages] == ["资产负债表\n\na | b\n1 | 2", "Notes\n\nc | d"]


@pytest.mark.parametrize("name", ["Sheet", "Sheet1", "工作表1"])
def test_the_name_that_a_program_gives_its_only_sheet_is_no_heading(sheet, name):
    def fill(one):
        one.title = name
        one.append(["a", "b"])

    assert blocks(sheet(fill)) == [("table", "a | b")]


def test_captions_merged_headers_and_notes(sheet):
    def fill(one):
        one.title = "Income"
        one["A1"] = "Statement of income"
        one.merge_cells("A1:E1")
        one["A2"] = "(in millions)"
        for cell, text in {"A4": "Item", "B4": "2023", "D4": "2024"}.items():
            one[cell] = text
        for cells in ("A4:A5", "B4:C4", "D4:E4"):
            one.merge_cells(cells)
        for column, quarter in enumerate(("Q1", "Q2", "Q1", "Q2"), 2):
            one.cell(5, column, quarter)
            one.cell(6, column, column * 1000)
        one["A6"] = "Rent"
        one["A7"] = "Note: unaudited"

    assert blocks(sheet(fill)) == [
        ("heading", "Income"),
        ("heading", "Statement of income; (in millions)"),
        ("table", "Item | 2023 Q1 | 2023 Q2 | 2024 Q1 | 2024 Q2\nRent | 2000 | 3000 | 4000 | 5000"),
        ("paragraph", "Note: unaudited"),
    ]


def test_what_is_hidden_is_left_out_and_said(sheet):
    def fill(one):
        for row in range(1, 6):
            one.append([f"a{row}", f"b{row}", f"c{row}", f"d{row}"])
        one.row_dimensions[2].hidden = True
        one.column_dimensions["C"].hidden = True
        one["A3"].font = Font(color="FFFFFFFF")
        one["B3"].number_format = ";;;"
        one["D3"].font = Font(color=Color(theme=5))  # a colour of the theme, on black: it may well be seen
        one["D3"].fill = PatternFill("solid", fgColor="FF000000")
        one["D4"].font = Font(color="FFFEFEFD")  # nearly white, on white
        one["A4"].font = Font(color="FFFFFFFF")
        one["A4"].fill = PatternFill("solid", fgColor="FF000080")
        one["B4"].font = Font(color="FF00FF00")
        one["B4"].fill = PatternFill("solid", fgColor="FF00FF00")
        one.row_dimensions[40].hidden = True  # an empty one is nothing to say
        for title, state in (("secret", "hidden"), ("deeper", "veryHidden")):
            other = one.parent.create_sheet(title)
            other.append(["hidden text"])
            other.sheet_state = state

    path = sheet(fill)
    assert blocks(path) == [("table", "a1 | b1 | d1\n |  | d3\na4\na5 | b5 | d5")]
    assert remarks(path) == [
        ("hidden_text", "hidden sheets: 2, 3"),
        ("hidden_text", "sheet 1, cells in hidden columns: 4"),
        ("hidden_text", "sheet 1, cells that show nothing: 4"),
        ("hidden_text", "sheet 1, hidden rows: 1"),
    ]


def test_hidden_rows_do_not_part_a_table(sheet):
    def fill(one):
        for row in range(1, 8):
            one.append([f"a{row}", f"b{row}"])
        for row in (3, 4):
            one.row_dimensions[row].hidden = True
        one.merge_cells("A5:A6")

    assert blocks(sheet(fill)) == [("table", "a1 | b1\na2 | b2\na5 | b5\na5 | b6\na7 | b7")]


def test_a_formula_gives_its_saved_value_or_is_said_to_have_none(sheet, rezip):
    def fill(one):
        one.append(["Sum", "=1+1"])
        one.append(["Empty", None])
        one.append(["x", 1])

    path = sheet(fill)
    assert blocks(path) == [("table", "Sum | (formula without a saved value)\nEmpty\nx | 1")]
    assert remarks(path) == [("formula_unread", "sheet 1, formulas without a saved value: 1")]
    computed = re.sub(rb"</f><v\s*/?>(?:</v>)?", b"</f><v>2</v>", part(path))
    saved = rezip(path, {"xl/worksheets/sheet1.xml": computed})
    assert blocks(saved)[0][1].startswith("Sum | 2\n")
    assert remarks(saved) == []


def part(path, name="xl/worksheets/sheet1.xml"):
    with zipfile.ZipFile(path) as archive:
        return archive.read(name)


def test_a_long_sheet_takes_several_pages_each_with_the_header(sheet):
    def fill(one):
        one.append(["Name", "Value"])
        for row in range(500):
            one.append([f"Line {row}", row])

    path = sheet(fill)
    total, pages = read(path, max_pages=9)
    assert total > 2
    assert {page.text.split("\n")[0] for page in pages} == {"Name | Value"}
    with pytest.raises(TooManyPages):
        read(path, max_pages=2)


def test_more_text_than_pages_allow_is_told_before_the_rest_is_read(sheet, rezip):
    def fill(one):
        for row in range(2000):
            one.append(["x" * 100, str(row)])

    path = sheet(fill)
    broken = rezip(path, {"xl/worksheets/sheet1.xml": part(path).replace(b"</sheetData>", b"<broken")})
    with pytest.raises(TooManyPages):
        read(broken, max_pages=2)
    with pytest.raises(DamagedFile):
        read(broken, max_pages=500)


def test_the_strict_form_is_refused_and_not_read_as_empty(sheet, rezip):
    path = sheet(lambda one: one.append(["a", "b"]))
    spreadsheet = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    strict = {
        name: part(path, name).replace(spreadsheet, b"http://purl.oclc.org/ooxml/spreadsheetml/main")
        for name in ("xl/workbook.xml", "xl/worksheets/sheet1.xml")
    }
    with pytest.raises(DamagedFile, match="strict"):
        read(rezip(path, strict), max_pages=9)


def test_far_rows_and_columns_cost_nothing(sheet):
    def fill(one):
        one["A1"], one["B1"] = "a", "b"
        one["XFD1048576"] = "far"
        one["A1048576"] = "away"

    assert blocks(sheet(fill)) == [("table", "a | b"), ("table", "away | far")]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'r="2"', b'r="99999999"'),  # beyond the last row of a sheet
        (b'r="2"', b'r="0"'),
        (b'r="A2"', b'r="ZZZ2"'),
        (b'<row r="1"', b'<row r="9"'),  # rows run backwards
    ],
)
def test_places_that_no_sheet_has_are_damage(sheet, rezip, old, new):
    def fill(one):
        one.append(["a", "b"])
        one.append(["c", "d"])

    path = sheet(fill)
    assert old in part(path)
    with pytest.raises(DamagedFile):
        blocks(rezip(path, {"xl/worksheets/sheet1.xml": part(path).replace(old, new)}))


@pytest.mark.parametrize(
    "member", ["xl/workbook.xml", "xl/styles.xml", "xl/worksheets/sheet1.xml", "[Content_Types].xml"]
)
def test_a_broken_part_is_damage(sheet, rezip, member):
    path = sheet(lambda one: one.append(["a", "b"]))
    with pytest.raises(DamagedFile):
        blocks(rezip(path, {member: b"<broken"}))


def test_a_chart_does_no_harm(sheet):
    def fill(one):
        one.append(["a", "b"])
        one.append(["x", 1])
        one.add_chart(BarChart(), "D1")

    assert blocks(sheet(fill)) == [("table", "a | b\nx | 1")]


def test_the_child_reads_it_whatever_the_file_is_called(sheet, limits):
    path = sheet(lambda one: one.append(["Rate", "12%"]), name="0f3a")
    with Sandbox() as sandbox:
        document = parse(path, name="Rates.xlsx", limits=limits, sandbox=sandbox)
        assert (document.media_type, document.pages[0].text) == (XLSX, "Rate | 12%")
        empty = sheet(lambda one: None, name="empty.xlsx")
        with pytest.raises(NoText):
            parse(empty, name="empty.xlsx", limits=limits, sandbox=sandbox)


def test_strings_that_cells_share_are_read(tmp_path):
    path = tmp_path / "other.xlsx"
    with xlsxwriter.Workbook(path) as workbook:
        one = workbook.add_worksheet("Sheet1")
        bold = workbook.add_format({"bold": True})
        one.write_row(0, 0, ["Item", "Value"])
        one.write_rich_string(1, 0, "plain ", bold, "bold", " end")
        one.write_formula(1, 1, "=1+1", None, 2)
        one.write_row(2, 0, ["Item", "Value"])
    assert "xl/sharedStrings.xml" in zipfile.ZipFile(path).namelist()
    assert blocks(path) == [("table", "Item | Value\nplain bold end | 2\nItem | Value")]


def test_the_reader_starts_without_numpy():
    script = (
        "import sys, retrieval.parsing.workbook\n"
        "print('numpy' in sys.modules)\nimport numpy\nprint(numpy.zeros(1).tolist())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n[0.0]\n"
