"""What the tests of transaction risk share: transactions, a tiny fitted model, real databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from app.storage.engine import connect
from domains.contract import Facilities
from domains.finance.transactions.event import Channel, Transaction, Type
from domains.finance.transactions.model import SHIPPED, Model
from domains.finance.transactions.rules import RulesFile
from domains.finance.transactions.scoring import Scoring
from domains.finance.transactions.store import Store
from tests.app.storage.postgres import fresh_schema

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
"""A Monday; the clock of every test stands a day later unless it says otherwise."""


def transaction(number: int = 0, *, at: float = 0.0, **fields: Any) -> Transaction:
    """Make a transaction, `at` seconds after noon; what is not said is an ordinary card payment."""
    usual = {
        "id": f"T-{number}",
        "time": NOON + timedelta(seconds=at),
        "amount": Decimal("25.00"),
        "currency": "EUR",
        "account": "A-1",
        "merchant": "M-1",
        "device": "D-1",
        "channel": Channel.ONLINE,
        "type": Type.CARD,
        "country": "DE",
        "home_country": "DE",
    }
    return Transaction(**(usual | fields))


class KeptRecords:
    """A ledger that keeps what it is told in a list, as the real one is tested elsewhere."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, str, dict[str, Any]]] = []

    def record(self, action: str, *, actor: Any, body: Any, outcome: str = "ok") -> int:
        self.entries.append((action, outcome, dict(body)))
        return len(self.entries) - 1


class NoSearch:
    """A search that finds nothing."""

    def search(self, queries: Any, scope: Any, *, k: int) -> list[Any]:
        return []


@pytest.fixture(scope="session")
def model() -> Model:
    """The shipped model."""
    return Model(SHIPPED)


def sqlite_at(path: Path) -> Engine:
    """Open a SQLite file as the service does."""
    return connect(f"sqlite:///{path}")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Engine]:
    engine = sqlite_at(tmp_path / "vouch.db")
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def any_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """Each database that the service runs on; PostgreSQL with a schema of its own."""
    if request.param == "sqlite":
        engine = sqlite_at(tmp_path / "vouch.db")
        yield engine
        engine.dispose()
        return
    with fresh_schema() as url:
        engine = connect(url)
        yield engine
        engine.dispose()


class Clock:
    """A clock that a test sets; a day after `NOON` at first."""

    def __init__(self) -> None:
        self.now = NOON.timestamp() + 86_400

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def scoring(database: Engine, model: Model, tmp_path: Path, clock: Clock) -> Scoring:
    return scoring_over(database, model, tmp_path, clock)


def scoring_over(
    database: Engine, model: Model, folder: Path, clock: Clock, *, rows: int = 3_600, lag: int = 8_192
) -> Scoring:
    """Open scoring over a database, as a start of the service does."""
    rules = RulesFile(folder / "rules.toml")
    return Scoring(Store(database), model=model, rules=rules, rows=rows, lag=lag, clock=clock)


@pytest.fixture
def facilities(database: Engine, tmp_path: Path) -> Facilities:
    folder = tmp_path / "finance"
    folder.mkdir()
    return Facilities(database, folder, KeptRecords(), NoSearch())
