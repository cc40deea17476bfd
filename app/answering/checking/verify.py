"""Holds a claim against the passages that it cites, and only those.

A claim is SUPPORTED when four things are true, in this order:

1. each number, amount, date and code of the claim is a value of the cited text, its headings or its document's name
   (`values`), and a single figure is not that of another sentence;
2. the claim does not turn the text around (`opposites`);
3. the cited text holds enough of the claim's informative terms within a few neighbouring sentences (`support`);
4. an English claim is not put together from scraps of the text and words of its own as hardly any true one is
   (`entailment`).

The words that carry the verdict are quoted as they stand in the cited text.

A claim that cites nothing is attributed to the passage that supports it best, and then checked in the same way; the
verdict shows that passage as its citation. So is a claim whose cited passage fails it while another fits it clearly
better, and that is noted: a small model often writes a true sentence with its neighbour's number. Where two passages
fit about alike and one of them says otherwise, the claim stays struck out.

A claim that is no whole sentence ("240 people") says something only together with the question; then the cited text has
to be about the question as well.

Not covered: a claim that says a true thing of the passage with other words (struck out, which is the safe side); two
subjects exchanged inside one sentence; claims in another language than their passage (struck out).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.answering.checking.entailment import Entailment, fitted
from app.answering.checking.opposites import turned
from app.answering.checking.quoting import quoted
from app.answering.checking.signals import Source
from app.answering.checking.support import around, best_window, coverage, in_full, informative, sentences
from app.answering.checking.values import Value, ValueKind, extract, missing
from app.answering.claims import DraftClaim
from app.answering.types import Claim, Verdict
from retrieval.language import CJK
from retrieval.types import Evidence

__all__ = ["CHECKS_VERSION", "SUPPORTED_FROM", "Verifier"]

CHECKS_VERSION: Final = "3"
"""Changes with every change of what is checked or how; it is recorded with each answer."""

SUPPORTED_FROM: Final = 0.6
"""Least share of a claim's terms that its passage must hold.

Measured on 93 drafts of Qwen2.5-Coder-1.5B-Instruct for RGB and MTRAG-UN, half of them with wrong passages. From 0.5
to 0.6 the Chinese questions answered from wrong passages fall from 9 to 4 of 15, those answered from right ones from
14 to 13 of 19; at 0.7 the latter are 9. English moves little between 0.5 and 0.7. A small sample: to be calibrated.
"""

_CLEARLY: Final = 0.2
"""How much better than the cited passage another one must fit a claim to be shown instead. Two passages that say
different things of the same matter fit nearly alike, and then the claim stays struck out."""

RESTATED: Final = 0.7
"""What a word counts that the claim repeats from its question, beside one that it adds.

On the same drafts at the same threshold: answers from wrong passages fall from 15 to 13 of 22 (English) and from 5 to 3
of 15 (Chinese), answers from right ones stay at 20 of 23 and go from 16 to 15 of 19. Lower weights gain nothing more.
"""

_ELSEWHERE: Final = 0.34
"""How much better another figure's sentence must fit a claim than that of the claim's figure to be held against it."""

_SENTENCE: Final = re.compile(r"[.!?。！？…][\"'”’」』)）]*$")
"""The end of a whole sentence. What does not end like one ("Joe Burrow") says something only beside the question."""

_WORD: Final = re.compile(rf"\d[\d.,]*{CJK.pattern}?|{CJK.pattern}{{1,2}}|(?:(?!{CJK.pattern})[^\W\d_])+")
"""A number with its counter ("2023年"), a pair of ideographs, or a run of other letters."""

_LATIN: Final = re.compile(r"[a-z]{5,}")
"""What can be the name of something. Chinese has no such rule yet."""

_FEWEST_WORDS: Final = 4
"""Words, or pairs of ideographs, up to which a text is a fragment even with a full stop ("Jun 16, 2015.")."""

_FALLING: Final = re.compile(
    r"\b(?:loss|deficit|negative|outflow|decreas|declin|fell|fall|drop|reduc|down|minus)|亏损|下降|减少|降低|下跌|下滑|负|流出",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Finding:
    verdict: Verdict
    score: float
    reason: str | None = None
    quote: str | None = None

    @property
    def rank(self) -> tuple[bool, float]:
        return self.verdict is Verdict.SUPPORTED, self.score


class Verifier:
    """Checks claims. One instance serves all questions; it keeps nothing."""

    def __init__(
        self,
        *,
        threshold: float = SUPPORTED_FROM,
        similarity: Callable[[str, str], float] | None = None,
        common: Callable[[str], bool] = lambda _word: False,
        entailment: Entailment | None = None,
    ) -> None:
        """Make a verifier.

        Args:
            threshold: Least score of a supported claim.
            similarity: Meaning of two texts compared, 0 to 1; the better of it and the shared terms is the score.
            common: Says whether a lower-case English word names nothing in particular.
            entailment: Coefficients; None takes those that are shipped.
        """
        self._threshold = threshold
        self._similarity = similarity
        self._common = common
        self._entailment = entailment or fitted()

    def check(self, claim: DraftClaim, evidence: Mapping[str, Evidence], *, question: str = "") -> Claim:
        """Give a claim its verdict.

        Args:
            claim: From the draft.
            evidence: What the model saw, by id; citations of other ids count for nothing.
            question: Its figures (not its dates) may be restated beside a figure of the passage.
        """
        checked = self._held_against(claim, evidence, question)
        if checked.verdict is Verdict.SUPPORTED and _subject_is_missing(
            claim.text, evidence.values(), question, self._common
        ):
            return checked.model_copy(
                update={"verdict": Verdict.UNSUPPORTED, "reason": "subject_missing", "quote": None}
            )
        return checked

    def _held_against(self, claim: DraftClaim, evidence: Mapping[str, Evidence], question: str) -> Claim:
        cited = [evidence[id_] for id_ in claim.cites if id_ in evidence]
        if not cited:
            return self._attributed(claim, evidence, question)
        alone = [(item, self._find(claim.text, [item], question)) for item in cited]
        good = [(item, finding) for item, finding in alone if finding.verdict is Verdict.SUPPORTED]
        if good:  # a citation that does not carry the claim by itself is not shown when others do
            return _claim(claim, [item for item, _ in good], max((f for _, f in good), key=lambda f: f.rank))
        finding = self._find(claim.text, cited, question) if len(cited) > 1 else alone[0][1]
        moved = self._attributed(claim, evidence, question)
        if moved.verdict is Verdict.SUPPORTED and moved.score >= finding.score + _CLEARLY:
            return moved.model_copy(update={"corrected": True})
        return _claim(claim, cited, finding)

    def _attributed(self, claim: DraftClaim, evidence: Mapping[str, Evidence], question: str) -> Claim:
        findings = [(item, self._find(claim.text, [item], question)) for item in evidence.values()]
        if not findings:
            return _claim(claim, [], _Finding(Verdict.UNSUPPORTED, 0.0, "no_evidence"))
        item, finding = max(findings, key=lambda pair: pair[1].rank)
        return _claim(claim, [item] if finding.verdict is Verdict.SUPPORTED else [], finding)

    def _find(self, text: str, cited: Sequence[Evidence], question: str) -> _Finding:
        terms = _discounted(informative(text), question)
        asked = question if _is_fragment(text) else ""
        parts = [sentences(item.text) for item in cited]
        windows = [best_window(terms, item) for item in parts]
        source = [part for window in windows for part in window]
        score = coverage(terms, [*source, *(around(item) for item in cited)])
        if self._similarity is not None and source:
            score = max(score, min(1.0, self._similarity(text, " ".join(source))))
        claimed = extract(f"{asked}\n{text}")
        whole = "\n".join(in_full(item) for item in cited)
        quote = quoted(cited, windows)
        absent = _absent(claimed, text, whole, question)
        if absent:
            differs = any(_same_sort(value, held) for value in absent for held in extract(whole))
            if differs:
                return _Finding(Verdict.CONTRADICTED, score, "value_differs", quote)
            return _Finding(Verdict.UNSUPPORTED, score, "value_missing")
        if _value_elsewhere(claimed, terms, [part for item in parts for part in item]):
            return _Finding(Verdict.CONTRADICTED, score, "value_of_another", quote)
        if score < self._threshold:
            return _Finding(Verdict.UNSUPPORTED, score, "low_support")
        if asked and coverage(informative(asked), [whole]) < self._threshold:
            return _Finding(Verdict.UNSUPPORTED, score, "not_about_question")
        how = turned(text, source)
        if how:
            return _Finding(Verdict.CONTRADICTED, score, how, quote)
        if not asked and self._is_made_up(text, cited):
            return _Finding(Verdict.UNSUPPORTED, score, "not_entailed")
        return _Finding(Verdict.SUPPORTED, score, quote=quote)

    def _is_made_up(self, text: str, cited: Sequence[Evidence]) -> bool:
        """Say whether an English claim is put together as hardly any true one is."""
        if CJK.search(text) or not cited:
            return False
        source = Source("\n".join(item.text for item in cited), " ".join(around(item) for item in cited))
        return self._entailment.falls_short(self._entailment.log_odds(text, source))


def _claim(draft: DraftClaim, cited: Iterable[Evidence], finding: _Finding) -> Claim:
    return Claim(
        text=draft.text,
        cites=tuple(item.id for item in cited),
        verdict=finding.verdict,
        score=round(finding.score, 4),
        reason=finding.reason,
        quote=finding.quote,
    )


def _discounted(terms: Mapping[str, float], question: str) -> Mapping[str, float]:
    """Weigh the words that a claim only repeats from its question less: what it adds is what has to be supported."""
    asked = informative(question)
    return {term: weight * (RESTATED if term in asked else 1.0) for term, weight in terms.items()}


def _subject_is_missing(text: str, evidence: Iterable[Evidence], question: str, common: Callable[[str], bool]) -> bool:
    """Say whether a claim repeats a name from its question that no passage has.

    "The usual starting dose of warfarin is 5 mg", out of a passage on amlodipine, agrees with that passage in every
    other word. Common words do not count: they may be the question's own way of putting it ("highest").
    """
    asked = set(_LATIN.findall(question.lower()))
    held = [in_full(item) for item in evidence]
    for word in asked.intersection(_LATIN.findall(text.lower())):
        terms = informative(word)
        if terms and not common(word) and not any(map(common, terms)) and coverage(terms, held) == 0:
            return True
    return False


def _is_fragment(text: str) -> bool:
    """Say whether a text is too little of a sentence to claim something without its question."""
    words = len(_WORD.findall(text))
    return not _SENTENCE.search(text) or words <= _FEWEST_WORDS


def _absent(claimed: Sequence[Value], text: str, source: str, question: str) -> list[Value]:
    """Return the values of a claim that neither its source nor, for restated figures, the question holds."""
    unsigned = bool(_FALLING.search(text) or _FALLING.search(source))
    absent = missing(claimed, source, unsigned=unsigned)
    held = [value for value in claimed if value not in absent]
    return [
        value
        for value in absent
        if value.kind is ValueKind.DATE
        or not any(_same_sort(value, other) for other in held)
        or missing([value], question, unsigned=True)
    ]


def _same_sort(one: Value, other: Value) -> bool:
    return one.kind is other.kind and one.unit == other.unit


def _value_elsewhere(claimed: Sequence[Value], terms: Mapping[str, float], parts: Sequence[str]) -> bool:
    """Say whether a claim's only figure is that of another sentence, while its own sentence has another figure."""
    figures = [value for value in claimed if value.kind is ValueKind.NUMBER]
    if len(figures) != 1:
        return False
    words = {term: weight for term, weight in terms.items() if not any(mark.isdigit() for mark in term)}
    own = other = 0.0
    for part in parts:
        fit = coverage(words, [part])
        if not missing(figures, part, unsigned=True):
            own = max(own, fit)
        elif any(_same_sort(figures[0], value) for value in extract(part, words=True)):
            other = max(other, fit)
    return other - own >= _ELSEWHERE
