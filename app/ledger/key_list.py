"""Which key a log signed with from which entry to which: what an auditor needs beside the checkpoints.

    [{"key": VERIFIER KEY, "from": 0, "to": 41, "endorsement": null},
     {"key": VERIFIER KEY, "from": 41, "to": null, "endorsement": SIGNED NOTE}]

`from` is the entry that names the key (the event of its making or of the rotation to it), `to` the entry that names its
successor. A key may sign the trees whose last entry is in this interval, both ends included: the tree that ends with a
rotation is signed by both keys. The endorsement of a key is a note that its predecessor signed:

    vouch key rotation
    <origin>
    <verifier key of the successor>

So whoever trusts one key of the list can trust those after it, and needs to have got only that one by another way.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from app.errors import ProofInvalid
from app.ledger.note import Note, Signer, VerifierKey, invalid

__all__ = ["KeyPeriod", "endorse", "following", "keys_at", "read_keys", "write_keys"]

_TITLE: Final = "vouch key rotation"
_LARGEST: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class KeyPeriod:
    """A key and the entries between which it signs. `last` is None while it does."""

    key: VerifierKey
    first: int
    last: int | None = None
    endorsement: str | None = None

    def covers(self, size: int) -> bool:
        """Say whether the key may sign the tree of this size."""
        return self.first < size and (self.last is None or size - 1 <= self.last)

    def shown(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"key": str(self.key), "from": self.first, "to": self.last, "endorsement": self.endorsement}

    @classmethod
    def parse(cls, fields: Any) -> Self:
        """Read the JSON form.

        Raises:
            ProofInvalid: it is none.
        """
        if not isinstance(fields, dict) or set(fields) != {"key", "from", "to", "endorsement"}:
            raise invalid("A key list holds something that is no key with its interval.")
        key, first, last, endorsement = (fields[name] for name in ("key", "from", "to", "endorsement"))
        if not isinstance(key, str) or type(first) is not int or not (last is None or type(last) is int):
            raise invalid("A key list holds something that is no key with its interval.")
        if first < 0 or (last is not None and last <= first) or not isinstance(endorsement, str | None):
            raise invalid("A key list holds an impossible interval or endorsement.")
        return cls(VerifierKey.parse(key), first, last, endorsement)


def endorse(old: Signer, new: VerifierKey) -> str:
    """Return the note by which a key names its successor."""
    text = f"{_TITLE}\n{old.verifier().name}\n{new}\n"
    return str(Note(text, (old.sign(text),)))


def following(periods: Sequence[KeyPeriod], new: KeyPeriod) -> tuple[KeyPeriod, ...]:
    """Return the list with a further key, the one before it ended at the entry that names it.

    Raises:
        ProofInvalid: the key's predecessor did not endorse it, or the intervals do not meet.
    """
    if not periods:
        return (new,)
    last = periods[-1]
    if last.last not in {None, new.first} or last.first >= new.first:
        raise invalid("The intervals of two keys do not meet.")
    note = Note.parse((new.endorsement or "").encode("utf-8", "replace"))
    if note.text != f"{_TITLE}\n{last.key.name}\n{new.key}\n":
        raise invalid("The endorsement of a key is of another key.")
    note.verified([last.key])
    return (*periods[:-1], replace(last, last=new.first), new)


def keys_at(periods: Sequence[KeyPeriod], size: int) -> list[VerifierKey]:
    """Return the keys that may sign the tree of a size."""
    return [period.key for period in periods if period.covers(size)]


def write_keys(periods: Sequence[KeyPeriod]) -> list[dict[str, Any]]:
    """Return a list's JSON form."""
    return [period.shown() for period in periods]


def read_keys(data: bytes) -> tuple[KeyPeriod, ...]:
    """Read a list from JSON and check that each key was endorsed by the one before.

    Raises:
        ProofInvalid: it is no such list.
    """
    try:
        fields = json.loads(data) if len(data) <= _LARGEST else None
    except (ValueError, RecursionError):
        raise invalid("A key list is not JSON.") from None
    if not isinstance(fields, list):
        raise invalid("A key list is no list, or too long.")
    periods: tuple[KeyPeriod, ...] = ()
    for item in fields:
        new = KeyPeriod.parse(item)
        if periods and periods[-1].last is None:
            raise ProofInvalid("Two keys of a list have no end.", remedy="Get the list again from the log.")
        periods = following(periods, new)
    return periods
