"""What the routes of transaction risk take and return, beside `event.Transaction` and `results.Result`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from domains.finance.modelcard import ModelCard
from domains.finance.transactions.errors import TransactionError
from domains.finance.transactions.event import Transaction
from domains.finance.transactions.results import Result

__all__ = [
    "MOST",
    "Batch",
    "BatchResult",
    "Drift",
    "DriftRow",
    "ErrorText",
    "FittedModel",
    "Item",
    "NewRules",
    "RuleRow",
    "Rules",
]

MOST = 1_000
"""Transactions in one batch; a request of 1 MiB holds about 2,500."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Batch(_Value):
    """Transactions, scored in the order given."""

    transactions: list[Transaction] = Field(min_length=1, max_length=MOST)


class ErrorText(_Value):
    """Why one transaction of several was refused."""

    code: str
    message: str
    remedy: str

    @classmethod
    def of(cls, error: TransactionError) -> ErrorText:
        """Write an error down."""
        return cls(code=error.code, message=error.message, remedy=error.remedy)


class Item(_Value):
    """One transaction of several: its result, or why it was refused."""

    id: str
    result: Result | None = None
    error: ErrorText | None = None


class BatchResult(_Value):
    """One item for each transaction, in the order given."""

    items: list[Item]


class DriftRow(_Value):
    """One feature's population stability index."""

    feature: str
    psi: float
    reading: str = Field(description="stable below 0.1, moderate below 0.25, shifted; too few below 500 transactions.")


class Compared(_Value):
    """Champion and challenger on the same transactions, at the probability from which a person looks at one."""

    both: int
    champion_only: int
    challenger_only: int
    neither: int
    correlation: float | None


class Drift(_Value):
    """How the transactions scored last differ from those of the training, and how the two models differ."""

    transactions: int = Field(description="How many this rests on; at most 4,096, since the start of the service.")
    score_psi: float
    reading: str
    features: list[DriftRow] = Field(description="Those that moved most.")
    champion_and_challenger: Compared


class RuleRow(_Value):
    """One rule in force."""

    name: str
    when: str
    action: Literal["allow", "note", "review", "block"]
    weight: float
    en: str
    zh: str
    line: int


class Rules(_Value):
    """The rules in force, and what is wrong with the file if it is not in force."""

    digest: str = Field(description="SHA-256 of the file in force.")
    review_from: float
    block_from: float
    review_points: float
    rules: list[RuleRow]
    problem: ErrorText | None = Field(description="Why the file as it is now is not in force; the rules before it are.")
    toml: str = Field(description="The file in force.")


class NewRules(_Value):
    """Rules to put in force."""

    toml: str = Field(
        max_length=262_144,
        examples=[
            '[[rule]]\nname = "burst"\nwhen = "account.count.15m >= 6"\naction = "note"\nen = "Burst"\nzh = "突增"\n'
        ],
    )


class FittedModel(_Value):
    """The model in force."""

    digest: str
    card: ModelCard
