"""Named quantities that many factors share, each a formula over line items and the definitions above it.

They say in one place what "debt" or "free cash flow" means here, and they bridge filers that show a total and filers
that show its parts (`first`), or leave out lines that are nil (`opt`).

Not covered: operating leases before IFRS 16 and ASC 842 (they stand in no balance sheet), hybrid capital other than
preferred equity, pension deficits as debt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from domains.finance.statements.formula import Node, parse
from retrieval.language import Language

__all__ = ["DEFINITIONS", "NODES", "Definition", "parsed"]


@dataclass(frozen=True, slots=True)
class Definition:
    """A quantity with a name of its own."""

    name: str
    formula: str
    titles: Mapping[Language, str]


# name = formula (indented lines go on with it), then the titles: English | Chinese
_TABLE: Final = """
gross_income = first(gross_profit, revenue - cost_of_sales)
    gross profit | 毛利
overheads = first(sga_expense, selling_expense + administrative_expense)
    selling, general and administrative expense | 销售及管理费用
liabilities = first(total_liabilities, total_assets - equity)
    total liabilities | 负债合计
ebit = pretax_income + opt(interest_expense)
    earnings before interest and tax | 息税前利润
ebitda = ebit + depreciation_amortisation
    earnings before interest, tax, depreciation and amortisation | 息税折旧摊销前利润
nopat = ebit * (1 - income_tax / pretax_income)
    net operating profit after tax | 税后净营业利润
short_debt = opt(short_term_debt) + opt(current_long_term_debt) + opt(current_lease_liabilities)
    short-term debt | 短期有息债务
long_debt = opt(long_term_debt) + opt(lease_liabilities)
    long-term debt | 长期有息债务
total_debt = short_debt + long_debt
    total debt | 有息债务
liquid_assets = cash + opt(short_term_investments)
    cash and short-term investments | 现金及短期投资
net_debt = total_debt - liquid_assets
    net debt | 净债务
quick_assets = liquid_assets + opt(notes_receivable) + opt(trade_receivables)
    quick assets | 速动资产
working_capital = current_assets - current_liabilities
    working capital | 营运资本
trade_capital = trade_receivables + opt(inventories) - trade_payables
    trade working capital | 经营性营运资本
invested_capital = equity + total_debt - liquid_assets
    invested capital | 投入资本
capital_employed = total_assets - current_liabilities
    capital employed | 占用资本
tangible_equity = equity - opt(goodwill) - opt(intangible_assets)
    tangible equity | 有形净资产
common_equity = first(equity_parent, equity - opt(noncontrolling_interests)) - opt(preferred_equity)
    common equity | 普通股股东权益
common_income = first(net_income_parent, net_income) - opt(preferred_dividends)
    income to common shareholders | 普通股股东净利润
funds_from_operations = net_income + depreciation_amortisation
    funds from operations | 经营所得资金
free_cash_flow = net_cash_operating - capital_expenditure
    free cash flow | 自由现金流
cash_accruals = net_income - net_cash_operating
    accruals from the cash flow statement | 现金流量表应计
operating_accruals = change(current_assets - cash) - change(current_liabilities - short_debt - opt(taxes_payable))
    change in operating working capital | 营运资本应计
sloan_accruals = operating_accruals - depreciation_amortisation
    accruals from the balance sheet | 资产负债表应计
debt_service = first(interest_paid, interest_expense) + debt_repaid
    debt service | 偿债支出
cash_costs = cost_of_sales + overheads + opt(research_development_expense) - depreciation_amortisation
    cash operating costs | 付现经营成本
purchases = cost_of_sales + change(inventories)
    purchases | 采购额
gross_receivables = trade_receivables + bad_debt_allowance
    trade receivables before allowance | 应收账款原值
market_capitalisation = share_price * shares_outstanding
    market capitalisation | 总市值
enterprise_value = market_capitalisation + net_debt + opt(preferred_equity) + opt(noncontrolling_interests)
    enterprise value | 企业价值
retained_income = net_income - opt(dividends_paid)
    income retained | 留存利润
total_accruals = change(equity - opt(preferred_equity) - cash)
    change in common equity without cash | 非现金普通股权益变动
no_credit_interval = days * (quick_assets - current_liabilities) / (revenue - pretax_income -
    depreciation_amortisation)
    no-credit interval of Taffler | 无信用期间（塔夫勒）
dsri = trade_receivables / revenue / prior(trade_receivables / revenue)
    days' sales in receivables index (DSRI) | 应收账款指数（DSRI）
gmi = prior(gross_income / revenue) / (gross_income / revenue)
    gross margin index (GMI) | 毛利率指数（GMI）
aqi = (1 - (current_assets + property_plant_equipment) / total_assets) / prior(1 - (current_assets +
    property_plant_equipment) / total_assets)
    asset quality index (AQI) | 资产质量指数（AQI）
sgi = revenue / prior(revenue)
    sales growth index (SGI) | 营业收入指数（SGI）
depreciation_share = depreciation_amortisation / (depreciation_amortisation + property_plant_equipment)
    depreciation to depreciation and fixed assets | 折旧占折旧与固定资产之和比重
depi = prior(depreciation_share) / depreciation_share
    depreciation index (DEPI) | 折旧率指数（DEPI）
sgai = overheads / revenue / prior(overheads / revenue)
    sales, general and administrative expense index (SGAI) | 销售管理费用指数（SGAI）
book_leverage = (current_liabilities + opt(long_term_debt)) / total_assets
    current liabilities and long-term debt to assets | 流动负债及长期债务与总资产之比
lvgi = book_leverage / prior(book_leverage)
    leverage index (LVGI) | 财务杠杆指数（LVGI）
tata_1999 = (change(current_assets - cash) - change(current_liabilities - opt(current_long_term_debt) -
    opt(taxes_payable)) - depreciation_amortisation) / total_assets
    total accruals to total assets (TATA, 1999) | 应计与总资产之比（TATA，1999）
tata_2013 = (first(income_continuing, net_income) - net_cash_operating) / total_assets
    total accruals to total assets (TATA, 2013) | 应计与总资产之比（TATA，2013）
return_on_opening_assets = net_income / prior(total_assets)
    return on opening assets | 期初总资产收益率
piotroski_profit = less(0, return_on_opening_assets)
    positive return on assets (F_ROA) | 资产收益率为正（F_ROA）
piotroski_cash = less(0, net_cash_operating)
    positive operating cash flow (F_CFO) | 经营现金流为正（F_CFO）
piotroski_improving = less(prior(return_on_opening_assets), return_on_opening_assets)
    rising return on assets (F_dROA) | 资产收益率上升（F_ΔROA）
piotroski_accrual = less(net_income, net_cash_operating)
    operating cash flow above net income (F_ACCRUAL) | 经营现金流高于净利润（F_ACCRUAL）
piotroski_leverage = less(long_debt / avg(total_assets), prior(long_debt / avg(total_assets)))
    falling long-term debt to assets (F_dLEVER) | 长期债务率下降（F_ΔLEVER）
piotroski_liquidity = less(prior(current_assets / current_liabilities), current_assets / current_liabilities)
    rising current ratio (F_dLIQUID) | 流动比率上升（F_ΔLIQUID）
piotroski_shares = 1 - less(0, opt(shares_issued))
    no shares issued (EQ_OFFER) | 未增发股份（EQ_OFFER）
piotroski_margin = less(prior(gross_income / revenue), gross_income / revenue)
    rising gross margin (F_dMARGIN) | 毛利率上升（F_ΔMARGIN）
piotroski_turnover = less(prior(revenue / prior(total_assets)), revenue / prior(total_assets))
    rising asset turnover (F_dTURN) | 资产周转率上升（F_ΔTURN）
ohlson_size = ln(total_assets / price_level_index)
    logarithm of real total assets (SIZE) | 实际总资产对数（SIZE）
ohlson_insolvent = less(total_assets, liabilities)
    liabilities exceed assets (OENEG) | 资不抵债（OENEG）
ohlson_losses = less(net_income, 0) * less(prior(net_income), 0)
    net loss in both of two periods (INTWO) | 连续两期亏损（INTWO）
ohlson_change = quotient(change(net_income), abs(net_income) + abs(prior(net_income)))
    change in net income to the sizes of both (CHIN) | 净利润变动率（CHIN）
ohlson_score = -1.32 - 0.407 * ohlson_size + 6.03 * liabilities / total_assets - 1.43 * working_capital /
    total_assets + 0.0757 * current_liabilities / current_assets - 1.72 * ohlson_insolvent - 2.37 * net_income /
    total_assets - 1.83 * funds_from_operations / liabilities + 0.285 * ohlson_losses - 0.521 * ohlson_change
    Ohlson O | 奥尔森 O 值
cash_sales = revenue - change(trade_receivables)
    cash sales | 现金销售额
dechow_issue = less(0, opt(debt_issued) + opt(shares_issued))
    securities issued (ISSUE) | 发行证券（ISSUE）
dechow_logit = -7.893 + 0.79 * total_accruals / avg(total_assets) + 2.518 * change(trade_receivables) /
    avg(total_assets) + 1.191 * change(inventories) / avg(total_assets) + 1.979 * (total_assets -
    property_plant_equipment - cash) / total_assets + 0.171 * growth(cash_sales) - 0.932 * change(net_income /
    avg(total_assets)) + 1.029 * dechow_issue
    logit of misstatement of Dechow and others | 错报概率的逻辑值（Dechow 等）
montier_accruals = less(prior(cash_accruals), cash_accruals)
    net income draws away from operating cash flow | 净利润与经营现金流背离扩大
montier_receivables = less(prior(trade_receivables / revenue), trade_receivables / revenue)
    receivables rise against revenue | 应收账款占收入上升
montier_inventories = less(prior(inventories / cost_of_sales), inventories / cost_of_sales)
    inventories rise against cost of sales | 存货占成本上升
montier_other_assets = less(prior(other_current_assets / revenue), other_current_assets / revenue)
    other current assets rise against revenue | 其他流动资产占收入上升
montier_depreciation = less(depreciation_amortisation / gross_property_plant_equipment,
    prior(depreciation_amortisation / gross_property_plant_equipment))
    depreciation falls against fixed assets | 折旧率下降
montier_growth = less(0.1, growth(total_assets))
    total assets grow by more than a tenth | 总资产增长超过一成
"""


def _read(table: str) -> dict[str, Definition]:
    found = {}
    formula: list[str] = []
    for line in table.strip().splitlines():
        if " | " not in line:
            formula.append(line.strip())
            continue
        name, text = " ".join(formula).split(" = ")
        english, chinese = line.strip().split(" | ")
        found[name] = Definition(name, text, MappingProxyType({"en": english, "zh": chinese}))
        formula = []
    return found


DEFINITIONS: Final[Mapping[str, Definition]] = MappingProxyType(_read(_TABLE))
"""Every definition by its name, each after those that it uses."""


def _parse(definitions: Mapping[str, Definition]) -> dict[str, Node]:
    nodes: dict[str, Node] = {}
    for definition in definitions.values():
        nodes[definition.name] = parse(definition.formula, nodes)
    return nodes


NODES: Final[Mapping[str, Node]] = MappingProxyType(_parse(DEFINITIONS))
"""The tree of every definition."""


def parsed(formula: str) -> Node:
    """Return the tree of a formula that may use the definitions.

    Raises:
        FormulaError: it is not in the language; the message names the column.
    """
    return parse(formula, NODES)
