"""A figure is shown as the spreadsheet shows it under its format code."""

from datetime import date, datetime, time, timedelta

import pytest

from retrieval.parsing.number_format import shown

ACCOUNTING = '_(* #,##0.00_);_(* \\(#,##0.00\\);_(* "-"??_);_(@_)'
MOMENT = datetime(2024, 3, 31, 13, 5, 9)  # noqa: DTZ001 - a date of a sheet has no zone
DAY = datetime(2024, 3, 31)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("value", "code", "expected"),
    [
        (0.125, "0.0%", "12.5%"),
        (0.125, "0%", "13%"),
        (-0.5, "0.0%;[Red]-0.0%", "-50.0%"),
        (12.5, '0.0" %"', "12.5 %"),
        (1234567.891, "#,##0", "1,234,568"),
        (1234567.891, "#,##0.00", "1,234,567.89"),
        (999, "#,##0", "999"),
        (1000, "#,##0", "1,000"),
        (0, "#,##0", "0"),
        (0, "#", ""),
        (0.25, ".00", ".25"),
        (1234, "#,###.##", "1,234"),
        (0.5, "0.##", "0.5"),
        (-3, "0", "-3"),
        (-0.001, "0.00", "0.00"),
        (-1234.5, "#,##0.00_);(#,##0.00)", "(1,234.50)"),
        (-1234.5, ACCOUNTING, "(1,234.50)"),
        (1234.5, ACCOUNTING, "1,234.50"),
        (0, ACCOUNTING, "-"),
        ("n/a", ACCOUNTING, "n/a"),
        (1234567, "#,##0,", "1,235"),
        (1234567, '0.0,,"M"', "1.2M"),
        (1234.5, "[$¥-804]#,##0.00", "¥1,234.50"),
        (1234.5, '"$"#,##0.00', "$1,234.50"),
        (123456789, "000-00-0000", "123-45-6789"),
        (7, "000", "007"),
        (45, '00":"00', "00:45"),
        (12345.678, "0.00E+00", "1.23E+04"),
        (0.00012, "0.00E+00", "1.20E-04"),
        (3, '[>2]"big";"small"', "big"),
        (1, '[>2]"big";"small"', "small"),
        (-5, "[Red]-0;[Blue]0", "5"),
        (1500, '#,##0 "bps"', "1,500 bps"),
        (5, '0"元"', "5元"),
        (12, 'General"x"', "12x"),
        (0.1 + 0.2, "General", "0.3"),
        (5.0, "General", "5"),
        (-12, "General", "-12"),
        (0.5, "# ?/?", "0.5"),
        (5, "@", "5"),
        ("abc", "@", "abc"),
        ("abc", "0.00", "abc"),
        (True, "0", "TRUE"),
        (False, "General", "FALSE"),
        (2.5, "0", "3"),  # half up, as a spreadsheet rounds
        (1.005, "0.00", "1.01"),
    ],
)
def test_figures(value, code, expected):
    assert shown(value, code) == expected


@pytest.mark.parametrize(
    ("value", "code", "expected"),
    [
        (DAY, "mm-dd-yy", "2024-03-31"),
        (DAY, "m/d/yyyy", "2024-03-31"),
        (DAY, "General", "2024-03-31"),
        (DAY, "d-mmm-yy", "31-Mar-24"),
        (DAY, "d.m.yyyy", "31.3.2024"),
        (DAY, "d/m/yyyy", "31/3/2024"),
        (DAY, "dddd, mmmm dd, yyyy", "Sunday, March 31, 2024"),
        (DAY, 'yyyy"年"m"月"d"日"', "2024年3月31日"),
        (DAY, "[$-409]mmm\\-yy;@", "Mar-24"),
        (DAY.date(), "yyyy-mm-dd", "2024-03-31"),
        (MOMENT, "yyyy-mm-dd hh:mm:ss", "2024-03-31 13:05:09"),
        (MOMENT, "h:mm AM/PM", "1:05 PM"),
        (MOMENT, "General", "2024-03-31 13:05"),
        (time(1, 2, 3), "h:mm:ss", "1:02:03"),
        (timedelta(hours=30, minutes=5), "[h]:mm", "30:05"),
        (timedelta(hours=30, minutes=5), "h:mm", "30:05:00"),
        (date(2024, 1, 1), "0", "2024-01-01"),
        (45000, "yyyy", "45000"),  # a number under a date's code that was no date
    ],
)
def test_dates(value, code, expected):
    assert shown(value, code) == expected


@pytest.mark.parametrize("value", [5, -5, 0, "words", DAY])
def test_a_code_that_hides_shows_nothing(value):
    assert shown(value, ";;;") == ""


CODES = (
    *("", "0" * 300, "#" * 5000, ";" * 300, '"' * 99, "[" * 99, "\\", "_", "*", "E+", "0E+0E+0", "%" * 254, ",,,"),
    *("[>]0", "0.0.0", "@@@", "yyyymmddhhss", "[h][m][s]", "aaaa", "mmmmmm", "General General", "/", "?/?"),
)


@pytest.mark.parametrize("code", CODES)
def test_no_code_breaks_it(code):
    wide = (10**5000, float("nan"), float("inf"), 1e308, 5e-324)
    for value in (0, -1, 0.1, *wide, "x", DAY, MOMENT, DAY.date(), time(1), timedelta(-5), True):
        assert len(shown(value, code)) < 2000
