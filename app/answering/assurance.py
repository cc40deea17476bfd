"""What is known of the error rate of shown answers, and on what data: the sentence that stands in an answer's details.

`assurance.json` holds one record a domain, made by ``python -m app.answering.calibration``; a domain without one has
the general one. A record is read like this:

    Of the answers that are shown for questions like those of the calibration sets, at most `bound` answer a question
    that their passages do not answer, at a confidence of `confidence`. The aim was `target`; `met` says whether the
    data bear it out.

Where they do not, `bound` is the rate that they do bear out: nothing better is claimed. Most questions of the shipped
calibration have no answer in their passages, on purpose; among ordinary questions there are fewer such.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["FALLBACK", "Assurance", "assurance_for", "read_assurances"]

FALLBACK: Final = "general"
"""The domain whose record holds for domains that have none of their own."""

_SHIPPED: Final = Path(__file__).with_name("assurance.json")


class Assurance(BaseModel):
    """What calibration says of the answers of a domain."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str = Field(description="Of the coefficients and thresholds.")
    domain: str = Field(description="The domain that was calibrated; `general` stands in for domains that were not.")
    sets: tuple[str, ...] = Field(description="Names of the calibration sets.")
    drafts: str = Field(description="Whose drafts were judged.")
    languages: tuple[str, ...] = Field(description="Languages of the questions; those in others are not judged.")
    date: str = Field(description="When it was calibrated, ISO 8601.")
    n: int = Field(ge=0, description="Calibration questions.")
    shown: int = Field(ge=0, description="Those of them that got an answer at this threshold.")
    wrong: int = Field(ge=0, description="Those answers whose passages do not answer the question.")
    target: float = Field(gt=0, lt=1, description="The rate that was aimed at.")
    confidence: float = Field(gt=0, lt=1, description="That the bound holds, over draws of the calibration set.")
    threshold: float = Field(ge=0, le=1, description="Least confidence of an answer that is shown.")
    bound: float = Field(ge=0, le=1, description="Upper limit of the rate, at that confidence.")

    @property
    def met(self) -> bool:
        """Whether the data bear the target out."""
        return self.bound <= self.target


def read_assurances(path: Path) -> Mapping[str, Assurance]:
    """Read the records of a file, by domain.

    Raises:
        ValueError: the file is not one, or has no general record.
    """
    body: Mapping[str, Any] = json.loads(path.read_text("utf-8"))
    found = {name: Assurance.model_validate({"domain": name, **record}) for name, record in body["domains"].items()}
    if FALLBACK not in found:
        raise ValueError(f"{path} has no record for {FALLBACK!r}")
    return found


@cache
def _shipped() -> Mapping[str, Assurance]:
    return read_assurances(_SHIPPED)


def assurance_for(domain: str) -> Assurance:
    """Return the shipped record of a domain, or the general one."""
    records = _shipped()
    return records.get(domain) or records[FALLBACK]
