"""Questions about a document as a whole are told from others, and the document is the one that was found most."""

from __future__ import annotations

import pytest

from app.answering.whole import asks_whole, document_of, summarises
from tests.app.answering.conftest import passage


@pytest.mark.parametrize(
    "text",
    [
        "Summarise the agreement.",
        "Can you summarize this for me?",
        "What are the key points of the policy?",
        "Give me an overview of the report",
        "What is this contract about?",
        "总结这份合同。",
        "请概括一下文件的主要内容",
        "这份报告讲了什么？",
    ],
)
def test_the_gist_of_a_text_is_asked_for(text):
    assert summarises(text)
    assert asks_whole(text)


@pytest.mark.parametrize(
    "text",
    [
        "List all obligations of the tenant.",
        "Find every deadline in the agreement",
        "What are all the fees?",
        "Which obligations are in the whole contract?",
        "All payment terms in the agreement, please",
        "列出全部义务",
        "请找出合同中的所有付款条款",
        "所有的罚则有哪些？",
        "全文提到了哪些期限？",
    ],
)
def test_everything_of_a_kind_is_asked_for(text):
    assert asks_whole(text)
    assert not summarises(text)


@pytest.mark.parametrize(
    "text",
    [
        "What was the revenue in 2022?",
        "Are all employees insured?",
        "Who signs the agreement?",
        "How much did all segments earn together?",
        "What does each director earn?",
        "青禾纸业2022年的营业收入是多少？",
        "所有者权益是多少？",
        "全部员工都有保险吗？",
        "",
    ],
)
def test_a_question_about_one_thing_is_none(text):
    assert not asks_whole(text)


def test_the_document_is_the_one_that_most_was_found_of():
    found = [passage("x", number=number) for number in (2, 1, 1)]
    assert document_of(found) == "d2"
    assert document_of([*found, passage("x", number=1)]) == "d1"
    assert document_of([]) is None
