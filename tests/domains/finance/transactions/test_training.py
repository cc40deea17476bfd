"""Fitting: calibration, measures by hand, the split in time, a real set by path, and the rival's tuning."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.finance.transactions import classical, training
from domains.finance.transactions.calibration import FLOOR, Calibration, brier, ece
from domains.finance.transactions.errors import RiskModelUnusable, TransactionRefused
from domains.finance.transactions.features import NAMES
from domains.finance.transactions.generator import CALIBRATION, HELD_OUT, MONTHS, TRAINING, generate
from domains.finance.transactions.labelled import COLUMNS, read_csv
from domains.finance.transactions.model import SHIPPED, Model
from domains.finance.transactions.training import Dataset, auc, false_positives
from domains.finance.transactions.typologies import TYPOLOGIES
from domains.finance.transactions.world import World


def test_measures_by_hand() -> None:
    labels, probability = np.array([1, 0, 0, 1]), np.array([0.9, 0.2, 0.4, 0.6])
    assert brier(probability, labels) == pytest.approx((0.01 + 0.04 + 0.16 + 0.16) / 4)
    assert ece(probability, labels) == pytest.approx((0.1 + 0.2 + 0.4 + 0.4) / 4)
    assert auc(np.array([3.0, 1, 2, 2]), labels) == pytest.approx(3.5 / 4)
    assert np.isnan(auc(np.array([1.0, 2]), np.array([0, 0])))


def test_false_positives_are_taken_from_the_top_and_ties_in_proportion() -> None:
    labels = np.array([1, 0, 1, 0, 0, 1, 1, 0, 1])
    scores = np.array([9.0, 8, 7, 7, 7, 5, 5, 4, 1])
    assert false_positives(scores, labels, recall=0.2) == 0
    assert false_positives(scores, labels, recall=0.4) == 3
    assert false_positives(scores, labels, recall=0.8) == 3
    assert false_positives(scores, labels, recall=1.0) == 4
    assert false_positives(np.zeros(9), labels, recall=0.8) == pytest.approx(0.8 * 4)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_false_positives_lie_between_none_and_all_and_grow_with_recall(rows: list[tuple[int, bool]]) -> None:
    scores, labels = np.array([float(score) for score, _ in rows]), np.array([int(label) for _, label in rows])
    if not labels.any():
        return
    found = [false_positives(scores, labels, recall=recall) for recall in (0.2, 0.5, 0.8, 1.0)]
    assert found == sorted(found)
    assert 0 <= found[0] <= found[-1] <= (labels == 0).sum() + 1e-9


def test_calibration_turns_scores_into_shares() -> None:
    rng = np.random.default_rng(1)
    raw = rng.normal(0, 2, 20_000)
    labels = (rng.random(20_000) < 1 / (1 + np.exp(-(raw - 2)))).astype(np.int64)
    fitted = Calibration.fit(raw[:10_000], labels[:10_000])
    assert ece(fitted(raw[10_000:]), labels[10_000:]) < 0.02 < ece(1 / (1 + np.exp(-raw[10_000:])), labels[10_000:])
    assert (np.diff(fitted(np.linspace(-99, 99, 500))) >= 0).all()
    assert fitted(np.array([-1e300]))[0] >= FLOOR
    assert fitted(np.array([1e300]))[0] <= 1 - FLOOR
    assert Calibration.of(json.loads(json.dumps(fitted.as_json()))) == fitted


def test_calibration_needs_both_kinds() -> None:
    with pytest.raises(RiskModelUnusable, match="fraud"):
        Calibration.fit(np.zeros(3), np.zeros(3, dtype=np.int64))


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"raw": [], "probability": []},
        {"raw": [1, 0], "probability": [0, 1]},
        {"raw": [0, 1], "probability": [1, 0]},
        {"raw": [0], "probability": [0, 1]},
        {"raw": [0], "probability": [2]},
        {"raw": ["x"], "probability": [1]},
        {"raw": [float("nan"), 0], "probability": [0, 1]},
    ],
)
def test_what_is_no_calibration_is_refused(data: object) -> None:
    with pytest.raises(RiskModelUnusable):
        Calibration.of(data)


# the generator


def test_the_same_seed_gives_the_same_stream_and_another_another() -> None:
    one, two, other = (generate(accounts=60, seed=seed, months=2) for seed in (1, 1, 2))
    assert one.transactions == two.transactions
    assert list(one.typology) == list(two.typology)
    assert one.transactions != other.transactions


def test_a_stream_is_in_order_with_ids_of_their_own_and_some_of_it_labelled() -> None:
    stream = generate(accounts=200, seed=5, months=2)
    times = [item.time for item in stream.transactions]
    assert times == sorted(times)
    assert "" in set(stream.typology) <= {"", *TYPOLOGIES}
    assert len({item.id for item in stream.transactions}) == len(times)
    assert 0 < stream.labels.mean() < 0.1


@pytest.mark.parametrize("care", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("name", sorted(TYPOLOGIES))
def test_every_typology_is_a_campaign_of_several_payments(name: str, care: float) -> None:
    world = World.draw(60, np.random.default_rng(4))
    for _ in range(20):
        made = TYPOLOGIES[name](world, 1000.0, care)
        assert made
        assert all(draft.cents > 0 and draft.seconds >= 1000 for draft in made)
        assert all(0 <= draft.account < 60 for draft in made)


def test_the_split_is_in_time_and_no_month_is_in_two_parts() -> None:
    assert (*TRAINING, *CALIBRATION, *HELD_OUT) == tuple(range(1, MONTHS))
    part = training.parts_of(np.arange(MONTHS))
    assert list(part) == ["warm", "train", "train", "train", "calibrate", "test", "test"]


# fitting


@pytest.fixture(scope="module")
def small() -> Dataset:
    stream = generate(accounts=160, seed=8)
    return training.prepare(stream.transactions, stream.labels, training.parts_of(stream.month))


def test_all_fraud_is_kept_and_honest_ones_stand_for_what_was_left_out(small: Dataset) -> None:
    stream = generate(accounts=160, seed=8)
    part = training.parts_of(stream.month)
    _, labels, weights = small.of("train")
    wanted = stream.labels[part == "train"]
    assert labels.sum() == wanted.sum()
    assert weights[labels == 0].sum() == pytest.approx((wanted == 0).sum(), abs=training.EVERY)
    assert len(small.of("test")[0]) == (part == "test").sum()


def test_a_fit_is_saved_loaded_and_gives_the_same_scores(small: Dataset, tmp_path: Path) -> None:
    from datetime import date

    from domains.finance.modelcard import TrainingData

    fitted = training.fit(small)
    assert 0.5 < fitted.figures["auc"] <= 1
    data = TrainingData(name="test", digest="0" * 64, rows=len(small.labels))
    saved = fitted.save(tmp_path / "model", data=data, fitted=date(2026, 11, 24))
    model = Model(tmp_path / "model")
    assert model.digest == saved.digest
    rows = small.of("test")[0][:50].astype(np.float64)
    np.testing.assert_allclose(model.score(rows).raw, fitted.champion.predict(rows, raw_score=True), atol=1e-9)
    assert {metric.name for metric in saved.card.metrics} >= {"auc", "brier", "ece"}
    assert training.fit(small).champion.model_to_string() == fitted.champion.model_to_string()


def test_the_shipped_model_is_small_and_is_of_these_features() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 1_000_000
    model = Model(SHIPPED)
    assert model.saved.card.inputs == NAMES
    assert model.baseline.edges.shape == (1025, 9)


def test_a_model_of_other_features_is_refused(tmp_path: Path) -> None:
    from domains.finance.models import load, save

    whole = load(SHIPPED)
    calibration = json.loads(whole.parts["calibration.json"]) | {"features": "0" * 64}
    parts = dict(whole.parts) | {"calibration.json": json.dumps(calibration).encode()}
    save(tmp_path / "other", card=whole.card, parts=parts)
    with pytest.raises(RiskModelUnusable, match="other features"):
        Model(tmp_path / "other")
    save(tmp_path / "less", card=whole.card, parts={"calibration.json": whole.parts["calibration.json"]})
    with pytest.raises(RiskModelUnusable, match=r"lacks drift\.json"):
        Model(tmp_path / "less")


def test_the_rival_is_tuned_until_it_catches_nearly_all_and_better_rules_come_first(small: Dataset) -> None:
    features, labels, weights = small.of("train")
    engine = classical.tune(features, labels, weights)
    order, points = engine.by_order(features), engine.by_points(features)
    caught = order[labels == 1] > -len(engine.rules)
    assert caught.mean() > 0.9
    assert auc(order, labels) > 0.8
    assert auc(points, labels) > 0.8
    assert len({rule.name for rule in engine.rules}) == len(engine.rules)


# a real set by path

LINE = "1,2026-03-01T09:12:00+01:00,129.90,EUR,DE-4471,,M-880,D-19,online,card,out,approved,FR,DE,0"


def write(folder: Path, *lines: str, header: str = ",".join(COLUMNS)) -> Path:
    path = folder / "set.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def test_a_labelled_set_is_read_with_its_documented_header(tmp_path: Path) -> None:
    header = (
        "id,time,amount,currency,account,counterparty,merchant,device,channel,type,direction,outcome,country,home_country"
        ",label"
    )
    found = read_csv(write(tmp_path, LINE, LINE.replace("1,2026-03-01", "2,2026-03-02")[:-1] + "1", header=header))
    assert [item.id for item in found.transactions] == ["1", "2"]
    assert found.labels.tolist() == [0, 1]
    assert found.transactions[0].counterparty is None


@pytest.mark.parametrize(
    ("lines", "header", "said"),
    [
        ([], None, "no line"),
        ([LINE], "id,time", "lacks"),
        ([LINE], "id,time,amount,currency,account,channel,type,label,colour", "colour"),
        ([LINE, LINE.replace("2026-03-01", "2026-02-01")], None, "Line 3: its time"),
        ([LINE[:-1] + "maybe"], None, "Line 2: the label"),
        ([LINE.replace("129.90", "-1")], None, "Line 2: The amount is negative"),
        ([LINE.replace("online", "fax")], None, "Line 2, channel"),
        (["1,2"], None, "Line 2"),
    ],
)
def test_a_wrong_labelled_set_is_refused_with_its_line(
    tmp_path: Path, lines: list[str], header: str | None, said: str
) -> None:
    with pytest.raises(TransactionRefused, match=said):
        read_csv(write(tmp_path, *lines, header=header or ",".join(COLUMNS)))


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xfe", b'"open', b"\x00" * 50, "id,time\n\ud800".encode("utf-8", "surrogatepass")]
)
def test_a_file_that_is_no_csv_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "set.csv"
    path.write_bytes(data)
    with pytest.raises(TransactionRefused):
        read_csv(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TransactionRefused):
        read_csv(tmp_path / "nowhere.csv")
