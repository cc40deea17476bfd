"""Brings the database to the form that this version expects. Alembic does the work; there is no file to configure.

Each command is one transaction that holds all of its steps: it takes place as a whole or not at all, on SQLite as well,
and a second process that starts at the same time waits and then finds nothing left to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from app.errors import StartFailed

__all__ = ["current", "downgrade", "upgrade"]

_SCRIPTS: Final = Path(__file__).parent / "migrations"
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('vouch migrations ' || current_schema(), 0))"


def upgrade(engine: Engine) -> None:
    """Apply every revision that the database does not have yet.

    Raises:
        StartFailed: the database was made by a newer version, or cannot be changed; it is as it was before.
    """
    with _alembic(engine) as config:
        command.upgrade(config, "head")


def downgrade(engine: Engine, revision: str) -> None:
    """Take back every revision after this one ("base": all of them). What stood in dropped tables is lost.

    Raises:
        StartFailed: there is no such revision, or the database cannot be changed; it is as it was before.
    """
    with _alembic(engine) as config:
        command.downgrade(config, revision)


def current(engine: Engine) -> str | None:
    """Return the revision that the database has; None where it has none yet."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


@contextmanager
def _alembic(engine: Engine) -> Iterator[Config]:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    try:
        with engine.connect() as connection, connection.begin():
            _wait_for_others(connection)
            config.attributes["connection"] = connection
            yield config
    except CommandError:
        raise StartFailed(
            "The database has a form that this version of Vouch does not know.",
            remedy="Start the version that made it, or a newer one; or restore the copy made before the change.",
        ) from None
    except SQLAlchemyError as error:
        raise StartFailed(
            f"The database could not be brought to this version's form ({type(error).__name__}).",
            remedy="Check its free space and that this account may create tables, then start again.",
        ) from error


def _wait_for_others(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # the driver would commit each CREATE by itself
    else:
        connection.exec_driver_sql(_LOCK)
