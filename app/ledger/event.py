"""What one entry of the ledger says, and the bytes that are hashed for it.

An event holds digests, ids, versions and counts, never content: questions, answers and document text are pinned by
salted commitments (`app.ledger.commitment`) or by the digests of the evidence. The bytes are canonical JSON (RFC 8785),
so that anybody can make them again.

Whoever appends makes a `Draft`: everything but the entry's place and time, checked and encoded in the caller's own
thread. The one writer adds those two and does nothing else with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self

import orjson

from app.ledger.canonical import SAFE_INTEGER, encoded, plain, plain_text, refused
from app.ledger.clock import ClockState

__all__ = ["SCHEMA", "Actor", "Draft", "LedgerEvent"]

SCHEMA: Final = 2
"""Version of the event's own fields. A reader refuses a version that it does not know."""

_ACTION: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_OUTCOME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", re.ASCII)
_LARGEST: Final = 65_536


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
    clock: ClockState
    action: str
    actor: Actor
    outcome: str
    body: Mapping[str, Any]
    closes: int | None = None
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        if type(self.schema) is not int or self.schema != SCHEMA:
            raise refused("its schema is not known")
        if not _is_place(self.seq) or (self.closes is not None and not _is_place(self.closes, below=self.seq)):
            raise refused("its place or the entry that it closes is impossible")
        for text in (self.id, self.time, self.actor.subject, self.actor.method, self.clock.source, self.clock.zone):
            plain_text(text)
        _name(_ACTION, self.action)
        _name(_OUTCOME, self.outcome)
        if not _is_utc(self.time):
            raise refused("its time is not RFC 3339 in UTC")
        if not _is_state(self.clock):
            raise refused("the state of its clock is none")
        object.__setattr__(self, "body", _mapping(self.body))

    def canonical(self) -> bytes:
        """Return the bytes that are stored and hashed: RFC 8785 of all fields."""
        fields = {
            "action": self.action,
            "actor": {"method": self.actor.method, "subject": self.actor.subject},
            "body": self.body,
            "clock": self.clock.fields(),
            "closes": self.closes,
            "id": self.id,
            "outcome": self.outcome,
            "schema": self.schema,
            "seq": self.seq,
            "time": self.time,
        }
        return _limited(encoded(fields))

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read an event back from its canonical bytes.

        Raises:
            LedgerError: the bytes are no event, or not the canonical bytes of one.
        """
        try:
            fields = orjson.loads(data)
            parts = {"actor": Actor(**fields["actor"]), "clock": ClockState(**fields["clock"])}
            event = cls(**(fields | parts))
        except (ValueError, TypeError, KeyError, AttributeError):
            raise refused("its bytes are not an event") from None
        if event.canonical() != data:
            raise refused("its bytes are not canonical")
        return event


@dataclass(frozen=True, slots=True)
class Draft:
    """An event that has no place and no time yet, checked and encoded; made by `Draft.of`."""

    action: str
    closes: int | None
    head: bytes
    """Canonical bytes up to the clock: RFC 8785 sorts the names, and what the writer adds comes last."""
    outcome: str

    @classmethod
    def of(
        cls,
        action: str,
        *,
        subject: str,
        method: str,
        body: Mapping[str, Any],
        outcome: str = "ok",
        closes: int | None = None,
    ) -> Self:
        """Check everything that does not depend on the entry's place.

        Raises:
            LedgerError: a rule of `LedgerEvent` is broken.
        """
        if closes is not None and type(closes) is not int:
            raise refused("the entry that it closes is impossible")
        action = _name(_ACTION, action)
        outcome = _name(_OUTCOME, outcome)
        actor = {"method": plain_text(method), "subject": plain_text(subject)}
        head = encoded({"action": action, "actor": actor, "body": _mapping(body)})
        return cls(action, closes, _limited(head[:-1]), outcome)

    def at(self, seq: int, *, id: str, time: str, clock: bytes) -> bytes:  # noqa: A002 - the field's name
        """Return the canonical bytes of the event at its place; `clock` is the canonical bytes of a clock's state.

        Raises:
            LedgerError: the event is too long.
        """
        closes = b"null" if self.closes is None else b"%d" % self.closes
        tail = f'"id":"{id}","outcome":"{self.outcome}","schema":{SCHEMA},"seq":{seq},"time":"{time}"}}'
        return _limited(b'%b,"clock":%b,"closes":%b,%b' % (self.head, clock, closes, tail.encode("ascii")))


def _limited(data: bytes) -> bytes:
    if len(data) > _LARGEST:
        raise refused(f"it has more than {_LARGEST} bytes")
    return data


def _is_place(seq: Any, *, below: int = SAFE_INTEGER) -> bool:
    return type(seq) is int and 0 <= seq < below  # no bool: JSON would read back as something else


def _is_state(clock: ClockState) -> bool:
    step = clock.stepped_ms
    known = clock.synchronised is None or isinstance(clock.synchronised, bool)
    return known and type(step) is int and abs(step) <= SAFE_INTEGER


def _is_utc(time: str) -> bool:
    if not _TIME.fullmatch(time):
        return False
    try:
        datetime.fromisoformat(time)
    except ValueError:
        return False
    return True


def _name(form: re.Pattern[str], value: Any) -> str:
    text = plain_text(value)
    if not form.fullmatch(text):
        raise refused("its action or outcome is not a lower-case name")
    return text


def _mapping(body: Any) -> dict[str, Any]:
    if not isinstance(body, Mapping):
        raise refused("its body is no mapping")
    copy: dict[str, Any] = plain(body)
    return copy
