"""What one reply is worth: its SQL is taken out, guarded, run, and the rows compared with those of accepted queries.

Nothing here asks a model, so replies that were kept can be scored again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from domains.sql.errors import (
    NoStatement,
    QueryFailed,
    QueryTooExpensive,
    QuestionsRefused,
    SqlError,
    StatementRefused,
)
from domains.sql.execute import Limits, Result, run
from domains.sql.extract import statement_of
from domains.sql.guard import check, is_ordered
from domains.sql.match import is_match
from domains.sql.questions import Item
from domains.sql.reference_time import at_time
from domains.sql.schema import Schema

__all__ = ["Outcome", "Score", "score"]

Outcome = Literal["correct", "other_rows", "failed", "refused", "too_expensive", "no_statement", "no_reply"]

_LIMITS: Final = Limits(rows=100_000, bytes=32 << 20, wall_s=600)
"""Wide enough that no accepted query of the public sets is cut, and without a clock on the wall: the same verdict on a
busy machine. A result that is cut matches nothing."""


@dataclass(frozen=True, slots=True)
class Score:
    """What became of a reply.

    Attributes:
        outcome: "correct", or at which step it went wrong.
        sql: The statement that was taken out of the reply; empty when there was none.
        detail: The error, in words.
        has_answer: The rows are right when columns beyond the accepted ones are ignored.
    """

    outcome: Outcome
    sql: str = ""
    detail: str = ""
    has_answer: bool = False


def score(item: Item, schema: Schema, reply: str | None) -> Score:
    """Score a reply; None is one that the model could not give.

    Raises:
        QuestionsRefused: an accepted query of the set does not run.
    """
    if reply is None:
        return Score("no_reply", detail="The prompt does not fit into the model's context.")
    sql = ""
    try:
        sql = statement_of(reply)
        found = _rows(item, schema, sql)
    except SqlError as error:
        return Score(_step(error), sql, error.message)
    if found.truncated:
        return Score("other_rows", sql, "There are more rows than are compared.")
    correct = has_answer = False
    for accepted in item.accepted:
        rows, ordered = _accepted(item, schema, accepted).rows, is_ordered(accepted)
        correct = correct or is_match(rows, found.rows, ordered=ordered)
        has_answer = has_answer or is_match(rows, found.rows, ordered=ordered, more_columns=True)
    return Score("correct" if correct else "other_rows", sql, has_answer=correct or has_answer)


def _rows(item: Item, schema: Schema, sql: str) -> Result:
    return run(item.database, check(at_time(sql, item.now) if item.now else sql, schema), _LIMITS)


def _accepted(item: Item, schema: Schema, sql: str) -> Result:
    try:
        return _rows(item, schema, sql)
    except SqlError as error:
        raise QuestionsRefused(
            f"An accepted query of {item.id} does not run: {error.message}", remedy="Correct the set of questions."
        ) from error


def _step(error: SqlError) -> Outcome:
    if isinstance(error, NoStatement):
        return "no_statement"
    if isinstance(error, StatementRefused):
        return "refused"
    if isinstance(error, QueryTooExpensive):
        return "too_expensive"
    if isinstance(error, QueryFailed):
        return "failed"
    raise error
