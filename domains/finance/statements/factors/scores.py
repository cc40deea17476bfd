"""Composite models: bankruptcy scores, manipulation scores, strength scores, with the parts that are theirs alone.

The coefficients are those of the sources. A part that another factor already is (working capital to assets, revenue
growth, return on equity as the product of DuPont's parts) is not declared again. All of them were estimated on annual
figures of industrial companies; `Applicability` says so, and the thresholds belong to the ratings.

Where the sources leave room:

* ``altman_z``: X5 with 0.999 as printed in 1968; later texts round to 1.0.
* ``beneish_m_1999`` takes accruals from the balance sheet as the paper does, ``beneish_m`` from the cash flow
  statement as its authors do since. Depreciation includes amortisation, which few filers part.
* ``ohlson_o``: funds provided by operations are net income with depreciation. The price index is the analyst's input.
* ``zmijewski_x``: the probit of 1984 without weights; secondary sources differ in the sign of the liquidity term, which
  moves the score by less than 0.02 for any usual current ratio.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from domains.finance.statements.definitions import DEFINITIONS
from domains.finance.statements.factors.declare import declare
from domains.finance.statements.types import Factor

__all__ = ["SCORES"]

_DISTRESS: Final = """
altman_z score + altman1968 fin,year LCTVZP
    1.2 * working_capital / total_assets + 1.4 * retained_earnings / total_assets + 3.3 * ebit / total_assets
    + 0.6 * market_capitalisation / liabilities + 0.999 * revenue / total_assets
    Altman Z | 阿尔特曼 Z 值

altman_z_private score + altman1983 fin,year LCTVZP
    0.717 * working_capital / total_assets + 0.847 * retained_earnings / total_assets + 3.107 * ebit / total_assets
    + 0.42 * equity / liabilities + 0.998 * revenue / total_assets
    Altman Z' (private companies) | 阿尔特曼 Z' 值（非上市公司）

altman_z_emerging score + altman1995 fin,year LCTVZP
    6.56 * working_capital / total_assets + 3.26 * retained_earnings / total_assets + 6.72 * ebit / total_assets
    + 1.05 * equity / liabilities
    Altman Z'' (non-manufacturers, emerging markets) | 阿尔特曼 Z'' 值（非制造业与新兴市场）

altman_x3 ratio + altman1968 fin,year L
    ebit / total_assets
    EBIT to total assets (X3 of Altman) | 息税前利润与总资产之比（阿尔特曼 X3）

altman_x4_book ratio + altman1983 fin,year L
    equity / liabilities
    Book equity to liabilities (X4 of Altman Z') | 账面权益与总负债之比（阿尔特曼 Z' 的 X4）

altman_x5 ratio + altman1968 fin,year L
    revenue / total_assets
    Revenue to total assets (X5 of Altman) | 营业收入与总资产之比（阿尔特曼 X5）

ohlson_o score - ohlson1980 fin,year,usd LCP
    ohlson_score
    Ohlson O | 奥尔森 O 值

ohlson_probability percent - ohlson1980 fin,year,usd L
    1 / (1 + exp(-ohlson_score))
    Probability of failure (Ohlson) | 破产概率（奥尔森）

zmijewski_x score - zmijewski1984 fin,year LCTVZP
    -4.336 - 4.513 * net_income / total_assets + 5.679 * liabilities / total_assets
    + 0.004 * current_assets / current_liabilities
    Zmijewski X | 兹米约夫斯基 X 值

springate_s score + springate1978 fin,year LCP
    1.03 * working_capital / total_assets + 3.07 * ebit / total_assets + 0.66 * pretax_income / current_liabilities
    + 0.4 * revenue / total_assets
    Springate S | 斯普林盖特 S 值

taffler_z score + taffler fin,year LCP
    3.2 + 12.18 * pretax_income / current_liabilities + 2.5 * current_assets / liabilities
    - 10.68 * current_liabilities / total_assets + 0.029 * no_credit_interval
    Taffler z | 塔夫勒 z 值
"""

_MANIPULATION: Final = """
beneish_m score - beneish2013 fin,year LCP
    -4.84 + 0.92 * dsri + 0.528 * gmi + 0.404 * aqi + 0.892 * sgi + 0.115 * depi - 0.172 * sgai + 4.679 * tata_2013
    - 0.327 * lvgi
    Beneish M (accruals from the cash flow statement) | 贝尼什 M 值（现金流量表应计）

beneish_m_1999 score - beneish1999 fin,year LC
    -4.84 + 0.92 * dsri + 0.528 * gmi + 0.404 * aqi + 0.892 * sgi + 0.115 * depi - 0.172 * sgai + 4.679 * tata_1999
    - 0.327 * lvgi
    Beneish M (1999, accruals from the balance sheet) | 贝尼什 M 值（1999，资产负债表应计）

beneish_m_five score - beneish1999 fin,year LC
    -6.065 + 0.823 * dsri + 0.906 * gmi + 0.593 * aqi + 0.717 * sgi + 0.107 * depi
    Beneish M with five indices | 贝尼什五指标 M 值

dechow_f score - dechow2011 fin,year LCP
    1 / (1 + exp(-dechow_logit)) / 0.0037
    F-score of Dechow and others (misstatement to its base rate) | Dechow 等错报 F 值（错报概率与基准率之比）

montier_c score - montier2008 fin,year LC
    montier_accruals + montier_receivables + montier_inventories + montier_other_assets + montier_depreciation
    + montier_growth
    Montier C (six signs of cooked books) | 蒙蒂尔 C 值（六项粉饰信号）

cash_sales_growth percent + dechow2011 fin,year L
    growth(cash_sales)
    Growth of cash sales | 现金销售额增长率
"""

_STRENGTH: Final = """
piotroski_f score + piotroski2000 fin,year LCP
    piotroski_profit + piotroski_cash + piotroski_improving + piotroski_accrual + piotroski_leverage
    + piotroski_liquidity + piotroski_shares + piotroski_margin + piotroski_turnover
    Piotroski F | 皮奥特罗斯基 F 值
"""

# parts of the models that are factors in their own right: definition: unit, direction, source, marks
_PARTS: Final = {
    "dsri": ("ratio", "-", "beneish1999", "fin,year"),
    "gmi": ("ratio", "-", "beneish1999", "fin,year"),
    "aqi": ("ratio", "-", "beneish1999", "fin,year"),
    "depi": ("ratio", "-", "beneish1999", "fin,year"),
    "sgai": ("ratio", "-", "beneish1999", "fin,year"),
    "lvgi": ("ratio", "-", "beneish1999", "fin,year"),
    "tata_1999": ("ratio", "-", "beneish1999", "fin,year"),
    "tata_2013": ("ratio", "-", "beneish2013", "fin,year"),
    "piotroski_profit": ("signal", "+", "piotroski2000", "year"),
    "piotroski_cash": ("signal", "+", "piotroski2000", "fin,year"),
    "piotroski_improving": ("signal", "+", "piotroski2000", "year"),
    "piotroski_accrual": ("signal", "+", "piotroski2000", "fin,year"),
    "piotroski_leverage": ("signal", "+", "piotroski2000", "fin,year"),
    "piotroski_liquidity": ("signal", "+", "piotroski2000", "fin,year"),
    "piotroski_shares": ("signal", "+", "piotroski2000", "year"),
    "piotroski_margin": ("signal", "+", "piotroski2000", "fin,year"),
    "piotroski_turnover": ("signal", "+", "piotroski2000", "fin,year"),
    "ohlson_size": ("score", "+", "ohlson1980", "fin,year,usd"),
    "ohlson_insolvent": ("signal", "-", "ohlson1980", "year"),
    "ohlson_losses": ("signal", "-", "ohlson1980", "year"),
    "ohlson_change": ("ratio", "+", "ohlson1980", "year"),
    "dechow_issue": ("signal", "-", "dechow2011", "fin,year"),
    "montier_accruals": ("signal", "-", "montier2008", "fin,year"),
    "montier_receivables": ("signal", "-", "montier2008", "fin,year"),
    "montier_inventories": ("signal", "-", "montier2008", "fin,year"),
    "montier_other_assets": ("signal", "-", "montier2008", "fin,year"),
    "montier_depreciation": ("signal", "-", "montier2008", "fin,year"),
    "montier_growth": ("signal", "-", "montier2008", "fin,year"),
}

_GROUPS: Final = {"piotroski": "strength_scores", "ohlson": "distress_scores"}


def _parts() -> Iterator[Factor]:
    for name, (unit, direction, source, marks) in _PARTS.items():
        titles = DEFINITIONS[name].titles
        group = _GROUPS.get(name.split("_")[0], "manipulation_scores")
        table = f"""
{name} {unit} {direction} {source} {marks} L
    {name}
    {titles["en"][0].upper()}{titles["en"][1:]} | {titles["zh"]}
"""
        yield from declare(group, table)


SCORES: Final = (
    *declare("distress_scores", _DISTRESS),
    *declare("manipulation_scores", _MANIPULATION),
    *declare("strength_scores", _STRENGTH),
    *_parts(),
)
"""Composite models and their parts."""
