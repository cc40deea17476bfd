"""Arithmetic that a claim states by itself is redone from its own figures, and believed only when it comes out."""

from __future__ import annotations

import pytest

from app.answering.checking.values import extract, missing
from app.answering.reckoning.recomputed import recomputed
from retrieval.types import Evidence, Locator

SOURCE = "Larkfield Paper reported revenue of $5.2 million in 2022 and $5.0 million in 2021. It has 240 staff."
QUELLE = "青禾纸业2022年营业收入52亿元，2021年为50亿元。"


def redone(text: str, source: str = SOURCE, language="en"):
    item = Evidence.of("1", source, Locator(document_id="d", document="report", page=1))
    absent = missing(extract(text), source)
    return recomputed(text, absent[0], [item], language=language) if len(absent) == 1 else None


@pytest.mark.parametrize(
    "text",
    [
        "Revenue rose from $5.0 million to $5.2 million, an increase of 4%.",
        "Revenue rose from $5.0 million to $5.2 million, an increase of $0.2 million.",
        "Revenue was $5.2 million in 2022 and $5.0 million in 2021, an increase of 4%.",
        "Revenue was $5.0 million in 2021 and $5.2 million in 2022, an increase of 4%.",
        "The average of $5.0 million and $5.2 million is $5.1 million.",
        "The sum of $5.0 million and $5.2 million is $10.2 million.",
        "The difference between $5.2 million and $5.0 million is $0.2 million.",
    ],
)
def test_what_comes_out_is_a_computation_over_the_passages_figures(text):
    found = redone(text)
    assert found is not None
    assert found.cites == ("1",)


@pytest.mark.parametrize(
    "text",
    [
        "Revenue rose from $5.0 million to $5.2 million, an increase of 5%.",
        "Revenue rose from $5.0 million to $5.2 million, an increase of 4.1%.",
        "Revenue fell from $5.0 million to $5.2 million, a decrease of 4%.",
        "Revenue was $5.2 million in 2022 and $5.0 million in 2021, a decrease of 4%.",
        "Revenue was $5.0 million and $5.2 million, an increase of 4%.",
        "Revenue rose to $5.2 million, an increase of 4%.",
        "The average of $5.0 million and $5.2 million is $5.3 million.",
        "Revenue of $5.2 million and $5.0 million, and 0.2.",
        "Revenue rose from $4.0 million to $5.2 million, an increase of 30%.",
        "Profit was 4%.",
    ],
)
def test_what_does_not_come_out_or_leaves_something_open_is_not_believed(text):
    assert redone(text) is None


def test_chinese_claims_are_redone_too():
    assert redone("营业收入从2021年的50亿元到2022年的52亿元，同比增长4%。", QUELLE, "zh") is not None
    assert redone("营业收入从2021年的50亿元到2022年的52亿元，同比下降4%。", QUELLE, "zh") is None
