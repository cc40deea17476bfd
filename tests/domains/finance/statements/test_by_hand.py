"""Central factors and all composite scores, worked by hand from data/figures.csv.

Each line states the figures as they stand in the file (2024, 2023 and, where needed, earlier years) and what they come
to; nothing here reads a formula of the library.
"""

from __future__ import annotations

import math

import pytest

from tests.domains.finance.statements.test_goldens import found, near

AVERAGES = {  # (opening + closing) / 2 of 2024
    "total_assets": (1600 + 2000) / 2,  # 1800
    "equity": (840 + 1000) / 2,  # 920
    "current_liabilities": (400 + 500) / 2,  # 450
    "trade_receivables": (160 + 240) / 2,  # 200
    "inventories": (170 + 180) / 2,  # 175
    "trade_payables": (120 + 150) / 2,  # 135
}

# debt 2024: 120 + 40 + 10 + 350 + 40 = 560; 2023: 90 + 30 + 10 + 240 + 30 = 400. Cash and investments 240 and 190.
# EBIT 270 + 30 = 300; EBITDA 300 + 60 = 360. Purchases 720 + (180 - 170) = 730.
BY_HAND = {
    # liquidity
    "current_ratio": 1.6,  # 800 / 500
    "quick_ratio": 1.0,  # (200 + 40 + 20 + 240) / 500
    "cash_ratio": 0.48,  # 240 / 500
    "operating_cash_flow_ratio": 0.4,  # 180 / 450
    "working_capital_to_assets": 0.15,  # (800 - 500) / 2000
    "working_capital_to_revenue": 0.25,  # 300 / 1200
    "liquid_assets_to_assets": 0.12,  # 240 / 2000
    "cash_to_short_debt": 240 / 170,  # short-term debt 120 + 40 + 10
    "short_debt_share": 170 / 560,
    "defensive_interval": 365 * 500 / 840,  # cash costs 720 + 130 + 50 - 60
    "no_credit_interval": 0.0,  # quick assets 500 = current liabilities 500
    "net_liquid_balance": 0.025,  # (240 - 170 - 20) / 2000
    # solvency
    "liabilities_to_assets": 0.5,  # 1000 / 2000
    "liabilities_to_equity": 1.0,  # 1000 / 1000
    "debt_to_equity": 0.56,  # 560 / 1000
    "net_debt_to_equity": 0.32,  # (560 - 240) / 1000
    "tangible_equity_to_assets": 0.415,  # (1000 - 90 - 80) / 2000
    "retained_earnings_to_assets": 0.24,  # 480 / 2000
    # debt service
    "interest_cover": 10.0,  # 300 / 30
    "ebitda_interest_cover": 12.0,  # 360 / 30
    "net_debt_to_ebitda": 320 / 360,
    "cash_interest_cover": 268 / 28,  # (180 + 28 + 60) / 28
    "funds_to_debt": 276 / 560,  # 216 + 60
    "funds_to_liabilities": 0.276,  # 276 / 1000
    "debt_service_cover": 208 / 178,  # (180 + 28) / (28 + 150)
    "ebitda_debt_service_cover": 306 / 178,  # (360 - 54) / 178
    "interest_to_debt": 0.0625,  # 30 / ((560 + 400) / 2)
    "financial_leverage_degree": 300 / 270,
    "operating_leverage_degree": (300 / 255 - 1) / 0.2,  # EBIT 2023: 230 + 25
    # profitability
    "gross_margin": 0.4,  # 480 / 1200
    "operating_margin": 268 / 1200,
    "ebitda_margin": 0.3,  # 360 / 1200
    "net_margin": 0.18,  # 216 / 1200
    "return_on_assets": 0.12,  # 216 / 1800
    "return_on_equity": 216 / 920,
    "return_on_common_equity": 204 / 855,  # (206 - 2) / ((930 + 780) / 2)
    "return_on_invested_capital": 240 / 1185,  # 300 x (1 - 54/270); (1320 + 1050) / 2
    "gross_profitability": 0.24,  # 480 / 2000
    "effective_tax_rate": 0.2,  # 54 / 270
    "nonrecurring_share": 26 / 216,  # (216 - 190) / 216
    # efficiency
    "receivables_turnover": 6.0,  # 1200 / 200
    "receivables_turnover.growth": 6 / (1000 / 150) - 1,  # 2023: 1000 / ((140 + 160) / 2); minus 10 %
    "receivable_days": 365 / 6,
    "inventory_turnover": 720 / 175,
    "inventory_days": 365 * 175 / 720,
    "payable_days": 365 * 135 / 730,  # 67.5
    "cash_conversion_cycle": 365 / 6 + 365 * 175 / 720 - 67.5,
    "total_asset_turnover": 1200 / 1800,
    "asset_age": 0.3,  # 300 / 1000
    "allowance_rate": 20 / 260,  # 20 / (240 + 20)
    "capex_to_depreciation": 130 / 60,
    # cash flow
    "cash_to_income": 180 / 216,
    "free_cash_flow_margin": 50 / 1200,  # 180 - 130
    "collection_ratio": 0.95,  # 1140 / 1200
    "capex_cover": 180 / 130,
    "accruals_cash_flow": 0.02,  # (216 - 180) / 1800
    # change in (800 - 200) - (640 - 160) = 120; in liabilities (500 - 170 - 20) - (400 - 130 - 20) = 60; less 60
    "accruals_sloan": 0.0,
    "net_operating_assets": 1320 / 1600,  # 1000 + 560 - 240
    "inventory_signal": 180 / 170 - 1.2,
    "receivables_signal": 0.3,  # 240/160 - 1 = 50 % against 20 %
    # market
    "price_to_earnings": 10 / 0.66,
    "price_to_book": 3000 / 930,  # 300 shares at 10; common equity 950 - 20
    "ev_to_ebitda": 3390 / 360,  # 3000 + 320 + 20 + 50
    "dividend_yield": 0.02,  # 0.20 / 10
    "payout_ratio": 60 / 204,
    "tobin_q": 1.64,  # (3000 + 20 + 560 + 500 - 800) / 2000
    "sustainable_growth": 156 / 840,  # (216 - 60) / 840
    # growth, trend, volatility
    "revenue_growth": 0.2,  # 1200 / 1000 - 1
    "revenue.cagr3": 1.5 ** (1 / 3) - 1,  # 1200 / 800
    "revenue.cagr5": 2 ** (1 / 5) - 1,  # 1200 / 600
    "net_income_growth": 216 / 184 - 1,
    "current_ratio.change": 0.0,  # 640 / 400 was 1.6 too
    "gross_margin.trend3": 0.0125,  # 0.375, 0.4, 0.4: (0.4 - 0.375) / 2
    # around the mean 0.375 + 0.05/3: deviations -2, 1, 1 times 0.025/3
    "gross_margin.sd3": math.sqrt(6 / 2) * 0.025 / 3,
    "cash_burn_periods": 1.0,  # 2020
    "operating_cash_turns": 1.0,  # 2020 below, 2021 to 2024 above zero
    # concentration
    "segment_concentration": 14 / 36,  # shares 1/2, 1/3, 1/6
    "largest_customer_share": 0.15,  # 180 / 1200
    "top_customers_share": 500 / 1200,  # 180 + 120 + 90 + 60 + 50
    "top_suppliers_share": 290 / 730,  # 100 + 70 + 50 + 40 + 30
    "segment_entropy": math.log(2) / 2 + math.log(3) / 3 + math.log(6) / 6,
    # common size and levels
    "inventories_share": 0.09,  # 180 / 2000
    "selling_expense_share": 0.06,  # 72 / 1200
    "free_cash_flow": 50.0,
    "invested_capital": 1320.0,
}

# Altman's parts of 2024: X1 300/2000, X2 480/2000, X3 300/2000, X4 3000/1000, X5 1200/2000
X1, X2, X3, X5 = 0.15, 0.24, 0.15, 0.6
SCORES = {
    "altman_z": 1.2 * X1 + 1.4 * X2 + 3.3 * X3 + 0.6 * 3 + 0.999 * X5,  # 3.4104
    "altman_z_private": 0.717 * X1 + 0.847 * X2 + 3.107 * X3 + 0.42 * 1 + 0.998 * X5,  # 1.79568
    "altman_z_emerging": 6.56 * X1 + 3.26 * X2 + 6.72 * X3 + 1.05 * 1,  # 3.8244
    "springate_s": 1.03 * X1 + 3.07 * X3 + 0.66 * 270 / 500 + 0.4 * X5,
    "zmijewski_x": -4.336 - 4.513 * 0.108 + 5.679 * 0.5 + 0.004 * 1.6,  # net income 216 / 2000
    "taffler_z": 3.2 + 12.18 * 0.54 + 2.5 * 0.8 - 10.68 * 0.25 + 0.029 * 0,
    # Beneish: receivables/revenue 0.2 after 0.16; gross margin 0.4 twice; 1 - (800+700)/2000 = 0.25 and
    # 1 - (640+560)/1600 = 0.25; depreciation 60/760 after 50/610; overheads 130/1200 after 110/1000;
    # leverage (500+350)/2000 = 0.425 after (400+240)/1600 = 0.4
    "dsri": 1.25,
    "gmi": 1.0,
    "aqi": 1.0,
    "depi": (50 / 610) / (60 / 760),
    "sgai": (130 / 1200) / 0.11,
    "lvgi": 1.0625,
    "tata_2013": 0.016,  # (212 - 180) / 2000
    # (600 - 480) - ((500 - 40 - 20) - (400 - 30 - 20)) - 60 = 120 - 90 - 60
    "tata_1999": -0.015,
    # Ohlson, index 800: ln(2.5); O = -1.32 - 0.407 SIZE + ...
    "ohlson_size": math.log(2.5),
    "ohlson_change": 32 / 400,  # (216 - 184) / (216 + 184)
    "ohlson_insolvent": 0.0,
    "ohlson_losses": 0.0,
    "piotroski_profit": 1.0,
    "piotroski_cash": 1.0,
    "piotroski_improving": 1.0,  # 216/1600 = 0.135 after 184/1400 = 0.1314
    "piotroski_accrual": 0.0,  # 180 < 216
    "piotroski_leverage": 0.0,  # 390/1800 after 270/1500: 0.2167 > 0.18
    "piotroski_liquidity": 0.0,  # 1.6 twice
    "piotroski_shares": 1.0,  # none issued in 2024
    "piotroski_margin": 0.0,  # 0.4 twice
    "piotroski_turnover": 1.0,  # 1200/1600 = 0.75 after 1000/1400 = 0.714
    "piotroski_f": 5.0,
    "montier_accruals": 1.0,  # 216 - 180 = 36 after 184 - 200
    "montier_receivables": 1.0,  # 0.2 after 0.16
    "montier_inventories": 0.0,  # 0.25 after 0.2833
    "montier_other_assets": 0.0,  # 40/1200 after 40/1000
    "montier_depreciation": 1.0,  # 60/1000 after 50/810
    "montier_growth": 1.0,  # 25 % more assets
    "montier_c": 4.0,
    "dechow_issue": 1.0,
}
M_COMMON = -4.84 + 0.92 * 1.25 + 0.528 + 0.404 + 0.892 * 1.2 + 0.115 * SCORES["depi"] - 0.172 * SCORES["sgai"]
SCORES["beneish_m"] = M_COMMON + 4.679 * 0.016 - 0.327 * 1.0625
SCORES["beneish_m_1999"] = M_COMMON + 4.679 * -0.015 - 0.327 * 1.0625
SCORES["beneish_m_five"] = -6.065 + 0.823 * 1.25 + 0.906 + 0.593 + 0.717 * 1.2 + 0.107 * SCORES["depi"]
SCORES["ohlson_o"] = (
    -1.32
    - 0.407 * math.log(2.5)
    + 6.03 * 0.5
    - 1.43 * 0.15
    + 0.0757 * 0.625
    - 2.37 * 0.108
    - 1.83 * 0.276
    - 0.521 * 0.08
)
SCORES["ohlson_probability"] = 1 / (1 + math.exp(-SCORES["ohlson_o"]))
# common equity without cash: 1000 - 20 - 200 = 780 after 840 - 20 - 160 = 660; cash sales 1200 - 80 after 1000 - 20
DECHOW = (
    -7.893
    + 0.79 * 120 / 1800
    + 2.518 * 80 / 1800
    + 1.191 * 10 / 1800
    + 1.979 * 1100 / 2000
    + 0.171 * (1120 / 980 - 1)
    - 0.932 * (0.12 - 184 / 1500)
    + 1.029
)
SCORES["dechow_f"] = 1 / (1 + math.exp(-DECHOW)) / 0.0037


def test_enough_is_worked_by_hand() -> None:
    assert len(BY_HAND) >= 60
    assert set(found()) >= set(BY_HAND) | set(SCORES)


@pytest.mark.parametrize("name", BY_HAND)
def test_a_central_factor_is_what_the_hand_finds(name: str) -> None:
    assert near(found()[name][-1].value, BY_HAND[name])


@pytest.mark.parametrize("name", SCORES)
def test_a_score_is_what_the_hand_finds(name: str) -> None:
    assert near(found()[name][-1].value, SCORES[name])


def test_every_score_with_coefficients_is_worked_by_hand() -> None:
    groups = {"distress_scores", "manipulation_scores", "strength_scores"}
    left = {
        name
        for name, values in found().items()
        if values[0].factor.group in groups and "." not in name and name not in SCORES
    }
    assert left == {"altman_x3", "altman_x4_book", "altman_x5", "cash_sales_growth"}


def test_altman_of_the_worked_year_is_in_the_safe_zone() -> None:
    assert near(found()["altman_z"][-1].value, 3.4104)
    assert near(found()["altman_z_private"][-1].value, 1.79568)
    assert near(found()["altman_z_emerging"][-1].value, 3.8244)


def test_dupont_of_three_and_of_five_parts_multiplies_to_the_return_on_equity() -> None:
    """0.18 x 2/3 x 1800/920 = 216/920, and (1 - 0.2) x 0.9 x 0.25 x 2/3 x 1800/920 as well."""
    value = {name: float(values[-1].value or 0) for name, values in found().items()}
    three = value["net_margin"] * value["total_asset_turnover"] * value["equity_multiplier"]
    five = (
        (1 - value["effective_tax_rate"])
        * value["interest_burden"]
        * value["ebit_margin"]
        * value["total_asset_turnover"]
        * value["equity_multiplier"]
    )
    assert math.isclose(three, value["return_on_equity"], rel_tol=1e-12)
    assert math.isclose(five, value["return_on_equity"], rel_tol=1e-12)


@pytest.mark.parametrize(
    "parts",
    [
        ("dupont_margin_effect", "dupont_turnover_effect", "dupont_leverage_effect"),
        ("dupont_tax_effect", "dupont_interest_effect", "dupont_operating_effect"),
    ],
)
def test_chain_substitution_adds_up(parts: tuple[str, ...]) -> None:
    """Three effects make the whole change of the return on equity; the five-way ones leave turnover and leverage."""
    value = {name: float(values[-1].value or 0) for name, values in found().items()}
    before = {name: float(values[-2].value or 0) for name, values in found().items()}
    whole = value["return_on_equity"] - before["return_on_equity"]
    if "dupont_tax_effect" in parts:
        whole -= value["net_margin"] * (value["equity_turnover"] - before["equity_turnover"])
    assert math.isclose(sum(value[name] for name in parts), whole, rel_tol=1e-10)
