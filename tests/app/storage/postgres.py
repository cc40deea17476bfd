"""A real PostgreSQL for tests: an empty schema of its own for each that asks."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

SERVER = os.environ.get("VOUCH_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test")


@contextmanager
def fresh_schema() -> Iterator[str]:
    """Give the URL of an empty schema, and drop it with what it holds afterwards."""
    name = f"t{uuid.uuid4().hex}"
    try:
        admin = psycopg.connect(SERVER, connect_timeout=3, autocommit=True)
    except psycopg.OperationalError:
        pytest.skip("no PostgreSQL answers; set VOUCH_TEST_POSTGRES to the URL of one")
    with admin:
        admin.execute(f'CREATE SCHEMA "{name}"')
        try:
            yield f"{SERVER}?options=-csearch_path%3D{name}"
        finally:
            admin.execute(f'DROP SCHEMA "{name}" CASCADE')
