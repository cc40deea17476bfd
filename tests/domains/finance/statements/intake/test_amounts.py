"""Figures and units as people write them; what could be read in two ways is refused."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.finance.statements.intake.amounts import LARGEST, Unit, factor_of, read_amount, read_currency, read_unit
from domains.finance.statements.refusals import InputRefused


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1234.5", "1234.5"),
        ("1,234,567.89", "1234567.89"),
        ("(1,234.5)", "-1234.5"),
        ("（1,234.5）", "-1234.5"),
        ("１２，３４５．６", "12345.6"),
        ("-5", "-5"),
        ("−5", "-5"),
        ("5-", "-5"),
        ("+5", "5"),
        ("$ (1,234)", "-1234"),
        ("-$5", "-5"),
        ("$-5", "-5"),
        ("¥3,000", "3000"),
        ("RMB 3,000", "3000"),
        ("1 234 567", "1234567"),
        ("1\u00a0234", "1234"),
        ("1'234", "1234"),
        ("1’234", "1234"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1e5", "100000"),
        ("3.2亿元", "320000000"),
        ("3.2亿", "320000000"),
        ("1,200万元", "12000000"),
        ("5.2 million", "5200000"),
        ("1.5bn", "1500000000"),
        ("5,200元", "5200"),
        ("0", "0"),
        ("-0", "0"),
        (7, "7"),
        (0.1, "0.1"),
        (Decimal("2.50"), "2.5"),
    ],
)
def test_a_figure_is_read(text: object, amount: str) -> None:
    assert read_amount(text) == Decimal(amount)


@pytest.mark.parametrize("text", [None, "", " ", "-", "—", "–", "--", "N/A", "nil", "不适用", "/"])
def test_what_was_not_reported_is_nothing_and_never_zero(text: str | None) -> None:
    assert read_amount(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "1.234,56",
        "12,3456",
        "1,23",
        "12%",
        "(5",
        "5)",
        "(-5)",
        "--5",
        "five",
        "1e999",
        "NaN",
        "inf",
        "-Infinity",
        "1e300",
        "1 2 3",
        "1,234 567",
        "0x10",
        "1_000",
        "5.2 zillion",
        "9" * 70,
        "=1+1",
        True,
        float("nan"),
        float("inf"),
        1e300,
        1e-300,
        "1e-300",
    ],
)
def test_what_can_be_read_in_two_ways_or_is_no_figure_is_refused(text: object) -> None:
    with pytest.raises(InputRefused) as refused:
        read_amount(text, place="Sheet1!B3")
    assert "Sheet1!B3" in refused.value.message
    assert refused.value.remedy


def test_a_figure_with_its_own_unit_is_not_scaled_twice() -> None:
    assert read_amount("12.5", factor=10_000) == 125_000
    assert read_amount("3.2亿元", factor=10_000) == 320_000_000
    assert read_amount("5,200元", factor=10_000) == 5_200
    assert read_amount(0.1, factor=10**6) == 100_000


def test_binary_fractions_of_spreadsheets_are_rounded() -> None:
    assert read_amount(0.1 + 0.2) == Decimal("0.3")


@given(st.integers(min_value=-(10**15), max_value=10**15), st.integers(min_value=0, max_value=3))
def test_every_way_of_writing_means_the_same(value: int, decimals: int) -> None:
    exact = Decimal(value).scaleb(-decimals)
    shown = f"{abs(exact):,.{decimals}f}"
    wide = shown.translate(str.maketrans("0123456789", "０１２３４５６７８９"))
    sign = "-" if value < 0 else ""
    assert read_amount(f"{sign}{shown}") == exact
    assert read_amount(f"{sign}{wide}") == exact
    assert read_amount(shown.replace(",", " ") if value >= 0 else f"({shown})") == exact


@given(st.text(max_size=80))
def test_any_text_is_an_amount_nothing_or_our_refusal(text: str) -> None:
    try:
        amount = read_amount(text)
    except InputRefused:
        return
    assert amount is None or abs(amount) <= LARGEST


@pytest.mark.parametrize(
    ("text", "factor", "currency"),
    [
        ("单位：人民币万元", 10_000, "CNY"),
        ("单位：元 币种：人民币", 1, "CNY"),
        ("（单位：百万元）", 10**6, "CNY"),
        ("金额单位：亿元", 10**8, "CNY"),
        ("万美元", 10_000, "USD"),
        ("百万港元", 10**6, "HKD"),
        ("USD in millions, except per share data", 10**6, "USD"),
        ("(In thousands)", 1000, None),
        ("(Dollars in millions, except per share data)", 10**6, "USD"),
        ("RMB'000", 1000, "CNY"),
        ("$000", 1000, "USD"),
        ("HK$ million", 10**6, "HKD"),
        ("€m", 10**6, "EUR"),
        ("2023  2022", None, None),
        ("Consolidated Balance Sheets", None, None),
    ],
)
def test_the_unit_of_a_table_is_read(text: str, factor: int | None, currency: str | None) -> None:
    assert read_unit(text) == Unit(factor, currency)


@pytest.mark.parametrize(
    ("word", "factor"),
    [
        ("元", 1),
        ("千元", 1000),
        ("万元", 10**4),
        ("百万元", 10**6),
        ("亿元", 10**8),
        ("亿", 10**8),
        ("one", 1),
        ("thousands", 1000),
        ("Millions", 10**6),
        ("billion", 10**9),
        ("k", 1000),
    ],
)
def test_the_words_of_a_unit(word: str, factor: int) -> None:
    assert factor_of(word) == factor


def test_words_that_are_no_unit_or_currency_are_refused() -> None:
    with pytest.raises(InputRefused):
        factor_of("dozen")
    with pytest.raises(InputRefused):
        read_currency("¥")  # yuan or yen
    assert [read_currency(word) for word in ("cny", "人民币", "US$", "CHF")] == ["CNY", "CNY", "USD", "CHF"]
