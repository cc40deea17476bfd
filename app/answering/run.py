"""What is known of one question while it is being answered; the pipeline fills it, and the record is made from it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from langchain_core.messages import BaseMessage

from app.answering import abstain
from app.answering.cache import Kept
from app.answering.drafters.contract import Coverage, Short
from app.answering.gate import Judgement
from app.answering.instructions import Reading
from app.answering.screening import DraftEnd, DraftWatch
from app.answering.types import Claim, Receipt
from app.identity.principal import Principal
from domains.contract import DomainPlugin, Question, ToolCall
from retrieval.types import Evidence

__all__ = ["Run"]


@dataclass(slots=True)
class Run:
    """One question on its way: what a closing entry says of it, however far it came.

    Attributes:
        asked: The domain that was asked for.
        readings: The evidence as the model and the checks get it, by id; of what a drafter computed, that itself.
        sections: How much of a long text was read.
        wording: The question as it was answered: standing alone.
        instructions: What the domain added to the rules.
        messages: The prompt.
        later: Readings of all that was found, by the digest of what the model may see of it.
        place: Where an answer cache has the question.
        again: The answer that is given again.
        judgement: What the gate says of the checked draft.
        unclear: Words of the question that leave open what is meant.
    """

    question: Question
    principal: Principal
    asked: str | None
    answer_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    intent: Receipt | None = None
    plugin: DomainPlugin | None = None
    domain_reason: str | None = None
    calls: tuple[ToolCall, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    readings: dict[str, Reading | Evidence] = field(default_factory=dict)
    watch: DraftWatch | None = None
    drafter: str | None = None
    short: str | None = None
    sections: Coverage | None = None
    wording: str = ""
    instructions: str = ""
    messages: tuple[BaseMessage, ...] = ()
    later: dict[str, Reading] = field(default_factory=dict)
    place: str | None = None
    again: Kept | None = None
    judgement: Judgement = field(default_factory=Judgement)
    unclear: str | None = None
    claims: list[Claim] = field(default_factory=list)
    abstained: abstain.Reason | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    drafting_since: float = 0.0

    @property
    def ended(self) -> DraftEnd | None:
        """Why the draft was ended before the model ended it."""
        return None if self.watch is None else self.watch.end

    @property
    def as_data(self) -> tuple[Evidence, ...]:
        """The evidence as the model and the checks get it."""
        return tuple(item if isinstance(item, Evidence) else item.evidence for item in self.readings.values())

    @property
    def kept_out(self) -> dict[str, int]:
        """How many sentences of which evidence were kept from the model and the checks."""
        return {
            id_: len(item.kept_out)
            for id_, item in self.readings.items()
            if isinstance(item, Reading) and item.kept_out
        }

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Add the wall time of a block to a step."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - begin

    @property
    def how(self) -> dict[str, Any]:
        """What the record says of how it came about, where there is something to say."""
        said: dict[str, Any] = {}
        if self.sections is not None:
            said["sections"] = {"read": self.sections.read, "of": self.sections.of}
        if self.again is not None:
            said["repeats"] = {"answer_id": self.again.answer_id, "entry": self.again.entry}
        if self.judgement.assurance is not None:
            said["assurance"] = self.judgement.recorded
        return said

    def note(self, piece: Short | Coverage) -> None:
        """Take what a drafter says beside its text."""
        if isinstance(piece, Short):
            self.short = piece.text
        else:
            self.sections = piece

    def add(self, piece: Evidence) -> None:
        """Take evidence from a drafter: what it computed, or what was found and had no room in the first prompt."""
        found = self.later.get(piece.digest)
        if found is None:
            self.evidence, self.readings[piece.id] = (*self.evidence, piece), piece
            return
        self.evidence = (*self.evidence, found.found.model_copy(update={"id": piece.id}))
        self.readings[piece.id] = replace(found, evidence=piece)

    def kept(self, entry: int) -> Kept:
        """Return this answer as a cache keeps it; `entry` is its outcome's."""
        more: dict[str, Any] = {"readings": dict(self.readings), "sections": self.sections, "wording": self.wording}
        more |= {"judgement": self.judgement, "unclear": self.unclear}
        return Kept(
            self.answer_id, entry, self.evidence, tuple(self.claims), self.short, self.abstained, self.drafter, more
        )

    def repeat(self, kept: Kept) -> None:
        """Take over an answer that was given before."""
        self.again = kept
        self.evidence, self.claims, self.short = kept.evidence, list(kept.claims), kept.short
        self.abstained, self.drafter = kept.abstained, kept.drafter
        self.readings, self.sections = dict(kept.more["readings"]), kept.more["sections"]
        self.wording = kept.more["wording"]
        self.judgement, self.unclear = kept.more["judgement"], kept.more["unclear"]
