"""PostgreSQL: the backend and the application are killed in turn, fifty times together, while events are appended.

Nothing that was acknowledged is lost, what is stored verifies, and the ledger goes on. The server is one of the test's
own: a killed backend throws everybody out.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import psycopg
import pytest

from app.identity.principal import OPERATOR
from app.ledger.log import Ledger
from app.storage.engine import connect
from tests.app.ledger.test_durability import appending
from tests.app.storage.own_postgres import own_server

ROUNDS = 25
"""Each kills the backend, sees the application go on, and kills the application."""
PATIENCE_S = 60

_WRITER = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with own_server() as url:
        yield url


def kill_writing_backend(url: str) -> None:
    """Kill the server process that holds the right to write."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        try:
            with psycopg.connect(url, autocommit=True) as admin:
                row = admin.execute(_WRITER).fetchone()
        except psycopg.OperationalError:  # it is still recovering from the kill before
            row = None
        if row is not None:
            os.kill(row[0], signal.SIGKILL)
            return
        time.sleep(0.02)
    pytest.fail("no backend came to hold the ledger's lock")


def wait_until_it_answers(url: str) -> None:
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return


def test_fifty_kills_lose_nothing_that_was_acknowledged(server: str) -> None:
    size, kills = 0, 0
    for _ in range(ROUNDS):
        with appending(server, threads=4) as (child, lines):
            assert lines.readline() == "ready\n"
            said = [lines.readline() for _ in range(8)]
            kill_writing_backend(server)
            kills += 1
            said += [lines.readline() for _ in range(40)]  # what was on its way, and what came after the recovery
            child.kill()
            child.join()
            kills += 1
            said += lines.readlines()
        acknowledged = [int(line) for line in said]
        assert len(set(acknowledged)) == len(acknowledged)
        assert min(acknowledged) >= size
        wait_until_it_answers(server)
        engine = connect(server, durable=True)
        with Ledger(engine) as ledger:
            assert ledger.size > max(acknowledged)
            assert ledger.verify().size == ledger.size
            size = ledger.append("test.event", actor=OPERATOR, body={}).size
        engine.dispose()
    assert kills == 50
