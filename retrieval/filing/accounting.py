"""What the financial statements of a company are asked for, and the words under which they hold it.

The lines of a statement go by names that accounting standards and long custom have settled; ratios are not written
in a report at all, and are computed from lines. So each line here says what it is called when asked for, what it is
called in a report, and in which statement it stands; each ratio says which lines it needs, by the definitions that
textbooks of financial analysis share. English after US GAAP and IFRS custom, Chinese after the form of statements that
the Chinese ministry of finance prescribes.

Not covered: the lines of single industries, and words that one company made up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from retrieval.filing.vocabulary import Concept, Vocabulary
from retrieval.language import Language

__all__ = ["ACCOUNTING"]

# id | asked | title in English | title in Chinese
_STATEMENTS: Final = """
balance | balance sheet; statement of financial position; 资产负债表 \
    | consolidated balance sheets statements of financial position | 合并资产负债表
income \
    | income statement; profit and loss; p&l; statement of income; statement of operations; statement of earnings; \
    利润表; 损益表 | consolidated statements of income operations earnings | 合并利润表
cash | cash flow statement; statement of cash flow; 现金流量表 | consolidated statements of cash flows \
    | 合并现金流量表
equity | statement of changes in equity; statement of stockholders' equity; statement of shareholders' equity; \
    所有者权益变动表 | consolidated statements of changes in shareholders' stockholders' equity | 合并所有者权益变动表
"""

# id | statement | asked | written in English | written in Chinese
_LINES: Final = """
assets | balance | total assets; 总资产; 资产总额 | total assets | 资产总计
current_assets | balance | current asset; 流动资产 | total current assets | 流动资产合计
current_liabilities | balance | current liability; current liabilities; 流动负债 | total current liabilities \
    | 流动负债合计
liabilities | balance | liability; total liabilities; 总负债; 负债总额 | total liabilities | 负债合计
equity | balance \
    | shareholders' equity; stockholders' equity; total equity; book value; 净资产; 所有者权益; 股东权益 \
    | total stockholders' shareholders' equity | 所有者权益合计 股东权益合计
cash | balance | cash and cash equivalents; cash balance; 货币资金 | cash and cash equivalents | 货币资金
receivables | balance | accounts receivable; receivable; net ar; 应收账款 | accounts trade receivables, net | 应收账款
inventory | balance | inventory; inventories; 存货 | inventories | 存货
fixed_assets | balance | property, plant and equipment; property plant and equipment; pp&e; ppe; ppne; fixed asset; \
    固定资产 | property, plant and equipment, net | 固定资产
goodwill | balance | goodwill; 商誉 | goodwill intangible assets | 商誉
payables | balance | accounts payable; payable; 应付账款 | accounts payable trade | 应付账款
debt | balance \
    | total debt; net debt; borrowings; long term debt; short term debt; 有息债务; 有息负债; 长期借款; 短期借款 \
    | short-term borrowings current portion long-term debt notes payable | 短期借款 长期借款 应付债券
retained | balance | retained earnings; 未分配利润 | retained earnings accumulated deficit | 未分配利润
revenue | income | revenue; net sales; sales; topline; top line; turnover; 营业收入; 营收 \
    | net sales total revenues | 营业收入 营业总收入
cost | income | cost of goods sold; cost of sales; cost of revenue; cogs; 营业成本 \
    | cost of sales goods sold products services revenue | 营业成本
gross | income | gross profit; 毛利 | gross profit margin | 毛利
operating | income | operating income; operating profit; operating earnings; ebit; 营业利润; 息税前利润 \
    | operating income profit earnings from operations | 营业利润
pretax | income | pretax income; pre tax income; income before tax; 利润总额 \
    | income earnings before provision for income taxes | 利润总额
tax | income | income tax expense; provision for income taxes; 所得税费用 | provision for income taxes | 所得税费用
interest | income | interest expense; 利息费用; 利息支出 | interest expense | 利息费用
net | income | net income; net earnings; net profit; net loss; bottom line; 净利润 \
    | net income earnings attributable to | 净利润 归属于母公司股东的净利润
per_share | income | eps; earnings per share; 每股收益 | basic diluted net income earnings per share \
    | 基本每股收益 稀释每股收益
overheads | income | sg&a; selling, general and administrative; 销售费用; 管理费用 \
    | selling, general and administrative expenses | 销售费用 管理费用
research | income | r&d; research and development; 研发费用 | research and development | 研发费用
depreciation | cash | depreciation; amortization; d&a; 折旧; 摊销 | depreciation and amortization \
    | 固定资产折旧 无形资产摊销
operating_cash | cash | operating cash flow; cash from operations; cash flow from operations; cash from operating \
    activities; cash flow from operating activities; 经营现金流; 经营活动现金流 \
    | net cash provided by operating activities | 经营活动产生的现金流量净额
investing_cash | cash | investing cash flow; cash flow from investing activities; 投资活动现金流 \
    | net cash used for investing activities | 投资活动产生的现金流量净额
financing_cash | cash | financing cash flow; cash flow from financing activities; 筹资活动现金流 \
    | net cash used for financing activities | 筹资活动产生的现金流量净额
capex | cash | capex; capital expenditure; capital spending; capital expense; 资本开支; 资本支出 \
    | purchases additions of property, plant and equipment capital expenditures spending investing activities \
    | 购建固定资产、无形资产和其他长期资产支付的现金
dividends | cash | dividend; 股利; 分红; 派息 | cash dividends paid | 分配股利、利润或偿付利息支付的现金
buybacks | cash | buyback; share repurchase; stock repurchase; 回购 | repurchases of common stock treasury | 回购股份
"""

# asked | lines that it needs
_RATIOS: Final = """
working capital; current ratio; liquidity ratio; 营运资金; 营运资本; 流动比率 | current_assets current_liabilities
quick ratio; acid test; 速动比率 | current_assets current_liabilities cash receivables inventory
cash ratio; 现金比率 | cash current_liabilities
operating cash flow ratio; 现金流动负债比 | operating_cash current_liabilities
debt to equity; gearing; leverage ratio; 产权比率; 杠杆率 | debt liabilities equity
debt ratio; debt to assets; liabilities to assets; 资产负债率 | liabilities assets
net debt; 净债务 | debt cash
interest coverage; interest cover; times interest earned; 利息保障倍数 | operating interest
gross margin; gross profit margin; 毛利率 | gross cost revenue
operating margin; operating income margin; operating profit margin; ebit margin; 营业利润率 | operating revenue
net margin; net profit margin; profit margin; 净利率; 销售净利率 | net revenue
ebitda; ebitdar; ebitda margin; 息税折旧摊销前利润 | operating depreciation
cogs margin; cost of sales margin; 营业成本率 | cost revenue
effective tax rate; effective income tax rate; 实际税率; 有效税率 | tax pretax
return on assets; roa; 总资产收益率; 总资产报酬率; 资产回报率 | net assets
return on equity; roe; 净资产收益率 | net equity
return on invested capital; roic; return on capital employed; roce; 投入资本回报率 | operating debt equity
asset turnover; 总资产周转率 | revenue assets
fixed asset turnover; 固定资产周转率 | revenue fixed_assets
inventory turnover; days inventory; dio; 存货周转率; 存货周转天数 | cost inventory
receivables turnover; days sales outstanding; dso; 应收账款周转率; 应收账款周转天数 | revenue receivables
payables turnover; days payable; dpo; 应付账款周转率; 应付账款周转天数 | cost payables inventory
cash conversion cycle; ccc; operating cycle; 现金循环周期; 营业周期 | inventory receivables payables cost revenue
free cash flow; fcf; free cashflow; 自由现金流 | operating_cash capex
cash conversion; cashflow conversion; 净利润现金含量 | operating_cash net
capital intensive; capital intensity; asset heavy; 资本密集; 重资产 | fixed_assets assets capex revenue
dividend payout; payout ratio; retention ratio; 股利支付率; 分红率; 留存率 | dividends net
revenue growth; sales growth; growth rate; cagr; 营业收入增长率; 复合增长率 | revenue
"""

# asked | written in English | written in Chinese: what reports call their parts
_PARTS: Final = """
legal battle; legal dispute; lawsuit; litigation; legal matter; legal proceeding; 诉讼; 法律纠纷 \
    | legal proceedings litigation claims contingencies | 重大诉讼、仲裁事项
geography; geographies; geographic region; region; country; countries; 地区; 区域 \
    | geographic areas regions segment information international operations | 分地区 营业收入构成
industry; line of business; 行业; 主营业务 | overview business description products markets | 主营业务 行业情况
customer; 客户 | customers concentration major principal customers | 主要客户 前五名客户
supplier; 供应商 | suppliers sourcing raw materials | 主要供应商 前五名供应商
competitor; competition; 竞争 | competition competitors competitive | 竞争格局
acquisition; acquire; acquired; takeover; 收购; 并购 | acquisitions business combinations purchase price acquired \
    | 企业合并 收购
divestiture; divest; spin off; disposal; 剥离; 处置 | divestitures discontinued operations separation disposal \
    | 处置 终止经营
restructuring; layoff; 重组; 裁员 | restructuring charges severance employee costs | 重组
guidance; outlook; forecast; 展望; 业绩指引 | guidance outlook expected full-year expectations | 未来展望 经营计划
risk; 风险 | risk factors | 风险因素 可能面对的风险
segment; product line; business unit; 分部; 产品线 | segment information reportable segments by product \
    | 分部信息 分产品
headcount; employee; workforce; 员工; 职工人数 | number of employees human capital | 员工情况 在职员工数量
auditor; audit opinion; 审计意见 | report of independent registered public accounting firm opinion | 审计报告 审计意见
"""


@dataclass(frozen=True, slots=True)
class _Line:
    statement: str
    written: str
    written_zh: str


def _rows(table: str) -> Iterator[list[str]]:
    for row in table.replace("\\\n", "").strip().split("\n"):
        yield [cell.strip() for cell in row.split("|")]


def _phrases(cell: str) -> tuple[str, ...]:
    return tuple(phrase for part in cell.split(";") if (phrase := " ".join(part.split())))


def _concepts() -> Iterator[Concept]:
    titles = {id_: (title, title_zh) for id_, _, title, title_zh in _rows(_STATEMENTS)}
    lines = {id_: _Line(statement, en, zh) for id_, statement, _, en, zh in _rows(_LINES)}
    for id_, asked, *_ in _rows(_STATEMENTS):
        yield Concept(_phrases(asked), _written([titles[id_]]))
    for asked, needed in _rows(_RATIOS):
        yield Concept(_phrases(asked), _of_lines([lines[id_] for id_ in needed.split()], titles))
    for id_, _, asked, _, _ in _rows(_LINES):
        yield Concept(_phrases(asked), _of_lines([lines[id_]], titles))
    for asked, en, zh in _rows(_PARTS):
        yield Concept(_phrases(asked), _written([(en, zh)]))


def _of_lines(lines: list[_Line], titles: Mapping[str, tuple[str, str]]) -> dict[Language, str]:
    stated = dict.fromkeys(line.statement for line in lines)
    return _written([*((line.written, line.written_zh) for line in lines), *(titles[one] for one in stated)])


def _written(texts: list[tuple[str, str]]) -> dict[Language, str]:
    return {"en": " ".join(en for en, _ in texts), "zh": " ".join(zh for _, zh in texts)}


ACCOUNTING: Final = Vocabulary(_concepts())
"""The vocabulary of financial statements and of the reports that hold them."""
