"""What is read from a database file, and how the model sees it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from domains.sql.errors import DatabaseUnreadable
from domains.sql.schema import Column, ForeignKey, Schema, Table, address, ddl, read_schema


def table(schema: Schema, name: str) -> Table:
    return next(one for one in schema.tables if one.name == name)


def test_tables_come_in_the_order_in_which_they_were_made_without_sqlites_own(schema: Schema) -> None:
    assert [one.name for one in schema.tables] == ["branch", "customer", "order", "客户评级", "rich"]
    assert schema.names == {"branch", "customer", "order", "客户评级", "rich"}


def test_columns_have_their_declared_types(schema: Schema) -> None:
    assert table(schema, "customer").columns[1:4] == (
        Column("name", "VARCHAR(40)"),
        Column("branch_id", "INTEGER"),
        Column("balance", "REAL"),
    )
    assert table(schema, "rich").columns == (Column("name", "VARCHAR(40)"), Column("balance", "REAL"))


def test_keys_are_read_in_their_own_order(schema: Schema) -> None:
    order = table(schema, "order")
    assert order.primary_key == ("number", "customer id")
    assert order.foreign_keys == (ForeignKey(("customer id",), "customer", ("id",)),)
    assert table(schema, "customer").foreign_keys == (ForeignKey(("branch_id",), "branch", ()),)


def test_foreign_keys_come_as_declared(tmp_path: Path) -> None:
    path = tmp_path / "keys.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE a (x, y, PRIMARY KEY (x, y)); CREATE TABLE b (p, q, r,"
            " FOREIGN KEY (p, q) REFERENCES a (x, y), FOREIGN KEY (r) REFERENCES b (p));"
        )
    assert [key.columns for key in read_schema(path).tables[1].foreign_keys] == [("p", "q"), ("r",)]


def test_generated_columns_are_columns(tmp_path: Path) -> None:
    path = tmp_path / "generated.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (a INT, b INT AS (a * 2))")
    assert [column.name for column in read_schema(path).tables[0].columns] == ["a", "b"]


def test_the_ddl_has_types_and_keys_and_nothing_that_somebody_wrote_into_it(schema: Schema) -> None:
    text = ddl(schema)
    assert "CREATE TABLE customer (\n  id INTEGER,\n  name VARCHAR(40),\n  branch_id INTEGER,\n" in text
    assert "  FOREIGN KEY (branch_id) REFERENCES branch\n" in text
    for left_out in ("ignore", "DEFAULT", "CHECK", "VIEW", "search"):
        assert left_out not in text


def test_names_are_quoted_where_sqlite_demands_it(schema: Schema) -> None:
    text = ddl(schema)
    assert (
        'CREATE TABLE "order" (\n  "customer id" INTEGER,\n  number INTEGER,\n  "total (EUR)" DECIMAL(10, 2),' in text
    )
    assert 'CREATE TABLE "客户评级"' in text


def test_the_ddl_can_be_run_and_gives_the_same_schema(schema: Schema, tmp_path: Path) -> None:
    again = tmp_path / "again.sqlite"
    with closing(sqlite3.connect(again)) as connection:
        connection.executescript(ddl(schema))
    assert read_schema(again) == schema


@pytest.mark.parametrize("name", ["a", "_a1", "Index", "group", 'we"ird', "1st", "naïve", "null", "key", "year"])
def test_every_name_survives_being_written(name: str) -> None:
    schema = Schema((Table(name, (Column(name, "TEXT"),)),))
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(ddl(schema))
        assert [row[0] for row in connection.execute("SELECT name FROM pragma_table_info(?)", (name,))] == [name]


def test_an_empty_database_has_an_empty_schema(tmp_path: Path) -> None:
    (tmp_path / "empty.sqlite").touch()
    assert read_schema(tmp_path / "empty.sqlite").tables == ()


@pytest.mark.parametrize("content", [None, b"not a database, but longer than a header" * 20])
def test_what_is_no_database_is_refused_without_its_path(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.sqlite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DatabaseUnreadable) as caught:
        read_schema(path)
    assert str(tmp_path) not in caught.value.message
    assert caught.value.remedy


def test_an_address_can_only_read(database: Path) -> None:
    with closing(sqlite3.connect(address(database), uri=True)) as connection:
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("DELETE FROM branch")
        assert connection.execute("SELECT count(*) FROM branch").fetchone() == (2,)
