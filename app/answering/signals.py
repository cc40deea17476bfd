"""What speaks for and against that a checked draft answers its question: a few figures that know no subject.

The checks say whether a passage carries a claim. They do not say that the claim is what was asked: "the Avengers were
directed by X" may be true of another film. These figures look at the question, the sentences that the shown claims rest
on, and what the model thought of saying NOT_FOUND instead:

    support      least score of a shown claim
    struck       share of the draft's claims that were struck out
    covered      share of the question's terms, by weight, in the sentences that carry the claims
    named        share of the names and figures of the question that the carrying sentences hold; 1 when it has none
    typed        1 when the sort of thing that is asked for (a person, a time, a number) is new in a claim, -1 when it
                 is not, 0 when the question asks for no such thing
    fresh        share of the claims' terms that the question does not have
    agreed       share of the other passages that hold what is fresh
    alike        cosine of the embeddings of question and carrying sentences; None without an embedding model
    sentinel     log-odds of NOT_FOUND as the first word, in nats, from -12 to 12; None where the model tells none
    judged       log-odds of "yes" when the model is asked whether the passages state the answer; None likewise
    chinese      1 for a question in Chinese

Those that are shares run from 0 to 1. `confidence` weighs them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Final

from app.answering.checking.support import best_window, coverage, in_full, informative, sentences
from app.answering.checking.values import ValueKind, extract
from app.answering.types import Claim, Verdict
from retrieval.language import Language
from retrieval.types import Evidence

__all__ = ["NAMES", "Asked", "Signals", "Similarity", "asked_for", "read", "typed"]

_MOST: Final = 12.0
"""Nats beyond which a log-odds says no more."""

_LONGEST: Final = 400
"""Characters of the carrying sentences that are embedded."""

Similarity = Callable[[str, str, Language], float]

_PERSON: Final = re.compile(r"\bwho(?:se|m)?\b|谁|哪(?:一)?(?:位|个人|名)|创始人是|作者是|冠军是", re.IGNORECASE)
_TIME: Final = re.compile(
    r"\b(?:when|what (?:year|date|day|month|time)|(?:release|start|end|due|birth) date|date of)\b"
    r"|什么时候|何时|哪(?:一)?(?:年|天|月|日)|时间(?:是|为|$|\?|？)|几月|几号|日期",
    re.IGNORECASE,
)
_NUMBER: Final = re.compile(
    r"\bhow (?:many|much|long|old|far|high|tall|often|large|big)\b|\bwhat (?:percent|share|number|amount|rate|price)"
    r"|\b(?:number|amount|percentage|rate|price|cost|total|population) of\b"
    r"|多少|几(?:个|名|次|位|人|岁|家|部|届|年|天|项|种|亿|万)|多(?:大|高|长|远|久)|(?:人数|比例|价格|数量|增速|票房|率)(?:是|为|$|\?|？)",
    re.IGNORECASE,
)
_CAPITALISED: Final = re.compile(r"(?<![.!?]\s)(?<!^)\b[A-Z][\w'’-]+")
_NAME_ZH: Final = re.compile(r"[\u4e00-\u9fff]{2,}|[A-Z][a-z]+")
_LATIN_NAME: Final = re.compile(r"\b[A-Z][\w'’-]+")


class Asked:
    """The sorts of things that a question can ask for."""

    PERSON: Final = "person"
    TIME: Final = "time"
    NUMBER: Final = "number"


@dataclass(frozen=True, slots=True)
class Signals:
    """The figures of one answer, as the module's text lists them."""

    support: float
    struck: float
    covered: float
    named: float
    typed: float
    fresh: float
    agreed: float
    alike: float | None
    sentinel: float | None
    judged: float | None
    chinese: float

    def values(self) -> tuple[float | None, ...]:
        """Return the figures in the order of `NAMES`."""
        return astuple(self)


NAMES: Final = tuple(field.name for field in fields(Signals))


def asked_for(question: str) -> str | None:
    """Return the sort of thing that a question asks for, when its words say it."""
    for sort, pattern in ((Asked.TIME, _TIME), (Asked.NUMBER, _NUMBER), (Asked.PERSON, _PERSON)):
        if pattern.search(question):
            return sort
    return None


def read(
    question: str,
    claims: Sequence[Claim],
    evidence: Mapping[str, Evidence],
    *,
    language: Language,
    sentinel: float | None = None,
    judged: float | None = None,
    similarity: Similarity | None = None,
) -> Signals:
    """Read the signals of a checked draft.

    Args:
        question: The wording that the model saw.
        claims: All claims with their verdicts; at least one is supported.
        evidence: What the model saw, by id.
        language: Of the question.
        sentinel: Log-odds of NOT_FOUND as the first word, in nats.
        judged: Log-odds of "yes, the passages state it", in nats.
        similarity: Cosine of two texts in a language.

    Raises:
        ValueError: no claim is supported: there is nothing to be confident of.
    """
    shown = [claim for claim in claims if claim.verdict is Verdict.SUPPORTED]
    if not shown:
        raise ValueError("no claim is supported")
    asked = informative(question)
    said = " ".join(claim.text for claim in shown)
    cited = {id_: evidence[id_] for claim in shown for id_ in claim.cites if id_ in evidence}
    carrying = [
        part for claim in shown for id_ in claim.cites if id_ in evidence for part in _carrying(claim, evidence[id_])
    ]
    new = {term: weight for term, weight in informative(said).items() if term not in asked}
    others = [item for id_, item in evidence.items() if id_ not in cited]
    terms = informative(said)
    return Signals(
        support=min(claim.score for claim in shown),
        struck=1 - len(shown) / len(claims),
        covered=_share(asked, carrying),
        named=_named(question, carrying),
        typed=typed(question, said),
        fresh=sum(new.values()) / sum(terms.values()) if terms else 0.0,
        agreed=_agreed(new, others),
        alike=similarity(question, " ".join(carrying)[:_LONGEST], language) if similarity and carrying else None,
        sentinel=_clipped(sentinel),
        judged=_clipped(judged),
        chinese=float(language == "zh"),
    )


def _carrying(claim: Claim, item: Evidence) -> tuple[str, ...]:
    """Return the sentences of a passage that a claim rests on."""
    return best_window(informative(claim.text), sentences(item.text), size=2)


def _share(terms: Mapping[str, float], texts: Sequence[str]) -> float:
    return coverage(terms, texts) if terms else 1.0


def _agreed(new: Mapping[str, float], others: Sequence[Evidence]) -> float:
    if not others or not new:
        return 0.0
    return sum(coverage(new, [in_full(item)]) for item in others) / len(others)


def _named(question: str, carrying: Sequence[str]) -> float:
    """Return the share of a question's names and figures that the sentences hold."""
    names = set(_CAPITALISED.findall(question)) | {value.text for value in extract(question)}
    parts = [informative(name) for name in names]
    found = [coverage(terms, carrying) for terms in parts if terms]
    return sum(found) / len(found) if found else 1.0


def typed(question: str, said: str) -> float:
    """Return 1 when the sort of thing that a question asks for is in the claims and not already in the question.

    -1 when it is not, 0 when the question asks for no such thing.
    """
    sort = asked_for(question)
    if sort is None:
        return 0.0
    known = {value.text for value in extract(question)}
    values = [value for value in extract(said, words=True) if value.text not in known]
    if sort == Asked.TIME:
        return 1.0 if any(value.kind is ValueKind.DATE for value in values) else -1.0
    if sort == Asked.NUMBER:
        return 1.0 if any(value.kind is ValueKind.NUMBER for value in values) else -1.0
    names = [name for name in _LATIN_NAME.findall(said) + _NAME_ZH.findall(said) if name not in question]
    return 1.0 if names else -1.0


def _clipped(odds: float | None) -> float | None:
    return None if odds is None else max(-_MOST, min(_MOST, odds))
