"""Makes a follow-up ("and in 2022?", 那2022年呢？) stand alone, by a small fixed rule and without a model.

When a follow-up is nothing but a year, the year replaces that of the question before. When it begins like a
continuation, points back with a pronoun or is very short, the question before is put in front of it. Anything else
is taken to stand alone.

Any domain may use it; what a domain knows better (companies, patients) it carries over itself.

Not covered: what stands further back than one question, and a pronoun that means something in the answer.
"""

from __future__ import annotations

import re
from typing import Final

from domains.contract import Question

__all__ = ["stand_alone"]

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
    r"\b(?:it|its|they|them|their|theirs|that one|those|these|he|him|his|she|her|hers|there)\b"
    r"|它|他们|她们|该公司|此|上面|前者|后者|呢\W*$",
    re.IGNORECASE,
)
_WORDS: Final = re.compile(r"[A-Za-z0-9]+|[\u3400-\u9fff]")
_SHORT: Final[dict[str, int]] = {"en": 3, "zh": 5}
"""Words, or ideographs, up to which a question is taken for a piece of one."""

_LONGEST_YEAR: Final = 40
"""Characters of a follow-up that is nothing but a year. Bounds the work of the pattern, which backtracks."""

_LONGEST_BEFORE: Final = 400
"""Characters of the question before that are carried over."""


def stand_alone(question: Question) -> str | None:
    """Return the wording of a follow-up that can be searched and answered by itself; None when it already can."""
    if not question.history:
        return None
    text = question.text.strip()
    before = question.history[-1].question.strip()[:_LONGEST_BEFORE]
    year = _ONLY_YEAR.match(text) if len(text) <= _LONGEST_YEAR else None
    if year and _YEAR.search(before):
        return _YEAR.sub(year["year"], before)
    if not (_CONTINUES.match(text) or _POINTS_BACK.search(text) or _is_short(text, question.language)):
        return None
    joint = "" if question.language == "zh" else " "
    return f"{before}{joint}{text}"


def _is_short(text: str, language: str) -> bool:
    return len(_WORDS.findall(text)) <= _SHORT[language]
