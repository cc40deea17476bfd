"""False alarms of model and rival over several streams: by hand, the interval, and one small stream for real."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.finance.transactions import alarms, training
from domains.finance.transactions.alarms import HeldOut, interval, ratio, summary
from domains.finance.transactions.typologies import TYPOLOGIES


def held(
    model: Sequence[float],
    rival: Sequence[float],
    labels: Sequence[int],
    *,
    other: Sequence[float] | None = None,
    account: Sequence[int] | None = None,
) -> HeldOut:
    """Make a stream's scores; the rival's second ranking knows nothing unless it is said."""
    number = len(labels)
    return HeldOut(
        seed=1,
        labels=np.array(labels),
        typology=["mule_fan_in" if label else "" for label in labels],
        account=np.arange(number) if account is None else np.array(account),
        model=np.array(model, dtype=float),
        rivals={
            "order": np.array(rival, dtype=float),
            "points": np.zeros(number) if other is None else np.array(other, dtype=float),
        },
    )


LABELS = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
GOOD = [9, 8, 7, 6, 6.5, 1, 1, 1, 1, 1]
"""Four of five would be needed for 0.8 of four: all but a fifth of the last, which lies behind one honest one."""
BAD = [9, 8, 3, 3, 7, 6, 5, 4, 1, 1]


def test_the_ratio_is_of_sums_and_not_a_mean_of_ratios() -> None:
    one, two = held(GOOD, BAD, LABELS), held(BAD, BAD, LABELS)
    assert training.false_positives(one.model, one.labels, recall=0.8) == 1
    assert ratio([one]) == pytest.approx(1 / 4)
    assert ratio([two]) == pytest.approx(1)
    assert ratio([one, two]) == pytest.approx(5 / 8)


def test_the_better_ranking_of_the_rival_counts_in_each_stream() -> None:
    one, two = held(BAD, BAD, LABELS, other=GOOD), held(BAD, GOOD, LABELS, other=BAD)
    assert ratio([one]) == ratio([two]) == ratio([one, two]) == pytest.approx(4)


def test_a_rival_without_false_alarms_cannot_be_beaten() -> None:
    perfect = [float(label) for label in LABELS]
    assert ratio([held(GOOD, perfect, LABELS)]) == float("inf")


def drawn(seed: int, *, number: int, share: float) -> HeldOut:
    rng = np.random.default_rng(seed)
    labels = (rng.random(number) < share).astype(np.int64)
    noise = rng.normal(0, 1, (2, number))
    return held(noise[0] + 3 * labels, noise[1] + 2 * labels, list(labels), account=list(rng.integers(0, 60, number)))


def test_the_interval_holds_the_ratio_and_narrows_with_more_streams() -> None:
    few = [drawn(seed, number=900, share=0.2) for seed in range(2)]
    many = [drawn(seed, number=900, share=0.2) for seed in range(12)]
    for streams in (few, many):
        low, high = interval(streams, resamples=200)
        assert 0 < low < ratio(streams) < high
    low, high = interval(many, resamples=200)
    first_low, first_high = interval(few, resamples=200)
    assert high - low < first_high - first_low


def test_the_interval_is_the_same_each_time_and_of_its_seed() -> None:
    streams = [drawn(seed, number=300, share=0.2) for seed in range(3)]
    assert interval(streams, resamples=50) == interval(streams, resamples=50)
    assert interval(streams, resamples=50) != interval(streams, resamples=50, seed=2)


def test_accounts_are_drawn_whole() -> None:
    """All of it is one account: a resample is the whole, however often it is drawn."""
    one = drawn(3, number=400, share=0.2)
    whole = held(list(one.model), list(one.rivals["order"]), list(one.labels), account=[0] * 400)
    assert interval([whole], resamples=20) == pytest.approx((ratio([whole]), ratio([whole])))


@given(
    st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.integers(0, 3)), min_size=1, max_size=30).filter(
        lambda rows: any(fraud and times for _, fraud, times in rows)
    )
)
def test_a_weight_counts_like_so_many_rows(rows: list[tuple[int, bool, int]]) -> None:
    scores = np.array([float(score) for score, _, _ in rows])
    labels = np.array([int(fraud) for _, fraud, _ in rows])
    times = np.array([number for _, _, number in rows])
    counted = training.Alarms(scores, labels, recall=0.8)(times)
    again = training.false_positives(np.repeat(scores, times), np.repeat(labels, times), recall=0.8)
    assert counted == pytest.approx(again)


def test_without_fraud_there_is_nothing_to_alert_for() -> None:
    assert training.false_positives(np.arange(4.0), np.zeros(4, dtype=np.int64), recall=0.8) == 0


def test_a_summary_says_what_was_caught_of_what_there_was() -> None:
    found = summary(held(GOOD, BAD, LABELS))
    assert found["caught"] == {"mule_fan_in": 1.0}
    assert (found["model"], found["order"], found["fraud"], found["transactions"]) == (1.0, 4.0, 4, 10)
    assert found["ratio"] == 0.25
    assert summary(held(GOOD, [float(label) for label in LABELS], LABELS))["ratio"] is None


def test_a_stream_is_measured_in_a_process_of_its_own_as_in_this_one() -> None:
    (one,), here = alarms.compare((8,), accounts=140), alarms.measure(8, accounts=140)
    assert one.seed == here.seed == 8
    np.testing.assert_array_equal(one.model, here.model)
    np.testing.assert_array_equal(one.labels, here.labels)
    assert set(one.typology) <= {"", *TYPOLOGIES}
    assert [bool(name) for name in one.typology] == (one.labels == 1).tolist()
    assert all(len(scores) == len(one.labels) for scores in one.rivals.values())
    assert 0 <= one.account.min() <= one.account.max() < 140
    assert summary(one)["fraud"] == one.labels.sum() > 0
