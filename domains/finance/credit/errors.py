"""What can go wrong with credit scoring, drawn.

    DomainError
    └── CreditError                 the request cannot be served as it is
        ├── ApplicationsRefused     the table of past applications is not of the form, or too small to fit on
        ├── ApplicantRefused        one applicant cannot be scored: a field that may not be used, or is no figure
        └── NoScorecard             503  no scorecard was fitted yet; the remedy says where to put the table

A fitted model that cannot be used raises `domains.finance.models.ModelUnusable`.
"""

from __future__ import annotations

from domains.contract import DomainError

__all__ = ["ApplicantRefused", "ApplicationsRefused", "CreditError", "NoScorecard"]


class CreditError(DomainError):
    """Root of the errors of credit scoring."""

    code = "credit"


class ApplicationsRefused(CreditError):
    """The table of past applications is not of the form, or too small to fit on. The message names the line."""

    code = "credit_applications"


class ApplicantRefused(CreditError):
    """An applicant that cannot be scored. The message names the field."""

    code = "credit_applicant"


class NoScorecard(CreditError):
    """No scorecard was fitted yet. The remedy says where the table of past applications must lie."""

    code = "credit_no_scorecard"
