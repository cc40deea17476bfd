"""Lets one reading statement through, rewritten; refuses everything else before a database sees it.

A statement passes when sqlglot parses it in SQLite's dialect, it is a single query (SELECT, a set operation, WITH),
every part of its tree is on a list of what a query may have, and every table that it reads is in the schema. What runs
is text written anew from the tree, without comments: whatever a database would have read differently from the parser
(comments with code, odd spaces, names in other quotes) is gone. A statement with a part that cannot be written in that
dialect is refused, since leaving the part out would answer another question.

This is the outer of two layers: `query_process` asks SQLite itself about each table and each function.

Not covered: what a query costs (the limits of `execute`), functions (SQLite's names are known to SQLite only, so
they are allowed or not there), and who may see which rows.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError

from domains.sql.errors import NotInSchema, StatementRefused
from domains.sql.schema import Schema

__all__ = ["DIALECT", "LONGEST", "Checked", "check", "is_ordered"]

DIALECT: Final = "sqlite"
LONGEST: Final = 10_000
"""Characters of a statement. Parsing takes about 0.1 ms a word, so this is what bounds it to a second."""

_CLAUSES: Final = (
    "CTE Distinct Except Filter From Group Having Intersect Join Limit Offset Order Ordered Select Star Subquery "
    "Table TableAlias Union Values Where Window WindowSpec With"
)
_VALUES: Final = (
    "Alias Boolean Column DataType DataTypeParam Identifier JSONPath JSONPathKey JSONPathRoot JSONPathSubscript "
    "Literal Null Tuple Var"
)
_OPERATORS: Final = (
    "Add Between BitwiseAnd BitwiseLeftShift BitwiseNot BitwiseOr BitwiseRightShift DPipe Div EQ Escape Fetch GT GTE "
    "Glob ILike In Is LT LTE Like LimitOptions Mod Mul NEQ Neg Not NullSafeEQ NullSafeNEQ Paren Sub"
)
_PARTS: Final = frozenset(f"{_CLAUSES} {_VALUES} {_OPERATORS}".split())
"""Classes of sqlglot's tree that a query may have beside functions."""

_READING: Final = "Only a single SELECT statement is run. Ask for what you want to know, not for a change."

logging.getLogger("sqlglot").setLevel(logging.ERROR)  # its warnings quote the statement, which is nobody's to log


@dataclass(frozen=True, slots=True)
class Checked:
    """A statement that may run.

    `sql` is the statement written anew. `tables` are those that it may read, in lower case; `named` are the names that
    it gives itself in WITH.
    """

    sql: str
    tables: frozenset[str]
    named: frozenset[str]


def check(sql: str, schema: Schema) -> Checked:
    """Check one statement.

    Raises:
        StatementRefused: it is not one reading statement that can be written in SQLite's dialect.
        NotInSchema: it reads a table that is not in the schema.
    """
    tree = _parsed(sql)
    for node in tree.walk():
        if not isinstance(node, exp.Func) and type(node).__name__ not in _PARTS:
            raise StatementRefused(f"The statement has {_name(node)} in it, which is not reading.", remedy=_READING)
    named = frozenset(cte.alias.lower() for cte in tree.find_all(exp.CTE))
    read = _tables_of(tree) - named
    if lacking := sorted(read - schema.names):
        raise NotInSchema(
            f"This database has no table {lacking[0]}.",
            remedy=f"Use one of: {', '.join(table.name for table in schema.tables)}.",
        )
    return Checked(sql=_written(tree), tables=schema.names, named=named)


def is_ordered(sql: str) -> bool:
    """Say whether the outermost query of a statement sorts its rows.

    Raises:
        StatementRefused: it is not one reading statement.
    """
    return _parsed(sql).args.get("order") is not None


def _parsed(sql: str) -> exp.Query:
    if len(sql) > LONGEST:
        raise StatementRefused(f"The statement is longer than {LONGEST} characters.", remedy="Ask for less at once.")
    try:
        trees = [tree for tree in sqlglot.parse(sql, read=DIALECT) if tree is not None]
    except (SqlglotError, RecursionError) as error:
        raise _unreadable() from error
    except Exception as error:  # a parser may fail anyhow on hostile text; whatever it raises, nothing is run
        raise _unreadable() from error
    if len(trees) != 1:
        raise StatementRefused(f"These are {len(trees)} statements.", remedy=_READING)
    tree = trees[0]
    while isinstance(tree, exp.Subquery) and not tree.alias:
        tree = tree.this  # brackets around the whole
    if not isinstance(tree, exp.Query):
        raise StatementRefused(f"The statement is {_name(tree)}, not a SELECT.", remedy=_READING)
    return tree


def _unreadable() -> StatementRefused:
    return StatementRefused("The statement cannot be read as SQLite's SQL.", remedy=_READING)


def _tables_of(tree: exp.Query) -> set[str]:
    found = set()
    for table in tree.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier):
            raise StatementRefused("The statement reads from a function, not from a table.", remedy=_READING)
        if table.catalog or table.db.lower() not in {"", "main"}:
            raise StatementRefused("The statement reads another database than the one that was asked.", remedy=_READING)
        found.add(table.name.lower())
    return found


def _written(tree: exp.Query) -> str:
    try:
        return tree.sql(dialect=DIALECT, comments=False, unsupported_level=ErrorLevel.RAISE)
    except (SqlglotError, RecursionError) as error:
        raise StatementRefused("The statement uses what SQLite's SQL does not have.", remedy=_READING) from error


def _name(node: exp.Expr) -> str:
    """Return a kind of statement or clause as people write it."""
    word = node.this if isinstance(node, exp.Command) else node.key
    return str(word).upper()[:24]
