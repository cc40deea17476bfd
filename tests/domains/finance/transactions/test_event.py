"""Transactions as they come in: what is exact, what is refused and how, and that hostile input raises nothing else."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from domains.finance.transactions.currency import LARGEST, RATES, check
from domains.finance.transactions.errors import TransactionRefused
from domains.finance.transactions.event import ROLES, Direction, Transaction, parse, parse_json

from .conftest import NOON, transaction

GOOD = {
    "id": "T-1",
    "time": "2026-03-02T12:00:00+01:00",
    "amount": "9.90",
    "currency": "EUR",
    "account": "A",
    "channel": "pos",
    "type": "card",
}


def send(**changes: object) -> Transaction:
    return parse_json(json.dumps(GOOD | changes))


@pytest.mark.parametrize(
    ("amount", "currency", "part"),
    [
        ("-1.00", "EUR", "negative"),
        ("0.001", "EUR", "2 digits"),
        ("1.5", "JPY", "0 digits"),
        ("1000000000001", "EUR", "larger"),
        ("1e29", "EUR", "larger"),
        ("1", "XYZ", "not known"),
        ("1.0000000000000000000000001", "EUR", "2 digits"),
    ],
)
def test_an_amount_that_cannot_be_is_refused_by_name(amount: str, currency: str, part: str) -> None:
    with pytest.raises(TransactionRefused, match=part) as caught:
        parse(transaction(amount=Decimal(amount), currency=currency))
    assert caught.value.remedy


@pytest.mark.parametrize(
    "amount", ["1e300", 1e300, "NaN", "Infinity", "-Infinity", True, None, [], "12,50", "", "1" * 400]
)
def test_what_is_no_amount_is_refused_where_it_is_read(amount: object) -> None:
    with pytest.raises(TransactionRefused, match="amount"):
        parse(send(amount=amount))


@pytest.mark.parametrize("amount", ["0", "0.00", "0.01", "999999999999.99", "1.50", "1.500"])
def test_an_amount_that_can_be_is_kept_exactly(amount: str) -> None:
    taken = send(amount=amount)
    assert taken.amount == Decimal(amount)
    assert parse(taken).reference == pytest.approx(float(amount))


def test_a_number_in_json_means_its_shortest_decimal() -> None:
    assert send(amount=0.1).amount == Decimal("0.1")
    assert send(amount=12).amount == Decimal(12)


def test_currencies_meet_on_one_scale_and_the_exact_amount_stays() -> None:
    yen = transaction(amount=Decimal(10_000), currency="JPY")
    assert parse(yen).reference == pytest.approx(60.0)
    assert parse(yen).cross_currency
    assert not parse(transaction()).cross_currency
    assert yen.amount == Decimal(10_000)


@pytest.mark.parametrize("currency", sorted(RATES))
def test_every_currency_takes_its_own_digits_and_no_more(currency: str) -> None:
    digits = RATES[currency][0]
    least = Decimal(1).scaleb(-digits)
    assert check(least, currency) > 0
    with pytest.raises(TransactionRefused, match="digits"):
        check(least / 10, currency)


def test_the_largest_amount_is_a_limit_in_euro_not_in_units() -> None:
    assert check(Decimal(int(LARGEST / 0.006)), "JPY") <= LARGEST
    with pytest.raises(TransactionRefused, match="larger"):
        check(Decimal(int(LARGEST)), "KWD")


@pytest.mark.parametrize(
    "changes",
    [
        {"time": "2026-03-02T12:00:00"},
        {"time": "yesterday"},
        {"account": ""},
        {"account": "x" * 129},
        {"channel": "fax"},
        {"type": ""},
        {"direction": "sideways"},
        {"currency": "eur"},
        {"country": "Germany"},
        {"surprise": 1},
    ],
)
def test_what_does_not_fit_the_form_is_refused_with_the_field(changes: dict[str, object]) -> None:
    with pytest.raises(TransactionRefused, match=next(iter(changes))):
        send(**changes)


@pytest.mark.parametrize("missing", sorted(GOOD))
def test_what_is_missing_is_named(missing: str) -> None:
    with pytest.raises(TransactionRefused, match=missing):
        parse_json(json.dumps({name: value for name, value in GOOD.items() if name != missing}))


def test_a_time_before_the_clocks_began_is_refused() -> None:
    with pytest.raises(TransactionRefused, match="2000"):
        parse(transaction(time=datetime(1970, 1, 1, tzinfo=NOON.tzinfo)))


def test_the_same_moment_in_two_zones_is_one_time_but_two_hours() -> None:
    east = NOON.astimezone(timezone(timedelta(hours=14)))
    assert parse(transaction(time=east)).seconds == parse(transaction()).seconds
    assert (parse(transaction()).night, parse(transaction(time=east)).night) == (False, True)


def test_names_in_any_script_are_names_and_different_ones_differ() -> None:
    one, two = parse(transaction(account="账户一")), parse(transaction(account="账户二"))
    assert one.keys[0] != two.keys[0]
    assert parse(transaction(account="𝔸🙂")).keys[0] is not None


def test_a_pair_is_not_a_run_of_letters() -> None:
    one = parse(transaction(account="ab", counterparty="c")).keys[4]
    two = parse(transaction(account="a", counterparty="bc")).keys[4]
    assert one != two


def test_an_account_and_its_counterparty_share_one_kind_and_a_merchant_does_not() -> None:
    taken = parse(transaction(account="X", counterparty="Y", merchant="X", device="X"))
    back = parse(transaction(account="Y", counterparty="X"))
    assert taken.keys[0] == back.keys[1]
    assert taken.keys[4] == back.keys[4]
    assert len({taken.keys[0], taken.keys[2], taken.keys[3]}) == 3


def test_both_directions_of_a_pair_know_which_way_the_money_went() -> None:
    there = parse(transaction(account="X", counterparty="Y"))
    back = parse(transaction(account="Y", counterparty="X"))
    received = parse(transaction(account="Y", counterparty="X", direction=Direction.IN))
    assert there.pair_incoming != back.pair_incoming
    assert there.pair_incoming == received.pair_incoming


def test_moving_money_to_oneself_names_no_other_party() -> None:
    own = parse(transaction(account="A", counterparty="A"))
    assert own.keys[1] is None
    assert own.keys[4] is None


def test_every_role_has_a_place() -> None:
    assert len(parse(transaction(counterparty="B")).keys) == len(ROLES)
    bare = parse(transaction(counterparty=None, merchant=None, device=None, country=None, home_country=None))
    assert [key is None for key in bare.keys] == [False, True, True, True, True, True, True]
    assert bare.bits[1:] == (-1, -1, -1, -1)
    assert not bare.foreign


@pytest.mark.parametrize("name", ["\ud800", "a\udfff"])
def test_half_a_character_is_refused(name: str) -> None:
    with pytest.raises((TransactionRefused, ValidationError)):
        parse(transaction(account=name))


def test_a_zero_byte_in_an_id_is_refused() -> None:
    with pytest.raises(TransactionRefused, match="zero byte"):
        parse(transaction(id="a\x00b"))


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_bytes_that_are_no_transaction_are_refused_and_nothing_else(data: bytes) -> None:
    with pytest.raises(TransactionRefused):
        parse_json(data)


VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.lists(st.integers(), max_size=2)
)


@given(st.dictionaries(st.sampled_from(sorted(Transaction.model_fields)), VALUES, max_size=6))
def test_any_value_in_any_field_is_taken_or_refused(changes: dict[str, object]) -> None:
    try:
        parsed = parse(parse_json(json.dumps(GOOD | changes)))
    except TransactionRefused:
        return
    assert 0 <= parsed.reference <= LARGEST


@pytest.mark.parametrize("depth", [50, 100_000])
def test_a_deep_nest_is_refused(depth: int) -> None:
    with pytest.raises(TransactionRefused):
        parse_json("[" * depth)
