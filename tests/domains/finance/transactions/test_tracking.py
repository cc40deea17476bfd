"""The state of entities against a recount of every event from the beginning, and against itself by other ways."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from random import Random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domains.finance.transactions.errors import StateUnavailable
from domains.finance.transactions.event import ROLES, Channel, Direction, Outcome, Parsed, Transaction, Type, parse
from domains.finance.transactions.features import FEATURES, NAMES
from domains.finance.transactions.state import LIFE, ROW_DTYPE, State
from domains.finance.transactions.stored import Nothing
from domains.finance.transactions.tracking import Tracker
from domains.finance.transactions.windows import CELLS, DISTINCT, LENGTHS, MEASURES, WINDOWS

from .conftest import NOON, transaction

WIDTH = {"5m": 300, "15m": 300, "1h": 300, "6h": 3600, "24h": 3600, "3d": 86_400, "7d": 86_400, "30d": 86_400}
RING = {300: 26, 3600: 27, 86_400: 33}
PLACE = {name: place for place, name in enumerate(NAMES)}


def feature(row: np.ndarray, name: str) -> float:
    return float(row[PLACE[name]])


def seen_by(tracker: Tracker, *transactions: Transaction) -> np.ndarray:
    return tracker.observe([parse(item) for item in transactions], first=0).features


def tracker() -> Tracker:
    return Tracker(Nothing(), rows=0)


# what an event finds


def test_the_first_event_ever_finds_nothing_and_says_so() -> None:
    row = seen_by(tracker(), transaction())[0]
    assert feature(row, "account.count.30d") == 0
    assert feature(row, "account.new") == feature(row, "device.new") == 1
    assert math.isnan(feature(row, "account.mean.30d"))
    assert math.isnan(feature(row, "account.idle_s"))
    assert math.isnan(feature(row, "counterparty.count.24h")), "it names no counterparty"
    assert feature(row, "event.new_country") == 1


def test_the_second_event_finds_the_first() -> None:
    row = seen_by(tracker(), transaction(1, amount=Decimal(40)), transaction(2, at=90, amount=Decimal(20)))[1]
    assert feature(row, "account.count.5m") == feature(row, "account.count.30d") == 1
    assert feature(row, "account.sum.1h") == feature(row, "account.largest.7d") == 40
    assert feature(row, "account.ratio.24h") == 0.5
    assert feature(row, "account.idle_s") == 90
    assert feature(row, "event.of_last_amount") == 0.5
    assert feature(row, "account_device.share.6h") == 1
    assert feature(row, "event.new_country") == 0


def test_a_zero_amount_is_counted_and_divides_nothing() -> None:
    row = seen_by(tracker(), transaction(1, amount=Decimal(0)), transaction(2, at=1, amount=Decimal(0)))[1]
    assert feature(row, "account.count.5m") == 1
    assert feature(row, "account.sum.5m") == 0
    assert math.isnan(feature(row, "account.ratio.5m"))
    assert math.isnan(feature(row, "event.of_last_amount"))
    assert not np.isinf(row).any()


def test_a_declined_payment_is_counted_and_moves_nothing() -> None:
    row = seen_by(tracker(), transaction(1, outcome=Outcome.DECLINED), transaction(2, at=1))[1]
    assert feature(row, "account.count.5m") == feature(row, "account.declined.5m") == 1
    assert feature(row, "account.sum.5m") == 0
    assert math.isnan(feature(row, "account.mean.5m"))


def test_what_leaves_an_account_arrives_at_its_counterparty() -> None:
    passed = [
        transaction(1, account="A", counterparty="B", merchant=None, type=Type.TRANSFER, amount=Decimal(900)),
        transaction(2, at=60, account="B", counterparty="C", merchant=None, type=Type.TRANSFER, amount=Decimal(855)),
    ]
    row = seen_by(tracker(), *passed)[1]
    assert feature(row, "account.in_sum.24h") == 900
    assert feature(row, "account.out_sum.24h") == 0
    assert feature(row, "event.of_received_24h") == pytest.approx(0.95)
    assert feature(row, "account.distinct_counterparty.24h") == pytest.approx(DISTINCT[1])


def test_money_that_comes_back_is_seen_in_the_pair() -> None:
    there = transaction(1, account="A", counterparty="B", amount=Decimal(500), merchant=None)
    back = transaction(2, at=60, account="B", counterparty="A", amount=Decimal(400), merchant=None)
    third = transaction(3, at=120, account="A", counterparty="B", amount=Decimal(1), merchant=None)
    row = seen_by(tracker(), there, back, third)[2]
    assert feature(row, "account_counterparty.pass_through.24h") == pytest.approx(0.8)
    assert feature(row, "account_counterparty.count.24h") == 2


def test_a_window_ends() -> None:
    for window, length in zip(WINDOWS, LENGTHS, strict=True):
        width = WIDTH[window]
        inside, outside = (
            seen_by(tracker(), transaction(1), transaction(2, at=float(length + late)))[1] for late in (-1, width + 1)
        )
        assert feature(inside, f"account.count.{window}") == 1, window
        assert feature(outside, f"account.count.{window}") == 0, window


def test_an_event_out_of_order_sees_its_own_past_and_not_its_future() -> None:
    on = [transaction(1), transaction(2, at=3000), transaction(3, at=1500)]
    row = seen_by(tracker(), *on)[2]
    assert feature(row, "account.count.1h") == 1
    assert feature(row, "account.count.30d") == 2, "the same day is one bucket"


def test_an_event_that_is_far_too_late_changes_only_what_still_holds_its_time() -> None:
    state = tracker()
    seen_by(state, transaction(1), transaction(2, at=-40 * 86_400.0))
    row = state.observe([parse(transaction(3, at=10))], first=2).features[0]
    assert feature(row, "account.count.30d") == 1
    assert feature(row, "account.count_ever") == 2
    assert feature(row, "account.age_days") > 39


def test_however_many_events_one_account_has_its_row_is_one_row() -> None:
    state = tracker()
    events = [parse(transaction(number, at=number * 60, merchant=f"M-{number % 7}")) for number in range(400)]
    sizes = []
    for start in range(0, 1_200, 400):
        state.replay(events, list(range(start, start + 400)), [0] * 400)
        row = state.residents.rows_of([[events[0].keys[0]]])[0][0]
        sizes.append(len(state.state.pack([row])[0]))
    assert state.state.life[row, LIFE.index("count")] == 1_200
    assert sizes[0] == sizes[1] == sizes[2] <= 74 + CELLS * ROW_DTYPE.itemsize
    assert len(state.residents) == 1 + 7 + 1 + 1 + 7


# against a recount

TIMES = st.integers(-3 * 86_400, 40 * 86_400) | st.integers(0, 8_000)


@st.composite
def histories(draw: st.DrawFn) -> list[Transaction]:
    found = []
    for number in range(draw(st.integers(1, 14))):
        found.append(
            transaction(
                number,
                at=float(draw(TIMES)),
                amount=Decimal(draw(st.integers(0, 2_000_000))).scaleb(-2),
                account=draw(st.sampled_from("ABC")),
                counterparty=draw(st.none() | st.sampled_from("ABCD")),
                merchant=draw(st.none() | st.sampled_from(("M", "N"))),
                device=draw(st.none() | st.sampled_from(("D", "E"))),
                country=draw(st.none() | st.sampled_from(("DE", "FR"))),
                channel=draw(st.sampled_from(list(Channel))),
                type=draw(st.sampled_from(list(Type))),
                direction=draw(st.sampled_from(list(Direction))),
                outcome=draw(st.sampled_from(list(Outcome))),
            )
        )
    return found


def recount(events: Sequence[Parsed], key: bytes, now: float, window: str) -> tuple[int, float, float, float]:
    """Count an entity's events in a window, one by one, by the definition: number, sum, received, largest."""
    width = WIDTH[window]
    number, total, received, largest = 0, 0.0, 0.0, 0.0
    newest = max((event.seconds for event in events if key in event.keys), default=0.0)
    before = -math.inf
    for event in events:
        if key not in event.keys:
            continue
        held = (
            math.floor(event.seconds / width) > math.floor(before / width) - RING[width] if before > -math.inf else True
        )
        before = max(before, event.seconds)
        age = math.floor(now / width) - math.floor(event.seconds / width)
        kept = math.floor(event.seconds / width) > math.floor(newest / width) - RING[width]
        if not held or not kept or not 0 <= age <= LENGTHS[WINDOWS.index(window)] / width:
            continue
        role = event.keys.index(key)
        incoming = event.incoming if role != 1 else not event.incoming
        moved = 0.0 if event.declined else event.reference
        number, total, largest = number + 1, total + moved, max(largest, event.reference)
        received += moved if incoming else 0.0
    return number, total, received, largest


@settings(deadline=None, max_examples=60)
@given(histories())
@example([transaction(1), transaction(2, at=33 * 86_400.0), transaction(3, at=0.0)])
@example(
    [transaction(1, at=300.0), transaction(2, at=299.0), transaction(3, at=7_800.0 + 300), transaction(4, at=600.0)]
)
def test_the_state_is_what_a_recount_of_all_events_gives(history: list[Transaction]) -> None:
    events = [parse(item) for item in history]
    features = tracker().observe(events, first=0).features
    for place, event in enumerate(events):
        for role in ("account", "counterparty"):
            key = event.keys[ROLES.index(role)]
            if key is None:
                assert math.isnan(features[place][PLACE[f"{role}.count.24h"]])
                continue
            for window in WINDOWS:
                number, total, received, largest = recount(events[:place], key, event.seconds, window)
                row = features[place]
                assert feature(row, f"{role}.count.{window}") == number
                assert feature(row, f"{role}.sum.{window}") == pytest.approx(total)
                assert feature(row, f"{role}.in_sum.{window}") == pytest.approx(received)
                assert feature(row, f"{role}.largest.{window}") == largest


@settings(deadline=None, max_examples=60)
@given(histories())
def test_events_together_give_what_they_give_one_by_one(history: list[Transaction]) -> None:
    events = [parse(item) for item in history]
    together, apart = tracker(), tracker()
    whole = together.observe(events, first=0)
    for place, event in enumerate(events):
        single = apart.observe([event], first=place)
        np.testing.assert_array_equal(single.features[0], whole.features[place])
        assert single.novel == [whole.novel[place]]


@settings(deadline=None, max_examples=60)
@given(histories(), st.randoms(use_true_random=False))
def test_simultaneous_events_leave_the_same_state_in_any_order(history: list[Transaction], chance: object) -> None:
    events = [
        parse(item.model_copy(update={"time": NOON, "account": f"Z{place}"})) for place, item in enumerate(history)
    ]
    mixed = list(events)
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    one, other = tracker(), tracker()
    one.observe(events, first=0)
    other.observe(mixed, first=0)
    novel = MEASURES.index("novel")
    for key in {key for event in events for key in event.keys if key is not None}:
        left, right = (state.residents.rows_of([[key]])[0][0] for state in (one, other))
        ours, theirs = one.state.sums[left], other.state.sums[right]
        np.testing.assert_allclose(np.delete(ours, novel, 1), np.delete(theirs, novel, 1), rtol=1e-12)
        np.testing.assert_array_equal(one.state.bits[left], other.state.bits[right])
        np.testing.assert_array_equal(one.state.largest[left], other.state.largest[right])
        np.testing.assert_array_equal(one.state.life[left, :3], other.state.life[right, :3])


def test_simultaneous_events_that_share_nobody_get_the_same_features_in_any_order() -> None:
    events = [
        parse(transaction(place, account=f"A{place}", merchant=f"M{place}", device=f"D{place}")) for place in range(20)
    ]
    forwards = tracker().observe(events, first=0).features
    backwards = tracker().observe(events[::-1], first=0).features
    np.testing.assert_array_equal(forwards, backwards[::-1])


# rows


@settings(deadline=None, max_examples=30)
@given(histories())
def test_a_row_that_was_written_and_read_is_the_same_to_every_later_event(history: list[Transaction]) -> None:
    events = [parse(item) for item in history]
    state = tracker()
    state.observe(events, first=0)
    copy = State(4)
    for key in {key for event in events for key in event.keys if key is not None}:
        row = state.residents.rows_of([[key]])[0][0]
        packed = state.state.pack([row])
        copy.unpack([1], packed)
        assert copy.pack([1]) == packed
        for seconds in {event.seconds for event in events}:
            ours = state.state.windows(np.array([[row]]), np.array([seconds]))
            theirs = copy.windows(np.array([[1]]), np.array([seconds]))
            np.testing.assert_array_equal(ours.sums, theirs.sums)
            np.testing.assert_array_equal(ours.bits, theirs.bits)


@pytest.mark.parametrize("harm", ["empty", "cut", "longer", "version", "cell"])
def test_a_damaged_row_is_refused(harm: str) -> None:
    state = tracker()
    seen_by(state, transaction())
    (good,) = state.state.pack([1 if state.state.seq[1] >= 0 else int(np.argmax(state.state.seq))])
    bad = {
        "empty": b"",
        "cut": good[:-1],
        "longer": good + b"\x00",
        "version": b"\x09" + good[1:],
        "cell": good[:74] + b"\xff" + good[75:],
    }[harm]
    with pytest.raises(StateUnavailable, match="damaged"):
        State(2).unpack([1], [bad])


@settings(deadline=None, max_examples=30)
@given(histories(), st.randoms(use_true_random=False))
def test_rows_written_and_read_together_are_as_one_by_one(history: list[Transaction], random: Random) -> None:
    events = [parse(item) for item in history]
    state = tracker()
    state.observe(events, first=0)
    keys = {key for event in events for key in event.keys if key is not None}
    rows = [
        0,
        *(row for (row,) in state.residents.rows_of([[key] for key in sorted(keys)])),
    ]  # row 0 has no cell at all
    random.shuffle(rows)
    together = state.state.pack(rows)
    assert together == [state.state.pack([row])[0] for row in rows]
    copy = State(len(rows) + 1)
    copy.sums[:], copy.stamps[:], copy.seq[:] = 7.0, 1 << 40, 5  # whoever had the rows before leaves nothing behind
    places = list(range(1, len(rows) + 1))
    copy.unpack(places, together)
    assert copy.pack(places) == together
    np.testing.assert_array_equal(copy.life[places], state.state.life[rows])


def test_a_damaged_row_among_good_ones_is_refused_and_none_is_filled() -> None:
    state = tracker()
    seen_by(state, transaction())
    good = state.state.pack([int(np.argmax(state.state.seq))])[0]
    copy = State(4)
    for bad in (good[:-1], good[:74] + b"\xff" + good[75:]):
        with pytest.raises(StateUnavailable, match="damaged"):
            copy.unpack([1, 2, 3], [good, bad, good])
        assert (copy.seq == -1).all()
        assert (copy.stamps == -1).all()


def test_no_row_is_no_work() -> None:
    state = State(2)
    state.unpack([], [])
    state.clear([])
    assert state.pack([]) == []


@given(st.binary(max_size=600))
def test_bytes_that_are_no_row_are_refused_and_nothing_else(data: bytes) -> None:
    state = State(2)
    try:
        state.unpack([1], [data])
    except StateUnavailable:
        return
    assert len(data) >= 74


def test_entities_that_left_memory_come_back_as_they_were() -> None:
    small, large = tracker(), Tracker(Nothing(), rows=20_000)
    assert small.state.capacity < 20_000
    events = [
        parse(transaction(number, at=number, account=f"A{number % 1_100}", merchant=None, device=f"D{number % 1_090}"))
        for number in range(2_400)
    ]
    few = small.observe(events, first=0).features
    many = large.observe(events, first=0).features
    assert len(small.residents) < len(large.residents)
    np.testing.assert_array_equal(few, many)


def test_an_event_is_not_added_twice_to_a_row_that_has_it() -> None:
    state = tracker()
    events = [parse(transaction(number, at=number)) for number in range(5)]
    novel = state.observe(events, first=0).novel
    before = state.state.sums.copy()
    state.replay(events, list(range(5)), novel)
    np.testing.assert_array_equal(state.state.sums, before)


def test_replay_makes_the_same_rows_as_the_first_time() -> None:
    first, again = tracker(), tracker()
    events = [parse(transaction(number, at=number, merchant=f"M-{number % 3}")) for number in range(300)]
    seen = first.observe(events, first=0)
    again.replay(events, list(range(300)), seen.novel)
    later = parse(transaction(999, at=400 + timedelta(hours=2).total_seconds()))
    np.testing.assert_array_equal(
        first.observe([later], first=300).features, again.observe([later], first=300).features
    )


def test_there_are_1024_features_with_names_of_their_own() -> None:
    assert len(FEATURES) == len(set(NAMES)) == 1024
    assert all(name == name.lower() for name in NAMES)


def test_no_feature_is_infinite_or_always_the_same_over_a_varied_stream() -> None:
    from domains.finance.transactions.generator import generate

    stream = generate(accounts=150, seed=3, months=2)
    seen = tracker().observe([parse(item) for item in stream.transactions], first=0).features
    assert not np.isinf(seen).any()
    whole = [".".join(name.split(".")[:2]) for name in NAMES]  # without the window
    moving = {name for place, name in enumerate(whole) if len(np.unique(seen[:, place])) > 1}
    every = set(whole)
    # 150 accounts do not pay one payee thrice within minutes, so a short window may stand still; an aggregate may not
    assert every - moving == {"event.cross_currency"}, "the generator knows one currency"
