"""What a transaction is given: the types that are returned and, in fewer bytes, stored.

    raw = base + Σ contributions of `reasons` + `others`

The stored form keeps places and numbers; the words are made when it is read, so that they are the same for a replay.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from domains.finance.transactions.features import NAMES
from domains.finance.transactions.reasons import Reason, reason

__all__ = ["FiredRule", "Kept", "Result", "Timeliness", "present", "stored"]

Timeliness = Literal["on_time", "out_of_order", "late"]
"""`out_of_order`: behind the newest by at most the allowed lateness, scored as of its own time; `late`: by more,
scored with what the windows still hold, which may be less than there was."""


class FiredRule(BaseModel):
    """A rule that held."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    action: str
    weight: float
    en: str
    zh: str


class Result(BaseModel):
    """The score of one transaction, why, and what follows."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: str
    time: datetime
    decision: Literal["allow", "note", "review", "block"]
    probability: float = Field(description="Calibrated probability of fraud or laundering.")
    raw: float = Field(
        description="Log-odds before calibration; base, the reasons' contributions and others add up to it."
    )
    base: float
    reasons: list[Reason]
    others: float = Field(description="Sum of the contributions of all other features.")
    factors: int = Field(default=len(NAMES), description="Features that were computed.")
    rules: list[FiredRule]
    challenger: float = Field(description="Probability by the challenger, which does not decide.")
    timeliness: Timeliness
    model: str = Field(description="SHA-256 of the model.")
    rules_digest: str = Field(description="SHA-256 of the rules file.")
    repeated: bool = Field(default=False, description="This id was scored before; this is what it was given then.")


class Kept(BaseModel):
    """A result as it is stored."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    d: Literal["allow", "note", "review", "block"]
    p: float
    raw: float
    base: float
    why: list[tuple[int, float | None, float]]
    others: float
    rules: list[FiredRule]
    other: float
    late: Timeliness
    model: str
    rd: str

    def as_text(self) -> str:
        """Return the JSON that is stored."""
        fields = self.__dict__ | {"rules": [rule.__dict__ for rule in self.rules]}
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def stored(text: str) -> Kept:
    """Read back what `as_text` wrote."""
    return Kept.model_validate_json(text)


def present(identity: str, seconds: float, kept: Kept, *, repeated: bool) -> Result:
    """Make the result that is returned from what is stored."""
    fields: dict[str, Any] = {
        "id": identity,
        "time": datetime.fromtimestamp(seconds, tz=UTC),
        "decision": kept.d,
        "probability": kept.p,
        "raw": kept.raw,
        "base": kept.base,
        "reasons": [reason(place, value, part) for place, value, part in kept.why],
        "others": kept.others,
        "rules": kept.rules,
        "challenger": kept.other,
        "timeliness": kept.late,
        "factors": len(NAMES),
        "model": kept.model,
        "rules_digest": kept.rd,
        "repeated": repeated,
    }
    return Result.model_construct(**fields)  # every part was checked when it was made; checking again took a tenth
