"""What one entry of the ledger says, and the bytes that are hashed for it.

An event holds digests, ids, versions and counts, never content: questions, answers and document text are pinned by
salted commitments (`app.ledger.commitment`) or by the digests of the evidence. The bytes are canonical JSON (RFC 8785),
so that anybody can make them again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self

import rfc8785

from app.errors import LedgerError

__all__ = ["SCHEMA", "Actor", "LedgerEvent"]

SCHEMA: Final = 1
"""Version of the event's own fields. A reader refuses a version that it does not know."""

_ACTION: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_OUTCOME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", re.ASCII)
_LONGEST_TEXT: Final = 512
"""Characters. Long enough for names, ids and digests; a paragraph of a document does not fit by accident."""
_LARGEST: Final = 65_536
_DEEPEST: Final = 8
_SAFE_INTEGER: Final = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it, and how they proved who they are."""

    subject: str
    method: str


@dataclass(frozen=True, slots=True)
class LedgerEvent:
    """One entry, checked when it is made.

    `seq` counts from 0 without gaps; `time` is RFC 3339 in UTC, from the clock of the machine that wrote it, which
    may step: the order of events is that of `seq`. `action` is dotted lower case, such as ``answer.intent``; `closes`
    is the `seq` of the intent that this event ends.

    Raises:
        LedgerError: a field breaks these rules, or the body is not plain JSON within its limits.

    Not covered:
        The limits keep a page of text out of the body, not a short sentence: callers decide what they put there.
    """

    seq: int
    id: str
    time: str
    action: str
    actor: Actor
    outcome: str
    body: Mapping[str, Any]
    closes: int | None = None
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        if type(self.schema) is not int or self.schema != SCHEMA:
            raise _refused("its schema is not known")
        if not _is_place(self.seq) or (self.closes is not None and not _is_place(self.closes, below=self.seq)):
            raise _refused("its place or the entry that it closes is impossible")
        for text in (self.id, self.time, self.action, self.outcome, self.actor.subject, self.actor.method):
            _text(text)
        if not _ACTION.fullmatch(self.action) or not _OUTCOME.fullmatch(self.outcome):
            raise _refused("its action or outcome is not a lower-case name")
        if not _is_utc(self.time):
            raise _refused("its time is not RFC 3339 in UTC")
        if not isinstance(self.body, Mapping):
            raise _refused("its body is no mapping")
        object.__setattr__(self, "body", _plain(self.body, depth=0))

    def canonical(self) -> bytes:
        """Return the bytes that are stored and hashed: RFC 8785 of all fields."""
        data = rfc8785.dumps(
            {
                "action": self.action,
                "actor": {"method": self.actor.method, "subject": self.actor.subject},
                "body": self.body,
                "closes": self.closes,
                "id": self.id,
                "outcome": self.outcome,
                "schema": self.schema,
                "seq": self.seq,
                "time": self.time,
            }
        )
        if len(data) > _LARGEST:
            raise _refused(f"it has more than {_LARGEST} bytes")
        return data

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read an event back from its canonical bytes.

        Raises:
            LedgerError: the bytes are no event, or not the canonical bytes of one.
        """
        try:
            fields = json.loads(data)
            event = cls(**(fields | {"actor": Actor(**fields["actor"])}))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise _refused("its bytes are not an event") from None
        if event.canonical() != data:
            raise _refused("its bytes are not canonical")
        return event


def _is_place(seq: Any, *, below: int = _SAFE_INTEGER) -> bool:
    return type(seq) is int and 0 <= seq < below  # no bool: JSON would read back as something else


def _is_utc(time: str) -> bool:
    if not _TIME.fullmatch(time):
        return False
    try:
        datetime.fromisoformat(time)
    except ValueError:
        return False
    return True


def _plain(value: Any, *, depth: int) -> Any:
    """Copy a value as plain JSON, so that nobody can change it after it was hashed."""
    if depth > _DEEPEST:
        raise _refused(f"its body is nested more than {_DEEPEST} deep")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int) and abs(value) <= _SAFE_INTEGER:
        return int(value)
    if isinstance(value, float) and abs(value) <= _SAFE_INTEGER:  # not infinite, not NaN; larger ones read as integers
        return float(value)
    if isinstance(value, Mapping):
        return {_text(key): _plain(item, depth=depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth=depth + 1) for item in value]
    raise _refused(f"its body holds a {type(value).__name__} that JSON cannot keep exactly")


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        raise _refused(f"it holds a name or text that is no string of at most {_LONGEST_TEXT} characters")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise _refused("it holds half of a character") from None
    return str.__str__(value)  # an enumeration's value, not its name


def _refused(problem: str) -> LedgerError:
    return LedgerError(
        f"The event cannot be recorded: {problem}.",
        remedy="Nothing was done. Report this: it is a fault in the program.",
    )
