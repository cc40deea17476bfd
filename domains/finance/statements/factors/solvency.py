"""Solvency and debt service: how much is owed, against what, and is it paid out of what the company earns?"""

from __future__ import annotations

from typing import Final

from domains.finance.statements.factors.declare import declare

__all__ = ["SOLVENCY"]

_STRUCTURE: Final = """
liabilities_to_assets percent - textbook fin LCTVZP
    liabilities / total_assets
    Liabilities to assets | 资产负债率

liabilities_to_equity ratio - textbook fin LCT
    liabilities / equity
    Liabilities to equity | 产权比率

debt_to_equity ratio - textbook fin LCTVZP
    total_debt / equity
    Debt to equity | 有息债务与所有者权益之比

debt_to_assets percent - textbook fin LCTVZP
    total_debt / total_assets
    Debt to assets | 有息债务与总资产之比

debt_to_capital percent - textbook fin LCT
    total_debt / (total_debt + equity)
    Debt to capital | 有息债务资本化比率

long_debt_to_capital percent - textbook fin LCP
    long_debt / (long_debt + equity)
    Long-term debt to long-term capital | 长期资本负债率

net_debt_to_equity ratio - textbook fin LCTVZP
    net_debt / equity
    Net gearing | 净负债率

net_debt_to_assets percent - textbook fin LC
    net_debt / total_assets
    Net debt to assets | 净债务与总资产之比

liabilities_to_tangible_equity ratio - textbook fin LCP
    liabilities / tangible_equity
    Liabilities to tangible equity | 有形净值债务率

tangible_equity_to_assets percent + textbook any LCP
    tangible_equity / total_assets
    Tangible equity to assets | 有形净资产与总资产之比

retained_earnings_to_assets ratio + altman1968 any LCP
    retained_earnings / total_assets
    Retained earnings to total assets (X2 of Altman) | 留存收益与总资产之比（阿尔特曼 X2）

equity_to_fixed_assets ratio + textbook fin L
    equity / property_plant_equipment
    Equity to fixed assets | 权益与固定资产之比

long_capital_to_fixed_assets ratio + textbook fin LC
    (equity + long_debt) / noncurrent_assets
    Long-term capital to non-current assets | 长期资本适合率

goodwill_to_equity percent - textbook any LCP
    goodwill / equity
    Goodwill to equity | 商誉与净资产之比

guarantees_to_equity percent - csrc any L
    guarantees / equity
    Guarantees given to equity | 对外担保与净资产之比

pledged_assets_to_assets percent - csrc any L
    pledged_assets / total_assets
    Pledged assets to total assets | 受限资产占总资产比重

pensions_to_equity percent - textbook any L
    pension_obligations / equity
    Pension obligations to equity | 设定受益计划负债与净资产之比

provisions_to_liabilities percent - textbook fin L
    provisions / liabilities
    Provisions to liabilities | 预计负债占负债比重
"""

_SERVICE: Final = """
net_debt_to_ebitda ratio - textbook fin LCTVZP
    net_debt / ebitda
    Net debt to EBITDA | 净债务与 EBITDA 之比

debt_to_ebitda ratio - textbook fin LCTVZP
    total_debt / ebitda
    Debt to EBITDA | 有息债务与 EBITDA 之比

interest_cover ratio + textbook fin LCTVZP
    ebit / interest_expense
    Interest cover (EBIT) | 已获利息倍数

ebitda_interest_cover ratio + textbook fin LCTVZP
    ebitda / interest_expense
    Interest cover (EBITDA) | EBITDA 利息保障倍数

cash_interest_cover ratio + textbook fin LCTVZP
    (net_cash_operating + interest_paid + taxes_paid) / interest_paid
    Cash interest cover | 现金利息保障倍数

funds_to_debt percent + textbook fin LCTVZP
    funds_from_operations / total_debt
    Funds from operations to debt | 经营所得资金与有息债务之比

funds_to_liabilities percent + beaver1966 fin LCP
    funds_from_operations / liabilities
    Cash flow to total liabilities of Beaver | 比弗现金流量与总负债之比

cash_flow_to_liabilities percent + textbook fin LCTVZP
    net_cash_operating / avg(liabilities)
    Operating cash flow to liabilities | 经营现金流与总负债之比

cash_flow_to_debt percent + textbook fin LC
    net_cash_operating / total_debt
    Operating cash flow to debt | 经营现金流与有息债务之比

free_cash_flow_to_debt percent + textbook fin LCTVZP
    free_cash_flow / total_debt
    Free cash flow to debt | 自由现金流与有息债务之比

debt_service_cover ratio + textbook fin LCTVZP
    (net_cash_operating + first(interest_paid, interest_expense)) / debt_service
    Debt service cover (cash) | 偿债备付率（现金口径）

ebitda_debt_service_cover ratio + textbook fin LCP
    (ebitda - income_tax) / debt_service
    Debt service cover (EBITDA less tax) | 偿债备付率（EBITDA 口径）

interest_to_debt percent - textbook fin LCTVZP
    interest_expense / avg(total_debt)
    Implied interest rate on debt | 有息债务平均成本

interest_to_ebitda percent - textbook fin LC
    interest_expense / ebitda
    Interest to EBITDA | 利息支出占 EBITDA 比重

interest_to_cash_flow percent - textbook fin L
    interest_paid / (net_cash_operating + interest_paid)
    Interest paid to operating cash flow before interest | 付息占息前经营现金流比重

repayment_to_cash_flow ratio - textbook fin LC
    debt_repaid / net_cash_operating
    Debt repaid to operating cash flow | 偿还债务与经营现金流之比

refinancing_rate ratio 0 textbook fin LC
    debt_issued / debt_repaid
    Borrowing to repayment (refinancing) | 借新还旧比率

interest_income_to_cash percent 0 textbook fin L
    interest_income / avg(cash)
    Interest income to average cash (high cash with little interest is a warning) | 货币资金收益率（存贷双高核查）

financial_leverage_degree ratio - textbook fin LP
    ebit / pretax_income
    Degree of financial leverage | 财务杠杆系数

operating_leverage_degree ratio - textbook fin L
    quotient(growth(ebit), growth(revenue))
    Degree of operating leverage | 经营杠杆系数
"""

SOLVENCY: Final = (*declare("solvency", _STRUCTURE), *declare("debt_service", _SERVICE))
"""Factors of capital structure and of debt service."""
