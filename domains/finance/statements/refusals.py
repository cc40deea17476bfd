"""What can be wrong with what somebody brings to be assessed or asks for, each with what to do about it.

    StatementsError                    422  (domains.finance.statements.errors)
    ├── FileRefused                    422  the file is not what it says, is damaged or hostile
    ├── LimitExceeded                  413  more cells, sheets, periods or bytes than a limit
    ├── InputRefused                   422  a figure, a period or a unit that cannot be read without guessing
    ├── MixedCurrencies                422  figures of one company in more than one currency
    ├── PeriodConflict                 422  periods that overlap, or figures of one period that contradict each other
    ├── RulesRefused                   422  the file of rules is not what it has to be
    ├── FactorNotFound                 404  no factor has that id
    ├── CompanyNotFound                404  no such company, or none that the caller may see: not told apart
    └── CompanyForbidden               403  the caller may not change companies, or may not use that label

Messages name the place (sheet, row, column, tag) and never repeat a whole cell: what a cell holds may be private or
hostile, so at most a short, cleaned piece of it is shown.
"""

from __future__ import annotations

from typing import ClassVar, Final

from domains.finance.statements.errors import StatementsError

__all__ = [
    "CompanyForbidden",
    "CompanyNotFound",
    "FactorNotFound",
    "FileRefused",
    "InputRefused",
    "LimitExceeded",
    "MixedCurrencies",
    "PeriodConflict",
    "RulesRefused",
    "shown",
]

_LONGEST_SHOWN: Final = 40


class FileRefused(StatementsError):
    """The file is not what it says, is damaged, or is built to exhaust whoever reads it."""

    code: ClassVar[str] = "statement_file"


class LimitExceeded(StatementsError):
    """More of something than a stated limit."""

    code: ClassVar[str] = "statement_limit"


class InputRefused(StatementsError):
    """A figure, a period, a unit or a name that cannot be read without guessing."""

    code: ClassVar[str] = "statement_input"


class MixedCurrencies(StatementsError):
    """The figures of one company are in more than one currency; which rate to convert at is not ours to decide."""

    code: ClassVar[str] = "mixed_currencies"


class PeriodConflict(StatementsError):
    """Periods that overlap, or figures of one period and item that contradict each other."""

    code: ClassVar[str] = "period_conflict"


class RulesRefused(StatementsError):
    """The file of rules is not what it has to be; names the rule and what is wrong with it."""

    code: ClassVar[str] = "rules_refused"


class FactorNotFound(StatementsError):
    """No factor of the library has that id."""

    code: ClassVar[str] = "factor_not_found"


class CompanyNotFound(StatementsError):
    """No such company, or none that the caller may see: the two are not told apart."""

    code: ClassVar[str] = "company_not_found"


class CompanyForbidden(StatementsError):
    """The caller may not change companies, or may not use that label."""

    code: ClassVar[str] = "company_forbidden"


def shown(text: object) -> str:
    """Return a short piece of foreign text for a message, without control characters."""
    clean = "".join(mark for mark in str(text)[:200] if mark.isprintable()).strip()
    return clean if len(clean) <= _LONGEST_SHOWN else clean[: _LONGEST_SHOWN - 1] + "…"
