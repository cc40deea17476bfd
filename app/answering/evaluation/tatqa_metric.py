"""The measure of TAT-QA: exact match and a numeracy-aware F1, where an answer counts only together with its scale.

Zhu et al., "TAT-QA: A Question Answering Benchmark on a Hybrid of Tabular and Textual Content in Finance" (ACL
2021). Written from its description:

* an answer is a set of spans; a span that is a number is compared by what it says, scale and per cent included, after
  rounding to two decimals in the unit of the reference; any other span by its words, without case, marks and articles;
* exact match: the two sets are the same;
* F1: each predicted span is paired with the reference span that it shares most words with, a number counts as one
  word, and the mean is over the longer of the two sets; for computed and counted answers F1 is the exact match.

The scale of a prediction is what it says itself ("5.2 million", "12 %"). Not covered: the official script's
treatment of answers in words ("two").
"""

from __future__ import annotations

import json
import re
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

__all__ = ["Span", "exact", "f1", "predicted", "reference"]

_SCALES: Final = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_NUMBER: Final = re.compile(
    r"""^\s*(?P<open>\()?\s*(?P<sign>[-\u2212])?\s*(?:[A-Za-z]{0,3}[$€£¥])?\s*(?P<inner>[-\u2212(])?\s*
        (?P<figures>\d[\d,]*(?:\.\d+)?|\.\d+)\s*\)?\s*(?P<percent>%|percent|per\ cent)?\s*\)?\s*
        (?P<scale>thousand|million|billion|trillion)?s?\s*(?P<late>%)?\s*$""",
    re.VERBOSE | re.IGNORECASE,
)
_ARTICLES: Final = re.compile(r"\b(?:a|an|the)\b")
_MARKS: Final = str.maketrans("", "", string.punctuation + "‘’“”–—•")


@dataclass(frozen=True, slots=True)
class Span:
    """One span: a number with what one unit of it counts, or words."""

    words: tuple[str, ...]
    number: Decimal | None = None
    scale: Decimal = Decimal(1)
    percent: bool = False

    def says(self, other: Span) -> bool:
        """Say whether two spans are the same; the other is the reference, whose unit sets the rounding."""
        if self.number is None or other.number is None:
            return self.number is other.number and sorted(self.words) == sorted(other.words)
        if self.percent != other.percent:
            return False
        difference = abs(self.number * self.scale - other.number * other.scale)
        return difference <= Decimal("0.0050001") * other.scale


def predicted(text: str | None) -> list[Span]:
    """Read a bare answer: one span, or a JSON list of them."""
    if not text:
        return []
    if text.startswith("["):
        try:
            parts = json.loads(text)
        except ValueError:
            parts = [text]
        return [_span(str(part), "") for part in parts if str(part).strip()]
    return [_span(text, "")]


def reference(answer: object, scale: str) -> list[Span]:
    """Read an item's answer: a list of spans, a number, or one span; with its scale."""
    parts = answer if isinstance(answer, list) else [answer]
    return [_span(str(part), scale) for part in parts]


def exact(found: Sequence[Span], wanted: Sequence[Span]) -> float:
    """Return 1 when the two sets of spans are the same, else 0."""
    if len(found) != len(wanted) or not found:
        return 0.0
    left = list(wanted)
    for span in found:
        match = next((other for other in left if span.says(other)), None)
        if match is None:
            return 0.0
        left.remove(match)
    return 1.0


def f1(found: Sequence[Span], wanted: Sequence[Span]) -> float:
    """Return the mean F1 of the best pairs, over the longer of the two sets."""
    if not found or not wanted:
        return 0.0
    pairs = sorted(
        ((_overlap(one, other), i, j) for i, one in enumerate(found) for j, other in enumerate(wanted)), reverse=True
    )
    used_found: set[int] = set()
    used_wanted: set[int] = set()
    total = 0.0
    for score, i, j in pairs:
        if i not in used_found and j not in used_wanted:
            used_found.add(i)
            used_wanted.add(j)
            total += score
    return total / max(len(found), len(wanted))


def _span(text: str, scale: str) -> Span:
    match = _NUMBER.match(text)
    if match is None:
        plain = _ARTICLES.sub(" ", text.lower().translate(_MARKS))
        return Span(tuple(plain.split()))
    number = Decimal(match["figures"].replace(",", ""))
    if match["open"] or match["sign"] or match["inner"]:
        number = -number
    percent = bool(match["percent"] or match["late"] or scale == "percent")
    own = (match["scale"] or ("" if percent else scale)).lower()
    return Span((), number, Decimal(_SCALES.get(own, 1)), percent)


def _overlap(one: Span, other: Span) -> float:
    if one.number is not None or other.number is not None:
        return float(one.says(other))
    shared = sum((Counter(one.words) & Counter(other.words)).values())
    return 2 * shared / (len(one.words) + len(other.words)) if shared else 0.0
