"""What happens in the process that runs one query, started for it by `execute` as a script of its own.

It reads a job from standard input and writes one JSON object to standard output: ``{"columns", "rows", "truncated"}``,
or ``{"failed": message}``, or ``{"stopped": limit}``. A blob is ``{"hex": …}`` in a row, all else is JSON's own.

Three things hold at the same time, each enough for most attacks:

- The file is opened read-only and immutable, and the process may not write to any file at all (setrlimit(2)).
- SQLite asks an authorizer about each part of the statement while it compiles it. Only reading is allowed, only from
  the tables named in the job, and only through the functions in `FUNCTIONS`.
- Limits: of SQLite on lengths, nesting and attached files; on steps of its virtual machine, which makes a verdict the
  same on a slow machine as on a fast one; of the kernel on memory and processor time.

The standard library only: it runs as ``python -I -S``, without this project on its path.

Not covered: a database file made to attack SQLite itself. Not covered by steps: one step that takes long (LIKE with
many wildcards on long texts); the clocks of the kernel and of the parent stop that.
"""

from __future__ import annotations

import json
import resource
import sqlite3
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

__all__ = ["FUNCTIONS", "answer", "main"]

_AGGREGATES: Final = (
    "avg count group_concat max min sum total cume_dist dense_rank first_value lag last_value lead nth_value ntile "
    "percent_rank rank row_number"
)
_SCALARS: Final = (
    "abs char coalesce format glob hex ifnull iif instr length like likely unlikely likelihood lower ltrim nullif "
    "printf quote random replace round rtrim sign substr substring trim typeof unicode upper"
)
_DATES: Final = "current_date current_time current_timestamp date datetime julianday strftime time unixepoch"
_MATHEMATICS: Final = (
    "acos acosh asin asinh atan atan2 atanh ceil ceiling cos cosh degrees exp floor ln log log10 log2 mod pi pow "
    "power radians sin sinh sqrt tan tanh trunc"
)
_JSON: Final = "-> ->> json json_array json_array_length json_extract json_object json_quote json_type json_valid"
FUNCTIONS: Final = frozenset(f"{_AGGREGATES} {_SCALARS} {_DATES} {_MATHEMATICS} {_JSON}".split())
"""What a query may call. Whatever loads, reads or writes files, or makes long values out of nothing, is not here."""

_LIMITS: Final[Mapping[int, int]] = {
    sqlite3.SQLITE_LIMIT_LENGTH: 1 << 20,  # bytes of one value: what printf, replace and group_concat may build
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 20_000,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 200,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 50,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 50_000,
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 100,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 200,
    sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER: 0,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 0,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
_STEPS_A_CALL: Final = 10_000
_CELL: Final = 16
"""Bytes that a number or NULL counts for."""

_Authorizer = Callable[[int, str | None, str | None, str | None, str | None], int]


def main() -> None:
    """Run the job on standard input."""
    job = json.load(sys.stdin)
    for what, most in (
        (resource.RLIMIT_CPU, job["cpu_s"]),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 16),
        (resource.RLIMIT_AS, job["memory_mb"] << 20),
    ):
        resource.setrlimit(what, (most, most))
    try:
        said = answer(job)
    except MemoryError:
        said = {"stopped": "memory"}
    json.dump(said, sys.stdout, separators=(",", ":"))


def answer(job: Mapping[str, Any]) -> dict[str, Any]:
    """Run ``job["sql"]`` on ``job["database"]`` and return what `main` writes."""
    connection = sqlite3.connect(job["database"], uri=True, isolation_level=None)
    connection.text_factory = lambda text: text.decode("utf-8", "replace")
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.execute("PRAGMA temp_store=MEMORY")  # a sort that outgrows its cache may not go to a file
    connection.execute("PRAGMA query_only=ON")
    for what, most in _LIMITS.items():
        connection.setlimit(what, most)
    connection.set_authorizer(_authorizer(set(job["tables"]), set(job["named"])))
    left: int = job["steps"] // _STEPS_A_CALL

    def is_over() -> bool:
        nonlocal left
        left -= 1
        return left < 0

    connection.set_progress_handler(is_over, _STEPS_A_CALL)
    try:
        return _fetched(connection.execute(job["sql"]), rows=job["rows"], size=job["bytes"])
    except sqlite3.Error as error:
        if left < 0:
            return {"stopped": "steps"}
        return {"stopped": "memory"} if "out of memory" in str(error) else {"failed": str(error)}
    except sqlite3.Warning as error:  # two statements in one text
        return {"failed": str(error)}


def _fetched(cursor: sqlite3.Cursor, *, rows: int, size: int) -> dict[str, Any]:
    kept: list[list[Any]] = []
    for row in cursor:
        size -= sum(len(value) if isinstance(value, str | bytes) else _CELL for value in row)
        if len(kept) == rows or size < 0:
            return _said(cursor, kept, truncated=True)
        kept.append([{"hex": value.hex()} if isinstance(value, bytes) else value for value in row])
    return _said(cursor, kept, truncated=False)


def _said(cursor: sqlite3.Cursor, rows: list[list[Any]], *, truncated: bool) -> dict[str, Any]:
    return {"columns": [one[0] for one in cursor.description or ()], "rows": rows, "truncated": truncated}


def _authorizer(tables: set[str], named: set[str]) -> _Authorizer:
    def authorize(action: int, first: str | None, second: str | None, base: str | None, _: str | None) -> int:
        allowed = action in {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE}
        if action == sqlite3.SQLITE_FUNCTION:
            allowed = (second or "").lower() in FUNCTIONS
        elif action == sqlite3.SQLITE_READ:
            name = (first or "").lower()
            # a name of WITH is asked about with an empty column, when none of its columns is read: count(*)
            allowed = name in tables if second else name in tables or name in named
            allowed = allowed and base in {None, "main"}
        return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY

    return authorize


if __name__ == "__main__":
    main()
