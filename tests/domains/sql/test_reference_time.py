"""A query that asks for the present, asked of a past one."""

from __future__ import annotations

import sqlite3
from datetime import datetime

import pytest

from domains.sql.reference_time import at_time

NOON = datetime(2026, 11, 22, 12, 30, 5)  # noqa: DTZ001 - SQLite's dates have no zone


def value(sql: str) -> object:
    (row,) = sqlite3.connect(":memory:").execute(at_time(sql, NOON))
    return row[0]


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("CURRENT_DATE", "2026-11-22"),
        ("current_time", "12:30:05"),
        ("CURRENT_TIMESTAMP", "2026-11-22 12:30:05"),
        ("date('now')", "2026-11-22"),
        ("DATE('NOW')", "2026-11-22"),
        ("date()", "2026-11-22"),
        ("datetime()", "2026-11-22 12:30:05"),
        ("time()", "12:30:05"),
        ("time('now')", "12:30:05"),
        ("datetime('now', 'start of month', '-1 day')", "2026-10-31 00:00:00"),
        ("strftime('%Y', 'now')", "2026"),
        ("strftime('%Y-%m')", "2026-11"),
        ("julianday()", 2461367.02089),
        ("julianday('now') - julianday('2026-11-20 12:30:05')", 2.0),
        ("CAST(strftime('%s', 'now') AS INTEGER) - CAST(strftime('%s', date('now')) AS INTEGER)", 45005),
        ("CASE WHEN date('now', '-1 year') < CURRENT_DATE THEN 'past' END", "past"),
        ("(SELECT max(day) FROM (SELECT date('now', '+1 day') AS day))", "2026-11-23"),
    ],
)
def test_what_means_now_means_the_given_time(expression: str, wanted: object) -> None:
    found = value(f"SELECT {expression}")
    assert found == pytest.approx(wanted, abs=1e-4) if isinstance(wanted, float) else found == wanted


@pytest.mark.parametrize("sql", ["SELECT 'now'", "SELECT a FROM t WHERE b = 'now'", "SELECT date('2020-01-01')"])
def test_what_does_not_ask_for_the_present_stays(sql: str) -> None:
    assert at_time(sql, NOON).lower() == sql.lower()


@pytest.mark.parametrize("sql", ["SELECT '", "SELECT " + "(" * 2000, "", "((("])
def test_what_cannot_be_parsed_comes_back_as_it_is(sql: str) -> None:
    assert at_time(sql, NOON) == sql


def test_several_statements_stay_several() -> None:
    assert at_time("SELECT 1; DROP TABLE t", NOON) == "SELECT 1; DROP TABLE t"
