"""Fairness figures against counts made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from domains.finance.credit import measures
from domains.finance.credit.fairness import fairness, in_blocks, worst_ratio
from domains.finance.modelcard import FairnessRow, Metric

#                    women: 4                 men: 6
GROUPS = np.array(["f", "f", "f", "f", "m", "m", "m", "m", "m", "m"])
BAD = np.array([0, 0, 1, 1, 0, 0, 0, 0, 1, 1])
P = np.array([0.1, 0.4, 0.1, 0.9, 0.1, 0.1, 0.1, 0.4, 0.1, 0.6])
COUNTS = measures.draws(10, seed=0, count=400)


def report(groups: np.ndarray = GROUPS, bad: np.ndarray = BAD, p: np.ndarray = P) -> dict[str, dict[str, Metric]]:
    rows = fairness("sex", groups, bad=bad, probability=p, counts=COUNTS, order=("f", "m", "x"), cut_off=0.25)
    return {row.group: {metric.name: metric for metric in row.metrics} for row in rows}


def test_by_hand() -> None:
    women, men = report()["f"], report()["m"]
    assert women["selection_rate"].value == 2 / 4
    assert women["tpr"].value == 1 / 2
    assert women["fpr"].value == 1 / 2
    assert women["auc"].value == pytest.approx((0.5 + 0 + 1 + 1) / 4)  # .1-.1 tie, .1 < .4, .9 twice ahead
    assert women["bad_rate"].value == 1 / 2
    assert women["calibration"].value == pytest.approx(1.5 / 4 - 1 / 2)
    assert men["selection_rate"].value == pytest.approx(4 / 6)
    assert men["tpr"].value == 3 / 4
    assert men["fpr"].value == 1 / 2


def test_the_impact_ratio_is_against_the_highest_rate() -> None:
    found = report()
    assert found["f"]["impact_ratio"].value == pytest.approx((2 / 4) / (4 / 6))
    assert found["m"]["impact_ratio"].value == 1.0
    assert found["m"]["impact_ratio"].low == found["m"]["impact_ratio"].high == 1.0


def test_a_group_without_rows_is_left_out() -> None:
    assert set(report()) == {"f", "m"}


def test_every_interval_holds_its_value() -> None:
    for metrics in report().values():
        for metric in metrics.values():
            assert metric.value is not None
            assert metric.low is None or metric.low <= metric.value <= (metric.high or 0)


def test_what_cannot_be_computed_says_why() -> None:
    found = report(bad=np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 1]))
    assert (found["f"]["fpr"].value, found["f"]["fpr"].why) == (None, "no bad loan")
    assert (found["f"]["auc"].value, found["f"]["auc"].why) == (None, "one class only")
    assert (found["m"]["tpr"].value, found["m"]["tpr"].why) == (None, "no good loan")


def test_nobody_approved_has_no_ratio() -> None:
    found = report(p=np.full(10, 0.9))
    assert found["f"]["selection_rate"].value == 0
    assert (found["f"]["impact_ratio"].value, found["f"]["impact_ratio"].why) == (None, "nobody was approved")


def test_one_person_has_figures_and_hardly_an_interval() -> None:
    groups = GROUPS.copy()
    groups[0] = "x"
    found = report(groups=groups)["x"]
    assert found["selection_rate"].value == 1.0
    assert found["auc"].value is None


def test_the_worst_ratio_leaves_small_groups_out() -> None:
    rows = [
        FairnessRow(attribute="a", group=str(n), n=n, metrics=(Metric(name="impact_ratio", value=value),))
        for n, value in ((29, 0.1), (30, 0.7), (31, 1.0))
    ]
    assert worst_ratio(rows) == 0.7
    assert worst_ratio(rows[:1]) is None
    assert worst_ratio([]) is None


def test_exchanging_two_groups_exchanges_their_figures() -> None:
    swapped = np.where(GROUPS == "f", "m", "f")
    before, after = report(), report(groups=swapped)
    for name in ("selection_rate", "tpr", "fpr", "auc", "calibration", "impact_ratio"):
        assert after["m"][name].value == before["f"][name].value


def test_a_column_sorted_by_itself_is_seen() -> None:
    mixed = np.random.default_rng(0).permutation(np.array(["f"] * 180 + ["m"] * 360))
    assert not in_blocks(mixed)
    assert in_blocks(np.sort(mixed))
    assert in_blocks(np.concatenate([np.sort(mixed), np.sort(mixed)]))


@pytest.mark.parametrize("column", [[], ["f"], ["f", "m"], ["f"] * 50, ["f", "f", "m"], list("fm" * 100)])
def test_short_uniform_and_alternating_columns_lie_in_no_blocks(column: list[str]) -> None:
    assert not in_blocks(np.array(column, dtype=np.str_))


def test_blocks_by_hand() -> None:
    # 8 + 8: S2 = 128, S3 = 1024; E R = (272 - 128) / 16 = 9; Var R = (128 x 400 - 32768 - 4096) / 3840 = 56 / 15;
    # two runs lie 7 / 1.93 = 3.6 deviations below: not yet beyond chance
    assert not in_blocks(np.array(["f"] * 8 + ["m"] * 8))
    # 40 + 40: E R = 41, Var R = 19.7: two runs are 8.8 below
    assert in_blocks(np.array(["f"] * 40 + ["m"] * 40))


def test_a_tiny_group_is_not_the_measure_of_others() -> None:
    groups = np.array(["x"] * 5 + ["f"] * 40 + ["m"] * 40)
    p = np.array([0.1] * 5 + [0.1] * 20 + [0.9] * 20 + [0.1] * 10 + [0.9] * 30)
    rows = fairness(
        "sex",
        groups,
        bad=np.tile([0, 1, 0, 0, 0], 17),
        probability=p,
        counts=measures.draws(85, seed=0, count=50),
        order=("f", "m", "x"),
    )
    ratio = {row.group: metric.value for row in rows for metric in row.metrics if metric.name == "impact_ratio"}
    assert ratio == {"f": 1.0, "m": 0.5, "x": 2.0}
