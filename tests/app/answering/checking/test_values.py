"""Values of English and Chinese text: read, and compared as what they say."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.answering.checking.dates import Date
from app.answering.checking.values import ValueKind, extract, missing


def numbers(text: str, **options) -> list[tuple[Decimal, str | None]]:
    return [(v.amount, v.unit) for v in extract(text, **options) if v.kind is ValueKind.NUMBER]


def dates(text: str) -> list[Date]:
    return [v.date for v in extract(text) if v.kind is ValueKind.DATE]


def absent(claim: str, source: str, **options) -> list[str]:
    return [value.text for value in missing(extract(claim), source, **options)]


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [
        ("1,234 million", "1234000000", None),
        ("$1.234 billion", "1234000000", "USD"),
        ("US$5m", "5000000", "USD"),
        ("€2bn", "2000000000", "EUR"),
        ("12.5亿元", "1250000000", "CNY"),
        ("人民币3,000万元", "30000000", "CNY"),
        ("2.5亿美元", "250000000", "USD"),
        ("23%", "23", "%"),
        ("23 per cent", "23", "%"),
        ("２３．５％", "23.5", "%"),
        ("百分之二十三", "23", "%"),
        ("2个百分点", "2", "pp"),
        ("25 basis points", "0.25", "pp"),
        ("(1,234)", "-1234", None),
        ("-7.5%", "-7.5", "%"),
        ("5 mg", "5", "mg"),
        ("500毫克", "500", "mg"),
        ("5-mg", "5", "mg"),
        ("30天", "30", "day"),
        ("三个月", "3", "month"),
        ("three months", "3", "month"),
        ("twenty-five days", "25", "day"),
        ("三亿五千万元", "350000000", "CNY"),
        ("140/90 mmHg", "90", "mmhg"),
    ],
)
def test_a_number_has_one_value_however_it_is_written(text, amount, unit):
    assert (Decimal(amount), unit) in numbers(text)


def test_a_range_is_two_numbers_and_no_negative_one():
    assert numbers("5-10%") == [(Decimal(5), None), (Decimal(10), "%")]


def test_letters_beside_figures_make_a_code_and_no_number():
    found = extract("COVID-19 rose in Q3 with B12")
    assert {v.code for v in found if v.kind is ValueKind.CODE} == {"covid19", "q3", "b12"}
    assert not [v for v in found if v.kind is ValueKind.NUMBER]


def test_small_words_are_numbers_in_a_source_only():
    assert numbers("one of the three banks") == []
    assert {amount for amount, _ in numbers("one of the three banks", words=True)} == {Decimal(1), Decimal(3)}
    assert numbers("一个重要的问题") == []


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2023-03-01", Date(2023, 3, 1)),
        ("2023年3月1日", Date(2023, 3, 1)),
        ("2023 年 3 月", Date(2023, 3)),
        ("2022年度", Date(2022)),
        ("二〇二二年三月", Date(2022, 3)),
        ("March 1, 2023", Date(2023, 3, 1)),
        ("1 March 2023", Date(2023, 3, 1)),
        ("1st of March 2023", Date(2023, 3, 1)),
        ("Sept. 2023", Date(2023, 9)),
        ("March 1", Date(None, 3, 1)),
        ("3月1日", Date(None, 3, 1)),
        ("FY22", Date(2022)),
        ("in 2022,", Date(2022)),
        ("03/04/2023", Date(2023)),
    ],
)
def test_a_date_says_as_much_as_it_says(text, date):
    assert dates(text) == [date]


def test_a_span_of_years_is_both_years():
    assert dates("2021-22") == [Date(2021), Date(2022)]


@pytest.mark.parametrize("text", ["2,022 shares", "2022.5 points", "2022%", "month 13 of 2022-13-01 x"])
def test_what_only_looks_like_a_date_is_none(text):
    assert Date(2022, 13, 1) not in dates(text)
    assert [d for d in dates(text) if d.month] == []


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("Revenue was $1.234 billion.", "Revenue of $1,234 million"),
        ("Revenue was $1,234 million.", "(in millions) Revenue 1,234"),
        ("Revenue was $1.23 billion.", "Revenue of $1,234 million"),
        ("Revenue was about 1.2 billion.", "Revenue of 1,210 million"),
        ("营业收入为12.5亿元。", "单位：亿元　营业收入 12.5"),
        ("营业收入为12.5亿元。", "营业收入125,000万元"),
        ("营业收入为12.5亿元。", "营业收入1,250,000,000元"),
        ("It took 3 days.", "It took three days."),
        ("期限为3个月。", "期限三个月。"),
        ("It rose 23%.", "Growth (%): 23"),
        ("On March 1, 2023 it closed.", "2023: closed on March 1."),
        ("It closed in 2023.", "Closed on 2023-03-01."),
        ("It has 2,000 staff.", "Staff: 2000"),
        ("It has 2000 staff.", "Staff: 2,000"),
        ("Sales fell in Q3.", "Third quarter: sales fell."),
        ("The B12 unit closed.", "Unit B 12 was closed."),
        ("占比百分之二十三。", "占比23%。"),
    ],
)
def test_what_the_source_says_in_another_form_is_there(claim, source):
    assert absent(claim, source) == []


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("Revenue was $1.235 billion.", "Revenue of $1,234 million"),
        ("Revenue was $1,234 million.", "(in thousands) Revenue 1,234"),
        ("Revenue was €5 million.", "Revenue of $5 million"),
        ("Revenue was 1.2 billion.", "Revenue of 1,234 million"),
        ("Revenue was about 1.2 billion.", "Revenue of 1,400 million"),
        ("营业收入为12.5亿元。", "单位：万元　营业收入 12.5"),
        ("营业收入为12.5万元。", "营业收入12.5亿元"),
        ("The dose is 5 g.", "The dose is 5 mg."),
        ("It rose 2 percentage points.", "It rose 2%."),
        ("It closed on March 2, 2023.", "It closed on March 1, 2023."),
        ("It closed in 2022.", "It closed in 2023."),
        ("It closed on March 1, 2023.", "It closed in 2023."),
        ("Sales fell in Q2.", "Third quarter: sales fell."),
        ("期限为六个月。", "期限三个月。"),
    ],
)
def test_what_the_source_does_not_say_is_missing(claim, source):
    assert absent(claim, source)


def test_a_sign_counts_unless_words_say_it():
    assert absent("Income was 5 million.", "Income (5) million")
    assert absent("The result was -7%.", "The result was 7%.")
    assert absent("The result was -7%.", "The result fell 7%.", unsigned=True) == []


@given(st.integers(min_value=0, max_value=10**12))
def test_every_whole_number_is_found_with_and_without_commas(number):
    if 1800 <= number < 2100:  # a year, which has its own test
        number += 10_000
    assert absent(f"It was {number:,}.", f"total: {number}") == []
    assert absent(f"It was {number}.", f"total: {number:,}") == []
    assert absent(f"It was {number + 1:,}.", f"total: {number}")


@given(st.decimals(min_value="0.01", max_value="9999", places=2))
def test_ten_thousands_and_hundred_millions_are_one_scale(amount):
    assert absent(f"共{amount}亿元", f"共{amount * 10_000}万元") == []
    assert absent(f"共{amount}亿元", f"共{amount}万元")


@given(st.dates(min_value=datetime.date(1900, 1, 1), max_value=datetime.date(2099, 12, 31)))
def test_every_date_is_the_same_in_english_chinese_and_figures(day):
    forms = [
        f"{day:%B} {day.day}, {day.year}",
        f"{day.day} {day:%B} {day.year}",
        f"{day.year}年{day.month}月{day.day}日",
    ]
    assert {tuple(dates(form)) for form in [*forms, day.isoformat()]} == {(Date(day.year, day.month, day.day),)}


@given(st.text(max_size=300))
def test_no_text_breaks_it_and_every_text_holds_its_own_values(text):
    assert isinstance(missing(extract(text), text), list)


@given(
    st.lists(
        st.sampled_from(
            ["1,234", "(5)", "12.5亿元", "$3m", "5%", "2023年3月", "三个月", "Q3", "万", "百分之", ",", " ", "-"]
        )
    )
)
def test_a_text_made_of_values_holds_them_all(pieces):
    text = " ".join(pieces)
    assert missing(extract(text), text) == []


@pytest.mark.parametrize(
    "piece",
    ["9", "1,", "1,234", " ", "(", "-", "-1", "一", "万", "2022-", "2022年", "twenty ", "about ", "[1,", "A1", "％"],
)
def test_a_page_of_one_piece_is_read_as_fast_as_any_other(piece):
    page = piece * 20_000
    assert isinstance(missing(extract(page), page), list)


def test_a_figure_of_any_length_is_compared_and_not_refused():
    figure = "9" * 5000
    assert absent(f"It was {figure} million.", f"total {figure} million") == []
    assert absent(f"It was about {figure} million.", "total 5 million")
    assert absent(f"共{figure}亿元", "共5亿元")
