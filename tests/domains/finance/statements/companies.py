"""Companies for tests: statements whose lines add up as real ones do, drawn from a seed or laid down by hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from random import Random
from typing import Any

from domains.finance.statements.concepts import CONCEPTS
from domains.finance.statements.types import Cell, Period, Source, Statements, unit_of

NEWEST = 2024

Figures = Mapping[str, Any]
"""Line items of one year; an item in parts is a mapping of its members."""


def year(number: int) -> Period:
    return Period(date(number, 1, 1), date(number, 12, 31))


def cells_of(figures: Figures, period: Period, *, currency: str = "CNY") -> list[Cell]:
    found = []
    for concept, value in figures.items():
        source = Source("annual report", f"row {concept}")
        parts = value.items() if isinstance(value, Mapping) else [(None, value)]
        for member, amount in parts:
            found.append(Cell(concept, period, amount, unit_of(concept, currency), source, member))
    return found


def build(years: list[Figures], *, company: str = "A", currency: str = "CNY", **more: Any) -> Statements:
    """Return the statements of consecutive years that end with `NEWEST`."""
    periods = tuple(year(NEWEST - len(years) + 1 + place) for place in range(len(years)))
    cells = [
        cell
        for figures, period in zip(years, periods, strict=True)
        for cell in cells_of(figures, period, currency=currency)
    ]
    return Statements(company, currency, periods, tuple(cells), **more)


def drawn(random: Random, count: int = 6, *, peers: int = 5, **more: Any) -> Statements:
    """Return a company of `count` years that reports every line item, with as many peers."""
    others = tuple(drawn(random, count, peers=0, company=f"peer {number}") for number in range(peers))
    bad = random.choice([0.1, 0.6])
    return build([_year(random, bad) for _ in range(count)], peers=others or None, **more)


def _year(random: Random, bad: float) -> dict[str, Any]:
    def near(amount: int, spread: float = 0.4) -> int:
        return max(1, int(amount * random.uniform(1 - spread, 1 + spread)))

    found: dict[str, Any] = {}
    _income(found, near, random.random() < bad)
    _balance(found, near, random)
    _cash(found, near, random)
    _market(found, near, random)
    return found


def _income(found: dict[str, Any], near: Any, bad: bool) -> None:
    revenue = found["revenue"] = near(10_000_000)
    found["cost_of_sales"] = int(revenue * near(600) / 1000)
    found["gross_profit"] = revenue - found["cost_of_sales"]
    for name, share in {
        "selling_expense": 60,
        "administrative_expense": 50,
        "research_development_expense": 40,
        "taxes_and_surcharges": 10,
        "impairment_loss": 8,
        "credit_impairment_loss": 6,
        "other_operating_income": 9,
        "investment_income": 7,
        "fair_value_gain": 5,
        "disposal_gain": 3,
        "interest_expense": 20,
        "interest_income": 6,
        "nonoperating_income": 4,
        "government_grants": 5,
        "other_comprehensive_income": 6,
        "staff_cost": 150,
        "preferred_dividends": 2,
    }.items():
        found[name] = near(revenue * share // 1000)
    if bad:
        found["impairment_loss"] = near(revenue // 3)
        if found["impairment_loss"] % 3 == 0:
            found["nonoperating_income"] = near(revenue // 4)  # a windfall hides the operating loss
    found["sga_expense"] = found["selling_expense"] + found["administrative_expense"]
    spent = ["sga_expense", "research_development_expense", "taxes_and_surcharges", "impairment_loss"]
    spent += ["credit_impairment_loss", "interest_expense"]
    earned = ["other_operating_income", "investment_income", "fair_value_gain", "disposal_gain", "interest_income"]
    found["operating_expense"] = sum(found[name] for name in spent)
    found["operating_income"] = found["gross_profit"] - found["operating_expense"] + sum(found[name] for name in earned)
    found["pretax_income"] = found["operating_income"] + found["nonoperating_income"]
    found["income_tax"] = near(abs(found["pretax_income"]) * 22 // 100)
    found["net_income"] = found["pretax_income"] - found["income_tax"]
    found["income_continuing"] = found["net_income"] - near(9000)
    found["net_income_parent"] = found["net_income"] - near(60_000)
    found["net_income_recurring"] = found["net_income_parent"] - near(50_000)
    found["comprehensive_income"] = found["net_income"] + found["other_comprehensive_income"]


def _sum(found: dict[str, Any], names: str) -> int:
    return sum(found[name] for name in names.split())


_CURRENT = (
    "cash short_term_investments notes_receivable trade_receivables other_receivables prepayments contract_assets "
    "inventories other_current_assets"
)
_FIXED = (
    "long_term_investments investment_property property_plant_equipment construction_in_progress right_of_use_assets "
    "intangible_assets development_costs goodwill deferred_tax_assets other_noncurrent_assets"
)
_DUE = (
    "short_term_debt current_long_term_debt current_lease_liabilities notes_payable trade_payables "
    "contract_liabilities payroll_payable taxes_payable other_payables"
)
_LONG = "long_term_debt lease_liabilities pension_obligations provisions deferred_tax_liabilities"


def _balance(found: dict[str, Any], near: Any, random: Random) -> None:
    for name in ("raw_materials", "work_in_progress", "finished_goods"):
        found[name] = near(400_000)
    found["inventories"] = _sum(found, "raw_materials work_in_progress finished_goods") + near(50_000)
    sizes = {"cash": 1_500_000, "trade_receivables": 1_600_000, "property_plant_equipment": 2_500_000}
    for name in f"{_CURRENT} {_FIXED}".split():
        if name not in found:
            found[name] = near(sizes.get(name, 300_000))
    found["restricted_cash"] = found["cash"] // near(9)
    found["accumulated_depreciation"] = near(1_400_000)
    found["gross_property_plant_equipment"] = found["property_plant_equipment"] + found["accumulated_depreciation"]
    owed = {
        "trade_payables": 700_000,
        "long_term_debt": 700_000,
        "pension_obligations": 90_000,
        "taxes_payable": 80_000,
    }
    for name in f"{_DUE} {_LONG}".split():
        found[name] = near(owed.get(name, 200_000))
    if random.random() < 0.05:
        found["other_payables"] = near(9_000_000)  # more is owed than owned
    found["current_assets"] = _sum(found, _CURRENT)
    found["noncurrent_assets"] = _sum(found, _FIXED)
    found["total_assets"] = found["current_assets"] + found["noncurrent_assets"]
    found["current_liabilities"] = _sum(found, _DUE)
    found["noncurrent_liabilities"] = _sum(found, _LONG)
    found["total_liabilities"] = found["current_liabilities"] + found["noncurrent_liabilities"]
    equity = found["equity"] = found["total_assets"] - found["total_liabilities"]
    found["noncontrolling_interests"] = near(150_000)
    found["equity_parent"] = equity - found["noncontrolling_interests"]
    for name, size in {"share_capital": 900_000, "capital_reserve": 800_000, "treasury_shares": 60_000}.items():
        found[name] = near(size)
    found["preferred_equity"] = near(40_000)
    found["accumulated_oci"] = near(70_000)
    issued = _sum(found, "share_capital capital_reserve preferred_equity accumulated_oci") - found["treasury_shares"]
    found["retained_earnings"] = found["equity_parent"] - issued


def _cash(found: dict[str, Any], near: Any, random: Random) -> None:
    found["depreciation_amortisation"] = near(420_000)
    found["net_cash_operating"] = (
        found["net_income"] + found["depreciation_amortisation"] + near(1_400_000, 0.9) - 1_600_000
    )
    for name, size in {
        "share_based_compensation": 50_000,
        "cash_to_suppliers": 6_500_000,
        "cash_to_employees": 1_400_000,
        "taxes_paid": 500_000,
        "interest_paid": 180_000,
        "capital_expenditure": 700_000,
        "asset_sale_proceeds": 60_000,
        "acquisitions": 120_000,
        "debt_issued": 900_000,
        "debt_repaid": 700_000,
        "shares_issued": 80_000,
        "shares_repurchased": 70_000,
        "dividends_paid": 250_000,
        "opening_cash": 1_400_000,
    }.items():
        found[name] = near(size)
    if random.random() < 0.4:
        found["shares_issued"] = 0
    if random.random() < 0.3:
        found["debt_issued"] = found["shares_issued"] = 0
    found["cash_from_customers"] = near(found["revenue"], 0.1)
    found["net_cash_investing"] = -found["capital_expenditure"] - near(100_000)
    found["net_cash_financing"] = found["debt_issued"] - found["debt_repaid"] - near(200_000)
    found["exchange_effect"] = near(9_000) - 9_000
    found["change_in_cash"] = _sum(found, "net_cash_operating net_cash_investing net_cash_financing exchange_effect")
    found["closing_cash"] = max(0, found["opening_cash"] + found["change_in_cash"])


def _market(found: dict[str, Any], near: Any, random: Random) -> None:
    found["shares_outstanding"] = near(1_000_000)
    found["weighted_shares"] = near(found["shares_outstanding"], 0.05)
    found["diluted_shares"] = found["weighted_shares"] + near(30_000)
    found["share_price"] = Decimal(near(1200)) / 100
    earned = Decimal(found["net_income_parent"] - found["preferred_dividends"])
    found["eps_basic"] = round(earned / found["weighted_shares"], 4)
    found["eps_diluted"] = round(earned / found["diluted_shares"], 4)
    found["dividends_per_share"] = round(Decimal(found["dividends_paid"]) / found["weighted_shares"], 4)
    found["price_level_index"] = near(600)
    for name, size in {
        "employees": 2_000,
        "bad_debt_allowance": 120_000,
        "inventory_allowance": 60_000,
        "receivables_over_one_year": 200_000,
        "overdue_receivables": 150_000,
        "related_party_sales": 500_000,
        "related_party_purchases": 300_000,
        "related_party_receivables": 90_000,
        "guarantees": 200_000,
        "pledged_assets": 400_000,
        "undrawn_facilities": 800_000,
        "order_backlog": 3_000_000,
    }.items():
        found[name] = near(size)
    for name, size, parts in (
        ("segment_revenue", 3_000_000, 4),
        ("segment_profit", 300_000, 4),
        ("segment_assets", 2_000_000, 4),
        ("region_revenue", 3_000_000, 3),
        ("customer_revenue", 500_000, 7),
        ("supplier_purchases", 400_000, 7),
        ("debt_maturities", 400_000, 4),
    ):
        found[name] = {f"part {number}": near(size, 0.7) for number in range(parts)}


def concepts_left_out(figures: Figures) -> set[str]:
    return set(CONCEPTS) - set(figures)
