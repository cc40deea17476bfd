"""Weights of evidence, worked by hand; bins that follow a declared trend; values without a bin."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.finance.credit.applications import Applications
from domains.finance.credit.binning import Bins, cut, fit_bins, woe_matrix
from domains.finance.credit.characteristics import CHARACTERISTICS, MISSING
from tests.domains.finance.credit.conftest import make_rows, read_rows


def eight(tmp_path: Path, **fields: list[Any]) -> Applications:
    """Eight loans, the first four good: fields by hand, the others all the same."""
    rows = []
    for number, row in enumerate([dict(make_rows(1)[0]) for _ in range(8)]):
        row |= {"id": str(number), "creditability": "good" if number < 4 else "bad"}
        row |= {name: values[number] for name, values in fields.items()}
        rows.append(row)
    return read_rows(tmp_path, rows)


HOUSING = ["own", "own", "own", "rent", "own", "rent", "rent", "rent"]


def test_weights_and_information_value_by_hand(tmp_path: Path) -> None:
    # own: 3 good of 4, 1 bad of 4; rent: 1 and 3. WOE = ln(.75/.25) = ln 3 and -ln 3; IV = 2 x .5 x ln 3
    bins = fit_bins(eight(tmp_path, housing=HOUSING), pseudo=0)["housing"]
    assert [(item.label, item.good, item.bad) for item in bins.bins] == [("own", 3, 1), ("rent", 1, 3)]
    assert bins.woe("own") == pytest.approx(math.log(3))
    assert bins.woe("rent") == pytest.approx(-math.log(3))
    assert bins.iv == pytest.approx(math.log(3))


def test_pseudo_applicants_shrink_by_hand(tmp_path: Path) -> None:
    # with 4 pseudo-applicants at even odds: own 3 + 2 good, 1 + 2 bad: ln(5/3)
    bins = fit_bins(eight(tmp_path, housing=HOUSING), pseudo=4)["housing"]
    assert bins.woe("own") == pytest.approx(math.log(5 / 3))


def test_a_bin_without_bad_loans_stays_finite(tmp_path: Path) -> None:
    pure = ["own"] * 4 + ["rent"] * 4
    assert fit_bins(eight(tmp_path, housing=pure), pseudo=0)["housing"].woe("own") == pytest.approx(math.log(8))
    assert fit_bins(eight(tmp_path, housing=pure), pseudo=2)["housing"].woe("own") == pytest.approx(math.log(5))


def test_one_value_tells_nothing(tmp_path: Path) -> None:
    bins = fit_bins(eight(tmp_path), pseudo=0)
    assert all(item.iv == 0 for item in bins.values())
    assert bins["credit_amount"].edges == ()
    assert [item.label for item in bins["credit_amount"].bins] == ["any"]


def test_what_was_not_seen_weighs_nothing(tmp_path: Path) -> None:
    bins = fit_bins(eight(tmp_path, housing=HOUSING), pseudo=0)
    assert bins["housing"].find("boat") is None
    assert bins["housing"].woe("boat") == 0
    assert bins["housing"].woe(MISSING) == 0
    assert bins["credit_amount"].find(math.nan) is None


def test_missing_figures_are_a_bin_of_their_own(tmp_path: Path) -> None:
    bins = fit_bins(eight(tmp_path, credit_amount=[1, 2, 3, None, None, None, None, 4]), pseudo=0)["credit_amount"]
    assert bins.bins[-1].label == MISSING
    assert (bins.bins[-1].good, bins.bins[-1].bad) == (1, 3)
    assert bins.woe(math.nan) == pytest.approx(-math.log(3))


def test_only_missing_figures_make_one_bin_and_no_weight(tmp_path: Path) -> None:
    data = eight(tmp_path, credit_amount=[None] * 8)
    bins = fit_bins(data, pseudo=0)
    assert bins["credit_amount"].woe(math.nan) == 0
    assert bins["credit_amount"].woe(5.0) == 0
    assert np.isfinite(woe_matrix(bins, data)).all()


def test_an_edge_belongs_to_the_upper_bin() -> None:
    bins = Bins("x", True, (10.0, 20.0), (), 0.0)
    assert [bins.find(value) for value in (9.99, 10.0, 19.99, 20.0, 1e12)] == [0, 1, 1, 2, 2]


@given(
    values=st.lists(st.floats(0, 1e6), min_size=1, max_size=80),
    seed=st.integers(0, 1000),
    trend=st.sampled_from(["falling", "rising"]),
)
def test_bins_follow_the_declared_trend(values: list[float], seed: int, trend: Any) -> None:
    column = np.array(values)
    bad = np.random.default_rng(seed).integers(0, 2, column.size)
    edges = cut(column, bad, trend=trend, quantiles=8, least=0.05)
    place = np.searchsorted(np.array(edges), column, side="right")
    rate = [bad[place == part].mean() for part in range(len(edges) + 1)]
    assert all(share > 0 for share in np.bincount(place, minlength=len(edges) + 1))
    assert list(edges) == sorted(set(edges))
    assert all(np.diff(rate) >= 0) if trend == "falling" else all(np.diff(rate) <= 0)


@given(values=st.lists(st.integers(0, 50), min_size=20, max_size=100), seed=st.integers(0, 100))
def test_no_bin_holds_less_than_its_least_share(values: list[int], seed: int) -> None:
    column = np.array(values, dtype=float)
    bad = np.random.default_rng(seed).integers(0, 2, column.size)
    edges = cut(column, bad, trend="free", quantiles=10, least=0.15)
    count = np.bincount(np.searchsorted(np.array(edges), column, side="right"), minlength=len(edges) + 1)
    assert count.min() >= 0.15 * column.size or len(edges) == 0


def test_the_matrix_is_the_weights_one_by_one(table: Applications) -> None:
    bins = fit_bins(table, pseudo=5)
    matrix = woe_matrix(bins, table)
    assert matrix.shape == (len(table), len(CHARACTERISTICS))
    for place, item in enumerate(CHARACTERISTICS):
        column = table.numbers[item.name] if item.numeric else table.texts[item.name]
        assert matrix[:, place].tolist() == [bins[item.name].woe(value) for value in column.tolist()]


def test_more_pseudo_applicants_bring_every_weight_nearer_to_zero(table: Applications) -> None:
    loose, tight = fit_bins(table, pseudo=1), fit_bins(table, pseudo=50)
    for name, bins in loose.items():
        for before, after in zip(bins.bins, tight[name].bins, strict=True):
            assert abs(after.woe) <= abs(before.woe) + 1e-12


def test_bins_survive_their_plain_form(table: Applications) -> None:
    for bins in fit_bins(table, pseudo=3).values():
        assert Bins.from_plain(bins.plain()) == bins
