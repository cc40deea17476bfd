"""Liquidity: can the company pay what falls due within the year?"""

from __future__ import annotations

from typing import Final

from domains.finance.statements.factors.declare import declare

__all__ = ["LIQUIDITY"]

LIQUIDITY: Final = tuple(
    declare(
        "liquidity",
        """
current_ratio ratio + textbook fin LCTVZP
    current_assets / current_liabilities
    Current ratio | 流动比率

quick_ratio ratio + textbook fin LCTVZP
    quick_assets / current_liabilities
    Quick ratio | 速动比率

cash_ratio ratio + textbook fin LCTVZP
    liquid_assets / current_liabilities
    Cash ratio | 现金比率

operating_cash_flow_ratio ratio + textbook fin LCTVZP
    net_cash_operating / avg(current_liabilities)
    Operating cash flow to current liabilities | 经营现金流动负债比率

working_capital_to_assets ratio + altman1968 fin LCTVZP
    working_capital / total_assets
    Working capital to total assets (X1 of Altman) | 营运资本与总资产之比（阿尔特曼 X1）

working_capital_to_revenue ratio 0 textbook fin LCP
    working_capital / revenue
    Working capital to revenue | 营运资本与营业收入之比

liquid_assets_to_assets percent + textbook fin LC
    liquid_assets / total_assets
    Cash and short-term investments to total assets | 现金及短期投资占总资产比重

defensive_interval days + textbook fin LCP
    days * quick_assets / cash_costs
    Defensive interval: days of cash costs covered by quick assets | 防御期间：速动资产可支付付现成本天数

no_credit_interval days + taffler fin LC
    no_credit_interval
    No-credit interval (days) | 无信用期间（天）

cash_to_short_debt ratio + textbook fin LCTVZP
    liquid_assets / short_debt
    Cash and short-term investments to short-term debt | 现金短债比

facilities_to_short_debt ratio + ifrs7 fin L
    (liquid_assets + undrawn_facilities) / short_debt
    Cash and undrawn facilities to short-term debt | 现金及未用授信与短债之比

cash_flow_to_short_debt ratio + textbook fin LCP
    net_cash_operating / avg(short_debt)
    Operating cash flow to short-term debt | 经营现金流与短债之比

short_debt_share percent - textbook fin LCTVZP
    short_debt / total_debt
    Short-term share of debt | 短期债务占比

inventories_to_working_capital ratio - textbook fin L
    inventories / working_capital
    Inventories to working capital | 存货与营运资本之比

current_liabilities_to_assets percent - taffler fin LCP
    current_liabilities / total_assets
    Current liabilities to total assets | 流动负债与总资产之比

current_liabilities_to_equity ratio - textbook fin L
    current_liabilities / equity
    Current liabilities to equity | 流动负债与所有者权益之比

current_assets_to_assets percent 0 textbook fin L
    current_assets / total_assets
    Current assets to total assets | 流动资产比率

current_assets_to_liabilities ratio + taffler fin L
    current_assets / liabilities
    Current assets to total liabilities | 流动资产与总负债之比

restricted_cash_share percent - textbook any L
    restricted_cash / cash
    Restricted share of cash | 受限资金占货币资金比重

cash_days days + textbook fin LP
    days * liquid_assets / revenue
    Days of revenue held in cash and short-term investments | 现金及短期投资相当于收入天数

net_liquid_balance ratio + shulman1985 fin LP
    (liquid_assets - short_debt - opt(notes_payable)) / total_assets
    Net liquid balance to total assets | 净流动余额与总资产之比
""",
    )
)
"""Factors of liquidity."""
