"""When the documents do not answer, and the words for it."""

from __future__ import annotations

import pytest

from app.answering import abstain
from app.answering.abstain import Reason
from app.answering.types import Claim, Verdict
from tests.app.answering.conftest import passage

REPORT = passage("Revenue of Larkfield Paper in 2022 was $5.2 million.")


def claim(verdict: Verdict, cites: tuple[str, ...] = ("1",)) -> Claim:
    return Claim(text="x", cites=cites, verdict=verdict, score=1.0)


def test_no_evidence_is_a_reason_of_its_own():
    assert abstain.before("What was the revenue?", []) is Reason.NO_EVIDENCE


@pytest.mark.parametrize(
    ("question", "text", "reason"),
    [
        ("What was the revenue of Larkfield Paper?", "Revenue of Larkfield Paper rose.", None),
        ("What was the revenue of Larkfield Paper?", "The cat sat on the mat.", Reason.WEAK_EVIDENCE),
        ("青禾纸业的营业收入是多少？", "青禾纸业营业收入增长。", None),
        ("青禾纸业的营业收入是多少？", "今天天气晴朗。", Reason.WEAK_EVIDENCE),
    ],
)
def test_evidence_has_to_share_something_with_the_question(question, text, reason):
    assert abstain.before(question, [passage(text)]) is reason


def test_a_question_without_any_informative_term_is_left_to_the_model():
    assert abstain.before("What is it?", [REPORT]) is None
    assert abstain.before("这是什么？", [REPORT]) is None


def test_nothing_supported_means_nothing_shown():
    assert abstain.after("Revenue?", [], [REPORT]) is Reason.NOT_SUPPORTED
    assert abstain.after("Revenue?", [claim(Verdict.CONTRADICTED)], [REPORT]) is Reason.NOT_SUPPORTED
    assert abstain.after("Revenue?", [claim(Verdict.UNSUPPORTED), claim(Verdict.SUPPORTED)], [REPORT]) is None


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("What was the revenue in 2022?", None),
        ("What was the revenue in 2021?", Reason.OFF_QUESTION),
        ("2022年的收入是多少？", None),
        ("2021年的收入是多少？", Reason.OFF_QUESTION),
        ("What was the revenue in Q3 of 2022?", Reason.OFF_QUESTION),
        ("What was the revenue?", None),
    ],
)
def test_an_answer_about_another_year_is_no_answer(question, reason):
    assert abstain.after(question, [claim(Verdict.SUPPORTED)], [REPORT]) is reason


@pytest.mark.parametrize(
    "text",
    [
        "NOT_FOUND",
        "NOT_FOUND.",
        "not_found",
        "The passages do not contain this information.",
        "The provided text does not mention the chair.",
        "The chair is not mentioned in the passages.",
        "资料中没有提到董事长。",
        "段落中未提供相关信息。",
    ],
)
def test_a_refusal_is_known_as_one(text):
    assert abstain.is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "The borrower does not provide collateral.",
        "The company did not pay a dividend.",
        "该行没有发放贷款。",
        "未经批准不得发放贷款。",
        "The notice was not found at the office.",
    ],
)
def test_a_claim_with_a_not_is_no_refusal(text):
    assert not abstain.is_refusal(text)


def test_the_words_are_there_in_both_languages():
    assert "do not answer" in abstain.words("en", nearest=True)
    assert "没有回答" in abstain.words("zh", nearest=True)
    assert abstain.words("en", nearest=True) != abstain.words("en", nearest=False)
