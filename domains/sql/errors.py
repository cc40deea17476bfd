"""What can go wrong between a question and the rows that answer it, drawn.

    DomainError
    └── SqlError                    the request cannot be served as it is
        ├── DatabaseUnreadable      there is no such file, or it is not a database that SQLite reads
        ├── NoStatement             the reply holds no SQL
        ├── StatementRefused        the statement does anything but read, or is not one statement
        │   └── NotInSchema         it reads a table that this database does not have
        ├── QueryFailed             the database rejects it: no such column, wrong number of arguments, ...
        ├── QueryTooExpensive       it ran into the limit of steps, time or memory, and was stopped
        └── QuestionsRefused        a folder of questions is not of the form that the suites read

What a statement says is the asker's or the model's and may be shown to the asker; paths are never part of a message.
"""

from __future__ import annotations

from domains.contract import DomainError

__all__ = [
    "DatabaseUnreadable",
    "NoStatement",
    "NotInSchema",
    "QueryFailed",
    "QueryTooExpensive",
    "QuestionsRefused",
    "SqlError",
    "StatementRefused",
]


class SqlError(DomainError):
    """Root of the errors of questions to databases."""

    code = "sql"


class DatabaseUnreadable(SqlError):
    """There is no such database file, or SQLite cannot read it."""

    code = "sql_database"


class NoStatement(SqlError):
    """A reply without SQL. Ask again, or say in words what is wanted."""

    code = "sql_no_statement"


class StatementRefused(SqlError):
    """A statement that is not one reading statement. Nothing was run; the message says what it would have done."""

    code = "sql_refused"


class NotInSchema(StatementRefused):
    """A statement that reads a table which this database does not have. Nothing was run."""

    code = "sql_not_in_schema"


class QueryFailed(SqlError):
    """The database rejected the statement; the message is the database's own."""

    code = "sql_failed"


class QueryTooExpensive(SqlError):
    """A query that was stopped at a limit. Nothing of its result is kept."""

    code = "sql_too_expensive"


class QuestionsRefused(SqlError):
    """A folder of questions that is not of the form. The message names the line."""

    code = "sql_questions"
