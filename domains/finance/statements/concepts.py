"""The line items that Vouch knows: one canonical name for what filers call by many.

Each row says where the item stands, whether it is a flow over the period or a stock at its end, its unit, and its sign:

* ``positive``: reported as a size. Costs, payments and deductions (accumulated depreciation, treasury shares) are
  positive numbers here, whatever their sign in the filing; a negative one is a question for the checks.
* ``signed``: may honestly be below zero (profits, cash flows, retained earnings).

Units of a cell: ``currency`` is the ISO code of the statements, ``per_share`` that code and ``/share``, ``shares`` and
``pure`` (counts, indices) their own names. No item has a scale: thousands and 万元 are resolved before a cell is made.

An item marked `by_member` is reported in parts (segments, customers, maturities); each part is a cell with a `member`.

Not covered: the lines of banks and insurers (loans, deposits, premiums); aliases and tags, which belong to the intake.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from retrieval.language import Language

__all__ = ["CONCEPTS", "Concept", "Nature", "Sign", "StatementKind", "UnitKind"]

StatementKind = Literal["income", "balance", "cash_flow", "market", "notes"]
Nature = Literal["flow", "stock"]
Sign = Literal["positive", "signed"]
UnitKind = Literal["currency", "per_share", "shares", "pure"]


@dataclass(frozen=True, slots=True)
class Concept:
    """One canonical line item."""

    id: str
    statement: StatementKind
    nature: Nature
    sign: Sign
    unit: UnitKind
    titles: Mapping[Language, str]
    by_member: bool = False


_KINDS: Final[Mapping[str, tuple[StatementKind, Nature]]] = {
    "I": ("income", "flow"),
    "B": ("balance", "stock"),
    "C": ("cash_flow", "flow"),
    "CS": ("cash_flow", "stock"),
    "MS": ("market", "stock"),
    "MF": ("market", "flow"),
    "NF": ("notes", "flow"),
    "NS": ("notes", "stock"),
}

# id | kind | sign (+ positive, ± signed) | unit | by member | English | Chinese
_TABLE: Final = """
revenue|I|+|currency||Revenue|营业收入
cost_of_sales|I|+|currency||Cost of sales|营业成本
gross_profit|I|±|currency||Gross profit|毛利
selling_expense|I|+|currency||Selling expense|销售费用
administrative_expense|I|+|currency||Administrative expense|管理费用
sga_expense|I|+|currency||Selling, general and administrative expense|销售及管理费用
research_development_expense|I|+|currency||Research and development expense|研发费用
operating_expense|I|+|currency||Operating expense beside cost of sales|期间费用合计
taxes_and_surcharges|I|+|currency||Taxes and surcharges on business|税金及附加
staff_cost|I|+|currency||Employee benefits expense|职工薪酬费用
impairment_loss|I|+|currency||Impairment of assets|资产减值损失
credit_impairment_loss|I|+|currency||Expected credit losses|信用减值损失
other_operating_income|I|±|currency||Other operating income|其他收益
government_grants|I|+|currency||Government grants in profit|政府补助
investment_income|I|±|currency||Investment income|投资收益
fair_value_gain|I|±|currency||Gain from changes in fair value|公允价值变动收益
disposal_gain|I|±|currency||Gain on disposal of assets|资产处置收益
operating_income|I|±|currency||Operating income|营业利润
interest_expense|I|+|currency||Interest expense|利息费用
interest_income|I|+|currency||Interest income|利息收入
nonoperating_income|I|±|currency||Non-operating income, net|营业外收支净额
pretax_income|I|±|currency||Income before tax|利润总额
income_tax|I|±|currency||Income tax expense|所得税费用
income_continuing|I|±|currency||Income from continuing operations|持续经营净利润
net_income|I|±|currency||Net income|净利润
net_income_parent|I|±|currency||Net income attributable to the parent|归属于母公司股东的净利润
net_income_recurring|I|±|currency||Net income excluding non-recurring items|扣除非经常性损益的净利润
preferred_dividends|I|+|currency||Preferred dividends|优先股股利
other_comprehensive_income|I|±|currency||Other comprehensive income|其他综合收益
comprehensive_income|I|±|currency||Comprehensive income|综合收益总额
cash|B|+|currency||Cash and cash equivalents|货币资金
restricted_cash|B|+|currency||Restricted cash|受限货币资金
short_term_investments|B|+|currency||Short-term investments|短期投资及交易性金融资产
notes_receivable|B|+|currency||Notes receivable|应收票据
trade_receivables|B|+|currency||Trade receivables, net|应收账款
other_receivables|B|+|currency||Other receivables|其他应收款
prepayments|B|+|currency||Prepayments|预付款项
contract_assets|B|+|currency||Contract assets|合同资产
inventories|B|+|currency||Inventories, net|存货
raw_materials|B|+|currency||Raw materials|原材料
work_in_progress|B|+|currency||Work in progress|在产品
finished_goods|B|+|currency||Finished goods|产成品
other_current_assets|B|+|currency||Other current assets|其他流动资产
current_assets|B|+|currency||Current assets|流动资产合计
long_term_investments|B|+|currency||Long-term investments|长期投资
investment_property|B|+|currency||Investment property|投资性房地产
property_plant_equipment|B|+|currency||Property, plant and equipment, net|固定资产净额
gross_property_plant_equipment|B|+|currency||Property, plant and equipment, at cost|固定资产原值
accumulated_depreciation|B|+|currency||Accumulated depreciation|累计折旧
construction_in_progress|B|+|currency||Construction in progress|在建工程
right_of_use_assets|B|+|currency||Right-of-use assets|使用权资产
intangible_assets|B|+|currency||Intangible assets without goodwill|无形资产
development_costs|B|+|currency||Capitalised development costs|开发支出
goodwill|B|+|currency||Goodwill|商誉
deferred_tax_assets|B|+|currency||Deferred tax assets|递延所得税资产
other_noncurrent_assets|B|+|currency||Other non-current assets|其他非流动资产
noncurrent_assets|B|+|currency||Non-current assets|非流动资产合计
total_assets|B|+|currency||Total assets|资产总计
short_term_debt|B|+|currency||Short-term borrowings|短期借款
current_long_term_debt|B|+|currency||Current portion of long-term debt|一年内到期的非流动负债
current_lease_liabilities|B|+|currency||Current lease liabilities|一年内到期的租赁负债
notes_payable|B|+|currency||Notes payable|应付票据
trade_payables|B|+|currency||Trade payables|应付账款
contract_liabilities|B|+|currency||Contract liabilities and advances received|合同负债及预收款项
payroll_payable|B|+|currency||Employee benefits payable|应付职工薪酬
taxes_payable|B|+|currency||Taxes payable|应交税费
other_payables|B|+|currency||Other payables and accruals|其他应付款
current_liabilities|B|+|currency||Current liabilities|流动负债合计
long_term_debt|B|+|currency||Long-term debt|长期借款及应付债券
lease_liabilities|B|+|currency||Non-current lease liabilities|租赁负债
pension_obligations|B|+|currency||Pension obligations|设定受益计划净负债
provisions|B|+|currency||Provisions|预计负债
deferred_tax_liabilities|B|+|currency||Deferred tax liabilities|递延所得税负债
noncurrent_liabilities|B|+|currency||Non-current liabilities|非流动负债合计
total_liabilities|B|+|currency||Total liabilities|负债合计
share_capital|B|+|currency||Share capital|股本
capital_reserve|B|±|currency||Additional paid-in capital|资本公积
treasury_shares|B|+|currency||Treasury shares|库存股
retained_earnings|B|±|currency||Retained earnings|未分配利润及盈余公积
accumulated_oci|B|±|currency||Accumulated other comprehensive income|累计其他综合收益
preferred_equity|B|+|currency||Preferred equity|优先股
equity_parent|B|±|currency||Equity attributable to the parent|归属于母公司所有者权益
noncontrolling_interests|B|±|currency||Non-controlling interests|少数股东权益
equity|B|±|currency||Total equity|所有者权益合计
net_cash_operating|C|±|currency||Net cash from operating activities|经营活动产生的现金流量净额
net_cash_investing|C|±|currency||Net cash from investing activities|投资活动产生的现金流量净额
net_cash_financing|C|±|currency||Net cash from financing activities|筹资活动产生的现金流量净额
exchange_effect|C|±|currency||Effect of exchange rates on cash|汇率变动对现金的影响
change_in_cash|C|±|currency||Net change in cash|现金及现金等价物净增加额
opening_cash|CS|+|currency||Cash at the beginning of the period|期初现金及现金等价物余额
closing_cash|CS|+|currency||Cash at the end of the period|期末现金及现金等价物余额
depreciation_amortisation|C|+|currency||Depreciation and amortisation|折旧与摊销
share_based_compensation|C|+|currency||Share-based compensation|股份支付
cash_from_customers|C|+|currency||Cash received from customers|销售商品、提供劳务收到的现金
cash_to_suppliers|C|+|currency||Cash paid to suppliers|购买商品、接受劳务支付的现金
cash_to_employees|C|+|currency||Cash paid to employees|支付给职工的现金
taxes_paid|C|+|currency||Taxes paid|支付的各项税费
interest_paid|C|+|currency||Interest paid|支付的利息
capital_expenditure|C|+|currency||Capital expenditure|购建长期资产支付的现金
asset_sale_proceeds|C|+|currency||Proceeds from sale of fixed assets|处置长期资产收回的现金
acquisitions|C|+|currency||Cash paid for acquisitions|取得子公司支付的现金净额
debt_issued|C|+|currency||Proceeds from borrowings|取得借款收到的现金
debt_repaid|C|+|currency||Repayment of borrowings|偿还债务支付的现金
shares_issued|C|+|currency||Proceeds from issue of shares|吸收投资收到的现金
shares_repurchased|C|+|currency||Repurchase of shares|回购股份支付的现金
dividends_paid|C|+|currency||Dividends paid|分配股利支付的现金
share_price|MS|+|per_share||Share price at the end of the period|期末股价
shares_outstanding|MS|+|shares||Shares outstanding|期末总股本
weighted_shares|MF|+|shares||Weighted average shares, basic|加权平均股数
diluted_shares|MF|+|shares||Weighted average shares, diluted|稀释加权平均股数
eps_basic|MF|±|per_share||Earnings per share, basic|基本每股收益
eps_diluted|MF|±|per_share||Earnings per share, diluted|稀释每股收益
dividends_per_share|MF|+|per_share||Dividends per share|每股股利
price_level_index|MS|+|pure||GNP price-level index (1968 = 100)|国民生产总值价格指数（1968 年 = 100）
employees|NS|+|pure||Employees|员工人数
bad_debt_allowance|NS|+|currency||Allowance for doubtful receivables|坏账准备
inventory_allowance|NS|+|currency||Inventory write-down allowance|存货跌价准备
receivables_over_one_year|NS|+|currency||Receivables older than one year|账龄一年以上应收账款
overdue_receivables|NS|+|currency||Overdue receivables|逾期应收账款
related_party_sales|NF|+|currency||Sales to related parties|关联方销售
related_party_purchases|NF|+|currency||Purchases from related parties|关联方采购
related_party_receivables|NS|+|currency||Receivables from related parties|应收关联方款项
guarantees|NS|+|currency||Guarantees given|对外担保余额
pledged_assets|NS|+|currency||Assets pledged or restricted|受限及抵押资产
undrawn_facilities|NS|+|currency||Undrawn committed facilities|未使用授信额度
order_backlog|NS|+|currency||Order backlog|在手订单
segment_revenue|NF|+|currency|m|Revenue by segment|分部收入
segment_profit|NF|±|currency|m|Profit by segment|分部利润
segment_assets|NS|+|currency|m|Assets by segment|分部资产
region_revenue|NF|+|currency|m|Revenue by region|分地区收入
customer_revenue|NF|+|currency|m|Revenue by customer, largest named|主要客户收入
supplier_purchases|NF|+|currency|m|Purchases by supplier, largest named|主要供应商采购额
debt_maturities|NS|+|currency|m|Debt by maturity band|债务按到期期限
"""


def _read(table: str) -> dict[str, Concept]:
    found: dict[str, Concept] = {}
    for row in table.strip().splitlines():
        name, kind, sign, unit, member, english, chinese = row.split("|")
        statement, nature = _KINDS[kind]
        units: Mapping[str, UnitKind] = {
            "currency": "currency",
            "per_share": "per_share",
            "shares": "shares",
            "pure": "pure",
        }
        found[name] = Concept(
            id=name,
            statement=statement,
            nature=nature,
            sign="positive" if sign == "+" else "signed",
            unit=units[unit],
            titles=MappingProxyType({"en": english, "zh": chinese}),
            by_member=member == "m",
        )
    return found


CONCEPTS: Final[Mapping[str, Concept]] = MappingProxyType(_read(_TABLE))
"""Every canonical line item by its id, in the order of the statements."""
