"""The clock of an event: what the kernel says of it, and steps, which are told and never refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import Engine

from app.identity.principal import OPERATOR
from app.ledger.clock import Clock
from app.ledger.log import Ledger

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
A_MINUTE = 60_000


def clock(*times: datetime) -> Clock:
    waiting = iter(times)
    return Clock(lambda: next(waiting))


def test_the_machines_clock_says_where_it_comes_from_and_whether_it_is_kept_right() -> None:
    reading = Clock().read()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", reading.time)
    sources = Path("/sys/devices/system/clocksource/clocksource0/available_clocksource")
    if sources.exists():
        assert reading.state.source in sources.read_text().split()
    assert reading.state.synchronised in (True, False)  # Linux always knows
    assert reading.state.zone == "UTC"


def test_a_clock_that_just_runs_does_not_step() -> None:
    running = Clock()
    assert [running.read().state.stepped_ms for _ in range(50)] == [0] * 50


@pytest.mark.parametrize(
    ("step", "least", "most"),
    [
        (timedelta(days=400), 400 * 86_400_000 - A_MINUTE, 400 * 86_400_000),
        (timedelta(days=-400), -400 * 86_400_000 - A_MINUTE, -400 * 86_400_000),
        (timedelta(seconds=2), 1000, 2000),
        (timedelta(seconds=-2), -A_MINUTE, -2000),
    ],
)
def test_a_step_is_told_once(step: timedelta, least: int, most: int) -> None:
    stepping = clock(NOON, NOON + step, NOON + step)
    assert stepping.read().state.stepped_ms == 0
    assert least <= stepping.read().state.stepped_ms <= most
    assert stepping.read().state.stepped_ms == 0


def test_another_zone_is_no_step_and_is_written_in_utc() -> None:
    moved = clock(NOON, NOON.astimezone(timezone(timedelta(hours=8))))
    assert moved.read().time == "2026-03-01T12:00:00.000000Z"
    again = moved.read()
    assert (again.time, again.state.stepped_ms) == ("2026-03-01T12:00:00.000000Z", 0)


def test_events_carry_the_step_and_are_in_the_order_of_their_numbers(
    tmp_path: Path, open_engine: Callable[[str], Engine]
) -> None:
    times = iter([NOON, NOON - timedelta(days=1), NOON + timedelta(days=1)])
    with Ledger(open_engine(f"sqlite:///{tmp_path / 'ledger.db'}"), clock=lambda: next(times)) as ledger:
        for n in range(3):
            ledger.append("test.event", actor=OPERATOR, body={"n": n})
        told = [entry.event.clock for entry in ledger.entries()]
        assert [state.stepped_ms // 86_000_000 for state in told] == [0, -2, 2]
        assert {state.zone for state in told} == {"UTC"}
        assert [entry.event.body["n"] for entry in ledger.entries()] == [0, 1, 2]
        assert ledger.verify().size == 3
