"""What an answer is made of, and what a listener hears while it is being made.

A `Claim` is the unit of trust: one sentence (or part of one) with the evidence that it cites and the verdict on it.
An `Answer` shows only claims whose verdict is SUPPORTED; the others stay in the record, marked, so that a reader can
see what was struck out and why.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from app.answering.assurance import Assurance
from retrieval.language import Language
from retrieval.types import Evidence

__all__ = [
    "Answer",
    "Checked",
    "Claim",
    "Conflict",
    "Draft",
    "Event",
    "Finished",
    "Receipt",
    "Retrieved",
    "SectionsRead",
    "Side",
    "Started",
    "Verdict",
]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Verdict(StrEnum):
    """What became of a claim when it was held against the passage that it cites."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    UNSUPPORTED = "unsupported"


class Claim(_Value):
    """One statement of the answer. `score` is the checker's support, 0 to 1; `reason` says why it was struck out."""

    text: str
    cites: tuple[str, ...] = Field(description="Ids of evidence in the same answer.")
    verdict: Verdict
    score: float = Field(ge=0.0, le=1.0)
    reason: str | None = None
    quote: str | None = Field(default=None, description="The words of the cited evidence that carry the verdict.")
    corrected: bool = Field(default=False, description="The draft cited another passage, which does not carry it.")


class Receipt(_Value):
    """Where the record of this answer stands in the ledger.

    `entry` is the index of the outcome event (from 0), `leaf` its RFC 6962 leaf hash and `root` the Merkle root of
    the tree of `size` entries that contains it, all lower-case hexadecimal. `size` is greater than `entry`, and more
    than one greater where other entries became durable in the same moment.
    """

    entry: int
    leaf: str
    size: int
    root: str
    time: str = Field(description="RFC 3339, UTC.")
    proof: tuple[str, ...] = Field(
        default=(), description="RFC 6962 inclusion proof from the leaf to the root, hexadecimal, the sibling first."
    )
    checkpoint: str | None = Field(
        default=None, description="The tree's size and root, signed by the ledger: a C2SP checkpoint."
    )


class Side(_Value):
    """What one passage says where two say different things."""

    cite: str = Field(description="Id of evidence in the same answer.")
    quote: str = Field(description="The sentence of the passage.")
    value: str = Field(description="The number or date in it, as it stands there.")
    dated: str | None = Field(default=None, description="The year that the passage's document or text gives.")


class Conflict(_Value):
    """Two passages of different documents that give different values for what a claim says."""

    here: Side = Field(description="What the claim rests on.")
    there: Side = Field(description="What another passage says.")


class SectionsRead(_Value):
    """Sections of a long text that were read, of how many."""

    read: int
    of: int


class Answer(_Value):
    """The whole answer, as `./vouch ask --json` and `POST /v1/ask` give it.

    `text` is what may be shown: the supported claims with their citation marks, or the words of abstention. When
    `abstained` is true, `claims` may still hold what was struck out, and `evidence` holds the nearest passages.
    """

    id: str
    question: str
    language: Language
    domain: str
    text: str
    short: str | None = Field(default=None, description="The bare answer: asked for by style or choices.")
    claims: tuple[Claim, ...]
    evidence: tuple[Evidence, ...]
    abstained: bool
    reason: str | None = Field(default=None, description="Why it abstained, as a code.")
    confidence: float | None = Field(
        default=None, ge=0.0, le=1.0, description="That the shown claims answer the question; fitted, see `assurance`."
    )
    assurance: Assurance | None = Field(
        default=None, description="What calibration says of answers that are as sure as this one has to be."
    )
    missing: tuple[str, ...] = Field(default=(), description="Parts of the question that nothing shown answers.")
    conflicts: tuple[Conflict, ...] = Field(default=(), description="Where another passage says otherwise.")
    ended: str | None = Field(
        default=None, description="Why the draft was ended early: `cut` (too long), `repeating`, `leaked` (its prompt)."
    )
    kept_out: dict[str, int] = Field(
        default_factory=dict,
        description="Sentences, by evidence id, that were kept from the model because they give it orders.",
    )
    sections: SectionsRead | None = Field(
        default=None, description="How much of a text too long for one prompt was read."
    )
    repeats: str | None = Field(
        default=None, description="Id of the earlier answer that is given again, from the cache."
    )
    notice: str | None = None
    receipt: Receipt
    seconds: dict[str, float] = Field(default_factory=dict, description="Wall time by step, in seconds.")


@dataclass(frozen=True, slots=True)
class Started:
    """The intent is durable in the ledger; only now may work begin."""

    answer_id: str
    entry: int
    domain: str
    language: Language


@dataclass(frozen=True, slots=True)
class Retrieved:
    """The evidence so far: what the model will see, in prompt order, and later again with what a drafter computed."""

    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """A piece of the model's text as it came: unchecked."""

    text: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A finished claim with its verdict. Claims come in the order of the draft."""

    claim: Claim


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer, its outcome durable in the ledger. Always the last event of a run that did not raise."""

    answer: Answer


Event = Started | Retrieved | Draft | Checked | Finished
