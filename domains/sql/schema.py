"""What a database holds, as values: tables, columns, keys; and as the DDL that a model reads.

The DDL is written anew from what SQLite says of each table and not copied from ``sqlite_master``: comments, defaults
and check constraints of whoever made the database are left out, every database looks alike to the model, and a name
is quoted only where SQLite demands it (unquoted names are shorter, and come back unquoted in the query).

Virtual tables and SQLite's own tables are left out; views are tables with columns and without keys.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from domains.sql.errors import DatabaseUnreadable

__all__ = ["Column", "ForeignKey", "Schema", "Table", "address", "ddl", "read_schema"]

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED: Final = (
    "add all alter and as autoincrement between case check collate commit constraint create cross default deferrable "
    "delete distinct drop else escape except exists foreign from full group having in index inner insert intersect "
    "into is isnull join left limit natural not notnull null on or order outer primary references returning right "
    "select set table then to transaction union unique update using values when where"
)
_KEYWORDS: Final = frozenset(_RESERVED.split())
"""Those of https://www.sqlite.org/lang_keywords.html that SQLite does not take as a name without quotes."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column; `type` is as it was declared and may be empty."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """Columns that point to those of another table; `targets` may be empty: then its primary key is meant."""

    columns: tuple[str, ...]
    table: str
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table or a view."""

    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()


@dataclass(frozen=True)
class Schema:
    """The tables of a database in the order in which they were made."""

    tables: tuple[Table, ...]

    @cached_property
    def names(self) -> frozenset[str]:
        """Names of the tables, in lower case: SQLite compares ASCII letters without their case."""
        return frozenset(table.name.lower() for table in self.tables)


def address(path: Path) -> str:
    """Return the address under which SQLite opens a file and can neither write, lock nor create anything.

    Not covered: a file that another process writes meanwhile. ``immutable`` promises SQLite that nobody does.
    """
    return f"{path.resolve().as_uri()}?mode=ro&immutable=1"


def read_schema(path: Path) -> Schema:
    """Read the schema of a SQLite file.

    Raises:
        DatabaseUnreadable: there is no such file, or it is not a SQLite database.
    """
    try:
        with closing(sqlite3.connect(address(path), uri=True)) as connection:
            rows = connection.execute("PRAGMA table_list").fetchall()
            kept = {row[1] for row in rows if row[0] == "main" and row[2] in {"table", "view"}}
            made = connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY rowid")
            names = [name for (name,) in made if name in kept and not name.lower().startswith("sqlite_")]
            return Schema(tuple(_table(connection, name) for name in names))
    except (sqlite3.Error, OSError) as error:
        raise DatabaseUnreadable(
            f"The database {path.name} cannot be read ({type(error).__name__}).",
            remedy="Give a SQLite file that its own tools can open.",
        ) from error


def ddl(schema: Schema) -> str:
    """Return a CREATE TABLE for each table: columns with types, primary key, foreign keys."""
    return "\n\n".join(_create(table) for table in schema.tables)


def _table(connection: sqlite3.Connection, name: str) -> Table:
    columns = connection.execute("SELECT name, type, pk FROM pragma_table_xinfo(?) WHERE hidden <> 1", (name,))
    described = columns.fetchall()
    keyed = sorted((place, column) for column, _, place in described if place)
    links: dict[int, list[tuple[int, str, str, str | None]]] = {}
    for number, place, target, source, column in connection.execute(
        'SELECT id, seq, "table", "from", "to" FROM pragma_foreign_key_list(?)', (name,)
    ):
        links.setdefault(number, []).append((place, target, source, column))
    return Table(
        name=name,
        columns=tuple(Column(column, kind) for column, kind, _ in described),
        primary_key=tuple(column for _, column in keyed),
        foreign_keys=tuple(_foreign_key(sorted(links[number])) for number in sorted(links, reverse=True)),
    )


def _foreign_key(parts: list[tuple[int, str, str, str | None]]) -> ForeignKey:
    return ForeignKey(
        columns=tuple(source for _, _, source, _ in parts),
        table=parts[0][1],
        targets=tuple(target for _, _, _, target in parts if target is not None),
    )


def _create(table: Table) -> str:
    lines = [f"{_quoted(column.name)} {column.type}".rstrip() for column in table.columns]
    if table.primary_key:
        lines.append(f"PRIMARY KEY ({_listed(table.primary_key)})")
    for key in table.foreign_keys:
        targets = f" ({_listed(key.targets)})" if key.targets else ""
        lines.append(f"FOREIGN KEY ({_listed(key.columns)}) REFERENCES {_quoted(key.table)}{targets}")
    return f"CREATE TABLE {_quoted(table.name)} (\n" + ",\n".join(f"  {line}" for line in lines) + "\n);"


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(map(_quoted, names))


def _quoted(name: str) -> str:
    if _PLAIN.fullmatch(name) and name.lower() not in _KEYWORDS:
        return name
    return '"' + name.replace('"', '""') + '"'
