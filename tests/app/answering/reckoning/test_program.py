"""The model's figures and formula: each figure is found in the evidence, or nothing is computed."""

from __future__ import annotations

import contextlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.answering.reckoning.expression import BadFormula
from app.answering.reckoning.program import grounded
from app.answering.reckoning.statement import carry_out, scaled_text
from app.answering.reckoning.wanted import Operation
from retrieval.types import Evidence, Locator

TABLE = """| (in thousands) | 2022 | 2021 |
|---|---|---|
| Paper | $5,200 | $5,000 |
| Board | 1,840 | (2,100) |"""
TEXT = "Larkfield Paper employed 240 people. Freight cost $3.4 million in 2022, or 5% of revenue."
FUND = "青禾基金A最新净值为1.2500元，昨日收益率为-1.18%，管理费率为0.15%。营业收入12.5亿元，营业成本3,000万元。"


def evidence(*texts: str) -> list[Evidence]:
    return [
        Evidence.of(str(number), text, Locator(document_id="d", document="report.pdf", page=1))
        for number, text in enumerate(texts, 1)
    ]


def done(reply: str, *texts: str, asked: str = "How much?", language="en", operation=Operation.OTHER, **options):
    program = grounded(reply, evidence(*texts), asked)
    return carry_out(
        program.node, program.operands, operation=operation, language=language, hint=program.hint, **options
    )


def test_figures_of_a_table_give_a_result_in_the_tables_scale():
    found = done("a = 5,200  # Paper, 2022 [1]\nb = 5,000  # Paper, 2021 [1]\nanswer = a - b  # thousand", TABLE)
    assert found.short == "$200 thousand"
    assert found.cites == ("1",)
    assert found.cells == ("Paper, 2022", "Paper, 2021")
    assert "$5,200 - $5,000" in found.sentence
    assert found.sentence in found.text


def test_the_name_and_the_sign_are_those_of_the_place_and_not_those_of_the_model():
    program = grounded("a = 2,100  # Paper, 2021 [1]\nanswer = a * 2", evidence(TABLE), "?")
    assert (program.operands["a"].label, program.operands["a"].value) == ("Board, 2021", Decimal(-2100))


def test_figures_of_different_scales_are_brought_together():
    found = done(
        "a = $3.4 million  # freight [2]\nb = 5,200  # Paper [1]\nanswer = a / b * 100  # percent", TABLE, TEXT
    )
    assert found.short == "65.38%"
    assert found.cites == ("2", "1")


@pytest.mark.parametrize(
    ("reply", "short"),
    [
        ("a = 50份  # 份额 [问题]\nb = 1.2500元  # 净值 [1]\nanswer = a * b  # 元", "62.5元"),
        ("a = 20万元  # 本金 [问题]\nb = 0.15%  # 费率 [1]\nanswer = a * b  # 元", "300元"),
        ("a = 20万元  # 本金 [问题]\nb = -1.18%  # 收益率 [1]\nanswer = a * b  # 元", "-2,360元"),
        ("a = 12.5亿元  # 收入 [1]\nb = 3000万元  # 成本 [1]\nanswer = a - b", "12.2亿元"),
        ("a = 3000万元  # 成本 [1]\nb = 12.5亿元  # 收入 [1]\nanswer = a / b * 100  # %", "2.4%"),
        ("a = 20万元  # 本金 [问题]\nb = 1.2500元  # 净值 [1]\nanswer = a / b  # 份", "160,000"),
    ],
)
def test_chinese_units_and_figures_of_the_question(reply, short):
    found = done(reply, FUND, asked="用20万元买青禾基金A，持有50份，多少？", language="zh")
    assert found.short == short


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("", "answer ="),
        ("The answer is 200.", "answer ="),
        ("a = 5,200  # Paper [1]", "answer ="),
        ("a = 9,999  # Paper [1]\nb = 5,000 # [1]\nanswer = a - b", "stands in no passage"),
        ("a = 5,200 # [1]\nanswer = a * 777", "stands in no passage"),
        ("a = 5,200 # [1]\nanswer = a - b", "b is not given"),
        ("answer = 2 * 3", "uses no figure"),
        ("a = 5,200 # [1]\nanswer = __import__('os')", "not expected"),
        ("a = 5,200 # [1]\nanswer = a.__class__", "not expected"),
        ("a = 5,200 # [1]\nanswer = f(a)", "no function"),
        ("a = 5,200 # [1]\nanswer = a ** 100000", "exponent|stands in no passage"),
        ("a = " + "9" * 10_000 + " # [1]\nanswer = a", "answer ="),
        ("a = 5,200 # [1]\nanswer = " + "9" * 200 + " * a", "is no figure"),
        ("a = 5,200 # [1]\nb = $3.4 million # [2]\nc = 240 # people [2]\nanswer = (a - b) / (c - c)", "zero"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(reply, reason):
    with pytest.raises(BadFormula, match=reason):
        done(reply, TABLE, TEXT)


def test_units_that_differ_are_refused():
    with pytest.raises(BadFormula, match="cannot be added"):
        done("a = $5 # [1]\nb = €3 # [1]\nanswer = a + b", "It cost $5 here and €3 there.")
    with pytest.raises(BadFormula, match="cannot be added"):
        done("a = 5 mg # [1]\nb = 3 days # [1]\nanswer = a + b", "Take 5 mg for 3 days.")


def test_a_per_cent_is_no_fraction():
    assert done("a = 5% # [1]\nanswer = a * 2", TEXT).short == "10%"
    assert done("a = 240 # [1]\nb = 5% # [1]\nanswer = a * b", TEXT).short == "12"
    assert done("a = 240 # [1]\nb = 5% # [1]\nanswer = a * b / 100", TEXT).short == "12"


def test_a_ratio_is_said_in_per_cent_only_where_that_is_asked():
    reply = "a = 5,000 # Paper, 2021 [1]\nb = 5,200 # Paper, 2022 [1]\nanswer = a / b"
    assert done(reply, TABLE).short == "0.96"
    assert done(reply, TABLE, operation=Operation.SHARE).short == "96.15%"
    assert done(reply, TABLE, percent=True).short == "96.15%"


def test_lines_between_the_figures_and_the_formula_are_written_out():
    reply = "a = 5,200 # [1]\nb = 5,000 # [1]\nd = a - b\nanswer = d / b * 100"
    assert done(reply, TABLE).short == "4%"


def test_a_label_cannot_smuggle_a_mark_or_a_second_sentence():
    found = done("a = 5 # [1]\nanswer = a * 2", "Ignore [2] this. Fee [1] was 5.")
    assert "[" not in found.sentence
    assert found.sentence.count(". ") == 0


def test_a_figure_is_shown_with_the_scale_of_its_table():
    assert scaled_text("5,200", Decimal(1000), "en") == "5,200 thousand"
    assert scaled_text("5,200", Decimal(10_000), "zh") == "5,200万"
    assert scaled_text("5,200", Decimal(1), "en") == "5,200"


@given(st.text(max_size=200))
def test_no_reply_breaks_it(reply):
    with contextlib.suppress(BadFormula):
        assert done(reply, TABLE, FUND).short


@given(st.lists(st.sampled_from(["a = 5,200 # [1]", "b = 240", "answer = a", "answer = a / b", "a = b", "=", "a ="])))
def test_no_row_of_lines_breaks_it(lines):
    with contextlib.suppress(BadFormula):
        assert done("\n".join(lines), TABLE, TEXT).short
