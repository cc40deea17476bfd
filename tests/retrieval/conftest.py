"""Databases of the tests' own: SQLite files, and a schema on a PostgreSQL server where one listens."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, make_url, text

from retrieval.catalog import metadata
from tests.retrieval.house import House, sqlite

POSTGRES = os.environ.get("VOUCH_TEST_POSTGRES", "postgresql+psycopg://root@127.0.0.1:5432/test")


@pytest.fixture
def sqlite_engine(tmp_path: Path) -> Iterator[Engine]:
    engine = sqlite(tmp_path / "vouch.db")
    metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def postgres_engine() -> Iterator[Engine]:
    url = make_url(POSTGRES)
    try:
        socket.create_connection((url.host or "127.0.0.1", url.port or 5432), timeout=1).close()
    except OSError:
        pytest.skip(f"no PostgreSQL listens at {url.host}:{url.port}; set VOUCH_TEST_POSTGRES")
    schema = f"vouch_{uuid.uuid4().hex}"
    admin = create_engine(url)
    with admin.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    engine = create_engine(url, connect_args={"options": f"-c search_path={schema}"})
    metadata.create_all(engine)
    try:
        yield engine
    finally:
        engine.dispose()
        with admin.begin() as connection:
            connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
        admin.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest) -> Engine:
    return request.getfixturevalue(f"{request.param}_engine")


@pytest.fixture
def house(tmp_path: Path, sqlite_engine: Engine) -> House:
    return House.at(tmp_path, sqlite_engine)


@pytest.fixture
def any_house(tmp_path: Path, engine: Engine) -> House:
    """The same on both databases."""
    return House.at(tmp_path, engine)
