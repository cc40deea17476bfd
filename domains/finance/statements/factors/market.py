"""Market and per-share factors: what owners hold, what they are paid, and what the market pays for it."""

from __future__ import annotations

from typing import Final

from domains.finance.statements.factors.declare import declare

__all__ = ["MARKET"]

_PER_SHARE: Final = """
book_value_per_share currency_per_share + textbook any LG
    common_equity / shares_outstanding
    Book value per share | 每股净资产

sales_per_share currency_per_share + textbook any LG
    revenue / weighted_shares
    Sales per share | 每股营业收入

cash_flow_per_share currency_per_share + textbook fin LG
    net_cash_operating / weighted_shares
    Operating cash flow per share | 每股经营现金流

free_cash_flow_per_share currency_per_share + textbook fin L
    free_cash_flow / weighted_shares
    Free cash flow per share | 每股自由现金流

retained_earnings_per_share currency_per_share + textbook any L
    retained_earnings / shares_outstanding
    Retained earnings per share | 每股留存收益

reserve_per_share currency_per_share 0 textbook any L
    capital_reserve / shares_outstanding
    Additional paid-in capital per share | 每股资本公积

current_asset_value_per_share currency_per_share + graham any L
    (current_assets - liabilities) / shares_outstanding
    Net current asset value per share | 每股净流动资产价值

graham_number currency_per_share 0 graham any L
    sqrt(22.5 * eps_diluted * common_equity / shares_outstanding)
    Graham number | 格雷厄姆数

dilution percent - ias33 any LCP
    diluted_shares / weighted_shares - 1
    Dilution of weighted shares | 股本稀释率

share_issue_rate percent - textbook any LP
    growth(shares_outstanding)
    Growth of shares outstanding | 总股本增长率
"""

_PRICE: Final = """
price_to_earnings ratio 0 textbook any LCTVZP
    share_price / eps_diluted
    Price to earnings | 市盈率

earnings_yield percent + textbook any LC
    eps_diluted / share_price
    Earnings yield | 盈利收益率

price_to_book ratio 0 textbook any LCTVZP
    market_capitalisation / common_equity
    Price to book | 市净率

price_to_sales ratio 0 textbook any LCP
    market_capitalisation / revenue
    Price to sales | 市销率

price_to_cash_flow ratio 0 textbook fin LP
    market_capitalisation / net_cash_operating
    Price to operating cash flow | 市现率

price_to_tangible_book ratio 0 textbook any L
    market_capitalisation / tangible_equity
    Price to tangible book | 市值与有形净资产之比

free_cash_flow_yield percent + textbook fin LCP
    free_cash_flow / market_capitalisation
    Free cash flow yield | 自由现金流收益率

dividend_yield percent 0 textbook any LCP
    dividends_per_share / share_price
    Dividend yield | 股息率

payout_ratio percent 0 textbook any LC
    dividends_paid / common_income
    Payout ratio | 股利支付率

total_payout_yield percent 0 textbook any L
    (dividends_paid + opt(shares_repurchased) - opt(shares_issued)) / market_capitalisation
    Net payout yield | 净派付收益率

ev_to_ebitda ratio 0 textbook fin LCTVZP
    enterprise_value / ebitda
    Enterprise value to EBITDA | 企业价值倍数

ev_to_ebit ratio 0 textbook fin LP
    enterprise_value / ebit
    Enterprise value to EBIT | 企业价值与息税前利润之比

ev_to_sales ratio 0 textbook fin LP
    enterprise_value / revenue
    Enterprise value to sales | 企业价值与收入之比

ev_to_invested_capital ratio 0 textbook fin L
    enterprise_value / invested_capital
    Enterprise value to invested capital | 企业价值与投入资本之比

tobin_q ratio 0 chung1994 fin LCP
    (market_capitalisation + opt(preferred_equity) + total_debt + current_liabilities - current_assets) / total_assets
    Approximate Tobin's q | 近似托宾 Q

market_leverage percent - textbook fin LP
    total_debt / (total_debt + market_capitalisation)
    Debt to debt and market value of equity | 市值口径杠杆率

market_to_liabilities ratio + altman1968 fin LC
    market_capitalisation / liabilities
    Market value of equity to liabilities (X4 of Altman) | 权益市值与总负债之比（阿尔特曼 X4）

price_earnings_to_growth ratio 0 textbook any L
    share_price / eps_diluted / (100 * growth(eps_diluted))
    Price-earnings to growth | 市盈增长比
"""

_SUSTAINABLE: Final = """
retention_rate percent 0 higgins1977 any L
    quotient(retained_income, net_income)
    Retention rate | 留存比率

sustainable_growth percent + higgins1977 fin LCP
    retained_income / prior(equity)
    Sustainable growth rate | 可持续增长率

internal_growth percent + higgins1977 fin L
    retained_income / prior(total_assets)
    Internal growth rate | 内部增长率

growth_gap points - higgins1977 fin LP
    growth(revenue) - retained_income / prior(equity)
    Revenue growth beyond sustainable growth | 收入增速超出可持续增长率
"""

MARKET: Final = (
    *declare("per_share", _PER_SHARE),
    *declare("valuation", _PRICE),
    *declare("sustainable_growth", _SUSTAINABLE),
)
"""Factors of shares, prices and growth from within."""
