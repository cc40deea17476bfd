"""The loan book of an invented bank, as an SQLite database of six tables.

All amounts are whole pounds sterling. Rows come from a seeded generator, of which only `random()` is used: Python
promises the same sequence for that one from version to version. The book closes on 31 December 2025.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from random import Random
from typing import Final, TypeVar

__all__ = ["dump", "write"]

_SEED: Final = 20_251_231
_CLOSE: Final = date(2025, 12, 31)
_T = TypeVar("_T")

_SCHEMA: Final = """
CREATE TABLE branches (
    branch_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    city TEXT NOT NULL,
    opened_on TEXT NOT NULL
);
CREATE TABLE products (
    product_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    secured INTEGER NOT NULL CHECK (secured IN (0, 1)),
    annual_rate_percent REAL NOT NULL,
    term_months INTEGER NOT NULL
);
CREATE TABLE customers (
    customer_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('person', 'business')),
    city TEXT NOT NULL,
    credit_grade TEXT NOT NULL CHECK (credit_grade IN ('A', 'B', 'C', 'D')),
    joined_on TEXT NOT NULL
);
CREATE TABLE loans (
    loan_id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers (customer_id),
    product_id INTEGER NOT NULL REFERENCES products (product_id),
    branch_id INTEGER NOT NULL REFERENCES branches (branch_id),
    principal INTEGER NOT NULL CHECK (principal > 0),
    started_on TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('current', 'late', 'defaulted', 'repaid'))
);
CREATE TABLE payments (
    payment_id INTEGER PRIMARY KEY,
    loan_id INTEGER NOT NULL REFERENCES loans (loan_id),
    due_on TEXT NOT NULL,
    paid_on TEXT,
    amount INTEGER NOT NULL CHECK (amount > 0)
);
CREATE TABLE collateral (
    collateral_id INTEGER PRIMARY KEY,
    loan_id INTEGER NOT NULL UNIQUE REFERENCES loans (loan_id),
    kind TEXT NOT NULL,
    valued_at INTEGER NOT NULL CHECK (valued_at > 0),
    valued_on TEXT NOT NULL
);
CREATE INDEX payments_by_loan ON payments (loan_id);
"""

_BRANCHES: Final = (
    ("Averley Lanthorn Street", "Port Averley", "1987-05-11"),
    ("Brannock Quayside", "Brannock Haven", "1994-09-05"),
    ("Kestleby Market", "Kestleby", "2006-03-20"),
    ("Lornhaven", "Lornhaven", "2018-10-01"),
)
_PRODUCTS: Final = (
    ("Home improvement loan", 0, 7.4, 6),
    ("Vehicle finance", 1, 6.2, 12),
    ("Working capital loan", 0, 8.1, 6),
    ("Equipment finance", 1, 6.9, 12),
    ("Property bridge loan", 1, 9.5, 9),
)
_PERSONS: Final = (
    *("Harriet Quill", "Owen Brackley", "Saffron Tindall", "Marcus Ellery", "Niamh Corrigan", "Felix Harbord"),
    *("Amara Okonjo", "Jonas Vestergaard", "Tess Hollander", "Rupert Lanyon", "Yasmin Farouqi", "Colm Devane"),
    *("陈思远", "林若溪", "王嘉宁", "赵明轩", "黄雨桐", "周景行", "吴诗涵", "徐子衿", "孙启航", "何静姝"),
)
_BUSINESSES: Final = (
    *("Tindall Boatyard Ltd", "Quayside Bakery Ltd", "Averley Net Lofts Ltd", "Hollander Joinery Ltd"),
    *("Corrigan Haulage Ltd", "Fennar Oysters Ltd", "Moorgate Print Works Ltd", "Saltmarsh Cycles Ltd"),
    *(
        "海澄冷链有限公司",
        "云岫茶业有限公司",
        "远帆船舶用品有限公司",
        "青禾农产品有限公司",
        "启明电子商行",
        "福源餐饮有限公司",
    ),
)
_COLLATERAL: Final = {
    "Vehicle finance": "vehicle",
    "Equipment finance": "machinery",
    "Property bridge loan": "property",
}
_MISSED: Final = {"late": 1, "defaulted": 3}
"""Instalments not paid at the close, by the status of the loan."""


class _Dice:
    """Draws that rest on `Random.random` alone."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 - example rows, nothing secret

    def share(self) -> float:
        return self._random.random()

    def between(self, low: int, high: int) -> int:
        return low + int(self.share() * (high - low + 1))

    def one(self, of: Sequence[_T]) -> _T:
        return of[int(self.share() * len(of))]


def write(path: Path) -> None:
    """Write the database, unless the file holds the same rows: SQLite marks each file with its own version."""
    fresh = sqlite3.connect(":memory:")
    try:
        _fill(fresh)
        if path.exists() and dump(path) == "\n".join(fresh.iterdump()):
            return
        path.unlink(missing_ok=True)
        kept = sqlite3.connect(path)
        try:
            kept.execute("PRAGMA page_size = 1024")
            fresh_rows = "\n".join(fresh.iterdump())
            kept.executescript(fresh_rows)
            kept.execute("VACUUM")
        finally:
            kept.close()
    finally:
        fresh.close()


def dump(path: Path) -> str:
    """Return the database as SQL text, which is the same for the same rows whatever SQLite wrote them."""
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    try:
        return "\n".join(connection.iterdump())
    finally:
        connection.close()


def _fill(connection: sqlite3.Connection) -> None:
    dice = _Dice(_SEED)
    connection.executescript(_SCHEMA)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.executemany("INSERT INTO branches (name, city, opened_on) VALUES (?, ?, ?)", _BRANCHES)
    connection.executemany(
        "INSERT INTO products (name, secured, annual_rate_percent, term_months) VALUES (?, ?, ?, ?)", _PRODUCTS
    )
    customers = [(name, "person") for name in _PERSONS] + [(name, "business") for name in _BUSINESSES]
    cities = sorted({city for _, city, _ in _BRANCHES})
    for name, kind in customers:
        grade = dice.one("AAABBBBCCD")
        joined = date(dice.between(2008, 2023), dice.between(1, 12), dice.between(1, 28))
        connection.execute(
            "INSERT INTO customers (name, kind, city, credit_grade, joined_on) VALUES (?, ?, ?, ?, ?)",
            (name, kind, dice.one(cities), grade, joined.isoformat()),
        )
    for number in range(1, 49):
        _lend(connection, dice, number, len(customers))
    connection.commit()


def _lend(connection: sqlite3.Connection, dice: _Dice, loan: int, customers: int) -> None:
    customer = dice.between(1, customers)
    kind, grade = connection.execute(
        "SELECT kind, credit_grade FROM customers WHERE customer_id = ?", (customer,)
    ).fetchone()
    product = dice.one((1, 2) if kind == "person" else (3, 4, 5))
    name, secured, rate, term = _PRODUCTS[product - 1]
    principal = dice.between(4, 30) * (500 if kind == "person" else 5_000)
    started = _month_after(date(2024, 6, dice.between(1, 28)), dice.between(0, 17))
    past = sum(_month_after(started, month) <= _CLOSE for month in range(1, term + 1))
    status = "repaid" if past == term else "current"
    trouble = {"A": 0.02, "B": 0.1, "C": 0.3, "D": 0.6}[grade]
    if dice.share() < trouble and past > max(_MISSED.values()):
        status = "defaulted" if dice.share() < 0.4 else "late"
    connection.execute(
        "INSERT INTO loans (customer_id, product_id, branch_id, principal, started_on, status) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (customer, product, dice.between(1, len(_BRANCHES)), principal, started.isoformat(), status),
    )
    _pay(connection, dice, loan, principal=principal, rate=rate, term=term, started=started, status=status)
    if secured:
        value = int(principal * (1.1 + dice.share() * 0.8)) // 100 * 100
        connection.execute(
            "INSERT INTO collateral (loan_id, kind, valued_at, valued_on) VALUES (?, ?, ?, ?)",
            (loan, _COLLATERAL[name], value, started.isoformat()),
        )


def _pay(
    connection: sqlite3.Connection,
    dice: _Dice,
    loan: int,
    *,
    principal: int,
    rate: float,
    term: int,
    started: date,
    status: str,
) -> None:
    """Write the instalments due up to the close: equal ones, with simple interest, the last one taking the rounding."""
    total = principal + round(principal * rate / 100 * term / 12)
    each = total // term
    due_dates = [_month_after(started, month) for month in range(1, term + 1)]
    past = [due for due in due_dates if due <= _CLOSE]
    missed = _MISSED.get(status, 0)
    for number, due in enumerate(past, start=1):
        amount = total - each * (term - 1) if number == term else each
        unpaid = number > len(past) - missed
        paid = None if unpaid else _days_after(due, dice.between(0, 2) if dice.share() < 0.85 else dice.between(3, 25))
        if paid is not None and paid > _CLOSE:
            paid = due
        connection.execute(
            "INSERT INTO payments (loan_id, due_on, paid_on, amount) VALUES (?, ?, ?, ?)",
            (loan, due.isoformat(), paid.isoformat() if paid else None, amount),
        )


def _month_after(day: date, months: int) -> date:
    """Return the same day `months` later. Days up to 28 exist in every month."""
    at = day.year * 12 + day.month - 1 + months
    return date(at // 12, at % 12 + 1, day.day)


def _days_after(day: date, days: int) -> date:
    return date.fromordinal(day.toordinal() + days)
