"""Scores transactions: accepted once by id, scored, kept; all of it in one transaction of the database.

What a crash can do. Event, result and the changed rows that are due are written together, before the answer is given.
A crash before that leaves nothing: the sender has no answer, sends again, and gets the score it would have had. After
it, the same id returns what is stored. Rows that were not due are made again from the journal at the next start.

Time. An event more than `AHEAD` seconds in the future of this machine's clock is refused, with both times; one behind
the newest accepted by up to `windows.LATENESS` is `out_of_order`, by more `late`; both are accepted, folded in where
the windows reach, and said so. A clock of this machine that jumps back therefore refuses honest events, by name,
rather than let time run backwards.

Not covered: durability against loss of power is that of the database (SQLite here: `synchronous=NORMAL`, the last
commits may be lost, never the order); several processes.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np

from domains.finance.transactions.errors import (
    TransactionConflict,
    TransactionError,
    TransactionNotFound,
    TransactionRefused,
)
from domains.finance.transactions.event import Parsed, Transaction, parse, parse_json
from domains.finance.transactions.model import Model
from domains.finance.transactions.reasons import strongest
from domains.finance.transactions.recent import Recent
from domains.finance.transactions.residents import LAG
from domains.finance.transactions.results import FiredRule, Kept, Result, Timeliness, present, stored
from domains.finance.transactions.rules import RulesFile
from domains.finance.transactions.store import Accepted, Store
from domains.finance.transactions.tracking import Tracker
from domains.finance.transactions.windows import LATENESS, Floats

__all__ = ["AHEAD", "ROWS", "Scoring"]

AHEAD: Final = 300.0
"""Seconds that an event may be ahead of this machine: clocks without NTP drift by a minute or two."""

ROWS: Final = 16_384
"""Entities in memory, 14.5 KiB each: 240 MB. The others are read from the database when they come up."""

_REPLAY: Final = 2_048


@dataclass(frozen=True, slots=True)
class _New:
    place: int
    transaction: Transaction
    parsed: Parsed
    body: str
    digest: bytes
    late: Timeliness
    newest: float


class Scoring:
    """Transaction risk, assembled.

    Args:
        store: The tables.
        model: Champion and challenger.
        rules: The rules in force.
        rows: Entities kept in memory.
        lag: Events after which a changed row is written, see `residents.LAG`.
        clock: Seconds since 1970.

    Raises:
        StateUnavailable: the database does not answer, or holds a row that is damaged.
    """

    def __init__(
        self,
        store: Store,
        *,
        model: Model,
        rules: RulesFile,
        rows: int = ROWS,
        lag: int = LAG,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self.model = model
        self.rules = rules
        self.recent = Recent()
        self._rows = rows
        self._lag = lag
        self._clock = clock
        self._lock = threading.Lock()
        self._whole = False
        self._recover()

    def _recover(self) -> None:
        """Make the state from the tables: the rows as they were written, and the events since."""
        self._whole = False
        self._tracker = Tracker(self._store, rows=self._rows, lag=self._lag)
        last = self._store.last()
        self._seq = -1 if last is None else last.seq
        self._newest = -np.inf if last is None else last.newest
        seq = self._store.applied()
        while events := self._store.after(seq, number=_REPLAY):
            parsed = [parse(parse_json(event.body)) for event in events]
            self._tracker.replay(parsed, [event.seq for event in events], [event.novel for event in events])
            seq = events[-1].seq
        self._whole = True

    def score(self, transactions: Sequence[Transaction]) -> list[Result | TransactionError]:
        """Score transactions in order; each gets a result or says why it was refused.

        Raises:
            StateUnavailable: the database did not take them; none was accepted.
        """
        with self._lock:
            if not self._whole:
                self._recover()
            try:
                return self._score(transactions)
            except BaseException:
                self._whole = False  # the state in memory may be ahead of the tables
                raise

    def _score(self, transactions: Sequence[Transaction]) -> list[Result | TransactionError]:
        given: list[Result | TransactionError | None] = [None] * len(transactions)
        bodies = [transaction.model_dump_json(exclude_defaults=True) for transaction in transactions]
        digests = [hashlib.sha256(body.encode("utf-8", "surrogatepass")).digest() for body in bodies]
        new: list[_New] = []
        twice: list[int] = []
        names = list(dict.fromkeys(transaction.id for transaction in transactions))
        known = self._store.find([name for name in names if _storable(name)])
        first_of: dict[str, bytes] = {}
        newest, limit = self._newest, self._clock() + AHEAD
        for place, (transaction, digest) in enumerate(zip(transactions, digests, strict=True)):
            if transaction.id in known:
                given[place] = _again(known[transaction.id], digest)
            elif transaction.id in first_of:
                twice.append(place)
            else:
                try:
                    parsed = parse(transaction)
                    _not_ahead(transaction, parsed.seconds, limit)
                except TransactionRefused as error:
                    given[place] = error
                    continue
                first_of[transaction.id] = digest
                late = _timeliness(parsed.seconds, newest)
                newest = max(newest, parsed.seconds)
                new.append(_New(place, transaction, parsed, bodies[place], digest, late, newest))
        accepted, kept = self._accept(new) if new else ({}, {})
        for item in new:
            event = accepted[item.transaction.id]
            given[item.place] = present(event.id, event.seconds, kept[item.transaction.id], repeated=False)
        for place in twice:
            given[place] = _again(accepted[transactions[place].id], digests[place])
        return [item for item in given if item is not None]

    def _accept(self, new: Sequence[_New]) -> tuple[dict[str, Accepted], dict[str, Kept]]:
        first = self._seq + 1
        observed = self._tracker.observe([item.parsed for item in new], first=first)
        kept = self._judge(observed.features, [item.late for item in new])
        events = [
            Accepted(
                seq=first + place,
                id=item.transaction.id,
                digest=item.digest,
                seconds=item.parsed.seconds,
                newest=item.newest,
                novel=observed.novel[place],
                body=item.body,
                result=kept[place].as_text(),
            )
            for place, item in enumerate(new)
        ]
        last = events[-1].seq
        states, applied, rows = self._tracker.residents.due(last, len(events))
        self._store.commit(events, states, applied)
        self._tracker.residents.written(rows)
        self._seq, self._newest = last, new[-1].newest
        return {event.id: event for event in events}, {
            item.transaction.id: one for item, one in zip(new, kept, strict=True)
        }

    def _judge(self, features: Floats, late: Sequence[Timeliness]) -> list[Kept]:
        scored = self.model.score(features)
        rules = self.rules.current
        fired = rules.fired(features)
        self.recent.add(features, scored.raw, scored.probability, scored.challenger)
        judged = []
        ranked, whole = strongest(scored.contributions), scored.contributions.sum(axis=1)
        for place, (parts, top) in enumerate(zip(scored.contributions, ranked, strict=True)):
            values, given = features[place, top].tolist(), parts[top].tolist()
            judged.append(
                Kept.model_construct(
                    d=rules.decide(float(scored.probability[place]), fired[place]),
                    p=float(scored.probability[place]),
                    raw=float(scored.raw[place]),
                    base=float(scored.base[place]),
                    why=[
                        (at, None if value != value else value, float(parts[at]))
                        for at, value in zip(top, values, strict=True)
                    ],
                    others=float(whole[place]) - sum(given),
                    rules=[
                        FiredRule(name=rule.name, action=rule.action, weight=rule.weight, en=rule.en, zh=rule.zh)
                        for rule in fired[place]
                    ],
                    other=float(scored.challenger[place]),
                    late=late[place],
                    model=self.model.digest,
                    rd=rules.digest,
                )
            )
        return judged

    def result(self, identity: str) -> Result:
        """Return what a transaction was given.

        Raises:
            TransactionNotFound: none was accepted under this id.
        """
        event = (self._store.find([identity]) if _storable(identity) else {}).get(identity)
        if event is None:
            raise TransactionNotFound(
                f"No transaction {identity[:128]!r} was scored.", remedy="Check the id, or send the transaction."
            )
        return present(event.id, event.seconds, stored(event.result), repeated=True)

    def close(self) -> None:
        """Write every changed row, so that the next start has nothing to replay."""
        with self._lock:
            if self._whole:
                states, rows = self._tracker.residents.flush()
                self._store.commit((), states, self._seq)
                self._tracker.residents.written(rows)


def _again(event: Accepted, digest: bytes) -> Result | TransactionError:
    if event.digest != digest:
        return TransactionConflict(
            f"The id {event.id!r} was used before, for another transaction.", remedy="Give this one its own id."
        )
    return present(event.id, event.seconds, stored(event.result), repeated=True)


def _timeliness(seconds: float, newest: float) -> Timeliness:
    if seconds >= newest:
        return "on_time"
    return "out_of_order" if seconds >= newest - LATENESS else "late"


def _not_ahead(transaction: Transaction, seconds: float, limit: float) -> None:
    if seconds > limit:
        here = datetime.fromtimestamp(limit - AHEAD, tz=UTC).isoformat(timespec="seconds")
        raise TransactionRefused(
            f"The time {transaction.time.isoformat(timespec='seconds')} is more than {AHEAD:.0f} s ahead of this"
            f" machine's clock, {here}.",
            remedy="Check the clock that stamped it, and this machine's.",
        )


def _storable(identity: str) -> bool:
    """Say whether an id can be in the tables: PostgreSQL takes no zero byte, and no database half a character."""
    return "\x00" not in identity and not any("\ud800" <= sign <= "\udfff" for sign in identity)
