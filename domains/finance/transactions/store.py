"""The tables of transaction risk: what was accepted, what it was given, and the state of each entity.

    finance_tx_event   one row a transaction, in the order of acceptance; its own journal: body, result, and the
                       novelty bits that its fold needs, so that the state can be made again from any older state
    finance_tx_state   key (16 bytes) -> packed row
    finance_tx_mark    "applied": every event up to this number is in finance_tx_state; later ones may be

One transaction of the database takes everything that one request changed: it is all there, or none of it is.

Not covered: deleting old transactions (retention is the operator's, by `id` and `seconds`); two writers at once,
which the unique id and the primary key refuse rather than mix.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    Select,
    String,
    Table,
    Text,
    bindparam,
    insert,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from domains.finance.transactions.errors import StateUnavailable

__all__ = ["METADATA", "Accepted", "Store"]

METADATA: Final = MetaData()
EVENT: Final = Table(
    "finance_tx_event",
    METADATA,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("id", String(128), nullable=False, unique=True),
    Column("digest", LargeBinary, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("newest", Double, nullable=False),
    Column("novel", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("result", Text, nullable=False),
)
STATE: Final = Table(
    "finance_tx_state",
    METADATA,
    Column("key", LargeBinary, primary_key=True),
    Column("data", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
MARK: Final = Table(
    "finance_tx_mark",
    METADATA,
    Column("name", String(32), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

_IN: Final = 500
"""Keys in one question; SQLite's oldest limit on parameters is 999."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """One accepted transaction, as it is stored.

    `novel` has one bit a role; `newest` is the newest time accepted so far.
    """

    seq: int
    id: str
    digest: bytes
    seconds: float
    newest: float
    novel: int
    body: str
    result: str


class Store:
    """Reads and writes the tables.

    Raises:
        StateUnavailable: the database does not answer or refuses; from every method.
    """

    def __init__(self, database: Engine) -> None:
        self._database = database
        self._events = select(EVENT)
        self._by_id = self._events.where(EVENT.c.id.in_(bindparam("ids", expanding=True)))
        self._states = select(STATE).where(STATE.c.key.in_(bindparam("keys", expanding=True)))
        dialect = postgresql if database.dialect.name == "postgresql" else sqlite
        row = dialect.insert(STATE)
        self._put = row.on_conflict_do_update(index_elements=["key"], set_={"data": row.excluded.data})
        mark = dialect.insert(MARK)
        self._set = mark.on_conflict_do_update(index_elements=["name"], set_={"value": mark.excluded.value})
        try:
            METADATA.create_all(database)
        except SQLAlchemyError as error:
            raise _unavailable() from error

    def find(self, ids: Sequence[str]) -> dict[str, Accepted]:
        """Return the accepted transactions among these ids."""
        found: dict[str, Accepted] = {}
        try:
            with self._database.connect() as connection:
                for start in range(0, len(ids), _IN):
                    for row in connection.execute(self._by_id, {"ids": list(ids[start : start + _IN])}):
                        found[row[1]] = Accepted(*row)
        except SQLAlchemyError as error:
            raise _unavailable() from error
        return found

    def states(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return the packed rows of those keys that have one."""
        found: dict[bytes, bytes] = {}
        try:
            with self._database.connect() as connection:
                for start in range(0, len(keys), _IN):
                    for key, data in connection.execute(self._states, {"keys": list(keys[start : start + _IN])}):
                        found[bytes(key)] = bytes(data)
        except SQLAlchemyError as error:
            raise _unavailable() from error
        return found

    def commit(self, accepted: Sequence[Accepted], states: Mapping[bytes, bytes], applied: int) -> None:
        """Write what one request changed, all or nothing."""
        try:
            with self._database.begin() as connection:
                if accepted:
                    connection.execute(insert(EVENT), [_fields(event) for event in accepted])
                if states:
                    connection.execute(self._put, [{"key": key, "data": data} for key, data in states.items()])
                    connection.execute(self._set, {"name": "applied", "value": applied})
        except SQLAlchemyError as error:
            raise _unavailable() from error

    def last(self) -> Accepted | None:
        """Return the transaction that was accepted last."""
        return next(self._read(self._events.order_by(EVENT.c.seq.desc()).limit(1)), None)

    def recent(self, number: int) -> list[Accepted]:
        """Return the transactions accepted last, oldest first."""
        return list(self._read(self._events.order_by(EVENT.c.seq.desc()).limit(number)))[::-1]

    def applied(self) -> int:
        """Return the number up to which every event is in the stored states; -1 for none."""
        try:
            with self._database.connect() as connection:
                found = connection.execute(select(MARK.c.value).where(MARK.c.name == "applied")).scalar()
        except SQLAlchemyError as error:
            raise _unavailable() from error
        return -1 if found is None else int(found)

    def after(self, seq: int, *, number: int) -> list[Accepted]:
        """Return the transactions accepted after one, in order, at most `number`."""
        return list(self._read(self._events.where(EVENT.c.seq > seq).order_by(EVENT.c.seq).limit(number)))

    def _read(self, statement: Select[Any]) -> Iterator[Accepted]:
        try:
            with self._database.connect() as connection:
                rows = connection.execute(statement).all()
        except SQLAlchemyError as error:
            raise _unavailable() from error
        return (Accepted(*row) for row in rows)


def _fields(event: Accepted) -> dict[str, object]:
    return {name: getattr(event, name) for name in Accepted.__slots__}


def _unavailable() -> StateUnavailable:
    return StateUnavailable(
        "The database does not take or give the state of transactions.",
        remedy="Nothing was accepted. Check the database and its disk, then send the same ids again.",
    )
