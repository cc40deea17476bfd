"""Names, places and dates that the example documents share.

Every company, bank, clinic, person, place and number here is invented. Domains end in ``.example`` (RFC 2606),
telephone numbers are from the ranges that Ofcom keeps free for drama, and there is no postcode area AV.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

__all__ = [
    "AGENT_PHONE",
    "AGREEMENT_DATE",
    "AUDITOR",
    "BANK",
    "BANK_ADDRESS",
    "BANK_NUMBER",
    "CHAIR",
    "CHIEF_EXECUTIVE",
    "CLINIC",
    "COMPANY",
    "COMPANY_ADDRESS",
    "COMPANY_NUMBER",
    "FINANCE_DIRECTOR",
    "FIXED_TIME",
    "LENDER_ZH",
    "TERMINATION_DATE",
]

COMPANY: Final = "Halden Marine Logistics plc"
COMPANY_NUMBER: Final = "99417208"
COMPANY_ADDRESS: Final = "Saltmarsh Quay, Port Averley AV1 4HM"
CHAIR: Final = "Margaret Ostrow"
CHIEF_EXECUTIVE: Final = "Tobias Renwick"
FINANCE_DIRECTOR: Final = "Priya Venkatesan"
AUDITOR: Final = "Pellow Strand LLP"

BANK: Final = "Wexmoor Bank plc"
BANK_NUMBER: Final = "99260415"
BANK_ADDRESS: Final = "31 Lanthorn Street, Port Averley AV2 7WB"
AGENT_PHONE: Final = "020 7946 0318"
AGREEMENT_DATE: Final = "18 June 2025"
TERMINATION_DATE: Final = "18 June 2030"

CLINIC: Final = "Brackenmere Family Clinic"
LENDER_ZH: Final = "澜川商业银行"

FIXED_TIME: Final = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""Stands wherever a file format wants a time of writing, so that the same sources give the same bytes."""
