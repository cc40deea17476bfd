"""CSV and XLSX: where the periods, the names and the units stand, and files that were made to hurt."""

from __future__ import annotations

import io
import zipfile
from contextlib import suppress
from datetime import date
from decimal import Decimal
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domains.finance.statements.errors import StatementsError
from domains.finance.statements.intake.assembly import Gathered, gather
from domains.finance.statements.intake.figures import Limits
from domains.finance.statements.intake.grid import Defaults
from domains.finance.statements.intake.reading import read_file
from domains.finance.statements.refusals import FileRefused, InputRefused, LimitExceeded, MixedCurrencies


def gathered(data: bytes | str, name: str = "file", **more: Any) -> Gathered:
    raw = data.encode() if isinstance(data, str) else data
    return gather(read_file(raw, name=name, defaults=Defaults()), company="A", **more)


def values(found: Gathered) -> dict[tuple[str, str], Decimal]:
    return {(cell.concept, cell.period.end.isoformat()): cell.value for cell in found.statements.cells}


def workbook(*sheets: tuple[str, list[list[Any]]], merge: str = "") -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets:
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
        if merge:
            sheet.merge_cells(merge)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


WIDE = '单位：人民币万元,,\n项目,2023年度,2022年度\n营业收入,"1,200.5",1100\n净利润,(30),—\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_chinese_table_in_any_encoding(encoding: str) -> None:
    found = gathered(WIDE.encode(encoding))
    assert values(found) == {
        ("revenue", "2023-12-31"): Decimal(12_005_000),
        ("revenue", "2022-12-31"): Decimal(11_000_000),
        ("net_income", "2023-12-31"): Decimal(-300_000),
    }
    assert found.statements.currency == "CNY"
    assert found.empty == 1
    assert {cell.source.place for cell in found.statements.cells} >= {"row 3, column 2"}


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters(delimiter: str) -> None:
    text = (
        delimiter.join(("Item (USD)", "2023", "2022")) + "\n" + delimiter.join(("Net sales", "1,200", "1,100")) + "\n"
    )
    assert len(gathered(text, currency="USD").statements.cells) == 2


def test_a_long_table_has_unit_currency_and_part_by_row() -> None:
    text = (
        "item,period,value,unit,currency,segment\n"
        "Net sales,FY2023,12,million,USD,\n"
        "segment_revenue,FY2023,7,million,USD,Cloud\n"
        "segment_revenue,FY2023,5,million,USD,Devices\n"
        "Total assets,2023-12-31,30000,thousand,USD,\n"
    )
    found = gathered(text).statements
    assert found.value("revenue", found.periods[0]) == 12_000_000
    assert found.value("total_assets", found.periods[0]) == 30_000_000
    assert [cell.member for cell in found.members("segment_revenue", found.periods[0])] == ["Cloud", "Devices"]


def test_a_part_may_stand_in_the_label() -> None:
    found = gathered("项目,2023\n营业收入,10\n分部收入：云业务,7\n", currency="CNY").statements
    assert [cell.member for cell in found.members("segment_revenue", found.periods[0])] == ["云业务"]


def test_a_workbook_with_headings_over_two_rows_merged_and_a_sheet_a_statement() -> None:
    income = [
        ["Consolidated Statements of Income", None, None, None],
        ["(in millions, except per share amounts)", None, None, None],
        [None, "Year ended December 31,", None, None],
        [None, 2022, 2021, 2020],
        ["Net sales", 14189, 14082, 11303],
        ["Net income", 1386, 1935, 523],
        ["Basic earnings per share", 1.56, 1.30, 0.54],
        ["Weighted average shares outstanding", 843, 828, 761],
    ]
    balance = [
        ["(in millions)", None, None],
        [None, date(2022, 12, 31), date(2021, 12, 31)],
        ["Total Assets", 29499, 30154],
    ]
    book = openpyxl.load_workbook(io.BytesIO(workbook(("Income", income), ("Balance", balance))))
    book["Income"].merge_cells("B3:D3")
    out = io.BytesIO()
    book.save(out)
    found = gathered(out.getvalue(), currency="USD").statements
    assert [str(period.end) for period in found.periods] == ["2020-12-31", "2021-12-31", "2022-12-31"]
    newest = found.periods[-1]
    assert found.value("revenue", newest) == 14_189_000_000
    assert found.value("eps_basic", newest) == Decimal("1.56")
    assert found.value("weighted_shares", newest) == 843_000_000
    assert found.value("total_assets", newest) == 29_499_000_000
    cell = found.cell("revenue", newest)
    assert cell is not None
    assert cell.source.place == "Income!B5"


def test_shares_that_the_heading_excepts_are_not_scaled() -> None:
    text = '"(in millions, except share and per share amounts)"\n,2022\nNet sales,10\nShares outstanding,5000000\n'
    found = gathered(text, currency="USD").statements
    assert found.value("shares_outstanding", found.periods[0]) == 5_000_000


def test_assets_left_and_liabilities_right() -> None:
    text = (
        "单位：元,,,,,\n"
        "资产,2023年12月31日,2022年12月31日,负债和所有者权益,2023年12月31日,2022年12月31日\n"
        "货币资金,5,4,短期借款,3,2\n"
        "某项资产,1,1,某项负债,2,2\n"
        "资产总计,6,5,负债合计,5,4\n"
    )
    found = gathered(text)
    period = found.statements.periods[-1]
    assert found.statements.value("cash", period) == 5
    assert found.statements.value("short_term_debt", period) == 3
    assert found.statements.value("total_liabilities", period) == 5
    assert [item.label for item in found.unmapped] == ["某项资产", "某项负债"]


def test_columns_of_percentages_and_notes_are_left_aside() -> None:
    text = "项目,附注,2023年,占比,2022年,变动\n营业收入,七、1,100,100%,90,11.1%\n净利润,,5,5%,6,(16.7)%\n"
    found = gathered(text, currency="CNY")
    assert sorted(values(found).values()) == [5, 6, 90, 100]


def test_two_statements_under_each_other_each_with_its_heading_and_unit() -> None:
    text = "单位：万元\n项目,2023年度\n营业收入,2\n\n单位：元\n项目,2023年12月31日\n资产总计,30000\n"
    found = values(gathered(text))
    assert found["revenue", "2023-12-31"] == 20_000
    assert found["total_assets", "2023-12-31"] == 30_000


def test_a_formula_that_was_never_computed_counts_as_nothing() -> None:
    rows = [["USD", 2022, 2023], ["Net sales", 5, 6], ["Total assets", 4, "=2+3"]]
    found = gathered(workbook(("S", rows)), currency="USD")
    assert [cell.concept for cell in found.statements.cells] == ["revenue", "revenue", "total_assets"]
    assert found.empty == 1


def test_an_error_of_a_spreadsheet_is_nothing() -> None:
    found = gathered(workbook(("S", [["USD", 2023], ["Net sales", 5], ["Total assets", "#DIV/0!"]])), currency="USD")
    assert len(found.statements.cells) == 1


def test_a_figure_that_cannot_be_read_names_its_place() -> None:
    with pytest.raises(InputRefused) as refused:
        gathered(workbook(("损益表", [["CNY", 2023], ["营业收入", "1.234,56"]])))
    assert "损益表!B2" in refused.value.message


def test_what_is_unreadable_in_an_unknown_line_is_left_aside() -> None:
    found = gathered("CNY,2023\n营业收入,5\n审计意见,标准无保留\n")
    assert len(found.statements.cells) == 1


def test_mixed_currencies_are_refused() -> None:
    with pytest.raises(MixedCurrencies):
        gathered("item,period,value,currency\nNet sales,2023,5,USD\nNet income,2023,1,CNY\n")


def test_no_currency_is_refused_rather_than_guessed() -> None:
    with pytest.raises(InputRefused) as refused:
        gathered("Item,2023\nNet sales,5\n")
    assert "currency" in refused.value.message


@pytest.mark.parametrize(
    "data", [b"", b"\x00\x01\x02", b"%PDF-1.7", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"PK\x03\x04junk"]
)
def test_files_of_another_form_are_refused(data: bytes) -> None:
    with pytest.raises(FileRefused):
        gathered(data)


def repacked(**parts: bytes) -> bytes:
    """A good workbook with some parts put in or replaced."""
    source = zipfile.ZipFile(io.BytesIO(workbook(("S", [["CNY", 2023], ["营业收入", 5]]))))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        names = {name: source.read(name) for name in source.namelist()}
        for name, data in {**names, **parts}.items():
            target.writestr(name, data)
    return out.getvalue()


def test_a_zip_bomb_is_refused_before_it_is_opened() -> None:
    data = repacked(**{"xl/media/x.bin": b"\x00" * (64 << 20)})
    assert len(data) < 1 << 20
    with pytest.raises(FileRefused) as refused:
        gathered(data)
    assert "unpacks" in refused.value.message


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_an_entity_bomb_is_refused(encoding: str) -> None:
    bomb = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><sst>&b;</sst>'
    with pytest.raises(FileRefused) as refused:
        gathered(repacked(**{"xl/sharedStrings.xml": bomb.encode(encoding)}))
    assert "document type" in refused.value.message


def test_macros_are_refused() -> None:
    with pytest.raises(FileRefused):
        gathered(repacked(**{"xl/vbaProject.bin": b"x"}))


def test_another_zip_is_no_workbook() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("word/document.xml", "<x/>")
    with pytest.raises(FileRefused):
        gathered(out.getvalue())


def test_more_rows_columns_or_cells_than_the_limit_are_refused() -> None:
    small = Limits(rows=10, columns=5, cells=30)
    for text in ("a\n" * 11, "a,b,c,d,e,f\n", "a,b,c,d\n" * 8):
        with pytest.raises(LimitExceeded):
            read_file(text.encode(), name="x", defaults=Defaults(), limits=small)
    for rows in ([["a"]] * 11, [list("abcdef")], [list("abcd")] * 8):
        with pytest.raises(LimitExceeded):
            read_file(workbook(("S", rows)), name="x", defaults=Defaults(), limits=small)
    with pytest.raises(LimitExceeded):
        read_file(b"a" * 11, name="x", defaults=Defaults(), limits=Limits(file_bytes=10))


def test_a_sheet_with_its_last_cell_a_million_rows_down_ends_at_the_limit() -> None:
    book = openpyxl.Workbook()
    book.active["A1048576"] = 1
    out = io.BytesIO()
    book.save(out)
    with pytest.raises(LimitExceeded):
        gathered(out.getvalue())


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(st.text(max_size=12), max_size=6), max_size=12))
def test_any_table_is_read_or_refused_in_our_words(rows: list[list[str]]) -> None:
    text = "\n".join(",".join(cell.replace(",", " ").replace("\n", " ") for cell in row) for row in rows)
    with suppress(StatementsError):
        gathered(text.encode("utf-8", "surrogatepass") or b"x", currency="CNY")


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=1, max_size=400))
def test_any_bytes_are_refused_in_our_words(data: bytes) -> None:
    for start in (b"", b"PK\x03\x04", b"{", b"<html xmlns:ix='http://www.xbrl.org/2013/inlineXBRL'>"):
        with suppress(StatementsError):
            gathered(start + data, currency="CNY")
