"""The last word on an answer: is it sure enough to be shown, what does it leave out, and which passages say otherwise?

After the checks, before the outcome is recorded. The model is asked for two single tokens: its log-odds of NOT_FOUND as
the first word of the very prompt that the draft came from, and of "yes" when the same prompt ends in the question
whether the passages state the answer. The prefix cache has all but that question. A model that tells no probabilities
is done without. The confidence that comes of that and of the checked claims (`signals`, `confidence`) is held against
the threshold of the domain's calibration (`assurance`), which the answer carries with it.

Only plain prose is judged. Other ways of drafting (`drafters`) decide by themselves when to say nothing, and what they
write rests on a computation or a choice, which these signals were not fitted on.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from langchain_core.messages import HumanMessage

from app.answering.abstain import Reason
from app.answering.assurance import Assurance, assurance_for
from app.answering.confidence import Confidence
from app.answering.conflicts import conflicts
from app.answering.drafters.contract import Task
from app.answering.gaps import unanswered
from app.answering.prompt import SENTINEL
from app.answering.signals import Signals, Similarity, read
from app.answering.types import Claim, Conflict, Verdict
from model.choosing import log_odds, next_words
from retrieval.language import Language
from retrieval.types import Evidence

__all__ = ["Gate", "Judgement"]

_JUDGED: Final = frozenset({"prose"})
_STATED: Final[dict[Language, str]] = {
    "en": "Do the passages state the answer to this question? Write Yes or No.",
    "zh": "以上段落是否写明了这个问题的答案？只写“是”或“否”。",
}
_YES_OR_NO: Final[dict[Language, tuple[str, str]]] = {"en": ("Yes", "No"), "zh": ("是", "否")}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is to be said of a checked draft.

    Attributes:
        reason: Why nothing of it may be shown, or None.
        confidence: 0 to 1; None where it was not judged.
        signals: What the confidence came from.
        assurance: The calibration that the threshold came from.
        missing: Parts of the question that nothing shown answers.
        conflicts: Where other passages say otherwise.
    """

    reason: Reason | None = None
    confidence: float | None = None
    signals: Signals | None = None
    assurance: Assurance | None = None
    missing: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()

    @property
    def recorded(self) -> dict[str, Any]:
        """What the ledger keeps of it: no content, and all that is needed to decide again."""
        if self.assurance is None:
            return {}
        kept = {name: getattr(self.assurance, name) for name in ("version", "domain", "date", "threshold", "bound")}
        return kept | {"confidence": self.confidence, "sets": list(self.assurance.sets)}


class Gate:
    """Judges checked drafts. One instance serves all questions; it keeps nothing."""

    def __init__(
        self,
        confidence: Confidence | None = None,
        *,
        similarity: Similarity | None = None,
        judged: frozenset[str] = _JUDGED,
    ) -> None:
        """Make a gate.

        Args:
            confidence: The fitted weights; the shipped ones when None.
            similarity: Cosine of two texts in a language; called in a thread.
            judged: Names of the drafters whose drafts need a confidence.
        """
        self._confidence = confidence or Confidence.shipped()
        self._similarity = similarity
        self._judged = judged

    async def judge(
        self, task: Task, claims: Sequence[Claim], evidence: Sequence[Evidence], *, drafter: str | None
    ) -> Judgement:
        """Judge a draft whose claims are checked.

        Args:
            task: What the draft was written for.
            claims: All of its claims.
            evidence: What they were checked against.
            drafter: Who wrote it.

        Raises:
            ModelError: as `model.choosing.next_words` says.
        """
        if not any(claim.verdict is Verdict.SUPPORTED for claim in claims):
            return Judgement(Reason.NOT_SUPPORTED)
        by_id = {item.id: item for item in evidence}
        language = task.question.language
        left_out = unanswered(task.question.text, claims, language)
        differing = conflicts(task.asked, claims, by_id)
        if drafter not in self._judged:
            return Judgement(missing=left_out, conflicts=differing)
        assurance = assurance_for(task.domain)
        if language not in assurance.languages:  # nothing is known of how its signals are distributed
            return Judgement(missing=left_out, conflicts=differing)
        words = await next_words(task.chat, task.messages, (SENTINEL,))
        signals = await asyncio.to_thread(
            read,
            task.asked,
            claims,
            by_id,
            language=language,
            sentinel=_odds(words),
            judged=await _judged(task),
            similarity=self._similarity,
        )
        sure = self._confidence(signals)
        reason = Reason.NOT_ANSWERED if sure < assurance.threshold else None
        return Judgement(reason, round(sure, 4), signals, assurance, left_out, differing)


async def _judged(task: Task) -> float | None:
    """Return the log-odds of "yes" for whether the passages state the answer, or None where the model told nothing."""
    language = task.question.language
    *before, last = task.messages
    yes, no = _YES_OR_NO[language]
    asked = HumanMessage(f"{last.content}\n\n{_STATED[language]}")
    return log_odds(await next_words(task.chat, (*before, asked), (yes, no)), yes, no)


def _odds(words: Mapping[str, float]) -> float | None:
    """Return the log-odds of the sentinel as the first word, or None where the model told nothing."""
    if SENTINEL not in words:
        return None
    share = min(math.exp(words[SENTINEL]), 1 - 1e-9)
    return math.log(max(share, 1e-9)) - math.log1p(-share)
