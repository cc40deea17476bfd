"""Growth, trend and volatility of what was reported and of what is derived from it.

Growth on the period before is compared with the peers where analysts compare it; compound growth, the five-period
trend and the coefficient of variation are read for themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from domains.finance.statements.concepts import CONCEPTS
from domains.finance.statements.definitions import DEFINITIONS
from domains.finance.statements.factors.declare import declare
from domains.finance.statements.types import Factor

__all__ = ["GROWTH"]

# quantity: direction of its growth, variants of the growth, variants of the quantity
_QUANTITIES: Final = {
    "revenue": ("+", "LCVZP", "ABNW"),
    "cost_of_sales": ("0", "L", "A"),
    "gross_income": ("+", "LCP", "ABNW"),
    "overheads": ("-", "L", "A"),
    "research_development_expense": ("0", "LP", "A"),
    "staff_cost": ("0", "L", ""),
    "operating_income": ("+", "LCP", "ABNW"),
    "ebitda": ("+", "LCP", "ABNW"),
    "nopat": ("+", "L", "A"),
    "interest_expense": ("-", "L", ""),
    "depreciation_amortisation": ("0", "L", ""),
    "income_tax": ("0", "L", ""),
    "net_income": ("+", "LCVZP", "ABNW"),
    "net_income_recurring": ("+", "LP", "A"),
    "eps_diluted": ("+", "LP", "ABNW"),
    "dividends_per_share": ("+", "LP", "AB"),
    "net_cash_operating": ("+", "LCP", "ABNW"),
    "cash_from_customers": ("+", "L", "A"),
    "free_cash_flow": ("+", "L", "ABNW"),
    "capital_expenditure": ("0", "LP", "AW"),
    "share_based_compensation": ("-", "L", ""),
    "employees": ("0", "LP", "A"),
    "total_assets": ("-", "LCVZP", "ABN"),
    "current_assets": ("0", "L", ""),
    "noncurrent_assets": ("0", "L", ""),
    "cash": ("+", "L", "NW"),
    "trade_receivables": ("-", "LP", "AN"),
    "other_receivables": ("-", "L", ""),
    "prepayments": ("-", "L", ""),
    "contract_assets": ("-", "L", ""),
    "inventories": ("-", "LP", "AN"),
    "property_plant_equipment": ("0", "LP", "A"),
    "construction_in_progress": ("0", "L", ""),
    "intangible_assets": ("0", "L", ""),
    "goodwill": ("-", "L", ""),
    "deferred_tax_assets": ("-", "L", ""),
    "current_liabilities": ("-", "L", ""),
    "liabilities": ("-", "LP", "ABN"),
    "short_debt": ("-", "L", ""),
    "long_debt": ("-", "L", ""),
    "total_debt": ("-", "LP", "ABN"),
    "trade_payables": ("0", "L", "A"),
    "contract_liabilities": ("+", "L", "A"),
    "provisions": ("-", "L", ""),
    "equity": ("+", "LP", "ABN"),
    "retained_earnings": ("+", "L", ""),
    "working_capital": ("+", "L", ""),
    "invested_capital": ("0", "L", "A"),
    "tangible_equity": ("+", "L", "A"),
    "order_backlog": ("+", "L", ""),
    "share_price": ("0", "LP", "AW"),
    "market_capitalisation": ("0", "L", "A"),
}

_BEHAVIOUR: Final = """
loss_periods count - textbook any L
    sum(less(net_income, 0), 5)
    Periods with a net loss, of five | 近五期亏损期数

operating_loss_periods count - textbook any L
    sum(less(operating_income, 0), 5)
    Periods with an operating loss, of five | 近五期营业亏损期数

cash_burn_periods count - textbook fin L
    sum(less(net_cash_operating, 0), 5)
    Periods with negative operating cash flow, of five | 近五期经营现金流为负期数

free_cash_burn_periods count - textbook fin L
    sum(less(free_cash_flow, 0), 5)
    Periods with negative free cash flow, of five | 近五期自由现金流为负期数

falling_revenue_periods count - textbook any L
    sum(less(revenue, prior(revenue)), 5)
    Periods with falling revenue, of five | 近五期收入下降期数

unbacked_profit_periods count - textbook fin L
    sum(less(net_cash_operating, net_income), 5)
    Periods with operating cash flow below net income, of five | 近五期经营现金流低于净利润期数

net_income_turns count - textbook any L
    turns(net_income, 5)
    Changes between profit and loss over five periods | 近五期盈亏转换次数

operating_cash_turns count - textbook fin L
    turns(net_cash_operating, 5)
    Sign changes of operating cash flow over five periods | 近五期经营现金流正负转换次数

growth_turns count - textbook any L
    turns(change(revenue), 4)
    Turning points of revenue over five periods | 近五期收入拐点次数

income_to_assets_sd percent - textbook any LP
    sd(net_income / prior(total_assets), 4)
    Volatility of net income to opening assets over four periods | 四期净利润与期初资产比的波动

smoothing ratio + leuz2003 fin L
    sd(net_income / prior(total_assets), 4) / sd(net_cash_operating / prior(total_assets), 4)
    Smoothness: volatility of net income to that of operating cash flow | 盈余平滑度

accruals_sd percent - textbook fin L
    sd(cash_accruals / avg(total_assets), 4)
    Volatility of accruals to assets over four periods | 四期应计比率波动

cumulative_cash_to_income ratio + textbook fin LP
    sum(net_cash_operating, 3) / sum(net_income, 3)
    Operating cash flow to net income over three periods | 三期累计盈余现金保障倍数

cumulative_free_cash_to_income ratio + textbook fin L
    sum(free_cash_flow, 5) / sum(net_income, 5)
    Free cash flow to net income over five periods | 五期累计自由现金流与净利润之比
"""


def _growth() -> Iterator[Factor]:
    for name, (direction, of_growth, of_quantity) in _QUANTITIES.items():
        item = CONCEPTS[name] if name in CONCEPTS else DEFINITIONS[name]
        english, chinese = item.titles["en"], item.titles["zh"]
        english = english[0].upper() + english[1:]
        source = "cooper2008" if name == "total_assets" else "textbook"
        unit = "currency_per_share" if name in ("eps_diluted", "dividends_per_share", "share_price") else "currency"
        table = f"""
{name}_growth percent {direction} {source} any {of_growth}
    growth({name})
    Growth of {english[0].lower() + english[1:]} | {chinese}同比增长率

{name} {unit} {direction} textbook any {of_quantity or "-"}
    {name}
    {english} | {chinese}
"""
        yield from declare("growth", table)


GROWTH: Final = (*_growth(), *declare("behaviour", _BEHAVIOUR))
"""Factors of growth and of behaviour over time."""
