"""Concentration: how much hangs on few segments, regions, customers, suppliers, due dates or related parties."""

from __future__ import annotations

from typing import Final

from domains.finance.statements.factors.declare import declare

__all__ = ["CONCENTRATION"]

CONCENTRATION: Final = tuple(
    declare(
        "concentration",
        """
largest_segment_share percent - ifrs8 any LC
    top(segment_revenue, 1) / parts_sum(segment_revenue)
    Largest segment's share of revenue | 最大分部收入占比

segment_concentration ratio - ifrs8 any LCP
    parts_squares(segment_revenue) / (parts_sum(segment_revenue) * parts_sum(segment_revenue))
    Herfindahl index of segments by revenue | 分部收入赫芬达尔指数

segment_entropy ratio + jacquemin1979 any LC
    entropy(segment_revenue)
    Entropy of segments by revenue | 分部收入熵

segment_asset_concentration ratio - ifrs8 any LC
    parts_squares(segment_assets) / (parts_sum(segment_assets) * parts_sum(segment_assets))
    Herfindahl index of segments by assets | 分部资产赫芬达尔指数

largest_segment_profit_share percent - ifrs8 any LC
    top(segment_profit, 1) / parts_sum(segment_profit)
    Largest segment's share of profit | 最大分部利润占比

largest_region_share percent - ifrs8 any LC
    top(region_revenue, 1) / parts_sum(region_revenue)
    Largest region's share of revenue | 最大地区收入占比

region_concentration ratio - ifrs8 any L
    parts_squares(region_revenue) / (parts_sum(region_revenue) * parts_sum(region_revenue))
    Herfindahl index of regions by revenue | 地区收入赫芬达尔指数

region_entropy ratio + jacquemin1979 any LC
    entropy(region_revenue)
    Entropy of regions by revenue | 地区收入熵

largest_customer_share percent - ifrs8 any LCP
    top(customer_revenue, 1) / revenue
    Largest customer's share of revenue | 第一大客户收入占比

top_customers_share percent - csrc any LCTP
    top(customer_revenue, 5) / revenue
    Five largest customers' share of revenue | 前五大客户收入占比

customer_concentration ratio - ifrs8 any LC
    parts_squares(customer_revenue) / (revenue * revenue)
    Herfindahl index of named customers | 主要客户赫芬达尔指数

largest_supplier_share percent - csrc fin LCP
    top(supplier_purchases, 1) / purchases
    Largest supplier's share of purchases | 第一大供应商采购占比

top_suppliers_share percent - csrc fin LCP
    top(supplier_purchases, 5) / purchases
    Five largest suppliers' share of purchases | 前五大供应商采购占比

supplier_concentration ratio - csrc fin LC
    parts_squares(supplier_purchases) / (purchases * purchases)
    Herfindahl index of named suppliers | 主要供应商赫芬达尔指数

maturity_concentration ratio - ifrs7 any LC
    parts_squares(debt_maturities) / (parts_sum(debt_maturities) * parts_sum(debt_maturities))
    Herfindahl index of debt by maturity band | 债务到期期限赫芬达尔指数

largest_maturity_share percent - ifrs7 any LC
    top(debt_maturities, 1) / parts_sum(debt_maturities)
    Largest maturity band's share of debt | 最大到期期限债务占比

related_sales_share percent - csrc any LCP
    related_party_sales / revenue
    Sales to related parties | 关联销售占比

related_purchases_share percent - csrc fin L
    related_party_purchases / purchases
    Purchases from related parties | 关联采购占比

related_receivables_share percent - csrc any L
    related_party_receivables / (trade_receivables + opt(other_receivables))
    Receivables from related parties | 应收关联方占比
""",
    )
)
"""Factors of concentration."""
