"""What is decided between figures and statements, and that it is said."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from domains.finance.statements.body import gather_request, refuse_doubled_keys
from domains.finance.statements.errors import StatementsError
from domains.finance.statements.intake.assembly import Gathered
from domains.finance.statements.refusals import FileRefused, InputRefused, MixedCurrencies, PeriodConflict
from domains.finance.statements.schema import StatementsIn


def gathered(*periods: dict[str, Any], **more: Any) -> Gathered:
    return gather_request(StatementsIn.model_validate({"company": "A", "currency": "CNY", "periods": periods} | more))


def period(end: str, figures: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"end": end, "figures": figures} | more


def test_units_hold_for_a_request_or_a_period() -> None:
    found = gathered(
        period("2022", {"营业收入": 1, "每股收益": 0.5, "期末总股本": 7}),
        period("2023", {"营业收入": 1, "期末总股本": 7}, unit="亿元"),
        unit="万元",
        share_unit="million",
    ).statements
    first, second = found.periods
    assert [found.value("revenue", one) for one in (first, second)] == [10_000, 100_000_000]
    assert found.value("eps_basic", first) == Decimal("0.5")
    assert found.value("shares_outstanding", second) == 7_000_000


def test_costs_shown_as_deductions_are_turned_and_it_is_said() -> None:
    found = gathered(period("2023", {"营业收入": 10, "营业成本": "(6)", "库存股": -2, "净利润": -1}))
    one = found.statements.periods[0]
    assert found.statements.value("cost_of_sales", one) == 6
    assert found.statements.value("treasury_shares", one) == 2
    assert found.statements.value("net_income", one) == -1
    assert set(found.turned) == {"cost_of_sales", "treasury_shares"}


def test_what_cannot_be_below_zero_is_left_out_and_shown() -> None:
    found = gathered(period("2023", {"营业收入": 10, "存货": -5}))
    assert found.statements.cell("inventories", found.statements.periods[0]) is None
    assert [(cell.concept, cell.value) for cell in found.impossible] == [("inventories", -5)]


def test_a_period_given_again_with_its_day_of_filing_is_restated() -> None:
    found = gathered(
        period("2023", {"营业收入": 10, "净利润": 1}, filed="2024-04-01"),
        period("2023", {"营业收入": 12, "净利润": 1}, filed="2024-08-30"),
    )
    assert found.statements.value("revenue", found.statements.periods[0]) == 12
    assert [(one.used.value, one.earlier.value, one.filed) for one in found.restated] == [(12, 10, date(2024, 8, 30))]


def test_a_period_given_twice_with_other_figures_is_refused() -> None:
    with pytest.raises(PeriodConflict):
        gathered(period("2023", {"营业收入": 10}), period("2023-12-31", {"营业收入": 12}))


def test_a_period_given_twice_alike_is_one() -> None:
    assert len(gathered(period("2023", {"营业收入": 10}), period("2023", {"营业收入": 10})).statements.cells) == 1


def test_an_items_own_title_goes_before_another_name_of_it() -> None:
    found = gathered(period("2023", {"营业总收入": 12, "营业收入": 10}))
    assert found.statements.value("revenue", found.statements.periods[0]) == 10


def test_two_other_names_that_contradict_each_other_give_nothing() -> None:
    found = gathered(period("2023", {"营业总收入": 12, "主营业务收入": 10, "净利润": 1}))
    assert found.statements.value("revenue", found.statements.periods[0]) is None
    assert sorted(cell.value for cell in found.ambiguous) == [10, 12]


def test_lines_reported_apart_are_added_up_and_it_is_said() -> None:
    found = gathered(period("2023", {"盈余公积": 3, "未分配利润": 7, "净利润": 1}))
    cell = found.statements.cell("retained_earnings", found.statements.periods[0])
    assert cell is not None
    assert cell.value == 10
    assert " + " in cell.source.place
    assert found.summed == ("retained_earnings",)


def test_the_whole_goes_before_the_parts() -> None:
    found = gathered(period("2023", {"未分配利润": 7, "retained earnings": 11}))
    assert found.statements.value("retained_earnings", found.statements.periods[0]) == 11
    assert found.summed == ()


def test_periods_of_another_length_are_left_aside_and_counted() -> None:
    found = gathered(
        period("2022", {"营业收入": 10}), period("2023", {"营业收入": 10}), period("2023Q1", {"营业收入": 3})
    )
    assert len(found.statements.periods) == 2
    assert found.aside == 1


def test_periods_that_overlap_are_refused() -> None:
    with pytest.raises(StatementsError) as refused:
        gathered(period("2023-12-31", {"营业收入": 10}), period("2023-09-30", {"营业收入": 9}))
    assert "overlap" in refused.value.message


def test_an_opening_balance_sheet_is_a_period_of_its_own() -> None:
    found = gathered(period("2022-12-31", {"资产总计": 8, "存货": 2}), period("2023", {"资产总计": 9, "营业收入": 5}))
    assert len(found.statements.periods) == 2


@pytest.mark.parametrize(
    "broken",
    [
        {"currency": "yen or so"},
        {"unit": "dozens"},
        {"industry": "astrology"},
        {"periods": [period("2023", {"营业收入": "1e300"})]},
        {"periods": [period("2023", {"营业收入": "NaN"})]},
        {"periods": [period("2023", {"营业收入": "12%"})]},
        {"periods": [period("whenever", {"营业收入": 1})]},
        {"periods": [period("2023", {"神秘项目": 1})]},
        {"periods": [period("2023", {})]},
        {"periods": [period("2023", {"分部收入": 5})]},
        {"periods": [period("2023", {}, parts={"营业收入": {"A": 1}})]},
        {"periods": [period("2023", {"营业收入": 1}, filed="yesterday")]},
    ],
)
def test_what_cannot_be_taken_is_refused_with_a_remedy(broken: dict[str, Any]) -> None:
    with pytest.raises(StatementsError) as refused:
        gathered(
            *broken.get("periods", [period("2023", {"营业收入": 1})]),
            **{k: v for k, v in broken.items() if k != "periods"},
        )
    assert refused.value.remedy


def test_mixed_currencies_are_refused_with_a_remedy() -> None:
    with pytest.raises(MixedCurrencies) as refused:
        gathered(period("2022", {"营业收入": 1}), period("2023", {"营业收入": 1}, currency="USD"))
    assert "CNY, USD" in refused.value.message


def test_an_unmapped_line_is_listed_with_what_it_may_have_meant() -> None:
    found = gathered(period("2023", {"营业收入": 1, "应收帐款": 5}))
    (one,) = found.unmapped
    assert (one.label, one.figures, one.nearest[0]) == ("应收帐款", 1, "trade_receivables")


def test_a_key_that_stands_twice_is_refused() -> None:
    refuse_doubled_keys('{"a": {"营业收入": 1, "净利润": 1}}'.encode())
    with pytest.raises(InputRefused) as refused:
        refuse_doubled_keys('{"a": [{"营业收入": 1, "营业收入": 2}]}'.encode())
    assert "营业收入" in refused.value.message
    for broken in (b"{", b"[" * 100_000, b"\xff"):
        with pytest.raises(FileRefused):
            refuse_doubled_keys(broken)
