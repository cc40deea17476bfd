"""The credit agreement is consistent in itself and with the borrower's annual report."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

import pytest

_AGREEMENT, _REPORT = "credit-agreement.pdf", "annual-report-2025.pdf"


@pytest.fixture(scope="module")
def agreement(pages_of: Callable[[str], list[str]]) -> str:
    return "\n".join(pages_of(_AGREEMENT))


@pytest.fixture(scope="module")
def report(pages_of: Callable[[str], list[str]]) -> str:
    return " ".join("\n".join(pages_of(_REPORT)).split())


def test_has_six_to_eight_pages(pages_of: Callable[[str], list[str]]) -> None:
    assert 6 <= len(pages_of(_AGREEMENT)) <= 8


def test_clauses_are_numbered_without_gaps(agreement: str) -> None:
    clauses = [int(number) for number in re.findall(r"^(\d{1,2})\. [A-Z]", agreement, re.MULTILINE)]
    assert clauses == list(range(1, 19))
    provisions = re.findall(r"^(\d{1,2})\.(\d) [A-Z]", agreement, re.MULTILINE)
    for clause in clauses:
        numbers = [int(second) for first, second in provisions if int(first) == clause]
        assert numbers == list(range(1, len(numbers) + 1))
        assert numbers


def test_every_clause_and_schedule_referred_to_exists(agreement: str) -> None:
    text = " ".join(agreement.split())
    for clause in re.findall(r"clauses? (\d+\.\d)", text):
        assert f"\n{clause} " in agreement
    for schedule in set(re.findall(r"Schedule (\d)", text)):
        assert f"\nSchedule {schedule}: " in agreement


@pytest.mark.parametrize(
    "term",
    ["Business Day", "Compliance Certificate", "EBITDA", "Event of Default", "Interest Period", "Leverage", "Net Debt"],
)
def test_terms_are_defined(agreement: str, term: str) -> None:
    assert f"\n{term} means" in agreement


def test_instalments_repay_facility_a(agreement: str) -> None:
    rows = re.findall(r"^(\d{1,2} \w+ 20\d\d) ([\d,]+) ([\d,]+)\s*$", agreement, re.MULTILINE)
    assert len(rows) == 18
    left = 120_000_000
    for _, instalment, balance in rows:
        left -= int(instalment.replace(",", ""))
        assert left == int(balance.replace(",", ""))
    assert left == 0
    days = [datetime.strptime(day, "%d %B %Y") for day, _, _ in rows]  # noqa: DTZ007 - dates without a time
    assert days == sorted(days)


def test_facilities_and_fee_add_up(agreement: str) -> None:
    text = " ".join(agreement.split())
    assert "£120,000,000 (Facility A)" in text
    assert "£60,000,000 (Facility B)" in text
    assert "total of the Facilities is £180,000,000" in text
    assert "1.00% of the total of the Facilities, which is £1,800,000" in text


def test_the_report_tells_the_same_terms(agreement: str, report: str) -> None:
    text = " ".join(agreement.split())
    for agreed, told in (
        ("Leverage does not exceed 3.25 to 1", "leverage must not exceed 3.25 to 1"),
        ("Interest Cover is not less than 4.00 to 1", "interest cover must not be less than 4.00 to 1"),
        ("This Agreement is dated 18 June 2025", "On 18 June 2025 the group signed a credit agreement"),
        ("Termination Date means 18 June 2030", "Both end on 18 June 2030"),
        ("registered in England and Wales with number 99417208", "England and Wales under number 99417208"),
        ("loan of £138,000,000 from its earlier lender", "Earlier term loan – 138,000"),
    ):
        assert agreed in text
        assert told in report


def test_margin_of_the_report_is_the_grids_for_its_leverage(agreement: str, report: str) -> None:
    leverage = float(re.search(r"leverage was (\d\.\d\d) to 1", report)[1])
    grid = re.findall(
        r"(?:More than (\d\.\d\d) to 1)?.*?(?:ot more than (\d\.\d\d) to 1)? (\d\.\d\d)%$", agreement, re.M
    )
    steps = [(float(low or 0), float(high or 99), margin) for low, high, margin in grid if low or high]
    assert len(steps) == 4
    [margin] = [margin for low, high, margin in steps if low < leverage <= high]
    assert f"the margin at the year end was {margin}% a year" in report


def test_mortgaged_ships_are_in_the_register_at_the_value_told(agreement: str, report: str) -> None:
    ships = re.findall(r"^\d (MV [A-Z]\w+ [A-Z]\w+) ", agreement, re.MULTILINE)
    assert len(ships) == 8
    values = [re.search(rf"{ship} [^£]*? Owned \d{{4}} ([\d,]+)", report)[1] for ship in ships]
    total = sum(int(value.replace(",", "")) for value in values)
    assert f"Eight vessels with a carrying amount of £{total:,} thousand" in report
