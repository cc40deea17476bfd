"""Company facts and inline XBRL: elements, contexts, scales, signs, restatements; and pages made to hurt."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from domains.finance.statements.intake.assembly import Gathered, gather
from domains.finance.statements.intake.figures import Limits
from domains.finance.statements.intake.grid import Defaults
from domains.finance.statements.intake.reading import read_file
from domains.finance.statements.refusals import FileRefused, InputRefused, LimitExceeded


def gathered(data: bytes | str | dict[str, Any], **more: Any) -> Gathered:
    raw = json.dumps(data).encode() if isinstance(data, dict) else data.encode() if isinstance(data, str) else data
    return gather(read_file(raw, name="facts.json", defaults=Defaults()), **more)


def fact(end: str, val: Any, *, start: str | None = None, filed: str = "2023-02-13", **more: Any) -> dict[str, Any]:
    found = {
        "end": end,
        "val": val,
        "accn": "0000024741-23-000010",
        "fy": 2022,
        "fp": "FY",
        "form": "10-K",
        "filed": filed,
    }
    return found | ({"start": start} if start else {}) | more


def facts(**elements: Any) -> dict[str, Any]:
    return {"cik": 24741, "entityName": "CORNING INC", "facts": {"us-gaap": elements}}


def usd(*items: dict[str, Any]) -> dict[str, Any]:
    return {"label": "x", "description": "y", "units": {"USD": list(items)}}


def year(number: int, val: int, **more: Any) -> dict[str, Any]:
    return fact(f"{number}-12-31", val, start=f"{number}-01-01", **more)


CORNING = facts(
    Revenues=usd(year(2021, 14_082_000_000), year(2022, 14_189_000_000)),
    Assets=usd(fact("2021-12-31", 30_154_000_000), fact("2022-12-31", 29_499_000_000)),
    PaymentsToAcquirePropertyPlantAndEquipment=usd(year(2022, 1_604_000_000)),
)


def test_facts_become_cells_with_their_element_and_filing() -> None:
    found = gathered(CORNING)
    newest = found.statements.periods[-1]
    assert (found.statements.company, found.statements.currency) == ("CORNING INC", "USD")
    assert found.statements.value("revenue", newest) == 14_189_000_000
    cell = found.statements.cell("total_assets", newest)
    assert cell is not None
    assert cell.source.tag == "Assets"
    assert cell.source.place == "10-K 0000024741-23-000010"


def test_a_restated_figure_is_used_and_the_earlier_one_kept() -> None:
    again = year(2022, 14_000_000_000, filed="2024-02-12")
    found = gathered(facts(Revenues=usd(year(2022, 14_189_000_000), again)))
    assert found.statements.value("revenue", found.statements.periods[0]) == 14_000_000_000
    (restated,) = found.restated
    assert (restated.used.value, restated.earlier.value) == (14_000_000_000, 14_189_000_000)
    assert (str(restated.filed), str(restated.filed_before)) == ("2024-02-12", "2023-02-13")


def test_the_same_fact_of_a_later_filing_is_no_restatement() -> None:
    found = gathered(facts(Revenues=usd(year(2022, 5), year(2022, 5, filed="2024-02-12"))))
    assert found.restated == ()


def test_quarters_and_years_are_told_by_their_days() -> None:
    mixed = facts(
        Revenues=usd(
            year(2022, 400),
            fact("2022-03-31", 100, start="2022-01-01"),
            fact("2022-06-30", 110, start="2022-04-01"),
            fact("2022-06-30", 210, start="2022-01-01"),
        )
    )
    assert [str(period) for period in gathered(mixed, months=12).statements.periods] == ["2022-01-01..2022-12-31"]
    quarters = gathered(mixed, months=3)
    assert [cell.value for cell in quarters.statements.cells] == [100, 110]
    assert quarters.aside == 2


def test_a_year_of_53_weeks_is_a_year() -> None:
    found = gathered(
        facts(Revenues=usd(fact("2021-05-30", 9, start="2020-06-01"), fact("2022-05-29", 10, start="2021-05-31")))
    )
    first, second = found.statements.periods
    assert second.follows(first)


def test_the_element_that_means_the_item_exactly_goes_first() -> None:
    found = gathered(facts(ProfitLoss=usd(year(2022, 1386)), NetIncomeLoss=usd(year(2022, 1316))))
    period = found.statements.periods[0]
    assert found.statements.value("net_income", period) == 1386
    assert found.statements.value("net_income_parent", period) == 1316


def test_units_that_do_not_fit_the_item_are_left_aside() -> None:
    mixed = facts(
        Revenues=usd(year(2022, 10)),
        EarningsPerShareBasic={"units": {"USD/shares": [year(2022, 1.56)]}},
        CommonStockSharesOutstanding={"units": {"shares": [fact("2022-12-31", 5)], "USD": [fact("2022-12-31", 7)]}},
    )
    found = gathered(mixed).statements
    period = found.periods[0]
    assert found.value("eps_basic", period) == Decimal("1.56")
    assert found.value("shares_outstanding", period) == 5


def test_only_the_newest_ten_years_are_kept() -> None:
    found = gathered(facts(Revenues=usd(*(year(number, number) for number in range(2005, 2023)))))
    assert len(found.statements.periods) == 10
    assert found.aside == 8


@pytest.mark.parametrize(
    "data",
    [
        {"entityName": "X", "facts": {"us-gaap": []}},
        {"entityName": "X", "facts": {"us-gaap": {"Assets": {"units": []}}}},
        {"entityName": "X", "facts": {"us-gaap": {"Assets": {"units": {"USD": {}}}}}},
        {"entityName": "X", "facts": {"us-gaap": {"Assets": {"units": {"USD": [{"val": 1}]}}}}},
        {"other": 1},
        "{broken",
        "[1]",
        '{"entityName": "X", "facts": {"us-gaap": {"Assets": {"units": {"USD": [{"end": "2022-12-31", "val": NaN}]}}}}',
        "{" * 100_000,
    ],
)
def test_what_is_not_companyfacts_is_refused(data: Any) -> None:
    with pytest.raises((FileRefused, InputRefused)):
        gathered(data)


@pytest.mark.parametrize("val", ["1", None, True, [1], 1e300, "x" * 100])
def test_a_fact_without_a_number_is_refused(val: Any) -> None:
    with pytest.raises(InputRefused):
        gathered(facts(Assets=usd(fact("2022-12-31", val))))


def test_more_facts_than_the_limit_are_refused() -> None:
    raw = json.dumps(CORNING).encode()
    with pytest.raises(LimitExceeded):
        read_file(raw, name="x", defaults=Defaults(), limits=Limits(facts=3))


HEAD = """<html xmlns="http://www.w3.org/1999/xhtml" xmlns:ix="http://www.xbrl.org/2013/inlineXBRL"
 xmlns:xbrli="http://www.xbrl.org/2003/instance" xmlns:xbrldi="http://xbrl.org/2006/xbrldi"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
 xmlns:ixt="http://www.xbrl.org/inlineXBRL/transformation/2020-02-12"><body><ix:header><ix:resources>
<xbrli:context id="y22"><xbrli:entity/><xbrli:period><xbrli:startDate>2022-01-01</xbrli:startDate>
<xbrli:endDate>2022-12-31</xbrli:endDate></xbrli:period></xbrli:context>
<xbrli:context id="i22"><xbrli:entity/><xbrli:period><xbrli:instant>2022-12-31</xbrli:instant></xbrli:period>
</xbrli:context>
<xbrli:context id="seg"><xbrli:entity><xbrli:segment>
<xbrldi:explicitMember dimension="a">b</xbrldi:explicitMember></xbrli:segment></xbrli:entity>
<xbrli:period><xbrli:startDate>2022-01-01</xbrli:startDate><xbrli:endDate>2022-12-31</xbrli:endDate></xbrli:period>
</xbrli:context>
<xbrli:unit id="usd"><xbrli:measure>iso4217:USD</xbrli:measure></xbrli:unit>
<xbrli:unit id="ps"><xbrli:divide>
<xbrli:unitNumerator><xbrli:measure>iso4217:USD</xbrli:measure></xbrli:unitNumerator>
<xbrli:unitDenominator><xbrli:measure>xbrli:shares</xbrli:measure></xbrli:unitDenominator></xbrli:divide></xbrli:unit>
</ix:resources></ix:header>
<ix:nonNumeric name="dei:EntityRegistrantName" contextRef="y22">CORNING <b>INC</b></ix:nonNumeric>
"""


def page(*elements: str) -> str:
    return f"{HEAD}<table><tr><td>{''.join(elements)}</td></tr></table></body></html>"


def number(name: str, text: str, *, context: str = "y22", unit: str = "usd", **attributes: str) -> str:
    more = "".join(f' {key.replace("_", ":")}="{value}"' for key, value in attributes.items())
    return f'<ix:nonFraction name="{name}" contextRef="{context}" unitRef="{unit}"{more}>{text}</ix:nonFraction>'


def test_inline_figures_have_scale_sign_context_and_their_place() -> None:
    found = gathered(
        page(
            number("us-gaap:Revenues", "14,189", scale="6", format="ixt:num-dot-decimal"),
            number("us-gaap:NetIncomeLoss", "1.316,5", scale="6", format="ixt:num-comma-decimal", sign="-"),
            number("us-gaap:Assets", "<span>29,4</span>99", context="i22", scale="6"),
            number("us-gaap:EarningsPerShareBasic", "1.56", unit="ps"),
            number("us-gaap:PaymentsOfDividends", "—", format="ixt:fixed-zero"),
            number("us-gaap:Goodwill", "", context="i22", xsi_nil="true"),
            number("us-gaap:Revenues", "999", context="seg", scale="6"),
            number("glw:Unknown", "7"),
        )
    ).statements
    period = found.periods[0]
    assert found.company == "CORNING INC"
    assert found.value("revenue", period) == 14_189_000_000
    assert found.value("net_income", period) == -1_316_500_000
    assert found.value("total_assets", period) == 29_499_000_000
    assert found.value("eps_basic", period) == Decimal("1.56")
    assert found.value("dividends_paid", period) == 0
    assert found.value("goodwill", period) is None
    cell = found.cell("revenue", period)
    assert cell is not None
    assert (cell.source.tag, cell.source.place) == ("us-gaap:Revenues", "context y22")


@pytest.mark.parametrize(
    "element",
    [
        number("us-gaap:Revenues", "five"),
        number("us-gaap:Revenues", "(5)"),
        number("us-gaap:Revenues", "5", scale="99"),
        number("us-gaap:Revenues", "5", scale="x"),
        number("us-gaap:Revenues", "9" * 40),
        number("us-gaap:Revenues", "5", context="nowhere"),
    ],
)
def test_a_figure_that_cannot_be_read_is_refused(element: str) -> None:
    with pytest.raises((InputRefused, FileRefused)):
        gathered(page(element))


@pytest.mark.parametrize(
    "bad",
    [
        "<html>no namespace</html>",
        HEAD,  # cut off
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>' + page("&b;"),
        '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>' + page("&f;"),
        HEAD + "<b>" * 300,
    ],
)
def test_pages_that_are_no_filing_or_made_to_hurt_are_refused(bad: str) -> None:
    with pytest.raises(FileRefused):
        gathered(bad)


def test_a_long_page_does_not_become_a_tree() -> None:
    filler = "<p>" + "word " * 2_000 + "</p>"
    found = gathered(page(number("us-gaap:Revenues", "5"), filler * 300))
    assert len(found.statements.cells) == 1
