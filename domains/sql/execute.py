"""Runs a checked statement on a database file, in a process of its own that can only read, and returns the rows.

A process for each query: SQLite cannot be stopped inside one step, a process can. It costs about 30 ms a query. What it
may do is written in `query_process`; here stand the clocks around it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from domains.sql.errors import DatabaseUnreadable, QueryFailed, QueryTooExpensive
from domains.sql.guard import Checked
from domains.sql.schema import address

__all__ = ["Limits", "Result", "Row", "Value", "run"]

_SCRIPT: Final = Path(__file__).with_name("query_process.py")
_COMMAND: Final = (sys.executable, "-I", "-S", "-B", str(_SCRIPT))
_DENIED: Final = ("not authorized", "prohibited")
_NARROW: Final = "Ask for less: fewer rows, fewer tables at once, a narrower condition."

Value = int | float | str | bytes | None
Row = tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one query may take.

    Attributes:
        steps: Steps of SQLite's virtual machine; 100 million are one to three seconds.
        cpu_s: Processor time in seconds, whole ones.
        wall_s: Seconds on the clock, the start of the process among them.
        memory_mb: Address space in MiB.
        rows: Rows that are kept.
        bytes: Size of the rows that are kept, numbers counted as 16.
    """

    steps: int = 100_000_000
    cpu_s: int = 10
    wall_s: float = 30.0
    memory_mb: int = 512
    rows: int = 10_000
    bytes: int = 4 << 20


@dataclass(frozen=True, slots=True)
class Result:
    """What a query returned. `truncated` is true when there were more rows than the limits allow."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    truncated: bool = False


def run(database: Path, checked: Checked, limits: Limits | None = None) -> Result:
    """Run one statement.

    Raises:
        DatabaseUnreadable: there is no such file.
        QueryFailed: the database rejected the statement, or it reads or calls what it may not.
        QueryTooExpensive: a limit stopped it.
    """
    limits = limits or Limits()
    if not database.is_file():
        raise DatabaseUnreadable(f"There is no database {database.name}.", remedy="Give the file of a SQLite database.")
    job = {
        "database": address(database),
        "sql": checked.sql,
        "tables": sorted(checked.tables),
        "named": sorted(checked.named),
        "steps": limits.steps,
        "cpu_s": limits.cpu_s,
        "memory_mb": limits.memory_mb,
        "rows": limits.rows,
        "bytes": limits.bytes,
    }
    return _result(_said(job, wall_s=limits.wall_s))


def _said(job: dict[str, Any], *, wall_s: float) -> dict[str, Any]:
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and script; the statement goes in by standard input
            _COMMAND, input=json.dumps(job).encode(), capture_output=True, timeout=wall_s, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise _too_expensive("time") from error
    if done.returncode < 0:  # the kernel stopped it: processor time, mostly
        raise _too_expensive("time")
    try:
        said: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:  # it ran out of memory while it wrote its answer
        raise _too_expensive("memory") from error
    return said


def _result(said: dict[str, Any]) -> Result:
    if "stopped" in said:
        raise _too_expensive(said["stopped"])
    if "failed" in said:
        message = str(said["failed"])
        if any(word in message for word in _DENIED):
            raise QueryFailed(f"The query does what it may not: {message}.", remedy="Use the tables of the database.")
        raise QueryFailed(f"The database rejects the query: {message}.", remedy="Ask in other words.")
    rows = tuple(tuple(_value(value) for value in row) for row in said["rows"])
    return Result(columns=tuple(said["columns"]), rows=rows, truncated=said["truncated"])


def _value(value: Any) -> Value:
    return bytes.fromhex(value["hex"]) if isinstance(value, dict) else value


def _too_expensive(limit: str) -> QueryTooExpensive:
    return QueryTooExpensive(f"The query was stopped: it takes more {limit} than is allowed.", remedy=_NARROW)
