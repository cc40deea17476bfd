"""Running queries in a process that can only read; and statements sent to it past the guard."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from domains.sql import execute
from domains.sql.errors import DatabaseUnreadable, QueryFailed, QueryTooExpensive
from domains.sql.execute import Limits, Result
from domains.sql.guard import Checked, check
from domains.sql.query_process import FUNCTIONS
from domains.sql.schema import Schema, read_schema
from tests.domains.sql.conftest import build

BOMB = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT {} FROM n"
PATIENT = Limits(wall_s=600)
"""A busy machine may stop a process for minutes; what a verdict rests on here are steps, memory and processor time."""
SMALL = replace(PATIENT, steps=2_000_000)


def run(database: Path, checked: Checked, limits: Limits = PATIENT) -> Result:
    return execute.run(database, checked, limits)


def unguarded(sql: str, schema: Schema, *named: str) -> Checked:
    """What the guard would say if it let everything through."""
    return Checked(sql=sql, tables=schema.names, named=frozenset(named))


@pytest.fixture(autouse=True)
def unchanged(database: Path, tmp_path: Path):
    """No test may change the database, or leave a file beside it."""
    before = hashlib.sha256(database.read_bytes()).hexdigest()
    files = sorted(tmp_path.rglob("*"))
    yield
    assert hashlib.sha256(database.read_bytes()).hexdigest() == before
    assert sorted(tmp_path.rglob("*")) == files


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT name FROM customer ORDER BY id", [("Ada",), ("Bo",), ("Cy",)]),
        ("SELECT opened FROM branch ORDER BY id", [("2020-01-31",), (None,)]),
        ("SELECT picture FROM customer WHERE id = 1", [(b"\x00\xff",)]),
        ("SELECT 9007199254740993, 1e400, -1.5, 'ä中', NULL", [(9007199254740993, float("inf"), -1.5, "ä中", None)]),
        ("SELECT count(*) FROM rich", [(1,)]),
        ("SELECT 等级 FROM 客户评级 WHERE 客户 = 'Bo'", [("乙",)]),
        ("WITH a AS (SELECT * FROM customer) SELECT count(*) FROM a", [(3,)]),
        ("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 2) SELECT x FROM n", [(1,), (2,)]),
        ("SELECT b.city, sum(c.balance) FROM branch b JOIN customer c ON c.branch_id = b.id GROUP BY 1 ORDER BY 2",
         [("Bruges", 20.0), ("Ghent", 140.5)]),
        ("SELECT max(balance) OVER (), row_number() OVER (ORDER BY id) FROM customer LIMIT 1", [(120.5, 1)]),
        ('SELECT name FROM customer WHERE name = "Ada"', [("Ada",)]),  # a text in the wrong quotes, as many write it
    ],
)  # fmt: skip
def test_rows_come_as_sqlite_has_them(database: Path, schema: Schema, sql: str, rows: list[tuple]) -> None:
    result = run(database, check(sql, schema))
    assert list(result.rows) == rows
    assert not result.truncated


def test_columns_have_the_names_that_the_query_gives_them(database: Path, schema: Schema) -> None:
    assert run(database, check("SELECT name AS n, 1 FROM customer", schema)).columns == ("n", "1")


def test_text_that_is_no_utf8_is_shown_all_the_same(tmp_path: Path, database: Path, schema: Schema) -> None:
    result = run(database, check("SELECT CAST(picture AS TEXT) FROM customer WHERE id = 1", schema))
    assert result.rows == (("\x00�",),)


def test_more_rows_than_allowed_are_cut_and_said_to_be(database: Path, schema: Schema) -> None:
    three = check("SELECT id FROM customer ORDER BY id", schema)
    assert run(database, three, replace(PATIENT, rows=2)).rows == ((1,), (2,))
    assert run(database, three, replace(PATIENT, rows=2)).truncated
    assert not run(database, three, replace(PATIENT, rows=3)).truncated
    assert run(database, three, replace(PATIENT, bytes=40)).rows == ((1,), (2,))
    assert run(database, three, replace(PATIENT, bytes=40)).truncated


@pytest.mark.parametrize(
    "sql", ["SELECT nothing FROM customer", "SELECT name.x FROM customer", "SELECT sum(sum(id)) FROM customer"]
)
def test_what_the_database_rejects_comes_with_its_own_words(database: Path, schema: Schema, sql: str) -> None:
    with pytest.raises(QueryFailed, match="rejects the query: "):
        run(database, check(sql, schema))


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path, schema: Schema) -> None:
    with pytest.raises(DatabaseUnreadable) as caught:
        run(tmp_path / "none.sqlite", check("SELECT 1", schema))
    assert str(tmp_path) not in caught.value.message


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM customer",
        "UPDATE customer SET name = 'x'",
        "INSERT INTO branch VALUES (9, 'x', NULL)",
        "DROP TABLE customer",
        "CREATE TABLE t (x)",
        "CREATE TEMP TABLE t (x)",
        "ALTER TABLE branch RENAME TO b",
        "CREATE INDEX i ON branch (city)",
        "PRAGMA query_only = OFF",
        "PRAGMA writable_schema = ON",
        "PRAGMA table_info(customer)",
        "VACUUM",
        "ANALYZE",
        "REINDEX",
        "BEGIN IMMEDIATE",
        "SAVEPOINT s",
        "SELECT * FROM sqlite_master",
        "SELECT count(*) FROM sqlite_master",
        "SELECT * FROM pragma_database_list",
        "SELECT * FROM pragma_table_info('customer')",
        "SELECT * FROM dbstat",
        "SELECT count(*) FROM dbstat",
        "SELECT * FROM json_each('[1]')",
        "SELECT * FROM search",
        "SELECT load_extension('/tmp/x.so')",
        "SELECT readfile('/etc/passwd')",
        "SELECT writefile('/tmp/x', 'y')",
        "SELECT fts3_tokenizer('x', x'00')",
        "SELECT sqlite_version()",
        "SELECT randomblob(1000000000)",
        "SELECT zeroblob(1000000000)",
        "SELECT hex(randomblob(300000000))",
        "SELECT name FROM customer WHERE id IN sqlite_master",
        "SELECT 1; DELETE FROM customer",
    ],
)
def test_without_the_guard_the_process_still_only_reads(database: Path, schema: Schema, sql: str) -> None:
    with pytest.raises(QueryFailed):
        run(database, unguarded(sql, schema), SMALL)


@pytest.mark.parametrize(
    "sql", ["ATTACH DATABASE '{}/x.db' AS x", "VACUUM INTO '{}/x.db'", "ATTACH 'file:{}/x.db?mode=rwc' AS x"]
)
def test_no_statement_makes_a_file(database: Path, schema: Schema, tmp_path: Path, sql: str) -> None:
    with pytest.raises(QueryFailed):
        run(database, unguarded(sql.format(tmp_path), schema), SMALL)


def test_a_name_of_its_own_does_not_open_sqlites_tables(database: Path, schema: Schema) -> None:
    with pytest.raises(QueryFailed):
        run(database, unguarded("SELECT sql FROM sqlite_master", schema, "sqlite_master"), SMALL)


def test_a_table_outside_the_schema_stays_closed(database: Path, schema: Schema) -> None:
    some = Checked(sql="SELECT name FROM customer", tables=schema.names - {"customer"}, named=frozenset())
    with pytest.raises(QueryFailed, match="may not"):
        run(database, some)


@pytest.mark.parametrize(
    "sql",
    [
        BOMB.format("count(*)"),
        BOMB.format("sum(x * x)"),
        "SELECT count(*) FROM " + ", ".join(f"customer AS c{i}" for i in range(40)),
        "WITH b AS (" + " UNION ALL ".join(["SELECT 1"] * 40) + ") SELECT count(*) FROM b"
        + "".join(f", b AS b{i}" for i in range(8)),
    ],
)  # fmt: skip
def test_a_query_without_end_is_stopped(database: Path, schema: Schema, sql: str) -> None:
    with pytest.raises(QueryTooExpensive, match="steps"):
        run(database, unguarded(sql, schema, "n", "b"), SMALL)


def test_rows_without_end_are_cut(database: Path, schema: Schema) -> None:
    result = run(database, unguarded(BOMB.format("x"), schema, "n"), SMALL)
    assert result.truncated
    assert len(result.rows) == SMALL.rows


def test_steps_are_counted_alike_on_every_machine(database: Path, schema: Schema) -> None:
    count = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 100000) SELECT count(*) FROM n"
    assert run(database, check(count, schema), replace(PATIENT, steps=5_000_000)).rows == ((100_000,),)
    with pytest.raises(QueryTooExpensive, match="steps"):
        run(database, check(count, schema), replace(PATIENT, steps=500_000))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT replace(printf('%.900000c', 'x'), 'x', printf('%.900000c', 'y'))",
        "SELECT hex(hex(hex(printf('%.900000c', 'x'))))",
        "WITH RECURSIVE n(x) AS (SELECT 'x' UNION ALL SELECT x || x FROM n) SELECT length(x) FROM n LIMIT 100",
        "SELECT group_concat(printf('%.900000c', 'x')) FROM customer",
    ],
)
def test_a_long_value_out_of_nothing_is_stopped(database: Path, schema: Schema, sql: str) -> None:
    with pytest.raises(QueryFailed, match="too big"):
        run(database, unguarded(sql, schema, "n"), SMALL)


@pytest.mark.parametrize("form", ["'%.30000000c', 'x'", "'%300000000d', 1", "'%.*c', 30000000, 'x'"])
def test_printf_makes_nothing_longer_than_a_value_may_be(database: Path, schema: Schema, form: str) -> None:
    assert run(database, unguarded(f"SELECT printf({form})", schema)).rows == ((None,),)  # SQLite gives NULL instead


def test_a_sort_that_outgrows_memory_is_stopped_and_writes_nothing(database: Path, schema: Schema) -> None:
    sql = (
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 2000)"
        " SELECT printf('%.500000c', 'x') || x AS t FROM n ORDER BY t"
    )
    with pytest.raises(QueryTooExpensive, match="memory"):
        run(database, unguarded(sql, schema, "n"), replace(PATIENT, memory_mb=200))


def test_one_endless_step_is_killed_by_the_clock(database: Path, schema: Schema) -> None:
    slow = "SELECT instr(printf('%.900000c', 'a'), printf('%.400000c', 'a') || 'b')"  # 5e5 places, 4e5 bytes each
    with pytest.raises(QueryTooExpensive, match="time"):
        run(database, unguarded(slow, schema), replace(PATIENT, cpu_s=1))
    with pytest.raises(QueryTooExpensive, match="time"):
        run(database, unguarded(slow, schema), Limits(wall_s=1.0))


def test_the_next_query_is_served_after_an_attack(database: Path, schema: Schema) -> None:
    for sql in (BOMB.format("sum(x)"), "DROP TABLE customer", "SELECT load_extension('x')"):
        with pytest.raises((QueryFailed, QueryTooExpensive)):
            run(database, unguarded(sql, schema, "n"), SMALL)
        assert run(database, check("SELECT count(*) FROM customer", schema)).rows == ((3,),)


def test_a_view_that_calls_what_it_may_not_is_closed(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = build(
        tmp_path_factory.mktemp("hostile") / "h.sqlite",
        "CREATE TABLE t (x); INSERT INTO t VALUES (1); CREATE VIEW v AS SELECT randomblob(100000000) AS x FROM t",
    )
    with pytest.raises(QueryFailed):
        run(path, check("SELECT x FROM v", read_schema(path)))


def test_a_damaged_file_is_our_error(tmp_path_factory: pytest.TempPathFactory, database: Path, schema: Schema) -> None:
    broken = tmp_path_factory.mktemp("broken") / "b.sqlite"
    content = bytearray(database.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    broken.write_bytes(content)
    with pytest.raises(QueryFailed):
        run(broken, check("SELECT * FROM customer", schema))


def test_what_is_allowed_has_no_function_that_reads_writes_or_loads() -> None:
    known = {row[0] for row in sqlite3.connect(":memory:").execute("SELECT name FROM pragma_function_list")}
    dangerous = {"load_extension", "randomblob", "zeroblob", "fts3_tokenizer", "readfile", "writefile", "edit"}
    assert not FUNCTIONS & dangerous
    assert len(FUNCTIONS & known) > 60
