"""Terms of both languages, BM25, and the permission mask inside the search."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.lexical import LexicalIndex, searched_terms, tokenize


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("The banks are lending", ["bank", "lend"]),
        ("Revenue rose to 1,234.5 million in 2023.", ["revenu", "rose", "1,234.5", "million", "2023"]),
        ("3M's Q3 of FY2022: 10K, 12.5%", ["3m", "q3", "fy2022", "2022", "10k", "12.5"]),
        ("Don't", []),
        ("ADOBE_2015_10K", ["adob", "2015", "10k"]),
        ("合同法", ["合同", "同法"]),
        ("法", ["法"]),
        ("第3条的利率", ["第", "3", "条的", "的利", "利率"]),
        ("A公司2023年报告", ["公司", "2023", "年报", "报告"]),
        ("２０２３年", ["2023", "年"]),
        ("café Straße", ["café", "straße"]),
        ("", []),
        ("— … !?", []),
    ],
)
def test_terms(text: str, terms: list[str]):
    assert tokenize(text) == terms


def test_words_of_one_stem_meet():
    assert tokenize("borrowing borrowed borrows") == ["borrow"] * 3


@given(st.text(max_size=200))
def test_any_text_has_terms_without_spaces(text: str):
    assert all(term and not any(map(str.isspace, term)) for term in tokenize(text))


def bm25(terms: list[str], texts: list[list[str]], at: int) -> float:
    """The formula, spelled out: idf * tf / (tf + k1 (1 - b + b length / mean length))."""
    mean = sum(map(len, texts)) / len(texts)
    score = 0.0
    for term in terms:
        holding = sum(term in text for text in texts)
        idf = math.log(1 + (len(texts) - holding + 0.5) / (holding + 0.5))
        tf = texts[at].count(term)
        score += idf * tf / (tf + 0.9 * (1 - 0.4 + 0.4 * len(texts[at]) / mean))
    return score


def test_scores_are_those_of_the_formula():
    texts = ["loan rate rate", "loan book", "deposit rate of the bank", "weather"]
    index = LexicalIndex()
    index.build([10, 20, 30, 40], texts)
    found = dict(index.search("loan rate", 10, None))
    terms = [tokenize(text) for text in texts]
    assert found == {
        10: pytest.approx(bm25(["loan", "rate"], terms, 0), rel=1e-5),
        20: pytest.approx(bm25(["loan", "rate"], terms, 1), rel=1e-5),
        30: pytest.approx(bm25(["loan", "rate"], terms, 2), rel=1e-5),
    }


def test_chinese_is_found_by_its_bigrams():
    index = LexicalIndex()
    index.build(
        [1, 2, 3], ["借款人应当按照约定的期限返还借款。", "出租人应当履行租赁物的维修义务。", "The borrower repays."]
    )
    assert [i for i, _ in index.search("借款什么时候返还？", 3, None)] == [1]
    assert [i for i, _ in index.search("维修义务由谁承担", 3, None)] == [2]
    assert [i for i, _ in index.search("borrowers", 3, None)] == [3]


def test_what_is_masked_takes_no_place():
    index = LexicalIndex()
    index.build(list(range(50)), ["rate rate rate"] * 49 + ["the interest rate is stated on another page"])
    assert 49 not in [i for i, _ in index.search("rate", 3, None)]
    only = np.zeros(50, dtype=np.bool_)
    only[49] = True
    assert [i for i, _ in index.search("rate", 3, only)] == [49]
    assert index.search("rate", 3, np.zeros(50, dtype=np.bool_)) == []


def test_the_mask_is_in_the_order_of_the_ids_after_changes():
    index = LexicalIndex()
    index.build([5, 3, 9], ["rate a", "rate b", "rate c"])
    index.remove([3, 77])
    index.add([4], ["rate d"])
    assert sorted(index.ids) == [4, 5, 9]
    for wanted in (4, 5, 9):
        assert [i for i, _ in index.search("rate", 5, index.ids == wanted)] == [wanted]


def test_changes_are_found_and_gone_things_are_not():
    index = LexicalIndex()
    assert index.search("rate", 5, None) == []
    index.add([1], ["rate"])
    assert [i for i, _ in index.search("rate", 5, None)] == [1]
    index.add([1], ["loan"])
    assert index.search("rate", 5, None) == []
    assert [i for i, _ in index.search("loan", 5, None)] == [1]
    index.remove([1])
    assert index.search("loan", 5, None) == []
    assert len(index) == 0


def test_a_copy_changes_without_its_original():
    index = LexicalIndex()
    index.build([1, 2], ["loan", "rate"])
    index.ready()
    twin = index.copy()
    twin.remove([1])
    twin.add([3], ["loan book with words that are new"])
    assert [i for i, _ in twin.search("loan", 5, None)] == [3]
    assert [i for i, _ in index.search("loan new", 5, None)] == [1]


@pytest.mark.parametrize("text", ["", "the of and", "!!!"])
def test_passages_and_queries_without_terms(text: str):
    index = LexicalIndex()
    index.build([1], [text])
    assert index.search("rate", 5, None) == []
    assert index.search(text, 5, None) == []
    index.add([2], ["rate"])
    assert [i for i, _ in index.search("rate", 5, None)] == [2]
    assert index.search(text, 5, None) == []


@pytest.mark.parametrize("k", [0, 1, 2, 3, 100])
def test_no_more_than_asked_for_best_first(k: int):
    index = LexicalIndex()
    index.build([1, 2, 3], ["rate rate rate", "rate rate other", "rate other words here"])
    found = index.search("rate", k, None)
    assert [i for i, _ in found] == [1, 2, 3][:k]
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("借款合同", ["借款", "款合", "合同", "借", "款", "合", "同"]),
        ("税", ["税"]),
        ("3M税 loans", ["3m", "税", "loan"]),
        ("loan rates", ["loan", "rate"]),
        ("还钱。不还", ["还钱", "不还", "还", "钱", "不", "还"]),
        ("", []),
    ],
)
def test_chinese_is_found_by_pairs_and_by_single_signs(text: str, terms: list[str]):
    assert searched_terms(text) == terms


def test_a_passage_that_shares_signs_alone_is_found_after_one_that_shares_pairs():
    index = LexicalIndex()
    index.build([1, 2, 3], ["债务人应当偿还本金", "朋友欠债还钱的约定", "天气晴朗"])
    assert [i for i, _ in index.search("欠债不还", 5, None)] == [2, 1]
