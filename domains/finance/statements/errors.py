"""What can be wrong with statements before anything is computed from them.

    DomainError
    └── StatementsError        the figures cannot be taken: unknown item, mixed currency, doubled cell, absurd number
        └── FormulaError       a formula does not parse; names the place in it

What merely cannot be computed from good figures is no error: it is a `Computed` without a value and with its reason.
"""

from __future__ import annotations

from typing import ClassVar

from domains.contract import DomainError

__all__ = ["FormulaError", "StatementsError"]


class StatementsError(DomainError):
    """Financial statements that cannot be taken as they are."""

    code: ClassVar[str] = "statements"


class FormulaError(StatementsError):
    """A formula that is not in the language of `domains.finance.statements.formula`."""

    code: ClassVar[str] = "formula"
