"""The credit agreement between the company of the annual report and its bank, as a PDF."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from reportlab.platypus import CondPageBreak, Flowable, KeepTogether, PageBreak, Paragraph

from sources.agreement_text import CLAUSES
from sources.assets import MORTGAGED, register
from sources.figures import accounts, require_equal
from sources.invented import (
    AGREEMENT_DATE,
    BANK,
    BANK_ADDRESS,
    BANK_NUMBER,
    CHIEF_EXECUTIVE,
    COMPANY,
    COMPANY_ADDRESS,
    COMPANY_NUMBER,
    FINANCE_DIRECTOR,
    TERMINATION_DATE,
)
from sources.typesetting import STYLES, Document, gap, heading, plain_table, prose

__all__ = ["write"]

_NUMBERED: Final = re.compile(r"^(\d+\.\d+|\([a-z]\))\s+(.*)$", re.DOTALL)
_FACILITY_A, _INSTALMENT = 120_000_000, 3_000_000


def write(path: Path) -> None:
    """Write the agreement.

    Raises:
        DoesNotTie: the instalments or the mortgaged ships are not those of the annual report.
    """
    document = Document(
        path,
        title=f"Credit Agreement: {COMPANY} and {BANK}",
        author=BANK,
        subject="Invented example document",
        head=f"Credit Agreement  |  {AGREEMENT_DATE}",
        foot="Fictitious parties, invented as an example",
    )
    document.build([*_front(), *_clauses(), *_schedules(), *_signatures()])


def _front() -> list[Flowable]:
    title = Paragraph("Credit Agreement", STYLES["title"])
    title.outline_level = 0
    return [
        gap(24),
        title,
        Paragraph("£180,000,000 term loan and revolving credit facilities", STYLES["subtitle"]),
        gap(10),
        *prose(f"""
            This Agreement is dated <b>{AGREEMENT_DATE}</b> and made between:

            (1) <b>{COMPANY}</b>, a company registered in England and Wales with number {COMPANY_NUMBER}, whose
            registered office is at {COMPANY_ADDRESS} (the <b>Borrower</b>); and

            (2) <b>{BANK}</b>, a company registered in England and Wales with number {BANK_NUMBER}, whose registered
            office is at {BANK_ADDRESS} (the <b>Lender</b>, which includes any bank to which it transfers a
            commitment).

            The Borrower and the Lender agree as follows.
        """),
        gap(6),
    ]


def _clauses() -> list[Flowable]:
    parts: list[Flowable] = []
    for number, (name, text) in enumerate(CLAUSES, start=1):
        parts += [CondPageBreak(70), heading(f"{number}. {name}", level=2)]
        parts += [_provision(paragraph) for paragraph in text.strip().split("\n\n")]
    return parts


def _provision(paragraph: str) -> Paragraph:
    text = " ".join(paragraph.split()).replace("'", "’")
    found = _NUMBERED.match(text)
    if found is None:
        return Paragraph(text, STYLES["clause"])
    mark, words = found.groups()
    return Paragraph(words, STYLES["item" if mark.startswith("(") else "clause"], bulletText=mark)


def _schedules() -> list[Flowable]:
    return [
        PageBreak(),
        heading("Schedules"),
        *_conditions(),
        *_repayment(),
        *_margin(),
        *_certificate(),
        *_mortgages(),
    ]


def _conditions() -> list[Flowable]:
    items = (
        "the constitution of the Borrower and a resolution of its board that approves this Agreement;",
        "specimen signatures of those who may sign requests and certificates;",
        "the audited consolidated accounts of the Group for the year ended 31 December 2024;",
        "a letter of release from the earlier lender for its loan of £138,000,000;",
        "the signed mortgages of the ships in Schedule 5, with evidence of insurance; and",
        "a legal opinion on the power of the Borrower and on this Agreement.",
    )
    return [
        heading("Schedule 1: Conditions precedent", level=2),
        *[
            Paragraph(text, STYLES["item"], bulletText=f"({letter})")
            for letter, text in zip("abcdef", items, strict=True)
        ],
    ]


def _repayment() -> list[Flowable]:
    days = ("31 March", "30 June", "30 September", "31 December")
    rows, left = [], _FACILITY_A
    dates = [f"{day} {year}" for year in range(2026, 2031) for day in days][:17]
    for date in dates:
        left -= _INSTALMENT
        rows.append((date, f"{_INSTALMENT:,}", f"{left:,}"))
    rows.append((TERMINATION_DATE, f"{left:,}", "0"))
    require_equal("instalments exceed Facility A", min(left, 0), 0)
    require_equal("instalments of 2026 in the report", 4 * _INSTALMENT, accounts().this.loans_current * 1000)
    return [
        CondPageBreak(120),
        heading("Schedule 2: Repayment of Facility A", level=2),
        plain_table(("Date", "Instalment (£)", "Balance after it (£)"), rows, (0.4, 0.3, 0.3), right=(1, 2)),
    ]


def _margin() -> list[Flowable]:
    rows = [
        ("Not more than 1.50 to 1", "1.60%"),
        ("More than 1.50 to 1 but not more than 2.25 to 1", "1.95%"),
        ("More than 2.25 to 1 but not more than 3.00 to 1", "2.35%"),
        ("More than 3.00 to 1", "2.85%"),
    ]
    table = plain_table(("Leverage", "Margin (a year)"), rows, (0.7, 0.3), right=(1,))
    return [KeepTogether([heading("Schedule 3: Margin", level=2), table])]


def _certificate() -> list[Flowable]:
    return [
        KeepTogether(
            [
                heading("Schedule 4: Form of Compliance Certificate", level=2),
                *prose(f"""
                    To: {BANK}, Loan Agency Desk. From: {COMPANY}. We refer to the Credit Agreement dated
                    {AGREEMENT_DATE}. For the Relevant Period ended [date] we confirm that: (a) Net Debt was
                    £[amount] and EBITDA was £[amount], so that Leverage was [number] to 1; (b) Net Finance Charges
                    were £[amount], so that Interest Cover was [number] to 1; (c) the Margin is therefore [number]%
                    a year; and (d) no Event of Default continues. Signed: Finance Director.
                """),
            ]
        )
    ]


def _mortgages() -> list[Flowable]:
    known = {asset.name: asset for asset in register(accounts())}
    require_equal("mortgaged ships in the register", len(known.keys() & set(MORTGAGED)), len(MORTGAGED))
    rows = [(str(at), name, known[name].description) for at, name in enumerate(MORTGAGED, start=1)]
    table = plain_table(("No.", "Ship", "Description"), rows, (0.1, 0.4, 0.5))
    return [KeepTogether([heading("Schedule 5: Mortgaged ships", level=2), table])]


def _signatures() -> list[Flowable]:
    rows = [
        ("Borrower", COMPANY, f"{CHIEF_EXECUTIVE}, Chief Executive<br/>{FINANCE_DIRECTOR}, Finance Director"),
        ("Lender", BANK, "Leonora Quist, Head of Corporate Lending<br/>Desmond Ashby-Roe, Loan Agency"),
    ]
    return [
        KeepTogether(
            [
                heading("Signatures", level=2),
                plain_table(("Party", "Name", "Signed by"), rows, (0.16, 0.36, 0.48)),
                Paragraph(
                    "The parties to this agreement do not exist. It was invented as an example document, is not a "
                    "model for a contract, and is not legal advice.",
                    STYLES["note"],
                ),
            ]
        )
    ]
