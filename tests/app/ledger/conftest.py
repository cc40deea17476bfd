"""Ledgers to test with: on a SQLite file, on a PostgreSQL schema, and on a disk that can be filled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from app.ledger.log import Ledger
from app.storage.engine import connect
from tests.app.storage.disks import SmallDisk, mounted
from tests.app.storage.postgres import fresh_schema


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'ledger.db'}"
    else:
        with fresh_schema() as schema:
            yield schema


@pytest.fixture
def open_engine() -> Iterator[Callable[[str], Engine]]:
    """Open engines and see to it that none is left open."""
    engines: list[Engine] = []

    def opened(url: str) -> Engine:
        engines.append(connect(url, durable=True))
        return engines[-1]

    yield opened
    for engine in engines:
        engine.dispose()


@pytest.fixture
def engine(url: str, open_engine: Callable[[str], Engine]) -> Engine:
    return open_engine(url)


@pytest.fixture
def ledger(engine: Engine) -> Iterator[Ledger]:
    with Ledger(engine) as ledger:
        yield ledger


@pytest.fixture
def file_engine(tmp_path: Path, open_engine: Callable[[str], Engine]) -> Engine:
    return open_engine(f"sqlite:///{tmp_path / 'ledger.db'}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with mounted(tmp_path / "disk") as disk:
        yield disk
