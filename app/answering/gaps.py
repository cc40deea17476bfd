"""Which part of a question an answer leaves out: "The documents do not say: …", in the user's own words.

"When was the mill opened, and how many people work there?" asks two things. An answer to one of them, with nothing said
of the other, reads as if it were all. A question is cut where another question word begins; a part counts as answered
when a shown claim shares enough of its words and holds the sort of thing that it asks for (a time, a number, a person).
A question of one part has no gaps: whether it is answered at all is decided elsewhere (`confidence`).

Not covered: parts that are joined without a question word ("the price and weight of …").
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from app.answering.checking.support import coverage, informative
from app.answering.signals import typed
from app.answering.types import Claim, Verdict
from retrieval.language import Language

__all__ = ["parts", "unanswered"]

_ASKS_EN: Final = r"who|whom|whose|what|when|where|which|why|how"
_CUT: Final[dict[Language, re.Pattern[str]]] = {
    "en": re.compile(
        r"\?\s+(?=\w)|\s*[,;]?\s+(?:and|as well as|or)\s+"
        rf"(?=(?:(?:in|on|at|for|by|to|from|since)\s+)?(?:{_ASKS_EN})\b)",
        re.I,
    ),
    "zh": re.compile(
        r"[？?；;]\s*(?=\S)|[，,、]?\s*(?:以及|并且|还有|而且|和)(?=[^？?，,]*(?:谁|什么|何|哪|多少|几|怎|为什么))|[，,](?=[^？?，,]*(?:谁|什么|何|哪|多少|几|怎|为什么))"
    ),
}
_ASKS: Final[dict[Language, re.Pattern[str]]] = {
    "en": re.compile(rf"\b(?:{_ASKS_EN})\b|^(?:is|are|was|were|do|does|did|can|has|have|will)\b", re.I),
    "zh": re.compile(r"谁|什么|何|哪|多少|几|怎|为什么|吗|是否"),
}
_YES_OR_NO: Final = re.compile(
    r"(?:is|are|was|were|do|does|did|can|could|has|have|will|should|what about|how about)\b|.*(?:吗|是否)", re.I
)
"""Parts that are answered in other words than their own; whether they were cannot be told by words."""

_SHARED_TYPED: Final = 0.2
"""Share of a part's own words that a claim with the right sort of thing must hold; of other parts, any word will do."""

_ANY: Final = 0.01

_MARKS: Final = " \t,;?？。，；、."


def parts(question: str, language: Language) -> tuple[str, ...]:
    """Return the questions that a question is made of, in its own words; none when it is a single one."""
    found = [part.strip(_MARKS) for part in _CUT[language].split(question)]
    asking = tuple(part for part in found if part and _ASKS[language].search(part))
    return asking if len(asking) > 1 and len(asking) == len([part for part in found if part]) else ()


def unanswered(question: str, claims: Sequence[Claim], language: Language) -> tuple[str, ...]:
    """Return the parts of a question that no shown claim answers; none when all or none of them are answered.

    Args:
        question: As it was asked.
        claims: Checked; only supported ones are shown.
        language: Of the question.
    """
    asked = parts(question, language)
    shown = [claim.text for claim in claims if claim.verdict is Verdict.SUPPORTED]
    open_ = [part for part in asked if not _YES_OR_NO.match(part)]
    left = tuple(part for part in open_ if not any(_answers(text, part, asked) for text in shown))
    return left if len(left) < len(asked) else ()


def _answers(text: str, part: str, asked: Sequence[str]) -> bool:
    others = {term for other in asked if other != part for term in informative(other)}
    terms = informative(part)
    own = {term: weight for term, weight in terms.items() if term not in others} or terms
    shared = coverage(own, [text]) if own else 1.0
    has = typed(part, text)
    return has >= 0 and shared >= (_SHARED_TYPED if has > 0 else _ANY)
