"""Days and periods, as documents and questions write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.facts.dates import YEARS, Period, days_in, periods_in


def periods(text):
    return [str(period) for *_, period in periods_in(text)]


def days(text):
    return [day.isoformat() for *_, day in days_in(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("in FY2022", ["FY2022"]),
        ("FY 22", ["FY2022"]),
        ("fiscal 2022 and fiscal year 2021", ["FY2022", "FY2021"]),
        ("for the full year 2022", ["FY2022"]),
        ("Q2 of FY2023", ["2023-Q2"]),
        ("FY2023Q1", ["2023-Q1"]),
        ("Q22023", ["2023-Q2"]),
        ("Q2'2023", ["2023-Q2"]),
        ("2023 Q4", ["2023-Q4"]),
        ("second quarter of fiscal 2023", ["2023-Q2"]),
        ("First-Quarter 2023", ["2023-Q1"]),
        ("H1 FY2023", ["2023-H1"]),
        ("second half of 2023", ["2023-H2"]),
        ("2022, 2021 and 2020", ["2022", "2021", "2020"]),
        ("2010-2015", ["2010", "2015"]),
        ("FY2018 - FY2020 average", ["FY2018", "FY2020"]),
        ("2022年营业收入", ["2022"]),
        ("2022年度", ["FY2022"]),
        ("2022财年", ["FY2022"]),
        ("2022年年度报告", ["FY2022"]),
        ("二〇二二年年度报告", ["FY2022"]),
        ("2023年第三季度报告", ["2023-Q3"]),
        ("2023年一季度", ["2023-Q1"]),
        ("2023年半年度报告", ["2023-H1"]),
        ("2023年上半年", ["2023-H1"]),
        ("2023年下半年", ["2023-H2"]),
    ],
)
def test_periods(text, expected):
    assert periods(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "last year",
        "去年",
        "$2,018 in all",
        "2019 million",
        "2021.5",
        "12022",
        "365 * 2",
        "Q5",
        "no year",
        "",
        "1850",
        "€2020",
    ],
)
def test_what_is_no_period(text):
    assert periods(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("on May 26, 2023", "2023-05-26"),
        ("dated 1st July 2022", "2022-07-01"),
        ("this 3rd day of June, 2021", "2021-06-03"),
        ("Sept. 5, 2020", "2020-09-05"),
        ("dated-2022-07-01", "2022-07-01"),
        ("2022/7/1", "2022-07-01"),
        ("2022年7月1日", "2022-07-01"),
        ("二〇二〇年五月二十八日", "2020-05-28"),
        ("二〇二〇年十月十日", "2020-10-10"),
        ("二〇二〇年十二月三十一日", "2020-12-31"),
    ],
)
def test_days(text, expected):
    assert days(text) == [expected]
    assert periods(text) == []


@pytest.mark.parametrize("text", ["February 30, 2022", "2022-13-01", "2022年2月30日", "03/04/2022", "0001-01-01"])
def test_what_is_no_day(text):
    assert days(text) == []


def test_where_they_stand():
    text = "From May 1, 2020 to FY2021."
    ((start, end, _),) = days_in(text)
    assert text[start:end] == "May 1, 2020"
    ((start, end, _),) = periods_in(text)
    assert text[start:end] == "FY2021"


@given(st.sampled_from(YEARS), st.sampled_from(["", "Q1", "Q2", "Q3", "Q4", "H1", "H2"]), st.booleans())
def test_a_period_is_read_as_it_is_written(year, part, fiscal):
    period = Period(year, part, fiscal=fiscal)
    again = Period.parse(str(period))
    assert str(again) == str(period)
    assert (again.year, again.part) == (year, part)


@pytest.mark.parametrize("text", ["", "FY", "2022-Q", "22", "2022-Q9", "FY2022 "])
def test_what_is_no_written_period(text):
    assert Period.parse(text) is None


@given(st.text(alphabet="FYQH12340年月日第一二季度/-,. 〇十三"))
def test_nothing_raises(text):
    list(days_in(text))
    for start, end, period in periods_in(text):
        assert 0 <= start < end <= len(text)
        assert period.year in YEARS
