"""The lending database is sound, and its rows make sense together."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

_TABLES = {"branches", "products", "customers", "loans", "payments", "collateral"}
_CLOSE = "2025-12-31"


@pytest.fixture
def database(examples: Path) -> Iterator[sqlite3.Connection]:
    path = examples / "databases/lending.sqlite"
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    yield connection
    connection.close()


def test_integrity_and_foreign_keys(database: sqlite3.Connection) -> None:
    assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert database.execute("PRAGMA foreign_key_check").fetchall() == []


def test_has_six_tables_no_views_and_a_few_hundred_rows(database: sqlite3.Connection) -> None:
    kinds = database.execute("SELECT type, name FROM sqlite_master WHERE type IN ('table', 'view')").fetchall()
    assert set(kinds) == {("table", name) for name in _TABLES}
    counts = {name: database.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in _TABLES}
    assert all(counts.values())
    assert 300 <= sum(counts.values()) <= 900


def test_every_id_column_that_points_elsewhere_is_a_foreign_key(database: sqlite3.Connection) -> None:
    for table in _TABLES:
        columns = [(row[1], row[5]) for row in database.execute(f"PRAGMA table_info({table})")]
        declared = {row[3] for row in database.execute(f"PRAGMA foreign_key_list({table})")}
        pointing = {name for name, is_key in columns if name.endswith("_id") and not is_key}
        assert pointing == declared, table


def test_customers_have_english_and_chinese_names(database: sqlite3.Connection) -> None:
    names = [name for (name,) in database.execute("SELECT name FROM customers")]
    chinese = [name for name in names if re.search(r"[\u4e00-\u9fff]", name)]
    assert len(set(names)) == len(names)
    assert len(chinese) >= 10
    assert len(names) - len(chinese) >= 10


def test_dates_are_real_days_up_to_the_close(database: sqlite3.Connection) -> None:
    columns = (
        *(("branches", "opened_on"), ("customers", "joined_on"), ("loans", "started_on")),
        *(("payments", "due_on"), ("payments", "paid_on"), ("collateral", "valued_on")),
    )
    for table, column in columns:
        wrong = database.execute(
            f"SELECT {column} FROM {table} WHERE {column} > ? OR date({column}) IS NOT {column}",
            (_CLOSE,),
        ).fetchall()
        assert wrong == [], (table, column)


def test_loans_begin_after_their_customer_joined(database: sqlite3.Connection) -> None:
    early = "SELECT count(*) FROM loans JOIN customers USING (customer_id) WHERE started_on < joined_on"
    assert database.execute(early).fetchone() == (0,)


def test_status_agrees_with_the_payments(database: sqlite3.Connection) -> None:
    rows = database.execute(
        """
        SELECT status, term_months, count(payment_id), sum(payment_id IS NOT NULL AND paid_on IS NULL)
        FROM loans JOIN products USING (product_id) LEFT JOIN payments USING (loan_id) GROUP BY loan_id
        """
    ).fetchall()
    assert {status for status, *_ in rows} == {"current", "late", "defaulted", "repaid"}
    for status, term, due, unpaid in rows:
        assert unpaid == {"current": 0, "repaid": 0, "late": 1, "defaulted": 3}[status]
        assert due <= term
        assert status != "repaid" or due == term
        assert status != "current" or due < term


def test_a_repaid_loan_brought_back_principal_and_simple_interest(database: sqlite3.Connection) -> None:
    rows = database.execute(
        """
        SELECT principal, annual_rate_percent, term_months, sum(amount)
        FROM loans JOIN products USING (product_id) JOIN payments USING (loan_id)
        WHERE status = 'repaid' GROUP BY loan_id
        """
    ).fetchall()
    assert len(rows) >= 10
    for principal, rate, term, paid in rows:
        assert paid == principal + round(principal * rate / 100 * term / 12)


def test_payments_are_not_made_before_they_are_due(database: sqlite3.Connection) -> None:
    early = "SELECT count(*) FROM payments JOIN loans USING (loan_id) WHERE paid_on < due_on OR due_on <= started_on"
    assert database.execute(early).fetchone() == (0,)


def test_secured_loans_and_they_alone_have_collateral_worth_more(database: sqlite3.Connection) -> None:
    rows = database.execute(
        """
        SELECT secured, principal, valued_at
        FROM loans JOIN products USING (product_id) LEFT JOIN collateral USING (loan_id)
        """
    ).fetchall()
    for secured, principal, valued in rows:
        assert (valued is not None) == bool(secured)
        assert valued is None or valued > principal


def test_people_and_businesses_take_their_own_products(database: sqlite3.Connection) -> None:
    pairs = set(
        database.execute(
            "SELECT kind, products.name FROM loans JOIN customers USING (customer_id) JOIN products USING (product_id)"
        )
    )
    personal = {"Home improvement loan", "Vehicle finance"}
    assert {name for kind, name in pairs if kind == "person"} == personal
    assert personal.isdisjoint(name for kind, name in pairs if kind == "business")
