"""The primary statements of the annual report, set from the computed accounts."""

from __future__ import annotations

from reportlab.platypus import Flowable, PageBreak, Paragraph

from sources.figures import Accounts, Balance, Year, require_equal
from sources.typesetting import STYLES, Row, figures_table, heading

__all__ = ["NOTES", "balance_sheet", "cash_flow", "changes_in_equity", "income_statement"]

NOTES = {
    "segments": 3,
    "expenses": 4,
    "staff": 5,
    "finance": 6,
    "tax": 7,
    "earnings": 8,
    "plant": 9,
    "leases": 10,
    "intangible": 11,
    "receivables": 12,
    "payables": 13,
    "borrowings": 14,
    "provisions": 15,
    "capital": 16,
}
"""The number of the note to each line of the statements."""


def _note(name: str) -> str:
    return str(NOTES[name])


def _title(text: str, when: str) -> list[Flowable]:
    return [heading(text), Paragraph(f"{when}. Figures in thousands of pounds (£000).", STYLES["note"])]


def income_statement(accounts: Accounts) -> list[Flowable]:
    """Set the consolidated income statement."""
    years = (accounts.this, accounts.last)

    def line(label: str, this: int, last: int, note: str = "", *, rule: bool = False, strong: bool = False) -> Row:
        return Row(label, (this, last), note, rule, strong)

    def both(label: str, name: str, note: str = "", *, sign: int = 1, total: bool = False) -> Row:
        this, last = (sign * getattr(year if hasattr(year, name) else year.flows, name) for year in years)
        return line(label, this, last, note, rule=total, strong=total)

    this, last = (f"{year.earnings_per_share:.1f}p " for year in years)
    rows = [
        both("Revenue", "revenue", _note("segments")),
        both("Cost of sales", "cost_of_sales", _note("expenses"), sign=-1),
        both("Gross profit", "gross_profit", total=True),
        both("Administrative expenses", "administrative", _note("expenses"), sign=-1),
        both("Other operating income", "other_income"),
        both("Operating profit", "operating_profit", _note("segments"), total=True),
        both("Finance income", "finance_income", _note("finance")),
        both("Finance costs", "finance_costs", _note("finance"), sign=-1),
        both("Profit before tax", "profit_before_tax", total=True),
        both("Income tax", "tax", _note("tax"), sign=-1),
        both("Profit for the year", "profit", total=True),
        Row("Earnings per share, basic", (this, last), _note("earnings")),
    ]
    return [
        *_title("Consolidated income statement", "Year ended 31 December"),
        figures_table(("2025", "2024"), rows, notes=True),
        Paragraph(
            "All results come from continuing operations. There was no other comprehensive income in either year, so "
            "total comprehensive income is the profit for the year, all of which belongs to the owners of the company.",
            STYLES["body"],
        ),
    ]


def changes_in_equity(accounts: Accounts) -> list[Flowable]:
    """Set the consolidated statement of changes in equity."""
    heads = ("Share capital", "Share premium", "Retained", "Total")
    rows: list[Row] = []

    def balance(label: str, at: Balance) -> Row:
        amounts = (at.share_capital, at.share_premium, at.retained)
        return Row(label, (*amounts, sum(amounts)), rule=True, strong=True)

    rows.append(balance("At 1 January 2024", accounts.last.opening))
    for year in (accounts.last, accounts.this):
        for label, amount in (
            ("Profit for the year", year.profit),
            ("Share-based payments", year.flows.share_payments),
            ("Dividends paid", -year.flows.dividends),
        ):
            rows.append(Row(label, (None, None, amount, amount)))
        rows.append(balance(f"At 31 December {year.name}", year.closing))
    return [
        heading("Consolidated statement of changes in equity", level=2),
        figures_table(heads, rows, tint=False, width=74),
    ]


def balance_sheet(accounts: Accounts) -> list[Flowable]:
    """Set the consolidated balance sheet."""
    rows = [_balance_row(row) for row in zip(_balance_lines(accounts.this), _balance_lines(accounts.last), strict=True)]
    return [
        PageBreak(),
        *_title("Consolidated balance sheet", "At 31 December"),
        figures_table(("2025", "2024"), rows, notes=True),
        Paragraph(
            "The financial statements were approved by the board on 2 March 2026 and signed on its behalf by Tobias "
            "Renwick, Chief Executive, and Priya Venkatesan, Finance Director.",
            STYLES["body"],
        ),
    ]


_Line = tuple[str, int | None, str, bool]


def _balance_row(pair: tuple[_Line, _Line]) -> Row:
    (label, this, note, total), (_, last, _, _) = pair
    if this is None:
        return Row(label, strong=True)
    return Row(label, (this, last), note, rule=total, strong=total)


def _balance_lines(year: Year) -> list[_Line]:
    at = year.closing
    loans_later, leases_later = at.borrowings - year.loans_current, at.leases - year.leases_current
    current = at.trade_payables + year.loans_current + year.leases_current + at.tax
    later = loans_later + leases_later + at.deferred_tax + at.provisions
    require_equal(f"liabilities {year.name}", current + later, at.liabilities)
    return [
        ("Non-current assets", None, "", False),
        ("Property, plant and equipment", at.plant, _note("plant"), False),
        ("Right-of-use assets", at.leased, _note("leases"), False),
        ("Goodwill", at.goodwill, _note("intangible"), False),
        ("Other intangible assets", at.intangible, _note("intangible"), False),
        ("Total non-current assets", at.non_current_assets, "", True),
        ("Current assets", None, "", False),
        ("Inventories", at.inventories, "", False),
        ("Trade and other receivables", at.receivables, _note("receivables"), False),
        ("Cash and cash equivalents", at.cash, "", False),
        ("Total current assets", at.current_assets, "", True),
        ("Total assets", at.assets, "", True),
        ("Current liabilities", None, "", False),
        ("Trade and other payables", at.trade_payables, _note("payables"), False),
        ("Borrowings, current", year.loans_current, _note("borrowings"), False),
        ("Lease liabilities, current", year.leases_current, _note("leases"), False),
        ("Current tax", at.tax, "", False),
        ("Total current liabilities", current, "", True),
        ("Non-current liabilities", None, "", False),
        ("Borrowings, non-current", loans_later, _note("borrowings"), False),
        ("Lease liabilities, non-current", leases_later, _note("leases"), False),
        ("Deferred tax", at.deferred_tax, _note("tax"), False),
        ("Provisions", at.provisions, _note("provisions"), False),
        ("Total non-current liabilities", later, "", True),
        ("Total liabilities", at.liabilities, "", True),
        ("Net assets", at.assets - at.liabilities, "", True),
        ("Equity", None, "", False),
        ("Share capital", at.share_capital, _note("capital"), False),
        ("Share premium", at.share_premium, "", False),
        ("Retained earnings", at.retained, "", False),
        ("Total equity", at.equity, "", True),
    ]


def cash_flow(accounts: Accounts) -> list[Flowable]:
    """Set the consolidated cash flow statement."""
    pairs = zip(_cash_lines(accounts.this), _cash_lines(accounts.last), strict=True)
    rows = [_balance_row(pair) for pair in pairs]
    return [
        PageBreak(),
        *_title("Consolidated cash flow statement", "Year ended 31 December"),
        figures_table(("2025", "2024"), rows, notes=True),
    ]


def _cash_lines(year: Year) -> list[_Line]:
    flows = year.flows
    require_equal(f"cash {year.name}", year.opening.cash + year.cash_change, year.closing.cash)
    return [
        ("Operating activities", None, "", False),
        ("Operating profit", year.operating_profit, "", False),
        ("Depreciation of property, plant and equipment", flows.depreciation, _note("plant"), False),
        ("Depreciation of right-of-use assets", flows.depreciation_leased, _note("leases"), False),
        ("Amortisation of intangible assets", flows.amortisation, _note("intangible"), False),
        ("Gain on disposals", -year.disposal_gain, "", False),
        ("Share-based payments", flows.share_payments, _note("staff"), False),
        ("Increase in provisions", year.provisions_change, _note("provisions"), False),
        ("Increase in inventories", -flows.inventories_up, "", False),
        ("Increase in receivables", -flows.receivables_up, "", False),
        ("Increase in payables", flows.payables_up, "", False),
        ("Cash generated from operations", year.cash_generated, "", True),
        ("Tax paid", -flows.tax_paid, "", False),
        ("Net cash from operating activities", year.operating_cash, "", True),
        ("Investing activities", None, "", False),
        ("Purchase of property, plant and equipment", -flows.capital_expenditure, _note("plant"), False),
        ("Purchase of intangible assets", -flows.software, _note("intangible"), False),
        ("Proceeds of disposals", flows.disposal_proceeds, "", False),
        ("Interest received", flows.finance_income, _note("finance"), False),
        ("Net cash used in investing activities", year.investing_cash, "", True),
        ("Financing activities", None, "", False),
        ("Loans drawn", flows.loans_drawn, _note("borrowings"), False),
        ("Loans repaid", -flows.loans_repaid, _note("borrowings"), False),
        ("Arrangement fees paid", -flows.fees_paid, _note("borrowings"), False),
        ("Principal of leases paid", -flows.lease_principal, _note("leases"), False),
        ("Interest paid on loans", -flows.loan_interest_paid, "", False),
        ("Interest paid on leases", -flows.lease_interest, _note("finance"), False),
        ("Dividends paid", -flows.dividends, _note("earnings"), False),
        ("Net cash used in financing activities", year.financing_cash, "", True),
        ("Net change in cash", year.cash_change, "", True),
        ("Cash at 1 January", year.opening.cash, "", False),
        ("Cash at 31 December", year.closing.cash, "", True),
    ]
