"""Questions that are read without a model: what they want, and when nothing is left open."""

from __future__ import annotations

import pytest

from app.answering.reckoning.reading import read
from app.answering.reckoning.tables import tables_of
from app.answering.reckoning.wanted import Operation, asks_for_a_rate, gives_an_amount, wanted
from retrieval.types import Evidence, Locator

TABLE = """| (in thousands) | 2022 | 2021 | 2020 |
|---|---|---|---|
| Paper sales | $5,200 | $5,000 | $4,100 |
| Board sales | 1,840 | 2,100 | 2,000 |
| General and administrative expenses | 400 | 380 | 390 |
| Total revenue | 7,040 | 7,100 | 6,100 |"""
TABELLE = """| 项目（万元） | 2022年 | 2021年 |
|---|---|---|
| 营业收入 | 5,200 | 5,000 |
| 营业成本 | 3,100 | 3,300 |"""


def plan(question: str, text: str = TABLE):
    item = Evidence.of("1", text, Locator(document_id="d", document="report", page=1))
    return read(wanted(question), tables_of(item))


@pytest.mark.parametrize(
    ("question", "operation", "years"),
    [
        ("What was the percentage change in board sales from 2021 to 2022?", Operation.PERCENT_CHANGE, (2021, 2022)),
        (
            "What is the percentage increase / (decrease) in fees from 2018 to 2019?",
            Operation.PERCENT_CHANGE,
            (2018, 2019),
        ),
        ("By how much did sales increase in 2022 from 2021?", Operation.CHANGE, (2022, 2021)),
        ("What was the average of sales in 2021 and 2022?", Operation.AVERAGE, (2021, 2022)),
        ("What percentage of total revenue was paper in 2022?", Operation.SHARE, (2022,)),
        ("What is the ratio of paper to board in 2022?", Operation.RATIO, (2022,)),
        ("What was the difference between paper and board in 2022?", Operation.DIFFERENCE, (2022,)),
        ("What are paper sales in 2022?", Operation.LOOKUP, (2022,)),
        ("In which year were board sales the highest?", Operation.MOST, ()),
        ("Which year has the lowest board sales?", Operation.LEAST, ()),
        ("Why did sales increase in 2022?", Operation.OTHER, ()),
        ("What was the reason for the change in sales?", Operation.OTHER, ()),
        ("How many years did sales exceed 5,000?", Operation.OTHER, ()),
        ("What was the weighted average price in 2022?", Operation.LOOKUP, (2022,)),
        ("2022年营业收入同比增长率是多少？", Operation.PERCENT_CHANGE, (2022,)),
        ("2021年和2022年营业收入的平均值是多少？", Operation.AVERAGE, (2021, 2022)),
        ("2022年与2021年营业收入的差额是多少？", Operation.DIFFERENCE, (2022, 2021)),
        ("营业收入为什么下降？", Operation.OTHER, ()),
    ],
)
def test_the_words_of_a_question_say_what_it_wants(question, operation, years):
    found = wanted(question)
    assert (found.operation, found.years) == (operation, years)


@pytest.mark.parametrize(
    ("question", "formula", "cells"),
    [
        ("What was the percentage change in board sales from 2021 to 2022?", "(a - b) / b * 100", ["1,840", "2,100"]),
        ("What was the change in board sales from 2022 to 2021?", "a - b", ["1,840", "2,100"]),
        ("What was the average board sales in 2020 and 2021?", "avg(a, b)", ["2,100", "2,000"]),
        ("What was the average board sales from 2020 to 2022?", "avg(a, b, c)", ["1,840", "2,100", "2,000"]),
        ("What is the average general and administrative expenses?", "avg(a, b, c)", ["400", "380", "390"]),
        ("What were total paper sales in 2021 and 2022?", "sum(a, b)", ["$5,200", "$5,000"]),
        ("What was the difference between paper sales and board sales in 2021?", "a - b", ["$5,000", "2,100"]),
        ("What were paper sales as a percentage of total revenue in 2022?", "a / b * 100", ["$5,200", "7,040"]),
        ("What were paper sales in 2021?", "a", ["$5,000"]),
        ("What were paper sales in 2021 and 2020 respectively?", "", ["$5,000", "$4,100"]),
        ("In which year were board sales the highest?", "", ["2,100", "2,000", "1,840"]),
    ],
)
def test_a_clear_question_is_read_from_its_table(question, formula, cells):
    found = plan(question)
    assert found is not None
    assert (found.formula, [cell.text for cell in found.cells]) == (formula, cells)


@pytest.mark.parametrize(
    "question",
    [
        "What was the change in dividends from 2021 to 2022?",
        "What was the change in board sales from 2018 to 2022?",
        "What was the change in sales from 2021 to 2022?",
        "What was the change in board sales?",
        "Why did board sales change from 2021 to 2022?",
        "What is the difference between the average paper sales and the average board sales?",
        "",
    ],
)
def test_what_is_open_is_left_open(question):
    assert plan(question) is None


def test_chinese_tables_are_read_the_same_way():
    found = plan("2022年营业收入比2021年增加了多少？", TABELLE)
    assert found is not None
    assert [cell.text for cell in found.cells] == ["5,200", "5,000"]
    assert plan("2022年营业利润比2021年增加了多少？", TABELLE) is None


@pytest.mark.parametrize(
    ("question", "amount"),
    [
        ("持有50份某基金价值多少", True),
        ("存二十万元一年的利息是多少", True),
        ("某基金近一周涨跌幅是多少", False),
        ("某指数300最近的最高价是多少", False),
        ("某公司为什么亏损50万元", False),
    ],
)
def test_a_question_with_an_amount_and_a_how_much_is_to_be_computed(question, amount):
    assert gives_an_amount(question) is amount


def test_a_rate_is_told_from_an_amount():
    assert asks_for_a_rate("年化收益率是多少")
    assert not asks_for_a_rate("一年的收益是多少")
