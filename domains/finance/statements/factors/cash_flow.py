"""Cash flow: does profit arrive as cash, what does the cash pay for, and how much of the profit is accruals?"""

from __future__ import annotations

from typing import Final

from domains.finance.statements.factors.declare import declare

__all__ = ["CASH_FLOW"]

_QUALITY: Final = """
cash_to_income ratio + sasac fin LCTVZP
    net_cash_operating / net_income
    Operating cash flow to net income | 盈余现金保障倍数

cash_to_ebitda ratio + textbook fin LCP
    net_cash_operating / ebitda
    Operating cash flow to EBITDA (cash conversion) | 经营现金流与 EBITDA 之比

cash_flow_margin percent + textbook fin LCTVZP
    net_cash_operating / revenue
    Operating cash flow margin | 经营现金流收入比

free_cash_flow_margin percent + textbook fin LCTVZP
    free_cash_flow / revenue
    Free cash flow margin | 自由现金流收入比

free_cash_flow_to_income ratio + textbook fin LC
    free_cash_flow / net_income
    Free cash flow to net income | 自由现金流与净利润之比

collection_ratio ratio + textbook fin LCTVZP
    cash_from_customers / revenue
    Cash from customers to revenue | 收现比

payment_ratio ratio 0 textbook fin L
    cash_to_suppliers / cost_of_sales
    Cash to suppliers to cost of sales | 付现比

capex_cover ratio + textbook fin LCP
    net_cash_operating / capital_expenditure
    Operating cash flow to capital expenditure | 资本支出保障倍数

dividend_cover_cash ratio + textbook any L
    free_cash_flow / dividends_paid
    Free cash flow to dividends | 自由现金流股利保障倍数

cash_flow_adequacy ratio + textbook fin LP
    sum(net_cash_operating, 3) / sum(capital_expenditure + change(inventories) + opt(dividends_paid), 3)
    Cash flow adequacy over three periods | 三期现金流量适合率

investment_rate ratio 0 textbook fin LP
    sum(capital_expenditure, 3) / sum(depreciation_amortisation, 3)
    Capital expenditure to depreciation over three periods | 三期资本支出与折旧之比

external_finance percent 0 textbook fin LC
    net_cash_financing / avg(total_assets)
    Net external finance to average assets | 筹资净流入与总资产之比

investing_outflow percent 0 textbook fin L
    -net_cash_investing / avg(total_assets)
    Net investing outflow to average assets | 投资净流出与总资产之比

acquisitions_to_cash_flow ratio 0 textbook fin LC
    acquisitions / net_cash_operating
    Acquisitions to operating cash flow | 并购支出与经营现金流之比

repurchases_to_cash_flow ratio 0 textbook any LC
    shares_repurchased / net_cash_operating
    Share repurchases to operating cash flow | 股份回购与经营现金流之比

stock_compensation_to_cash_flow percent - textbook any L
    share_based_compensation / net_cash_operating
    Share-based compensation to operating cash flow | 股份支付与经营现金流之比

cash_change_to_assets percent 0 textbook any L
    change_in_cash / prior(total_assets)
    Net change in cash to opening assets | 现金净增加额与期初总资产之比

staff_cash_share percent 0 textbook fin L
    cash_to_employees / cash_from_customers
    Cash to employees to cash from customers | 付职工现金占收现比重
"""

_ACCRUALS: Final = """
accruals_cash_flow percent - hribar2002 fin LCTVZP
    cash_accruals / avg(total_assets)
    Accruals from the cash flow statement to average assets | 应计比率（现金流量表法）

accruals_sloan percent - sloan1996 fin LCTVZP
    sloan_accruals / avg(total_assets)
    Sloan accruals to average assets | 斯隆应计比率

accruals_working_capital percent - sloan1996 fin L
    operating_accruals / avg(total_assets)
    Change in operating working capital to average assets | 营运资本应计比率

accruals_total percent - richardson2005 fin LCP
    total_accruals / avg(total_assets)
    Total accruals to average assets (change in common equity without cash) | 全面应计比率

net_operating_assets percent - hirshleifer2004 fin LCTVZP
    invested_capital / prior(total_assets)
    Net operating assets to opening assets | 净经营资产与期初总资产之比

receivable_accruals percent - dechow2011 fin LCP
    change(trade_receivables) / avg(total_assets)
    Change in receivables to average assets | 应收账款变动与平均总资产之比

inventory_accruals percent - dechow2011 fin LCP
    change(inventories) / avg(total_assets)
    Change in inventories to average assets | 存货变动与平均总资产之比

soft_assets percent - dechow2011 fin LCP
    (total_assets - property_plant_equipment - cash) / total_assets
    Soft assets to total assets | 软资产比重

deferred_tax_position percent - textbook any L
    (deferred_tax_assets - opt(deferred_tax_liabilities)) / total_assets
    Net deferred tax assets to total assets | 递延所得税净资产与总资产之比

book_tax_gap percent - textbook any L
    (income_tax - taxes_paid) / avg(total_assets)
    Tax expense less taxes paid to average assets | 所得税费用与已付税费之差占总资产比重

development_capitalised percent - textbook any L
    change(development_costs) / research_development_expense
    Development costs capitalised to research expense | 开发支出资本化比率

inventory_signal points - lev1993 fin LP
    growth(inventories) - growth(revenue)
    Inventory growth beyond revenue growth | 存货增速减收入增速

receivables_signal points - lev1993 fin LP
    growth(trade_receivables) - growth(revenue)
    Receivables growth beyond revenue growth | 应收账款增速减收入增速

gross_margin_signal points - lev1993 fin LP
    growth(revenue) - growth(gross_income)
    Revenue growth beyond gross profit growth | 收入增速减毛利增速

overheads_signal points - lev1993 fin LP
    growth(overheads) - growth(revenue)
    Overhead growth beyond revenue growth | 销售及管理费用增速减收入增速

allowance_signal points - lev1993 fin LP
    growth(trade_receivables) - growth(bad_debt_allowance)
    Receivables growth beyond allowance growth | 应收账款增速减坏账准备增速

capex_signal points - lev1993 fin LP
    growth(revenue) - growth(capital_expenditure)
    Revenue growth beyond capital expenditure growth | 收入增速减资本支出增速

payables_signal points 0 textbook fin L
    growth(trade_payables) - growth(cost_of_sales)
    Payables growth beyond cost growth | 应付账款增速减成本增速

cash_signal points - textbook fin LC
    growth(net_income) - growth(net_cash_operating)
    Net income growth beyond operating cash flow growth | 净利润增速减经营现金流增速
"""

CASH_FLOW: Final = (*declare("cash_flow_quality", _QUALITY), *declare("accruals_quality", _ACCRUALS))
"""Factors of cash flow and of accruals."""
