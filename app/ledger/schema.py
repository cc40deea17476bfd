"""The ledger's own tables, and the triggers that keep them append-only.

The ledger has a store of its own: it may stand on another disk or server than the database, and it has no migrations,
because entries are never rewritten. Its format is one number; a ledger of a format that this version does not know is
refused rather than guessed at.

Beside each entry stand its leaf hash and its peak: the root of the largest perfect subtree that ends at it. The peaks
of a tree of n entries are the peaks of at most log2(n) + 1 rows, so opening a ledger reads those alone. Beside the last
entry of each transaction stands the tree's root after it. `action` and `closes` repeat what the entry says, so that
they can be searched; a verification compares them with the entry.

The one change that the triggers let through is pruning (`app.ledger.pruning`): the body of an entry below the minimum
index, which only rises, may go. Its hashes stay, and with them the tree and every proof.
"""

from __future__ import annotations

import uuid
from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    insert,
    inspect,
    select,
    text,
)

from app.errors import StartFailed

__all__ = ["FORMAT", "check_format", "entries", "meta", "prepare"]

FORMAT: Final = 2

_SEQ: Final = BigInteger().with_variant(Integer(), "sqlite")  # exactly INTEGER makes it SQLite's row number
_metadata: Final = MetaData()

entries: Final = Table(
    "ledger_entries",
    _metadata,
    Column("seq", _SEQ, primary_key=True, autoincrement=False),
    Column("body", LargeBinary),  # null: pruned
    Column("leaf", LargeBinary, nullable=False),
    Column("peak", LargeBinary, nullable=False),
    Column("root", LargeBinary),  # null: entries after it were committed in the same transaction
    Column("action", String(512), nullable=False),
    Column("closes", _SEQ),
    Index("ix_ledger_entries_action", "action", "seq"),
    Index(
        "ux_ledger_entries_closes",
        "closes",
        unique=True,
        sqlite_where=text("closes IS NOT NULL"),
        postgresql_where=text("closes IS NOT NULL"),
    ),
)

meta: Final = Table(
    "ledger_meta", _metadata, Column("name", String(32), primary_key=True), Column("value", Text, nullable=False)
)

_UNCHANGED: Final = " AND ".join(
    f"NEW.{column.name} IS OLD.{column.name}" for column in entries.c if column.name != "body"
)
_MINIMUM: Final = "COALESCE((SELECT CAST(value AS BIGINT) FROM ledger_meta WHERE name = 'minimum'), 0)"

# A BEFORE INSERT trigger too: SQLite's INSERT OR REPLACE deletes a row without firing its delete trigger.
_SQLITE_TRIGGERS: Final = (
    f"""CREATE TRIGGER ledger_no_update BEFORE UPDATE ON ledger_entries
       WHEN NOT (NEW.body IS NULL AND {_UNCHANGED} AND OLD.seq < {_MINIMUM})
       BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END""",
    """CREATE TRIGGER ledger_minimum_rises BEFORE UPDATE ON ledger_meta
       WHEN OLD.name = 'minimum' AND (NEW.name <> OLD.name OR CAST(NEW.value AS BIGINT) < CAST(OLD.value AS BIGINT)
         OR CAST(NEW.value AS BIGINT) > (SELECT COUNT(*) FROM ledger_entries))
       BEGIN SELECT RAISE(ABORT, 'the minimum only rises'); END""",
    """CREATE TRIGGER ledger_minimum_once BEFORE INSERT ON ledger_meta
       WHEN NEW.name = 'minimum' AND EXISTS (SELECT 1 FROM ledger_meta WHERE name = 'minimum')
       BEGIN SELECT RAISE(ABORT, 'the minimum only rises'); END""",
    """CREATE TRIGGER ledger_minimum_stays BEFORE DELETE ON ledger_meta WHEN OLD.name = 'minimum'
       BEGIN SELECT RAISE(ABORT, 'the minimum only rises'); END""",
    """CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger_entries
       BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END""",
    """CREATE TRIGGER ledger_in_order BEFORE INSERT ON ledger_entries
       WHEN NEW.body IS NULL OR NEW.seq <> (SELECT COALESCE(MAX(seq) + 1, 0) FROM ledger_entries)
       BEGIN SELECT RAISE(ABORT, 'the ledger has no gaps'); END""",
)

_POSTGRESQL_TRIGGERS: Final = (
    """CREATE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$""",
    f"""CREATE FUNCTION ledger_check_change() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN
            IF TG_OP = 'UPDATE' AND NEW.body IS NULL AND OLD.seq < {_MINIMUM}
               AND to_jsonb(NEW) - 'body' = to_jsonb(OLD) - 'body' THEN
              RETURN NEW;
            END IF;
            RAISE EXCEPTION 'the ledger is append-only';
          END $$""",
    """CREATE TRIGGER ledger_no_change BEFORE UPDATE OR DELETE ON ledger_entries
       FOR EACH ROW EXECUTE FUNCTION ledger_check_change()""",
    """CREATE FUNCTION ledger_check_meta() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN
            IF OLD.name <> 'minimum' THEN
              RETURN COALESCE(NEW, OLD);
            END IF;
            IF TG_OP = 'UPDATE' AND NEW.name = OLD.name AND NEW.value::bigint >= OLD.value::bigint
               AND NEW.value::bigint <= (SELECT COUNT(*) FROM ledger_entries) THEN
              RETURN NEW;
            END IF;
            RAISE EXCEPTION 'the minimum only rises';
          END $$""",
    """CREATE TRIGGER ledger_minimum_rises BEFORE UPDATE OR DELETE ON ledger_meta
       FOR EACH ROW EXECUTE FUNCTION ledger_check_meta()""",
    """CREATE TRIGGER ledger_no_truncate BEFORE TRUNCATE ON ledger_entries
       FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()""",
    """CREATE FUNCTION ledger_check_order() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN
            IF NEW.body IS NULL OR NEW.seq <> (SELECT COALESCE(MAX(seq) + 1, 0) FROM ledger_entries) THEN
              RAISE EXCEPTION 'the ledger has no gaps';
            END IF;
            RETURN NEW;
          END $$""",
    """CREATE TRIGGER ledger_in_order BEFORE INSERT ON ledger_entries
       FOR EACH ROW EXECUTE FUNCTION ledger_check_order()""",
)


def prepare(connection: Connection) -> None:
    """Make the tables where there are none, in one transaction, and check the format where there are.

    Raises:
        StartFailed: the ledger has a format that this version does not know.
    """
    if inspect(connection).has_table(meta.name):
        check_format(connection)
        return
    connection.rollback()  # the inspection may have begun a transaction
    sqlite = connection.dialect.name == "sqlite"
    with connection.begin():
        if sqlite:
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # the driver would commit each CREATE by itself
        _metadata.create_all(connection, checkfirst=False)
        for statement in _SQLITE_TRIGGERS if sqlite else _POSTGRESQL_TRIGGERS:
            connection.exec_driver_sql(statement)
        rows = [
            {"name": "format", "value": str(FORMAT)},
            {"name": "origin", "value": str(uuid.uuid4())},
            {"name": "minimum", "value": "0"},
        ]
        connection.execute(insert(meta), rows)


def check_format(connection: Connection) -> None:
    """Refuse a store that is no ledger, or one of another format.

    Raises:
        StartFailed: always with what was found.
    """
    if not inspect(connection).has_table(meta.name):
        raise StartFailed("There is no ledger here.", remedy="Check VOUCH_LEDGER_URL, or start the service once.")
    found = connection.scalar(select(meta.c.value).where(meta.c.name == "format"))
    connection.rollback()
    if found != str(FORMAT):
        raise StartFailed(
            f"The ledger has format {found}; this version of Vouch knows format {FORMAT}.",
            remedy="Start the version that wrote it, or a newer one.",
        )
