"""From a question to the documents that it means, inside a scope."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.filing.directory import Directory
from retrieval.filing.vocabulary import Concept, Vocabulary
from retrieval.types import EVERYTHING, DocumentFacts, Scope

ALL = Scope(subject="all", labels=frozenset({EVERYTHING}), collections=frozenset({EVERYTHING}))


@dataclass(frozen=True)
class Doc:
    facts: DocumentFacts
    label: str = "internal"
    collection: str = "default"


def doc(company=None, period=None, kind="10-K", *, date=None, names=(), **place):
    facts = DocumentFacts(company=company, period=period, kind=kind, date=date, names=names)
    return Doc(facts, **place)


STORE = {
    "h20": doc("HARBOUR TRADING COMPANY, INC.", "FY2020", names=("HTC",)),
    "h21": doc("HARBOUR TRADING COMPANY, INC.", "FY2021", names=("HTC",)),
    "h22": doc("Harbour Inc.", "FY2022", names=("Harbour Trading", "HTC")),
    "hq2": doc("Harbour Trading Company", "2022-Q2", "10-Q"),
    "hq3": doc("Harbour Trading Company", "2022-Q3", "10-Q"),
    "h8k": doc("Harbour Trading Company", None, "8-K", date="2022-07-01"),
    "b22": doc("SQUARE, INC.", "FY2022", names=("BLOCK", "SQ")),
    "a22": doc("American Express Company", "FY2022", names=("Amex",)),
    "w22": doc("AMERICAN WATER WORKS COMPANY, INC.", "FY2022"),
    "q22": doc("青禾纸业股份有限公司", "FY2022", "annual_report", names=("青禾",)),
    "q23": doc("青禾纸业股份有限公司", "2023-Q3", "quarterly_report"),
    "m": doc(None, None, "guideline"),
}


def tiers(question, store=STORE, scope=ALL):
    found = Directory(store).narrow(question, scope)
    return None if found is None else [set(tier) for tier in found.tiers]


def first(question, store=STORE, scope=ALL):
    found = tiers(question, store, scope)
    return None if found is None else found[0]


@pytest.mark.parametrize(
    ("question", "documents"),
    [
        ("What was Harbour Trading's revenue in FY2021?", {"h21"}),
        ("what was harbour trading's revenue in fy2021", {"h21"}),
        ("HARBOURTRADING revenue, fiscal 2021", {"h21"}),
        ("Revenue of Harbour Trading Company, Inc. in 2022", {"h22"}),
        ("Compare FY2020 and FY2021 of Harbour", {"h21"}),
        ("HTC revenue FY2020", {"h20"}),
        ("Harbour in the second quarter of 2022", {"hq2"}),
        ("Harbour in H1 2022", {"hq2"}),
        ("What did Harbour say on July 1, 2022?", {"h8k"}),
        ("the key agenda of Harbour's 8k filing", {"h8k"}),
        ("What is Block's (formerly known as Square) FY2022 revenue?", {"b22"}),
        ("Did AMEX retain card members in 2022?", {"a22"}),
        ("Does American Water Works pay dividends?", {"w22"}),
        ("青禾纸业2022年的营业收入是多少？", {"q22"}),
        ("青禾2022年营收", {"q22"}),
        ("青禾纸业股份有限公司2023年第三季度净利润", {"q23"}),
    ],
)
def test_the_document_that_is_meant_comes_first(question, documents):
    assert first(question) == documents


@pytest.mark.parametrize(
    "question",
    [
        "How do I block a card?",
        "Block lists and their use",
        "It grew in FY2022. Block lists are one reason.",
        "the square of the sum in FY2022",
        "American companies in 2022",
        "htc is written small",
        "sq metres in FY2022",
        "What is revenue?",
        "纸业公司的营业收入",
        "",
    ],
)
def test_a_word_of_everyday_is_no_company(question):
    assert tiers(question) is None


def test_a_beginning_that_two_companies_share_is_no_company():
    store = {"r": doc("Fjord Resorts International"), "c": doc("Fjord China Holdings")}
    assert tiers("Fjord in 2022", store) is None
    assert first("Fjord Resorts in 2022", store) == {"r"}


def test_a_beginning_of_one_company_is_its_name():
    store = STORE | {"r": doc("Fjord Resorts International", "FY2022")}
    assert first("Fjord in 2022", store) == {"r"}


def test_a_company_that_took_a_shorter_name_keeps_its_documents():
    store = {"old": doc("Fjord Systems Incorporated", "FY2015"), "new": doc("FJORD INC.", "FY2022")}
    assert first("Fjord in FY2015", store) == {"old"}
    assert first("Fjord in FY2022", store) == {"new"}
    other = store | {"r": doc("Fjord Resorts International", "FY2015")}
    assert first("Fjord in FY2015", other) == {"new"}  # whether Systems or Resorts is meant, nobody said


def test_later_reports_come_next_and_earlier_ones_last():
    assert tiers("Harbour Trading FY2021")[:2] == [{"h21"}, {"h22"}]
    assert tiers("Harbour Trading FY2021")[-1] == {"h20"}


def test_every_document_of_the_company_stands_in_one_tier():
    found = tiers("Harbour Trading FY2021")
    assert sum(map(len, found)) == len(set.union(*found)) == 6


def test_without_a_period_the_newest_comes_first():
    store = {"old": doc("Fjord AS", "FY2018"), "new": doc("Fjord AS", "FY2022"), "none": doc("Fjord AS", None)}
    assert first("Is Fjord's business cyclical?", store) == {"new"}


def test_without_a_quarter_the_year_comes_before_its_quarters():
    assert tiers("Harbour revenue in 2022")[0] == {"h22"}
    assert {"hq2", "hq3"} <= tiers("Harbour revenue in 2022")[1]


def test_a_quarter_that_has_no_report_is_told_by_its_year():
    assert tiers("Harbour in Q1 2022")[0] == {"h22"}


def test_a_kind_that_is_asked_for_comes_first():
    store = {"a": doc("Fjord AS", "FY2022", "annual_report"), "e": doc("Fjord AS", "FY2022", "earnings_release")}
    assert tiers("Fjord in 2022", store) == [{"a", "e"}]
    assert tiers("Fjord's 10-K for 2022", store) == [{"a"}, {"e"}]


def test_two_companies_stand_beside_each_other():
    found = tiers("Compare Harbour Trading and Amex in FY2022")
    assert found[0] == {"h22", "a22"}


def test_hidden_documents_take_no_part():
    store = {
        "mine": doc("Fjord Resorts International", "FY2022", label="public"),
        "hidden": doc("Fjord China Holdings", "FY2022", label="secret"),
        "other": doc("Harbour Inc.", "FY2022", label="public"),
    }
    public = Scope(subject="guest", labels=frozenset({"public"}), collections=frozenset({EVERYTHING}))
    assert first("Fjord in 2022", store, public) == {"mine"}  # the hidden namesake does not make it ambiguous
    assert tiers("Fjord China in 2022", store, public) is None or first("Fjord China in 2022", store, public) == {
        "mine"
    }
    assert tiers("Fjord in 2022", store, Scope.nobody()) is None
    elsewhere = Scope(subject="guest", labels=frozenset({EVERYTHING}), collections=frozenset({"else"}))
    assert tiers("Fjord Resorts in 2022", store, elsewhere) is None


def test_the_only_company_need_not_be_named():
    store = {"20": doc("Fjord AS", "FY2020"), "21": doc("Fjord AS", "FY2021"), "n": doc(None, kind=None)}
    assert first("What was the revenue in FY2020?", store) == {"20"}
    assert tiers("What was the revenue in FY2020?", store | {"h": STORE["h22"]}) is None
    books = {str(number): doc(None, kind=None) for number in range(9)}
    assert tiers("What was the revenue in FY2020?", store | books) is None


def test_the_only_company_is_that_of_the_scope():
    store = {"f": doc("Fjord AS", "FY2020", collection="f"), "h": doc("Harbour Inc.", "FY2020", collection="h")}
    assert tiers("revenue in FY2020", store) is None
    assert first("revenue in FY2020", store, ALL.within("h")) == {"h"}


def test_the_words_that_chose_are_told():
    found = Directory(STORE).narrow("What was Harbour Trading's revenue in FY2021?", ALL)
    assert found.words == ("Harbour Trading", "FY2021")
    assert set(found.documents) == {"h20", "h21", "h22", "hq2", "hq3", "h8k"}


def test_words_of_documents_come_with_their_kind():
    field = Vocabulary([Concept(("quick ratio",), {"en": "current assets"})])
    store = {"k": doc("Fjord AS", "FY2022", "10-K"), "c": doc("Harbour Inc.", "FY2022", "contract")}
    directory = Directory(store, vocabularies={"10-K": field})
    assert directory.narrow("Quick ratio of Fjord in 2022", ALL).expansion == "current assets"
    assert directory.narrow("Quick ratio of Harbour in 2022", ALL).expansion == ""
    assert directory.narrow("Auditor of Fjord in 2022", ALL).expansion == ""
    assert "inventories" in Directory(store).narrow("Quick ratio of Fjord in 2022", ALL).expansion


def test_a_store_without_companies_narrows_nothing():
    assert tiers("Harbour in 2022", {"m": STORE["m"]}) is None
    assert tiers("Harbour in 2022", {}) is None


WORDS = st.sampled_from(
    ["Harbour", "Trading", "block", "Block's", "FY2022", "Q2", "青禾纸业", "2022年", "10-K", ".", "of", "’"]
)


@settings(max_examples=80, deadline=None)
@given(st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=10).map(" ".join)))
def test_any_question_gives_an_order_without_repeats(question):
    found = Directory(STORE).narrow(question, ALL)
    if found is not None:
        assert all(found.tiers)
        assert len(found.documents) == len(set(found.documents))
        assert set(found.documents) <= set(STORE)
