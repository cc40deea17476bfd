"""The suite: folds without leaks, rivals in the same folds, refusals, and the shared set where it is there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from domains.finance.credit.applications import FILE, Applications, read_applications
from domains.finance.credit.contenders import AVERAGED, CONTENDERS
from domains.finance.credit.crossvalidate import FOLDS, folds, out_of_fold
from domains.finance.credit.errors import ApplicationsRefused
from domains.finance.credit.evaluate import evaluate
from domains.finance.credit.fitting import fit_and_describe
from domains.finance.credit.measures import auc
from tests.domains.finance.credit.conftest import make_rows, read_rows, write_rows

SHARED = Path(__file__).resolve().parents[5] / "shared" / "data" / "fin_german_credit"
QUICK = {"scorecard": CONTENDERS["scorecard"]}
LINEAR = {name: CONTENDERS["scorecard" if name == "scorecard" else "logistic"] for name in CONTENDERS}
"""Linear models in the place of the trees, where a test is about the suite and not about the models."""


def test_every_row_lies_in_one_fold_and_every_fold_has_its_share(table: Applications) -> None:
    place = folds(table, seed=1)
    assert set(place.tolist()) == set(range(FOLDS))
    for label in (0, 1):
        count = np.bincount(place[table.bad == label], minlength=FOLDS)
        assert count.max() - count.min() <= 1


def test_folds_follow_the_seed(table: Applications) -> None:
    assert np.array_equal(folds(table, seed=1), folds(table, seed=1))
    assert not np.array_equal(folds(table, seed=1), folds(table, seed=2))


def test_a_repeated_application_lies_in_the_fold_of_its_copy(tmp_path: Path) -> None:
    rows = make_rows(100)
    twice = read_rows(tmp_path, [*rows, *({**row, "id": row["id"] + "b"} for row in rows)])
    place = folds(twice, seed=0)
    assert np.array_equal(place[:100], place[100:])


def test_copies_with_another_outcome_lie_together_too(tmp_path: Path) -> None:
    rows = make_rows(100)
    other = {"good": "bad", "bad": "good"}
    copies = [{**row, "id": row["id"] + "b", "creditability": other[row["creditability"]]} for row in rows[:30]]
    place = folds(read_rows(tmp_path, [*rows, *copies]), seed=0)
    assert np.array_equal(place[:30], place[100:])


def test_copies_do_not_flatter(tmp_path: Path) -> None:
    # outcomes by coin: a forest that had seen a row's copy would know its outcome
    rows = make_rows(120)
    random = np.random.default_rng(3)
    for row in rows:
        row["creditability"] = str(random.choice(["good", "bad"]))
    data = read_rows(tmp_path, [*rows, *({**row, "id": row["id"] + "b"} for row in rows)])
    scores = out_of_fold(data, repeats=1, seed=0, contenders={"forest": CONTENDERS["forest"]})
    assert auc(scores["forest"], data.bad) < 0.65


def test_no_contender_is_shown_what_it_is_to_judge(table: Applications) -> None:
    seen: list[tuple[set[str], set[str]]] = []

    def watch(fit: Applications, judge: Applications, seed: int) -> np.ndarray:
        seen.append((set(fit.ids), set(judge.ids)))
        return np.zeros(len(judge))

    out_of_fold(table, repeats=2, seed=0, contenders={"watch": watch})
    assert len(seen) == 2 * FOLDS
    assert all(not fit & judge and len(fit | judge) == len(table) for fit, judge in seen)


@pytest.mark.parametrize("name", sorted(CONTENDERS))
def test_shuffled_outcomes_cannot_be_foreseen(table: Applications, name: str) -> None:
    found = []
    for turn in range(2):
        shuffled = table.relabelled(np.random.default_rng(turn).permutation(table.bad))
        scores = out_of_fold(shuffled, repeats=1, seed=turn, contenders={name: CONTENDERS[name]})
        found.append(auc(scores[name], shuffled.bad))
    assert 0.36 < float(np.mean(found)) < 0.6  # 240 rows: one AUC by chance has a deviation of 0.04, two 0.03


@pytest.mark.parametrize("name", sorted(CONTENDERS))
def test_the_rule_that_made_the_table_is_found(table: Applications, name: str) -> None:
    scores = out_of_fold(table, repeats=1, seed=0, contenders={name: CONTENDERS[name]})
    assert auc(scores[name], table.bad) > 0.68


@pytest.mark.parametrize("name", sorted(CONTENDERS))
def test_a_contender_is_the_same_for_the_same_seed(table: Applications, name: str) -> None:
    fit, judge = table.take(np.arange(0, 200)), table.take(np.arange(200, 240))
    assert np.array_equal(CONTENDERS[name](fit, judge, 7), CONTENDERS[name](fit, judge, 7))


@pytest.mark.parametrize("name", sorted(CONTENDERS))
def test_missing_figures_and_unseen_categories_are_judged(tmp_path: Path, name: str) -> None:
    rows = make_rows(80)
    for row in rows[:40]:
        row["credit_amount"] = None
    for row in rows[60:]:
        row |= {"duration_in_month": "", "housing": "boat", "job": None}
    data = read_rows(tmp_path, rows)
    found = CONTENDERS[name](data.take(np.arange(60)), data.take(np.arange(60, 80)), 0)
    assert np.isfinite(found).all()
    assert found.shape == (20,)


@pytest.mark.parametrize("name", sorted(CONTENDERS))
def test_a_column_without_any_figure_is_borne(tmp_path: Path, name: str) -> None:
    rows = make_rows(60)
    for row in rows:
        row["credit_amount"] = None
    data = read_rows(tmp_path, rows)
    assert np.isfinite(CONTENDERS[name](data, data, 0)).all()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: make_rows(3), "different applications"),
        (list, "0 bad and 0 good"),
        (lambda: [{**row, "creditability": "good"} for row in make_rows(40)], "0 bad and 40 good"),
        (lambda: [{**make_rows(1)[0], "id": str(number)} for number in range(40)], "different applications"),
    ],
)
def test_too_few_applications_are_refused(tmp_path: Path, make: Callable[[], list[dict[str, str]]], said: str) -> None:
    write_rows(tmp_path, make())
    with pytest.raises(ApplicationsRefused, match=said) as refused:
        evaluate(tmp_path)
    assert "at least 10 of each" in refused.value.remedy


def test_the_result_has_the_form_of_all_suites(tmp_path: Path) -> None:
    write_rows(tmp_path, make_rows(90))
    found = evaluate(tmp_path, repeats=1, seed=4, contenders=LINEAR)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert {"suite", "data", "n", "metrics", "intervals", "settings", "seconds"} <= set(found)
    assert (found["suite"], found["n"], found["settings"]["seed"]) == ("credit", 90, 4)
    for name in ("auc", *(f"auc_{rival}" for rival in CONTENDERS), *(f"gain_over_{rival}" for rival in CONTENDERS)):
        low, high = found["intervals"][name]
        assert low <= found["metrics"][name] <= high
    gain = found["metrics"]["auc"] - found["metrics"]["auc_logistic"]
    assert found["metrics"]["gain_over_logistic"] == pytest.approx(gain, abs=2e-4)
    assert {row["attribute"] for row in found["fairness"]["scorecard"]} == {"sex", "age"}
    assert found["warnings"] == []


def test_the_same_seed_gives_the_same_figures_and_limit_draws_rows(tmp_path: Path) -> None:
    write_rows(tmp_path, make_rows(120))
    first, again = (evaluate(tmp_path, repeats=1, seed=1, limit=80, contenders=LINEAR) for _ in range(2))
    other = evaluate(tmp_path, repeats=1, seed=2, limit=80, contenders=LINEAR)
    assert first["n"] == 80
    assert (first["metrics"], first["intervals"]) == (again["metrics"], again["intervals"])
    assert first["metrics"] != other["metrics"]


def test_a_table_whose_sex_lies_in_blocks_is_told_so(tmp_path: Path) -> None:
    rows = make_rows(120)
    for row, status in zip(rows, sorted(row["personal_status_and_sex"] for row in rows), strict=True):
        row["personal_status_and_sex"] = status
    write_rows(tmp_path, rows)
    found = evaluate(tmp_path, repeats=1, contenders=LINEAR)["warnings"]
    assert len(found) == 1
    assert found[0].startswith("The values of sex lie in blocks")
    _, card = fit_and_describe(read_applications(tmp_path / FILE))
    assert any(limit.zh.startswith("性别的取值在表中成块排列") for limit in card.limits)


def test_the_average_is_the_mean_of_its_parts(table: Applications) -> None:
    scores = out_of_fold(table, repeats=1, seed=0, contenders={name: LINEAR[name] for name in AVERAGED})
    assert scores["average"] == pytest.approx(sum(scores[name] for name in AVERAGED) / len(AVERAGED))


@pytest.mark.skipif(not SHARED.is_dir(), reason="the German credit set is not shipped and not beside this checkout")
def test_the_shared_set_is_read_whole_and_the_scorecard_ranks_it() -> None:
    data = read_applications(SHARED / FILE)
    assert (len(data), int(data.bad.sum())) == (540, 174)
    scores = out_of_fold(data, repeats=1, seed=0, contenders=QUICK)
    assert auc(scores["scorecard"], data.bad) > 0.74
    shuffled = data.relabelled(np.random.default_rng(0).permutation(data.bad))
    chance = out_of_fold(shuffled, repeats=1, seed=0, contenders=QUICK)
    assert 0.4 < auc(chance["scorecard"], shuffled.bad) < 0.6
