"""What an examination finds, and how the examinations are run: each by itself, so that one fault hides no other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.errors import VouchError, describe
from app.settings import Settings

__all__ = ["Examination", "Finding", "Health", "examine"]


class Health(StrEnum):
    """How a part is."""

    WELL = "well"
    DOUBTFUL = "doubtful"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """One part of the installation.

    Attributes:
        part: What was looked at, in a word or two.
        health: How it is. DOUBTFUL works, but slower or with less than it should.
        message: What was found.
        remedy: What to do about it; empty where it is well.
    """

    part: str
    health: Health
    message: str
    remedy: str = ""


Examination = Callable[[Settings], Iterable[Finding]]
"""Looks at one or more parts and yields what it finds. It changes nothing; what it raises becomes a finding."""

_UNKNOWN: Final = "Run it again with VOUCH_LOG_LEVEL=debug, and tell whoever maintains this installation."


def examine(settings: Settings, examinations: Iterable[tuple[str, Examination]]) -> list[Finding]:
    """Run examinations, named after their part, and return what they found in their order."""
    found: list[Finding] = []
    for part, examination in examinations:
        try:
            found.extend(examination(settings))
        except Exception as error:  # noqa: BLE001 - a broken machine may raise anything, and the rest must still be seen
            found.append(_broken(part, error))
    return found


def _broken(part: str, error: Exception) -> Finding:
    told = describe(error)
    if told.code == "internal" and not isinstance(error, VouchError):
        reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        return Finding(part, Health.BROKEN, f"It could not be examined: {reason}.", _UNKNOWN)
    return Finding(part, Health.BROKEN, told.message, told.remedy)
