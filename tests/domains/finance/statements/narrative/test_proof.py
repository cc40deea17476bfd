"""Every figure of a sentence is proved: one digit, one word, one cell changed, and the sentence must go."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domains.finance.statements.assess import Assessment, assess
from domains.finance.statements.body import gather_request
from domains.finance.statements.compute import compute
from domains.finance.statements.factors import FACTORS
from domains.finance.statements.narrative.proof import prove, prove_free
from domains.finance.statements.narrative.recompute import recompute
from domains.finance.statements.narrative.spoken import Quantity, Spoken, rounded, say, show_figure
from domains.finance.statements.risk_points import find_risks
from domains.finance.statements.rules import RULES
from domains.finance.statements.schema import AssessRequest
from domains.finance.statements.types import Statements
from tests.domains.finance.statements.companies import build
from tests.domains.finance.statements.filings import BOEING, CORNING, GENERAL_MILLS

FILINGS = (CORNING, BOEING, GENERAL_MILLS)


def holds(sentence: Spoken, statements: Statements, text: str | None = None) -> bool:
    shown = sentence.text if text is None else text
    return prove(shown, sentence.said, statements, language=sentence.language) is None


def assessed(filing: dict[str, object]) -> Assessment:
    return assess(gather_request(AssessRequest.model_validate(filing)))


@pytest.fixture(scope="module")
def sentences() -> list[tuple[Spoken, Statements]]:
    return [
        (sentence, found.gathered.statements)
        for found in map(assessed, FILINGS)
        for part in (*found.risks, *found.findings)
        for sentence in part.sentences
    ]


def test_there_are_sentences_in_both_languages_and_all_hold(sentences: list[tuple[Spoken, Statements]]) -> None:
    assert len(sentences) > 40
    assert {sentence.language for sentence, _ in sentences} == {"en", "zh"}
    assert all(holds(*pair) for pair in sentences)


def test_any_digit_changed_strikes_the_sentence(sentences: list[tuple[Spoken, Statements]]) -> None:
    """Every digit of every sentence, to the next one: none may pass."""
    passed, tried = [], 0
    for sentence, statements in sentences:
        for place, mark in enumerate(sentence.text):
            if mark.isascii() and mark.isdigit():
                changed = f"{sentence.text[:place]}{(int(mark) + 1) % 10}{sentence.text[place + 1 :]}"
                tried += 1
                if holds(sentence, statements, changed):
                    passed.append(changed)
    assert tried > 800
    assert passed == []


def test_a_digit_added_or_taken_strikes_the_sentence(sentences: list[tuple[Spoken, Statements]]) -> None:
    passed = []
    for sentence, statements in sentences:
        for place, mark in enumerate(sentence.text):
            if mark.isascii() and mark.isdigit():
                for changed in (
                    f"{sentence.text[:place]}7{sentence.text[place:]}",
                    f"{sentence.text[:place]}{sentence.text[place + 1 :]}",
                ):
                    if holds(sentence, statements, changed):
                        passed.append(changed)
    assert passed == []


def test_any_cell_changed_strikes_the_sentences_that_rest_on_it() -> None:
    for filing in FILINGS:
        found = assessed(filing)
        statements = found.gathered.statements
        for point in found.risks:
            if len(point.workings) == 1 and point.workings[0].upper is None:
                continue  # a score of a dozen items: one may round away
            for cell in point.cells:
                changed = tuple(
                    replace(one, value=one.value * 3 + 1) if one is cell else one for one in statements.cells
                )
                other = Statements(statements.company, statements.currency, statements.periods, changed)
                left = [sentence for sentence in point.sentences if holds(sentence, other)]
                assert len(left) < len(point.sentences), (point.rule.id, cell.concept)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("下降", "上升"),
        ("down", "up"),
        ("百分点", "%"),
        ("USD", "EUR"),
        ("million", "billion"),
        ("亿", "万"),
        ("2022", "2021"),
        ("%", ""),
    ],
)
def test_a_word_that_says_what_a_figure_is_cannot_be_changed(
    sentences: list[tuple[Spoken, Statements]], old: str, new: str
) -> None:
    touched = [(sentence, statements) for sentence, statements in sentences if old in sentence.text]
    assert touched
    assert not any(holds(sentence, statements, sentence.text.replace(old, new, 1)) for sentence, statements in touched)


@pytest.mark.parametrize("extra", ["另有3家", "½", "٣", "①", "Ⅳ", "and 7 more", "１２", "²"])
def test_a_figure_that_was_not_computed_strikes_the_sentence(
    sentences: list[tuple[Spoken, Statements]], extra: str
) -> None:
    sentence, statements = sentences[0]
    assert not holds(sentence, statements, f"{sentence.text} {extra}")


def test_figures_may_not_change_places(sentences: list[tuple[Spoken, Statements]]) -> None:
    tried = 0
    for sentence, statements in sentences:
        first, *others = re.findall(r"\d\.\d\d(?!\d)", sentence.text) or [""]
        second = next((other for other in others if other != first), None)
        if second is not None:
            tried += 1
            swapped = sentence.text.replace(first, "#").replace(second, first).replace("#", second)
            assert not holds(sentence, statements, swapped)
    assert tried > 5


COMPANY = build(
    [
        {
            "revenue": 1000,
            "trade_receivables": 100,
            "current_assets": 300,
            "current_liabilities": 200,
            "net_income": 50,
        },
        {
            "revenue": 900,
            "trade_receivables": 150,
            "current_assets": 250,
            "current_liabilities": 200,
            "net_income": -20,
        },
    ],
    currency="CNY",
)
NEWEST, BEFORE = COMPANY.periods[-1], COMPANY.periods[-2]
ALLOWED = (
    Quantity("current_assets / current_liabilities", NEWEST, "ratio"),
    Quantity("current_assets / current_liabilities", BEFORE, "ratio"),
    Quantity("growth(revenue)", NEWEST, "change"),
    Quantity("revenue", NEWEST, "money"),
    Quantity("net_income / revenue", NEWEST, "percent"),
)


@pytest.mark.parametrize(
    "text",
    [
        "The current ratio of 2024 was 1.25, after 1.50 in 2023.",
        "2024年流动比率为1.25。",
        "Revenue fell by 10.0% to CNY 900.00.",
        "营业收入下降10%。",
        "The net margin was -2.2%.",
        "Nothing is said in figures.",
        "流动比率为1.3。",
        "Revenue was CNY 0.90 thousand.",
        "营业收入为0.090万元。",
        "In the quarter to that day nothing changed.",
    ],
)
def test_a_models_sentence_passes_when_each_figure_was_computed(text: str) -> None:
    assert prove_free(text, ALLOWED, COMPANY, language="zh" if "。" in text else "en") is None


@pytest.mark.parametrize(
    "text",
    [
        "The current ratio of 2024 was 1.52.",
        "The current ratio of 2022 was 1.25.",
        "Revenue rose by 10.0%.",
        "Revenue increased to CNY 900.00.",
        "营业收入上升10.0%。",
        "Revenue halved.",
        "Revenue fell by a third.",
        "净利润翻番。",
        "营业收入减少三成。",
        "The net margin was 2.2%.",
        "Revenue was USD 900.00.",
        "It has about 1 problem.",
        "负债增加了两倍。",
        "毛利率为百分之二十。",
        "It is a quarter of that.",
    ],
)
def test_a_models_sentence_with_a_figure_of_its_own_is_struck(text: str) -> None:
    assert prove_free(text, ALLOWED, COMPANY, language="zh" if "。" in text else "en") is not None


@settings(max_examples=200, deadline=None)
@given(
    value=st.decimals(min_value=Decimal("-1e15"), max_value=Decimal("1e15"), allow_nan=False, places=4),
    kind=st.sampled_from(["ratio", "percent", "points", "days", "change"]),
    language=st.sampled_from(["en", "zh"]),
)
def test_what_is_shown_is_read_back(value: Decimal, kind, language) -> None:
    """A constant is its own formula, so any value goes the whole way."""
    formula = str(value) if value >= 0 else f"-{-value}"
    quantity = Quantity(formula, NEWEST, kind)
    spoken = say("X {x}.", language, {"x": quantity}, lambda _: value, currency="CNY")
    assert prove(spoken.text, spoken.said, COMPANY, language=language) is None


@settings(max_examples=100, deadline=None)
@given(value=st.integers(min_value=-(10**18), max_value=10**18), language=st.sampled_from(["en", "zh"]))
def test_money_is_read_back_and_rounded_to_what_is_shown(value: int, language) -> None:
    company = build([{"revenue": abs(value) + 1, "net_income": value}], currency="USD")
    quantity = Quantity("net_income", company.periods[0], "money")
    spoken = say("X {x}.", language, {"x": quantity}, lambda _: Decimal(value), currency="USD")
    assert prove(spoken.text, spoken.said, company, language=language) is None


def test_two_readings_of_the_whole_library_agree() -> None:
    """The engine and the recomputation, for every factor that both can compute of the filings."""
    compared = 0
    for filing in FILINGS:
        statements = gather_request(AssessRequest.model_validate(filing)).statements
        for name, computeds in compute(statements).items():
            for computed in computeds:
                again = recompute(FACTORS[name].formula, statements, computed.period)
                if computed.value is not None and again is not None:
                    compared += 1
                    assert rounded(computed.value, 12) == rounded(again, 12), name
    assert compared > 700


def test_a_quantity_that_cannot_be_computed_is_not_said() -> None:
    assert recompute("revenue / (revenue - revenue)", COMPANY, NEWEST) is None
    assert recompute("cash", COMPANY, NEWEST) is None
    text = show_figure(Decimal("1.5"), "ratio", "en", currency="CNY")
    missing = Quantity("cash / revenue", NEWEST, "ratio")
    assert prove(f"X {text}.", (missing,), COMPANY, language="en") is not None


def test_risks_of_a_company_without_history_compare_nothing() -> None:
    single = build([{"revenue": 1000, "current_assets": 100, "current_liabilities": 200}])
    points, struck = find_risks(single, RULES, single.periods[0])
    assert [point.rule.id for point in points] == ["current_ratio_low"]
    assert struck == []
