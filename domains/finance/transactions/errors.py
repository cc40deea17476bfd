"""What can go wrong with transactions, drawn.

DomainError
└── TransactionError              the request cannot be served as it is
    ├── TransactionRefused        422  the transaction breaks a rule of its form; nothing was kept
    ├── TransactionConflict       422  the id is known, with other content; the first stays
    ├── TransactionNotFound       404  no transaction has that id
    ├── TooManyTransactions       413  more in one request than is taken
    ├── RulesRefused              422  the rules file is wrong; the message names the line
    ├── RiskModelUnusable             503  the fitted model is missing or is not the one its digest names
    └── StateUnavailable          503  the database did not take the transaction; it was not accepted

The statuses are those of `app.errors.describe`.
"""

from __future__ import annotations

from domains.contract import DomainError

__all__ = [
    "RiskModelUnusable",
    "RulesRefused",
    "StateUnavailable",
    "TooManyTransactions",
    "TransactionConflict",
    "TransactionError",
    "TransactionNotFound",
    "TransactionRefused",
]


class TransactionError(DomainError):
    """Root of the errors of transaction risk."""

    code = "transaction"


class TransactionRefused(TransactionError):
    """The transaction breaks a rule of its form. Correct it and send it again; nothing was kept."""

    code = "transaction_refused"


class TransactionConflict(TransactionError):
    """A transaction with this id and other content was accepted before. Give the new one its own id."""

    code = "transaction_conflict"


class TransactionNotFound(TransactionError):
    """No transaction with this id was accepted."""

    code = "transaction_not_found"


class TooManyTransactions(TransactionError):
    """More transactions in one request than are taken at once. Send them in several requests."""

    code = "too_many_transactions"


class RulesRefused(TransactionError):
    """The rules file cannot be used; the rules before it stay in force."""

    code = "rules_refused"


class RiskModelUnusable(TransactionError):
    """The fitted model cannot be used. Restore the shipped folder or fit it anew."""

    code = "risk_model_unusable"


class StateUnavailable(TransactionError):
    """The database did not take the transaction. It was not accepted; send it again with the same id."""

    code = "risk_state_unavailable"
