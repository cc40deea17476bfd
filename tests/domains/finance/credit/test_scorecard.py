"""The scorecard: points by hand, a sum that anybody can check, the same bytes each time, nothing protected in it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from domains.finance.credit.applications import Applications
from domains.finance.credit.binning import Bin, Bins
from domains.finance.credit.characteristics import CHARACTERISTICS, MISSING, NOT_USED
from domains.finance.credit.reasons import MOST, reasons
from domains.finance.credit.scorecard import Scale, Scorecard, fit_scorecard
from domains.finance.models import ModelAltered
from tests.domains.finance.credit.conftest import make_rows, read_rows

SCALE = Scale(points=600, odds=20, double=40)


def by_hand() -> Scorecard:
    """Two characteristics, intercept ln 4, coefficients 1: even to work out with a pencil."""
    housing = Bins("housing", False, (), (Bin("own", 3, 1, math.log(2)), Bin("rent", 1, 3, -math.log(2))), 0.5)
    term = Bins(
        "duration_in_month", True, (24.0,), (Bin("under 24", 3, 1, math.log(4)), Bin("24 and over", 1, 3, 0.0)), 0.5
    )
    coefficients = {"duration_in_month": 1.0, "housing": 1.0}
    means = {"duration_in_month": 260.0, "housing": 260.0}
    return Scorecard(math.log(4), coefficients, {"housing": housing, "duration_in_month": term}, SCALE, means)


def test_the_scale_by_hand() -> None:
    assert SCALE.probability_bad(600) == pytest.approx(1 / 21)  # 20 : 1
    assert SCALE.probability_bad(640) == pytest.approx(1 / 41)  # 40 : 1, one doubling on
    assert SCALE.probability_bad(SCALE.offset) == pytest.approx(1 / 2)


def test_points_by_hand() -> None:
    # offset = 600 - 40 log2(20) = 427.12; half of it 213.56; half of the intercept: 20 log2(4) = 40
    card = by_hand()
    assert card.table() == {
        "duration_in_month": {"under 24": 334, "24 and over": 254},  # 213.56 + 40 + 40 log2(4) = 333.56; 253.56
        "housing": {"own": 294, "rent": 214},  # 253.56 + 40; 253.56 - 40
    }


def test_the_score_is_the_sum_and_the_probability_follows_from_it() -> None:
    scored = by_hand().score({"housing": "own", "duration_in_month": 12.0})
    assert scored.score == 334 + 294 == sum(scored.points.values())
    assert scored.probability_bad == SCALE.probability_bad(628)
    assert scored.unseen == ()


@pytest.mark.parametrize(("housing", "term"), [("boat", 12.0), (MISSING, 12.0), ("own", math.nan)])
def test_what_was_not_seen_is_neutral_and_said(housing: str, term: float) -> None:
    scored = by_hand().score({"housing": housing, "duration_in_month": term})
    name = "housing" if housing != "own" else "duration_in_month"
    assert scored.unseen == (name,)
    assert scored.points[name] == 254  # as a weight of 0


def test_reasons_by_hand() -> None:
    card = by_hand()
    applicant: dict[str, Any] = {"housing": "rent", "duration_in_month": 36.0}
    found = reasons(card, card.score(applicant), applicant)
    assert [(item.code, item.bin, item.shortfall) for item in found] == [
        ("housing", "rent", 46.0),
        ("duration_in_month", "24 and over", 6.0),
    ]
    assert found[0].en == "Housing situation (rent): 46 points below the average applicant"
    assert found[0].zh == "住房情况（rent）：比平均申请人低 46 分"


def test_nobody_is_given_a_reason_that_is_none() -> None:
    card = by_hand()
    applicant: dict[str, Any] = {"housing": "own", "duration_in_month": 12.0}
    assert reasons(card, card.score(applicant), applicant) == ()


def test_reasons_are_few_and_weightiest_first(table: Applications) -> None:
    card = fit_scorecard(table)
    for row in range(len(table)):
        applicant = applicant_of(table, row)
        found = reasons(card, card.score(applicant), applicant)
        lost = [item.shortfall for item in found]
        assert len(found) <= MOST
        assert lost == sorted(lost, reverse=True)
        assert all(value > 0.5 for value in lost)


def applicant_of(table: Applications, row: int) -> dict[str, float | str]:
    return {
        item.name: (float(table.numbers[item.name][row]) if item.numeric else str(table.texts[item.name][row]))
        for item in CHARACTERISTICS
    }


def test_points_agree_with_the_regression_but_for_rounding(table: Applications) -> None:
    card = fit_scorecard(table)
    exact = card.log_odds_bad(table)
    most = 0.5 * len(card.coefficients) / card.scale.factor
    for row in range(len(table)):
        p = card.score(applicant_of(table, row)).probability_bad
        assert math.log(p / (1 - p)) == pytest.approx(exact[row], abs=most)


def test_it_learns_the_rule_that_made_the_table(table: Applications) -> None:
    card = fit_scorecard(table)
    account = card.table()["status_of_existing_checking_account"]
    assert account["... < 0 DM"] < account["0 <= ... < 200 DM"] < account["no checking account"]
    term = list(card.table()["duration_in_month"].values())
    assert term == sorted(term, reverse=True)
    assert len(term) > 1


def test_no_coefficient_turns_a_better_bin_into_a_worse_one(table: Applications) -> None:
    assert all(value >= 0 for value in fit_scorecard(table).coefficients.values())


def test_the_same_table_gives_the_same_bytes(table: Applications) -> None:
    assert fit_scorecard(table).encoded() == fit_scorecard(table).encoded()


def test_what_is_protected_changes_nothing(tmp_path: Path) -> None:
    rows = make_rows(120)
    plain = fit_scorecard(read_rows(tmp_path, rows)).encoded()
    random = np.random.default_rng(5)
    for row in rows:
        row |= {
            "personal_status_and_sex": str(random.choice(["male : single", "female : single", ""])),
            "age_in_years": int(random.integers(18, 90)),
            "foreign_worker": str(random.choice(["yes", "no"])),
            "telephone": str(random.choice(["yes", "none"])),
            "number_of_people_being_liable_to_provide_maintenance_for": int(random.integers(0, 9)),
        }
    assert fit_scorecard(read_rows(tmp_path, rows)).encoded() == plain


def test_no_protected_name_stands_in_the_saved_card(table: Applications) -> None:
    said = json.loads(fit_scorecard(table).encoded())
    assert set(said["coefficients"]).isdisjoint(NOT_USED)


def test_it_survives_its_json(table: Applications) -> None:
    card = fit_scorecard(table)
    again = Scorecard.decoded(card.encoded())
    assert again.encoded() == card.encoded()
    assert np.array_equal(again.log_odds_bad(table), card.log_odds_bad(table))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        b'{"bins": [3]}',
        b'{"intercept": "x", "bins": [], "scale": {}}',
    ],
)
def test_what_is_no_scorecard_is_refused(data: bytes) -> None:
    with pytest.raises(ModelAltered):
        Scorecard.decoded(data)


def test_repeated_loans_do_not_change_what_is_seen_only_its_weight(tmp_path: Path) -> None:
    rows = make_rows(80)
    twice = [*rows, *({**row, "id": row["id"] + "b"} for row in rows)]
    once, double = fit_scorecard(read_rows(tmp_path, rows)), fit_scorecard(read_rows(tmp_path, twice))
    assert double.bins["housing"].bins[0].good == 2 * once.bins["housing"].bins[0].good
