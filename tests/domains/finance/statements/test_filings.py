"""Three real annual reports: what the library computes from them against what was computed by hand.

The working beside each factor is what a person with the filing and a calculator does; the value is its result, rounded.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from domains.finance.statements.assess import Assessment, assess
from domains.finance.statements.body import gather_request
from domains.finance.statements.schema import AssessRequest
from tests.domains.finance.statements.filings import BOEING, CORNING, GENERAL_MILLS

HAND: dict[str, tuple[dict[str, Any], dict[str, tuple[str, str]]]] = {
    "corning": (
        CORNING,
        {
            "current_ratio": ("7,453 / 5,175", "1.4402"),
            "quick_ratio": ("(1,671 + 1,721) / 5,175 = 3,392 / 5,175", "0.6555"),
            "cash_ratio": ("1,671 / 5,175", "0.3229"),
            "working_capital_to_assets": ("(7,453 - 5,175) / 29,499 = 2,278 / 29,499", "0.0772"),
            "liabilities_to_assets": ("17,224 / 29,499", "0.5839"),
            "goodwill_to_equity": ("2,394 / 12,275", "0.1950"),
            "interest_cover": ("(1,797 + 292) / 292 = 2,089 / 292", "7.1541"),
            "gross_margin": ("4,506 / 14,189", "0.3176"),
            "net_margin": ("1,386 / 14,189", "0.0977"),
            "return_on_assets": ("1,386 / ((29,499 + 30,154) / 2) = 1,386 / 29,826.5", "0.0465"),
            "return_on_equity": ("1,386 / ((12,275 + 12,545) / 2) = 1,386 / 12,410", "0.1117"),
            "total_asset_turnover": ("14,189 / 29,826.5", "0.4757"),
            "receivables_turnover": ("14,189 / ((1,721 + 2,004) / 2) = 14,189 / 1,862.5", "7.6183"),
            "inventory_turnover": ("9,683 / ((2,904 + 2,481) / 2) = 9,683 / 2,692.5", "3.5963"),
            "revenue_growth": ("(14,189 - 14,082) / 14,082 = 107 / 14,082", "0.0076"),
            "net_income_growth": ("(1,386 - 1,935) / 1,935 = -549 / 1,935", "-0.2837"),
            "cash_to_income": ("2,615 / 1,386", "1.8867"),
            "free_cash_flow_margin": ("(2,615 - 1,604) / 14,189 = 1,011 / 14,189", "0.0713"),
            "gross_margin.change": ("4,506 / 14,189 - 5,063 / 14,082 = 0.31757 - 0.35954", "-0.0420"),
        },
    ),
    "boeing": (
        BOEING,
        {
            "current_ratio": ("109,523 / 90,052", "1.2162"),
            "quick_ratio": ("(14,614 + 2,606 + 2,517) / 90,052 = 19,737 / 90,052", "0.2192"),
            "cash_ratio": ("(14,614 + 2,606) / 90,052 = 17,220 / 90,052", "0.1912"),
            "cash_to_short_debt": ("17,220 / 5,190", "3.3179"),
            "liabilities_to_assets": ("152,948 / 137,100", "1.1156"),
            "interest_cover": ("(-5,022 + 2,533) / 2,533 = -2,489 / 2,533", "-0.9826"),
            "net_margin": ("-5,053 / 66,608", "-0.0759"),
            "gross_margin": ("(66,608 - 63,078) / 66,608 = 3,530 / 66,608", "0.0530"),
            "return_on_assets": ("-5,053 / ((137,100 + 138,552) / 2) = -5,053 / 137,826", "-0.0367"),
            "total_asset_turnover": ("66,608 / 137,826", "0.4833"),
            "inventory_turnover": ("63,078 / ((78,151 + 78,823) / 2) = 63,078 / 78,487", "0.8037"),
            "receivables_turnover": ("66,608 / ((2,517 + 2,641) / 2) = 66,608 / 2,579", "25.8271"),
            "cash_flow_margin": ("3,512 / 66,608", "0.0527"),
            "cash_flow_to_debt": ("3,512 / (5,190 + 51,811) = 3,512 / 57,001", "0.0616"),
            "revenue_growth": ("(66,608 - 62,286) / 62,286 = 4,322 / 62,286", "0.0694"),
            "free_cash_flow_margin": ("(3,512 - 1,222) / 66,608 = 2,290 / 66,608", "0.0344"),
        },
    ),
    "general_mills": (
        GENERAL_MILLS,
        {
            "current_ratio": ("5,089.8 / 8,019.9", "0.6346"),
            "quick_ratio": ("(569.4 + 1,692.1) / 8,019.9 = 2,261.5 / 8,019.9", "0.2820"),
            "cash_ratio": ("569.4 / 8,019.9", "0.0710"),
            "cash_to_short_debt": ("569.4 / (1,674.2 + 811.4) = 569.4 / 2,485.6", "0.2291"),
            "liabilities_to_assets": ("20,302.1 / 31,090.1", "0.6530"),
            "goodwill_to_equity": ("14,378.5 / 10,788.0", "1.3328"),
            "gross_margin": ("(18,992.8 - 12,590.6) / 18,992.8 = 6,402.2 / 18,992.8", "0.3371"),
            "net_margin": ("2,735.0 / 18,992.8", "0.1440"),
            "return_on_assets": ("2,735.0 / ((31,090.1 + 31,841.9) / 2) = 2,735.0 / 31,466.0", "0.0869"),
            "return_on_equity": ("2,735.0 / ((10,788.0 + 9,773.2) / 2) = 2,735.0 / 10,280.6", "0.2660"),
            "total_asset_turnover": ("18,992.8 / 31,466.0", "0.6036"),
            "inventory_turnover": ("12,590.6 / ((1,867.3 + 1,820.5) / 2) = 12,590.6 / 1,843.9", "6.8282"),
            "receivables_turnover": ("18,992.8 / ((1,692.1 + 1,638.5) / 2) = 18,992.8 / 1,665.3", "11.4050"),
            "revenue_growth": ("(18,992.8 - 18,127.0) / 18,127.0 = 865.8 / 18,127.0", "0.0478"),
            "net_income_growth": ("(2,735.0 - 2,346.0) / 2,346.0 = 389.0 / 2,346.0", "0.1658"),
            "cash_to_income": ("3,316.1 / 2,735.0", "1.2125"),
            "free_cash_flow_margin": ("(3,316.1 - 568.7) / 18,992.8 = 2,747.4 / 18,992.8", "0.1447"),
        },
    ),
}
CASES = [(name, factor) for name, (_, factors) in HAND.items() for factor in factors]


@pytest.fixture(scope="module")
def assessed() -> dict[str, Assessment]:
    return {name: assess(gather_request(AssessRequest.model_validate(filing))) for name, (filing, _) in HAND.items()}


@pytest.mark.parametrize(("name", "factor"), CASES)
def test_a_factor_is_what_was_computed_by_hand(assessed: dict[str, Assessment], name: str, factor: str) -> None:
    working, by_hand = HAND[name][1][factor]
    found = assessed[name].factors[factor][-1]
    assert found.value is not None, (working, str(found.reason))
    assert round(found.value, 4) == Decimal(by_hand), working


def test_every_line_of_the_filings_is_known_but_the_one_that_nets_interest(assessed: dict[str, Assessment]) -> None:
    unknown = {name: [item.label for item in one.gathered.unmapped] for name, one in assessed.items()}
    assert unknown == {"corning": [], "boeing": [], "general_mills": ["Interest, net"]}


def test_real_statements_pass_the_checks(assessed: dict[str, Assessment]) -> None:
    assert [finding for finding in assessed["corning"].findings if finding.gravity == "error"] == []
    assert [finding for finding in assessed["boeing"].findings if finding.gravity == "error"] == []


def test_equity_between_debt_and_capital_is_told(assessed: dict[str, Assessment]) -> None:
    """General Mills shows redeemable interests of 604.9 in 2021, between liabilities and equity."""
    found = [finding for finding in assessed["general_mills"].findings if finding.code == "balance"]
    assert [(finding.gravity, str(finding.period)) for finding in found] == [("warning", "2020-05-31..2021-05-30")]
    assert "USD 604.9 million" in found[0].sentences[0].text


def test_negative_equity_is_a_red_flag_and_ratios_to_it_are_not_applicable(assessed: dict[str, Assessment]) -> None:
    boeing = assessed["boeing"]
    assert boeing.risks[0].rule.id == "negative_equity"
    computed = boeing.factors["return_on_equity"][-1]
    assert computed.value is None
    assert str(computed.reason).startswith("negative")


def test_the_narratives_hold(assessed: dict[str, Assessment]) -> None:
    for one in assessed.values():
        assert one.struck == ()
        assert one.risks


def test_a_year_that_ends_in_may_is_called_by_its_last_day(assessed: dict[str, Assessment]) -> None:
    text = assessed["general_mills"].risks[0].sentences[0].text
    assert "the year to 2022-05-29" in text
