"""Other words for what is asked: phrases found as wholes, words given once, and the vocabulary of statements."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.filing.accounting import ACCOUNTING
from retrieval.filing.vocabulary import Concept, Vocabulary

FIELD = Vocabulary(
    [
        Concept(("quick ratio", "速动比率"), {"en": "current assets inventories", "zh": "流动资产 存货"}),
        Concept(("long-term debt",), {"en": "notes payable", "zh": "应付债券"}),
        Concept(("debt",), {"en": "borrowings notes"}),
        Concept(("p&l",), {"en": "income statement"}),
    ]
)


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("What is the quick ratio?", "current assets inventories"),
        ("QUICK RATIOS of both", "current assets inventories"),
        ("the quick-ratio", "current assets inventories"),
        ("long term debts", "notes payable"),
        ("long-term debt and other debt", "notes payable borrowings"),
        ("its p&l", "income statement"),
        ("a quick rationale", ""),
        ("debtor", ""),
        ("nothing of the kind", ""),
        ("", ""),
    ],
)
def test_expansions(question, words):
    assert FIELD.expansion(question) == words


def test_a_longer_phrase_hides_the_shorter_one_in_it():
    assert "borrowings" not in FIELD.expansion("long-term debt")


def test_the_order_is_that_of_the_concepts():
    assert FIELD.expansion("debt, and the quick ratio") == "current assets inventories borrowings notes"


def test_a_chinese_question_gets_both_languages():
    assert FIELD.expansion("公司的速动比率是多少？") == "流动资产 存货 current assets inventories"


def test_an_empty_vocabulary_knows_nothing():
    assert Vocabulary([]).expansion("anything") == ""


@given(st.text())
def test_nothing_raises_and_no_word_comes_twice(question):
    words = ACCOUNTING.expansion(question).split()
    assert len(words) == len(set(words))


@pytest.mark.parametrize(
    ("question", "needed"),
    [
        ("Has the quick ratio improved?", "current assets liabilities inventories balance sheets"),
        ("days payable outstanding (DPO)", "accounts payable cost inventories balance sheets income"),
        ("What is the FY2018 fixed asset turnover ratio?", "property, plant equipment, revenues"),
        ("Did it grow its PPNE?", "property, plant equipment, balance sheets"),
        ("capital expenditures", "purchases property, cash flows"),
        ("Is it a capital-intensive business?", "property, plant total assets"),
        ("effective tax rate", "provision income taxes before"),
        ("free cash flow", "operating activities capital"),
        ("EBITDA margin", "operating depreciation amortization"),
        ("return on assets (ROA)", "net income total assets"),
        ("statement of financial position", "consolidated balance sheets"),
        ("P&L statement", "consolidated statements income operations"),
        ("ongoing legal battles", "legal proceedings litigation"),
        ("公司的速动比率", "流动资产合计 流动负债合计 存货 合并资产负债表"),
        ("每股收益是多少", "基本每股收益 合并利润表"),
        ("资本支出占收入的比重", "购建固定资产、无形资产和其他长期资产支付的现金 合并现金流量表"),
    ],
)
def test_statements_are_known_by_what_is_asked_of_them(question, needed):
    assert set(needed.split()) <= set(ACCOUNTING.expansion(question).split())


@pytest.mark.parametrize("question", ["Who signed the contract?", "What does aspirin do?", "借款人不返还借款怎么办？"])
def test_what_is_not_about_statements_gets_nothing(question):
    assert ACCOUNTING.expansion(question) == ""


def test_no_expansion_names_a_company_or_a_year():
    table = " ".join(ACCOUNTING.expansion(phrase) for phrase in ("quick ratio", "capex", "dpo", "ebitda", "customers"))
    assert not any(character.isdigit() for character in table)
