"""Makes a follow-up ("and in 2022?", 那2022年呢？) stand alone, by a small fixed rule and without a model.

When a follow-up is nothing but a year, the year replaces that of the question before. When it begins like a
continuation, points back with a pronoun or is very short, the questions that it follows are put in front of it: the
one before, and those before that as long as each leans on its own predecessor. Anything else is taken to stand alone.

What such a follow-up is searched by (`queries`) may hold more than what the model is asked: the subject of a
conversation often stands a few questions back, or in the answer.

Measured on 169 answerable follow-up turns of MTRAG-UN (DEV; 68 of them lean; BM25 over its 624 passages): of the
passages that belong to a turn that leans, 65 % are among the first five for its bare words, 69 % when the question
before is searched beside them, 85 % for `queries`. What stands alone loses by the same means (87 % to 85 %).

Any domain may use it; what a domain knows better (companies, patients) it carries over itself.

Not covered: a thing spoken of by another name ("the building"), and a pronoun whose meaning the last few turns lack.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from domains.contract import Question, Turn
from retrieval.language import Language

__all__ = ["leans", "only_a_year", "queries", "stand_alone"]

_YEAR: Final = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_ONLY_YEAR: Final = re.compile(
    r"^\W*(?:and|but|what about|how about|so|then|那么?|还有|至于)?\W*(?:in|for|during|as of|of|在)?"
    r"\W*(?:the year|fiscal|fy)?\W*"
    r"(?P<year>(?:19|20)\d\d)\s*(?:年度?)?(?:的)?(?:情况)?呢?\W*$",
    re.IGNORECASE,
)
_CONTINUES: Final = re.compile(
    r"^\W*(?:and|but|or|also|then|so|what about|how about|what else|why(?: not| so| is that)?\W*$|how so|which one|"
    r"(?:is|are|was|were|does|do|did|has|have|can) (?:it|they|that|this|those|these|he|she)\b|"
    r"那|还有|另外|其中|其|它|他|她|这|该|上述|为什么\W*$|至于|以及|呢)",
    re.IGNORECASE,
)
_POINTS_BACK: Final = re.compile(
    r"\b(?:it|its|they|them|their|theirs|that one|those|these|this|such|both of|the (?:same|above|latter|former)|"
    r"mentioned|he|him|his|she|her|hers|there)\b"
    r"|它|他们|她们|该公司|此|上面|前者|后者|呢\W*$",
    re.IGNORECASE,
)
_WORDS: Final = re.compile(r"[A-Za-z0-9]+|[\u3400-\u9fff]")
_SHORT: Final[dict[str, int]] = {"en": 3, "zh": 5}
"""Words, or ideographs, up to which a question is taken for a piece of one."""

_LONGEST_YEAR: Final = 40
"""Characters of a follow-up that is nothing but a year. Bounds the work of the pattern, which backtracks."""

_LONGEST_BEFORE: Final = 400
"""Characters of the questions before that are carried over."""

_LONGEST_ANSWER: Final = 300
"""Characters of the last answer that are searched for. With 150 or 600 a leaning turn finds 2 or 3 points less."""

_BACK: Final = 3
"""Questions that are carried over."""


def leans(text: str, language: Language) -> bool:
    """Say whether a question's words ask for what was said before them."""
    return bool(_CONTINUES.match(text) or _POINTS_BACK.search(text)) or len(_WORDS.findall(text)) <= _SHORT[language]


def only_a_year(question: Question) -> bool:
    """Say whether a follow-up is nothing but another year for the question before."""
    return bool(question.history) and _with_its_year(question.text.strip(), question.history[-1]) is not None


def stand_alone(question: Question) -> str | None:
    """Return the wording of a follow-up that can be searched and answered by itself; None when it already can."""
    text = question.text.strip()
    if not question.history:
        return None
    if (moved := _with_its_year(text, question.history[-1])) is not None:
        return moved
    if not leans(text, question.language):
        return None
    joint = _joint(question)
    before = joint.join(reversed(list(_followed(question))))[-_LONGEST_BEFORE:]
    return f"{before}{joint}{text}"


def queries(question: Question) -> tuple[str, ...]:
    """Return what a question is searched by: its own words, or for a follow-up those of the turns before it as well."""
    whole = stand_alone(question)
    if whole is None:
        return (question.text,)
    if only_a_year(question):
        return (whole, question.text)
    last = question.history[-1]
    joint = _joint(question)
    asked = joint.join(turn.question.strip() for turn in question.history[-_BACK:])
    told = joint.join((last.question.strip()[:_LONGEST_BEFORE], last.answer.strip()[:_LONGEST_ANSWER]))
    return (f"{asked[-2 * _LONGEST_BEFORE :]}{joint}{question.text}", f"{told}{joint}{question.text}")


def _followed(question: Question) -> Iterator[str]:
    """Yield the questions that a follow-up continues, the nearest first, back to one that stands alone."""
    for turn in reversed(question.history[-_BACK:]):
        yield turn.question.strip()[:_LONGEST_BEFORE]
        if not leans(turn.question[:_LONGEST_BEFORE], question.language):
            return


def _with_its_year(text: str, before: Turn) -> str | None:
    """Return the question before with the year that a follow-up is made of, if it is."""
    found = _ONLY_YEAR.match(text) if len(text) <= _LONGEST_YEAR else None
    asked = before.question.strip()[:_LONGEST_BEFORE]
    return _YEAR.sub(found["year"], asked) if found and _YEAR.search(asked) else None


def _joint(question: Question) -> str:
    return "" if question.language == "zh" else " "
