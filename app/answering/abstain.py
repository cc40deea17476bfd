"""When to say that the documents do not answer.

Three gates. Before the model: no evidence at all, or evidence that shares too little with the question. After it:
the model said so itself, or no claim passed the check. A last one: the question names a year, a date or a code, and
no passage that the shown claims cite holds it, so they answer another question.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final

from app.answering.checking.support import coverage, in_full, informative
from app.answering.checking.values import Value, ValueKind, extract, missing
from app.answering.prompt import SENTINEL
from app.answering.types import Claim, Verdict
from app.answering.whole import asks_whole
from retrieval.language import Language
from retrieval.types import Evidence

__all__ = ["LEAST_SHARED", "Reason", "after", "before", "is_refusal", "words"]

LEAST_SHARED: Final = 0.2
"""Share of the question's informative terms, by weight, that the evidence together must hold.

Measured on RGB (46 English and 204 Chinese questions): with passages on the subject no question falls below 0.2; with
passages of another question 89 % of the English and 81 % of the Chinese do. 0.3 would stop 95 %, but also questions of
conversations, whose wording leans on what was said before.
"""


class Reason(StrEnum):
    """Why an answer abstains."""

    NO_EVIDENCE = "no_evidence"
    WEAK_EVIDENCE = "weak_evidence"
    NOT_SUPPORTED = "not_supported"
    OFF_QUESTION = "off_question"
    NOT_ANSWERED = "not_answered"
    UNDERSPECIFIED = "underspecified"
    PROMPT_LEAKED = "prompt_leaked"


_WORDS: Final[dict[Language, tuple[str, str]]] = {
    "en": (
        "The documents do not answer this question.",
        "The documents do not answer this question. The nearest passages are listed with this reply.",
    ),
    "zh": ("文档没有回答这个问题。", "文档没有回答这个问题。最接近的段落已随本回复列出。"),
}

_REFUSAL: Final = re.compile(
    rf"""^\W*(?:{SENTINEL}|NOT\ FOUND|未找到|没有找到)\b
      | \b(?:passages?|documents?|context|text|information)\b.{{0,40}}\b(?:do|does|did)(?:\ not|n't)\s+
        (?:contain|provide|mention|answer|state|specify|include|say|give|have)
      | \b(?:not|n't)\ (?:mentioned|specified|stated|provided|given|found)\ in\ the\ (?:given\ |provided\
      )?(?:passage|document|context|text)
      | (?:段落|文档|资料|文中|材料|原文).{{0,12}}(?:没有|并未|未|无)
        (?:直接|明确)?(?:提及|提到|提供|给出|说明|包含|回答|答案|相关)""",
    re.VERBOSE | re.IGNORECASE,
)


def words(language: Language, *, nearest: bool) -> str:
    """Return the words of abstention, with or without a hint at the nearest passages."""
    return _WORDS[language][nearest]


def is_refusal(text: str) -> bool:
    """Say whether the model's text, or one sentence of it, says that the passages do not answer."""
    return bool(_REFUSAL.search(text))


def before(question: str, evidence: Sequence[Evidence]) -> Reason | None:
    """Return why the model need not be asked at all, or None."""
    if not evidence:
        return Reason.NO_EVIDENCE
    if asks_whole(question):  # "summarise the contract" shares no words with it
        return None
    terms = informative(question)
    if terms and coverage(terms, [in_full(item) for item in evidence]) < LEAST_SHARED:
        return Reason.WEAK_EVIDENCE
    return None


def after(question: str, claims: Iterable[Claim], evidence: Sequence[Evidence]) -> Reason | None:
    """Return why nothing of the checked draft may be shown, or None."""
    cited = {id_ for claim in claims if claim.verdict is Verdict.SUPPORTED for id_ in claim.cites}
    if not cited:
        return Reason.NOT_SUPPORTED
    if missing(_anchors(question), "\n".join(in_full(item) for item in evidence if item.id in cited)):
        return Reason.OFF_QUESTION
    return None


def _anchors(question: str) -> list[Value]:
    """Return the dates and codes of a question: what an answer about it has to be about."""
    return [value for value in extract(question) if value.kind in (ValueKind.DATE, ValueKind.CODE)]
