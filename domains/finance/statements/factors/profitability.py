"""Profitability: margins, returns on capital, what profit is made of, and the DuPont decomposition."""

from __future__ import annotations

from typing import Final

from domains.finance.statements.factors.declare import declare

__all__ = ["PROFITABILITY"]

_MARGINS: Final = """
gross_margin percent + textbook fin LCTVZP
    gross_income / revenue
    Gross margin | 毛利率

operating_margin percent + textbook fin LCTVZP
    operating_income / revenue
    Operating margin | 营业利润率

ebit_margin percent + textbook fin LC
    ebit / revenue
    EBIT margin | 息税前利润率

ebitda_margin percent + textbook fin LCTVZP
    ebitda / revenue
    EBITDA margin | EBITDA 利润率

pretax_margin percent + textbook any LC
    pretax_income / revenue
    Pre-tax margin | 税前利润率

net_margin percent + textbook any LCTVZP
    net_income / revenue
    Net margin | 销售净利率

recurring_margin percent + csrc any LCTVZP
    net_income_recurring / revenue
    Recurring net margin | 扣非销售净利率

cost_profit_ratio percent + sasac fin LC
    pretax_income / (cost_of_sales + overheads + opt(research_development_expense) + opt(interest_expense))
    Pre-tax income to costs and expenses | 成本费用利润率

overheads_to_revenue percent - textbook fin LCTVZP
    overheads / revenue
    Selling, general and administrative expense to revenue | 销售及管理费用率

research_intensity percent 0 textbook any LCP
    research_development_expense / revenue
    Research and development to revenue | 研发费用率
"""

_RETURNS: Final = """
return_on_assets percent + textbook any LCTVZP
    net_income / avg(total_assets)
    Return on assets | 总资产净利率

return_on_equity percent + textbook any LCTVZP
    net_income / avg(equity)
    Return on equity | 净资产收益率

return_on_common_equity percent + textbook any LCT
    common_income / avg(common_equity)
    Return on common equity | 普通股股东权益回报率

return_on_invested_capital percent + textbook fin LCTVZP
    nopat / avg(invested_capital)
    Return on invested capital | 投入资本回报率

return_on_capital_employed percent + textbook fin LCP
    ebit / avg(capital_employed)
    Return on capital employed | 占用资本回报率

basic_earning_power percent + textbook fin LCP
    ebit / avg(total_assets)
    Basic earning power | 总资产报酬率

gross_profitability percent + novymarx2013 fin LCTVZP
    gross_income / total_assets
    Gross profit to assets | 毛利与总资产之比

return_on_tangible_equity percent + textbook any LP
    net_income / avg(tangible_equity)
    Return on tangible equity | 有形净资产收益率

cash_return_on_assets percent + textbook fin LCTVZP
    net_cash_operating / avg(total_assets)
    Cash return on assets | 总资产现金回收率

cash_return_on_invested_capital percent + textbook fin LCP
    free_cash_flow / avg(invested_capital)
    Free cash flow to invested capital | 投入资本自由现金流回报率

incremental_return percent + textbook fin L
    quotient(nopat - prior(nopat), change(invested_capital))
    Incremental return on invested capital | 增量投入资本回报率
"""

_COMPOSITION: Final = """
effective_tax_rate percent 0 textbook any LCTVZP
    income_tax / pretax_income
    Effective tax rate | 实际税率

cash_tax_rate percent 0 textbook any LP
    taxes_paid / pretax_income
    Taxes paid to pre-tax income | 现金税负率

nonrecurring_share percent - csrc any LCP
    (net_income - net_income_recurring) / net_income
    Non-recurring share of net income | 非经常性损益占净利润比重

grants_share percent - csrc any L
    government_grants / pretax_income
    Government grants in pre-tax income | 政府补助占利润总额比重

investment_share percent - textbook fin L
    investment_income / pretax_income
    Investment income in pre-tax income | 投资收益占利润总额比重

fair_value_share percent - textbook fin L
    fair_value_gain / pretax_income
    Fair-value gains in pre-tax income | 公允价值变动占利润总额比重

nonoperating_share percent - textbook any L
    nonoperating_income / pretax_income
    Non-operating income in pre-tax income | 营业外收支占利润总额比重

impairment_share percent - textbook fin L
    (impairment_loss + opt(credit_impairment_loss)) / (pretax_income + impairment_loss + opt(credit_impairment_loss))
    Impairment to pre-tax income before impairment | 减值损失占减值前利润比重

minority_share percent 0 textbook any L
    (net_income - net_income_parent) / net_income
    Minority share of net income | 少数股东损益占净利润比重

revenue_per_employee currency + textbook any LG
    revenue / employees
    Revenue per employee | 人均营业收入

income_per_employee currency + textbook any LG
    net_income / employees
    Net income per employee | 人均净利润

cost_per_employee currency 0 textbook any LG
    staff_cost / employees
    Staff cost per employee | 人均薪酬
"""

_DUPONT: Final = """
equity_multiplier ratio 0 dupont fin LP
    avg(total_assets) / avg(equity)
    Equity multiplier (DuPont) | 权益乘数（杜邦）

interest_burden percent + dupont fin LC
    pretax_income / ebit
    Interest burden (DuPont, five-way) | 利息负担系数（五因素杜邦）

dupont_margin_effect points + dupont fin L
    change(net_income / revenue) * prior(revenue / avg(total_assets)) * prior(avg(total_assets) / avg(equity))
    Change of return on equity from the margin (DuPont, chain substitution) | 净利率变动对净资产收益率的影响（连环替代）

dupont_turnover_effect points + dupont fin L
    net_income / revenue * change(revenue / avg(total_assets)) * prior(avg(total_assets) / avg(equity))
    Change of return on equity from turnover (DuPont, chain substitution) | 周转率变动对净资产收益率的影响（连环替代）

dupont_leverage_effect points 0 dupont fin L
    quotient(net_income, avg(total_assets)) * change(avg(total_assets) / avg(equity))
    Change of return on equity from leverage (DuPont, chain substitution) | 权益乘数变动对净资产收益率的影响（连环替代）

dupont_tax_effect points + dupont fin L
    change(net_income / pretax_income) * prior(pretax_income / avg(equity))
    Change of return on equity from taxes (DuPont, five-way) | 税负变动对净资产收益率的影响（五因素）

dupont_interest_effect points + dupont fin L
    net_income / pretax_income * change(pretax_income / ebit) * prior(ebit / avg(equity))
    Change of return on equity from interest (DuPont, five-way) | 利息负担变动对净资产收益率的影响（五因素）

dupont_operating_effect points + dupont fin L
    net_income / ebit * change(ebit / revenue) * prior(revenue / avg(equity))
    Change of return on equity from the EBIT margin (DuPont, five-way) | 息税前利润率变动对净资产收益率的影响（五因素）
"""

PROFITABILITY: Final = (
    *declare("margins", _MARGINS),
    *declare("returns", _RETURNS),
    *declare("profit_composition", _COMPOSITION),
    *declare("dupont", _DUPONT),
)
"""Factors of profitability."""
