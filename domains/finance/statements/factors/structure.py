"""Common size and levels: every line of income as a share of revenue, every line of the balance as a share of assets.

A line that another module already relates to the same base (gross profit, cash with short-term investments, retained
earnings) is left out here. A line that a filer does not show has no share; it is not taken as nil.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from domains.finance.statements.concepts import CONCEPTS
from domains.finance.statements.definitions import DEFINITIONS
from domains.finance.statements.factors.declare import declare
from domains.finance.statements.types import Factor

__all__ = ["STRUCTURE"]

_COMMON_SIZE: Final = {"+": "LCP", "-": "LCP", "0": "L"}
"""Variants by direction: a change and a rank among peers are read where more or less of a line is good or bad."""

_UNRANKED: Final = frozenset(
    {
        "taxes_and_surcharges",
        "share_based_compensation",
        "other_current_assets",
        "development_costs",
        "deferred_tax_assets",
        "other_noncurrent_assets",
        "current_long_term_debt",
        "lease_liabilities",
        "pension_obligations",
        "provisions",
    }
)
"""Lines that too few peers show for a rank among them."""

# what a rising share of the line says by itself: + good, - bad, 0 neither
_INCOME: Final = {
    "selling_expense": "-",
    "administrative_expense": "-",
    "taxes_and_surcharges": "-",
    "staff_cost": "0",
    "impairment_loss": "-",
    "credit_impairment_loss": "-",
    "other_operating_income": "0",
    "investment_income": "0",
    "fair_value_gain": "0",
    "disposal_gain": "0",
    "interest_expense": "-",
    "interest_income": "0",
    "nonoperating_income": "0",
    "income_tax": "0",
    "other_comprehensive_income": "0",
    "depreciation_amortisation": "0",
    "share_based_compensation": "-",
}

_BALANCE: Final = {
    "cash": "+",
    "short_term_investments": "0",
    "notes_receivable": "0",
    "trade_receivables": "-",
    "other_receivables": "-",
    "prepayments": "-",
    "contract_assets": "-",
    "inventories": "-",
    "other_current_assets": "-",
    "long_term_investments": "0",
    "investment_property": "0",
    "property_plant_equipment": "0",
    "construction_in_progress": "0",
    "right_of_use_assets": "0",
    "intangible_assets": "0",
    "development_costs": "-",
    "goodwill": "-",
    "deferred_tax_assets": "-",
    "other_noncurrent_assets": "-",
    "short_term_debt": "-",
    "current_long_term_debt": "-",
    "notes_payable": "0",
    "trade_payables": "0",
    "contract_liabilities": "0",
    "payroll_payable": "0",
    "taxes_payable": "0",
    "other_payables": "0",
    "long_term_debt": "-",
    "lease_liabilities": "-",
    "pension_obligations": "-",
    "provisions": "-",
    "deferred_tax_liabilities": "0",
    "share_capital": "0",
    "capital_reserve": "0",
    "treasury_shares": "0",
    "accumulated_oci": "0",
    "noncontrolling_interests": "0",
}

_LEVELS: Final = {
    "working_capital": "+",
    "trade_capital": "0",
    "quick_assets": "+",
    "total_debt": "-",
    "net_debt": "-",
    "debt_service": "-",
    "ebit": "+",
    "ebitda": "+",
    "nopat": "+",
    "free_cash_flow": "+",
    "funds_from_operations": "+",
    "retained_income": "0",
    "cash_accruals": "-",
    "sloan_accruals": "-",
    "invested_capital": "0",
    "capital_employed": "0",
    "tangible_equity": "+",
    "common_equity": "+",
    "purchases": "0",
    "cash_costs": "0",
    "market_capitalisation": "+",
    "enterprise_value": "0",
}


def _shares() -> Iterator[Factor]:
    for lines, base, english, chinese in (
        (_INCOME, "revenue", "revenue", "营业收入"),
        (_BALANCE, "total_assets", "total assets", "总资产"),
    ):
        for line, direction in lines.items():
            titles = CONCEPTS[line].titles
            variants = "LC" if line in _UNRANKED else _COMMON_SIZE[direction]
            table = f"""
{line}_share percent {direction} textbook any {variants}
    {line} / {base}
    {titles["en"]} to {english} | {titles["zh"]}占{chinese}比重
"""
            yield from declare("common_size", table)


def _levels() -> Iterator[Factor]:
    for name, direction in _LEVELS.items():
        titles = DEFINITIONS[name].titles
        table = f"""
{name} currency {direction} textbook fin L
    {name}
    {titles["en"][0].upper()}{titles["en"][1:]} | {titles["zh"]}
"""
        yield from declare("levels", table)


STRUCTURE: Final = (*_levels(), *_shares())
"""Levels of derived quantities and common-size shares."""
