"""Own times out of a trace, and the table of a step."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.serve_profile import own_times, table


def event(name: str, begin: float, duration: float, **other: Any) -> dict[str, Any]:
    return {"ph": "X", "cat": "cpu_op", "name": name, "ts": begin, "dur": duration, "pid": 1, "tid": 1, **other}


def test_an_operator_has_its_time_without_those_that_it_calls() -> None:
    events = [
        event("inner", 10, 30),
        event("outer", 0, 100),
        event("innermost", 20, 5),
        event("inner", 50, 10),
        event("after", 100, 7),
    ]
    assert own_times(events) == {"outer": (1, 60.0), "inner": (2, 35.0), "innermost": (1, 5.0), "after": (1, 7.0)}


def test_threads_do_not_hold_each_others_operators() -> None:
    assert own_times([event("a", 0, 100), event("b", 10, 20, tid=2)]) == {"a": (1, 100.0), "b": (1, 20.0)}


def test_one_that_begins_with_its_caller_is_inside_it() -> None:
    assert own_times([event("inner", 0, 40), event("outer", 0, 100)]) == {"outer": (1, 60.0), "inner": (1, 40.0)}


def test_what_is_no_operator_does_not_count() -> None:
    events = [event("op", 0, 10), event("python", 0, 50, cat="python_function"), {"ph": "M", "name": "process_name"}]
    assert own_times(events) == {"op": (1, 10.0)}


def test_the_table_adds_up_to_the_step() -> None:
    text = table({f"op{n}": (20, 1000.0 * n) for n in range(1, 31)}, steps=10, step_ms=60.0)
    lines = [line.split(maxsplit=2) for line in text.splitlines()[1:]]
    shares = [float(line[0]) for line in lines]
    assert shares[0] == 3.0
    assert lines[0][1:] == ["2", "op30"]
    assert sum(shares[:-1]) == pytest.approx(shares[-1]) == pytest.approx(60.0)
    assert shares[-2] == pytest.approx(60.0 - 46.5)
