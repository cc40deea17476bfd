"""Medians, ratios by round, what is missing, and the table."""

from __future__ import annotations

import pytest

from benchmarks.serve_contender import MEASURES
from benchmarks.serve_figures import GOALS, Outcome, metrics, ratios, table


def outcome(name: str, *speeds: float | None, ready_s: float | None = None) -> Outcome:
    return Outcome(
        name,
        version=f"{name} 1.0",
        start_s=12.34,
        ready_s=ready_s,
        speeds={measure.name: list(speeds) for measure in MEASURES},
        elsewhere={measure.name: [0.0, 0.1] for measure in MEASURES},
    )


def test_a_row_has_the_median_and_the_range_of_its_rounds() -> None:
    row = outcome("ours", 30.0, 10.0, 20.0).row()
    assert row["decode_b1"] == 20.0
    assert row["decode_b1_range"] == [10.0, 30.0]
    assert (row["name"], row["version"], row["start_s"]) == ("ours", "ours 1.0", 12.3)
    assert row["elsewhere"] == 0.05
    assert row["elsewhere_most"] == 0.1
    assert "missing" not in row


def test_a_failed_round_is_left_out_and_the_reason_is_told() -> None:
    found = outcome("ours", 30.0, None, None)
    found.failure = "decode_b1, round 2: it broke"
    row = found.row()
    assert row["decode_b1"] == 30.0
    assert row["missing"] == "decode_b1, round 2: it broke"


def test_a_contender_without_figures_has_a_row_that_says_so() -> None:
    row = Outcome("llamacpp", failure="not installed").row()
    assert row == {"name": "llamacpp", "version": "", "start_s": None, "missing": "not installed"}


def test_a_ratio_compares_within_a_round() -> None:
    # The machine is half as fast in the second round, for both: medians of speeds would say 40 / 15.
    ours, rival = outcome("ours", 40.0, 20.0, 44.0), outcome("llamacpp", 20.0, 10.0, 15.0)
    assert ratios([ours, rival])["decode_b1_vs_llamacpp"] == 2.0


def test_rounds_that_one_of_them_missed_do_not_count() -> None:
    ours, rival = outcome("ours", None, 20.0, 40.0), outcome("llamacpp", 1.0, 10.0, None)
    assert ratios([ours, rival])["decode_b1_vs_llamacpp"] == 2.0
    assert ratios([outcome("ours", None), rival]) == {}


def test_no_ratio_without_ours_and_none_with_who_is_missing() -> None:
    assert ratios([outcome("llamacpp", 1.0)]) == {}
    assert ratios([outcome("ours", 1.0), Outcome("llamacpp", failure="not installed")]) == {}


def test_what_is_served_over_http_is_compared_with_its_like_alone() -> None:
    found = ratios(
        [
            outcome("ours", 40.0),
            outcome("vllm_stock_w8a8", 20.0),
            outcome("ours_http", 30.0),
            outcome("vllm_stock_w8a8_http", 10.0),
        ]
    )
    assert found["decode_b1_vs_vllm_stock_w8a8"] == 2.0
    assert found["decode_b1_http_vs_vllm_stock_w8a8"] == 3.0
    assert len(found) == 2 * len(MEASURES)


def test_the_metrics_have_the_names_of_the_contract() -> None:
    rivals = ("llamacpp", "vllm_stock_int4", "vllm_stock_w8a8", "transformers")
    found = metrics(
        [outcome("ours", 40.0), *(outcome(r, 20.0) for r in rivals), outcome("ours_http", 30.0, ready_s=31)]
    )
    wanted = {f"{measure.name}_vs_{rival}" for measure in MEASURES for rival in rivals}
    assert set(found) == wanted | {measure.name for measure in MEASURES} | {"ready_s"}
    assert found["ready_s"] == 31
    assert found["decode_b8"] == 40.0
    assert found["prefill_1k_vs_transformers"] == 2.0


def test_what_was_not_measured_is_no_metric() -> None:
    assert metrics([Outcome("ours", failure="no checkpoint"), outcome("llamacpp", 1.0)]) == {}


def test_the_goals_name_what_is_measured() -> None:
    assert set(GOALS) == {"llamacpp", "vllm_stock_int4", "vllm_stock_w8a8"}
    assert all(set(goals) == {measure.name for measure in MEASURES} for goals in GOALS.values())


def test_the_table_says_what_is_reached_what_is_short_and_what_is_missing() -> None:
    text = table(
        [outcome("ours", 20.0), outcome("llamacpp", 10.0), Outcome("transformers", failure="no weights")],
    )
    lines = text.splitlines()
    assert lines[0].split()[:3] == ["tokens", "a", "second"]
    assert "20.0 [20.0, 20.0]" in lines[1]
    assert "5%, most 10%" in lines[1]
    versus = next(line for line in lines if line.startswith("llamacpp") and "<" in line)
    assert versus.split() == ["llamacpp", "2.00", ">=", "1.0", "2.00", "<", "2.5", "2.00", ">=", "1.9"]
    assert lines[-1] == "transformers: no weights"


@pytest.mark.parametrize("outcomes", [[], [Outcome("ours", failure="broken")]])
def test_a_table_of_nothing_is_still_a_table(outcomes: list[Outcome]) -> None:
    assert "tokens a second" in table(outcomes)
