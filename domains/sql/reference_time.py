"""Makes a query mean the same every day: what asks for the present gets a fixed time instead.

Measuring needs it: a set whose databases were filled at a certain time has accepted queries that hold for that time.
The statement is rewritten in its tree: CURRENT_DATE and its kin, 'now' as an argument of a function, and SQLite's date
functions without a time value, which mean now.

Not covered: a 'now' that is put together or comes out of a column.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from domains.sql.guard import DIALECT

__all__ = ["at_time"]

_WORDS: Final = {exp.CurrentDate: "%Y-%m-%d", exp.CurrentTime: "%H:%M:%S", exp.CurrentTimestamp: "%Y-%m-%d %H:%M:%S"}
_FUNCTIONS: Final = frozenset({"DATE", "DATETIME", "TIME", "JULIANDAY", "UNIXEPOCH"})


def at_time(sql: str, now: datetime) -> str:
    """Return the statement as if it were `now`; one that cannot be parsed comes back as it is."""
    try:
        trees = [tree for tree in sqlglot.parse(sql, read=DIALECT) if tree is not None]
        moment = exp.Literal.string(now.strftime("%Y-%m-%d %H:%M:%S"))
        return "; ".join(tree.transform(_fixed, now, moment).sql(dialect=DIALECT) for tree in trees)
    except (SqlglotError, RecursionError):
        return sql


def _fixed(node: exp.Expr, now: datetime, moment: exp.Literal) -> exp.Expr:
    for kind, form in _WORDS.items():
        if isinstance(node, kind):
            return exp.Literal.string(now.strftime(form))
    if isinstance(node, exp.Literal) and node.is_string and node.this.lower() == "now":
        return moment.copy() if isinstance(node.parent, exp.Func) else node
    if isinstance(node, exp.Anonymous) and node.name.upper() in _FUNCTIONS and not node.expressions:
        node.append("expressions", moment.copy())
    if isinstance(node, exp.Date) and node.this is None and not node.expressions:
        node.set("this", moment.copy())
    return node
