"""Efficiency: how fast assets turn, how long cash is tied up, how old and how collectable the assets are."""

from __future__ import annotations

from typing import Final

from domains.finance.statements.factors.declare import declare

__all__ = ["EFFICIENCY"]

# A turnover and its days are one fact read two ways: the days carry the series and the peers, the turnover its growth.
_TURNOVER: Final = """
receivables_turnover ratio + textbook fin LG
    revenue / avg(trade_receivables)
    Receivables turnover | 应收账款周转率

inventory_turnover ratio + textbook fin LG
    cost_of_sales / avg(inventories)
    Inventory turnover | 存货周转率

payables_turnover ratio 0 textbook fin LG
    purchases / avg(trade_payables)
    Payables turnover | 应付账款周转率

receivable_days days - textbook fin LCTVZP
    days * avg(trade_receivables) / revenue
    Days sales outstanding | 应收账款周转天数

inventory_days days - textbook fin LCTVZP
    days * avg(inventories) / cost_of_sales
    Days inventory held | 存货周转天数

payable_days days 0 textbook fin LCTVZP
    days * avg(trade_payables) / purchases
    Days payables outstanding | 应付账款周转天数

operating_cycle days - textbook fin LCP
    days * avg(trade_receivables) / revenue + days * avg(inventories) / cost_of_sales
    Operating cycle | 营业周期

cash_conversion_cycle days - textbook fin LCTVZP
    days * avg(trade_receivables) / revenue + days * avg(inventories) / cost_of_sales
    - days * avg(trade_payables) / purchases
    Cash conversion cycle | 现金循环周期

advance_days days + textbook fin LCP
    days * avg(contract_liabilities) / revenue
    Days of revenue received in advance | 预收款周转天数

prepayment_days days - textbook fin LC
    days * avg(prepayments) / cost_of_sales
    Days of cost paid in advance | 预付款周转天数

trade_capital_to_revenue ratio - textbook fin LC
    avg(trade_capital) / revenue
    Trade working capital to revenue | 经营性营运资本占收入比重

total_asset_turnover ratio + textbook fin LCTVZP
    revenue / avg(total_assets)
    Total asset turnover | 总资产周转率

current_asset_turnover ratio + textbook fin LCP
    revenue / avg(current_assets)
    Current asset turnover | 流动资产周转率

fixed_asset_turnover ratio + textbook fin LCTVZP
    revenue / avg(property_plant_equipment)
    Fixed asset turnover | 固定资产周转率

equity_turnover ratio + textbook fin L
    revenue / avg(equity)
    Equity turnover | 净资产周转率

invested_capital_turnover ratio + textbook fin LCP
    revenue / avg(invested_capital)
    Invested capital turnover | 投入资本周转率

working_capital_turnover ratio 0 textbook fin L
    revenue / avg(working_capital)
    Working capital turnover | 营运资本周转率
"""

_ASSETS: Final = """
capex_to_depreciation ratio 0 textbook fin LCTVZP
    capital_expenditure / depreciation_amortisation
    Capital expenditure to depreciation | 资本支出与折旧摊销之比

capex_to_revenue percent 0 textbook fin LC
    capital_expenditure / revenue
    Capital expenditure to revenue | 资本支出占收入比重

asset_age percent - textbook fin LCTVZP
    accumulated_depreciation / gross_property_plant_equipment
    Share of fixed assets written off | 固定资产累计折旧率

depreciation_rate percent 0 textbook fin LP
    depreciation_amortisation / avg(gross_property_plant_equipment)
    Depreciation to fixed assets at cost | 综合折旧率

construction_to_fixed_assets percent - textbook fin L
    construction_in_progress / property_plant_equipment
    Construction in progress to fixed assets | 在建工程与固定资产之比

disposal_rate percent 0 textbook fin LC
    asset_sale_proceeds / prior(property_plant_equipment)
    Proceeds from disposals to opening fixed assets | 资产处置收款与期初固定资产之比

finished_goods_share percent - textbook fin LC
    finished_goods / inventories
    Finished goods in inventories | 产成品占存货比重

raw_materials_share percent 0 textbook fin L
    raw_materials / inventories
    Raw materials in inventories | 原材料占存货比重

receivables_to_payables ratio 0 textbook fin L
    trade_receivables / trade_payables
    Receivables to payables | 应收应付比

backlog_to_revenue ratio + textbook fin L
    order_backlog / revenue
    Order backlog to revenue | 在手订单与收入之比
"""

_CREDIT_QUALITY: Final = """
allowance_rate percent - ifrs7 fin LCTVZP
    bad_debt_allowance / gross_receivables
    Allowance to gross receivables | 坏账准备计提比例

inventory_allowance_rate percent - textbook fin LC
    inventory_allowance / (inventories + inventory_allowance)
    Write-down allowance to gross inventories | 存货跌价准备计提比例

aged_receivables_share percent - ifrs7 fin LCP
    receivables_over_one_year / gross_receivables
    Receivables older than one year | 一年以上应收账款占比

overdue_receivables_share percent - ifrs7 fin L
    overdue_receivables / gross_receivables
    Overdue share of receivables | 逾期应收账款占比

allowance_cover ratio + ifrs7 fin L
    bad_debt_allowance / receivables_over_one_year
    Allowance to receivables older than one year | 坏账准备对一年以上应收的覆盖率

credit_loss_rate percent - ifrs7 fin LP
    credit_impairment_loss / avg(gross_receivables)
    Expected credit loss to average gross receivables | 信用减值损失率

other_receivables_to_equity percent - csrc any L
    other_receivables / equity
    Other receivables to equity | 其他应收款与净资产之比
"""

EFFICIENCY: Final = (
    *declare("turnover", _TURNOVER),
    *declare("asset_condition", _ASSETS),
    *declare("receivables_quality", _CREDIT_QUALITY),
)
"""Factors of efficiency and of the quality of working assets."""
