"""Events: what they take, and that their bytes are the same for everybody."""

from __future__ import annotations

import dataclasses
import enum
import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from app.errors import LedgerError
from app.ledger.clock import ClockState
from app.ledger.event import Actor, Draft, LedgerEvent

SAFE = 2**53 - 1

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-SAFE, SAFE)
    | st.floats(-SAFE, SAFE, allow_nan=False)
    | st.text(st.characters(codec="utf-8"), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=12,
)
bodies = st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=20), plain, max_size=4)


def event(**changes: Any) -> LedgerEvent:
    fields: dict[str, Any] = {
        "seq": 3,
        "id": "7f" * 16,
        "time": "2026-02-28T23:59:59.000001Z",
        "clock": ClockState(source="tsc", synchronised=True),
        "action": "answer.outcome",
        "actor": Actor(subject="ann", method="key"),
        "outcome": "ok",
        "body": {"n": 1},
        "closes": 2,
    }
    return LedgerEvent(**(fields | changes))


def test_the_bytes_are_fixed_for_good() -> None:
    assert event().canonical() == (
        b'{"action":"answer.outcome","actor":{"method":"key","subject":"ann"},"body":{"n":1},'
        b'"clock":{"source":"tsc","stepped_ms":0,"synchronised":true,"zone":"UTC"},"closes":2,'
        b'"id":"7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f","outcome":"ok","schema":2,"seq":3,'
        b'"time":"2026-02-28T23:59:59.000001Z"}'
    )


@given(bodies)
def test_an_event_comes_back_from_its_bytes_as_the_same_bytes(body: dict[str, Any]) -> None:
    data = event(body=body).canonical()
    again = LedgerEvent.parse(data)
    assert again.canonical() == data
    assert again.body == body


@given(bodies)
def test_the_order_of_names_does_not_matter(body: dict[str, Any]) -> None:
    assert event(body=dict(reversed(body.items()))).canonical() == event(body=body).canonical()


def test_an_event_cannot_be_changed_through_what_it_was_made_of() -> None:
    body: dict[str, Any] = {"ids": [1]}
    made = event(body=body)
    data = made.canonical()
    body["ids"].append(2)
    assert made.canonical() == data
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.seq = 4  # type: ignore[misc]


def test_an_enumeration_is_recorded_by_its_value() -> None:
    class Verdict(str, enum.Enum):  # noqa: UP042 - the older way, whose str() is its name
        YES = "supported"

    class Level(enum.IntEnum):
        TWO = 2

    assert event(body={"v": Verdict.YES, "l": Level.TWO}).body == {"v": "supported", "l": 2}


@pytest.mark.parametrize(
    "changes",
    [
        {"seq": -1, "closes": None},
        {"seq": True, "closes": None},
        {"seq": 2**53, "closes": None},
        {"closes": 3},
        {"closes": 4},
        {"closes": -1},
        {"closes": False},
        {"schema": 1},
        {"schema": 3},
        {"schema": True},
        {"time": "2026-02-28T23:59:59"},
        {"time": "2026-02-28T23:59:59+01:00"},
        {"time": "2026-02-30T23:59:59Z"},
        {"time": "2026-02-28T25:59:59Z"},
        {"time": "2026-02-28T23:59:5٩Z"},
        {"action": "answer"},
        {"action": "answer."},
        {"action": "answer.Outcome"},
        {"action": "answer.outcome\n"},
        {"action": None},
        {"outcome": ""},
        {"outcome": "not ok"},
        {"id": 7},
        {"clock": ClockState(source="x" * 513, synchronised=True)},
        {"clock": ClockState(source="tsc", synchronised=1)},  # type: ignore[arg-type]
        {"clock": ClockState(source="tsc", synchronised=None, zone=None)},  # type: ignore[arg-type]
        {"clock": ClockState(source="tsc", synchronised=None, stepped_ms=2**60)},
        {"clock": ClockState(source="tsc", synchronised=None, stepped_ms=True)},
        {"actor": Actor(subject="x" * 513, method="key")},
        {"actor": Actor(subject="ann", method="\udfff")},
        {"body": [1]},
        {"body": {"deep": [[[[[[[[[1]]]]]]]]]}},
        {"body": {"set": {1}}},
        {"body": {"n": float("-inf")}},
        {"body": {"n": -(2**53)}},
        {"body": {"n": 1e17}},
        {"body": {"half \ud800": 1}},
    ],
)
def test_what_could_not_be_read_back_exactly_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(LedgerError, match="cannot be recorded"):
        event(**changes)


def test_a_body_that_contains_itself_is_refused() -> None:
    body: dict[str, Any] = {}
    body["self"] = body
    with pytest.raises(LedgerError, match="nested"):
        event(body=body)


def test_a_page_of_text_does_not_fit_into_a_body() -> None:
    with pytest.raises(LedgerError):
        event(body={"text": "word " * 200})
    with pytest.raises(LedgerError, match="65536 bytes"):
        event(body={"lines": ["word " * 100] * 200}).canonical()


def test_a_refusal_does_not_repeat_what_was_refused() -> None:
    with pytest.raises(LedgerError) as refusal:
        event(body={"text": "Mrs Smith has diabetes. " * 40})
    assert "Smith" not in refusal.value.message + refusal.value.remedy


@given(st.binary(max_size=200))
def test_foreign_bytes_raise_only_our_error(data: bytes) -> None:
    with pytest.raises(LedgerError):
        LedgerEvent.parse(data)


@given(
    st.dictionaries(
        st.sampled_from([field.name for field in dataclasses.fields(LedgerEvent)] + ["more"]),
        st.none() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2) | st.just({}),
    )
)
def test_fields_of_the_wrong_kind_raise_only_our_error(changes: dict[str, Any]) -> None:
    fields = json.loads(event().canonical()) | changes
    data = json.dumps(fields).encode()
    try:
        LedgerEvent.parse(data)
    except LedgerError:
        return
    assert json.loads(data) == json.loads(LedgerEvent.parse(data).canonical())


@pytest.mark.parametrize("data", [b"[" * 100_000, b"{" * 100_000, b'{"seq":NaN}', b"null", b"1e400"])
def test_json_that_is_no_event_raises_only_our_error(data: bytes) -> None:
    with pytest.raises(LedgerError, match="not an event"):
        LedgerEvent.parse(data)


def test_bytes_that_are_not_canonical_are_refused() -> None:
    data = event().canonical()
    with pytest.raises(LedgerError, match="not canonical"):
        LedgerEvent.parse(data.replace(b'"n":1', b'"n": 1'))
    with pytest.raises(LedgerError, match="not canonical"):
        LedgerEvent.parse(data.replace(b'"n":1', b'"n":1,"n":1'))


@given(bodies, st.none() | st.integers(0, SAFE - 2), st.text(st.characters(codec="utf-8"), max_size=20))
def test_a_draft_at_its_place_is_the_event_to_the_byte(body: dict[str, Any], closes: int | None, subject: str) -> None:
    draft = Draft.of("answer.outcome", subject=subject, method="key", body=body, outcome="denied", closes=closes)
    clock = ClockState(source="tsc", synchronised=None, stepped_ms=-7)
    place: dict[str, Any] = {"id": "7f" * 16, "time": "2026-02-28T23:59:59.000001Z"}
    data = draft.at(SAFE - 1, **place, clock=rfc8785.dumps(clock.fields()))
    parts = {"actor": Actor(subject, "key"), "outcome": "denied", "body": body, "closes": closes}
    whole = event(seq=SAFE - 1, clock=clock, **place, **parts)
    assert data == whole.canonical()
    assert LedgerEvent.parse(data) == whole


@pytest.mark.parametrize(
    "changes",
    [
        {"action": "answer"},
        {"action": "answer.intent\n"},
        {"outcome": "not ok"},
        {"subject": "x" * 513},
        {"method": "\udfff"},
        {"closes": True},
        {"closes": 1.0},
        {"body": None},
        {"body": {"n": float("nan")}},
    ],
)
def test_a_draft_that_breaks_a_rule_is_refused_before_it_waits(changes: dict[str, Any]) -> None:
    fields: dict[str, Any] = {"action": "answer.outcome", "subject": "ann", "method": "key", "body": {}}
    with pytest.raises(LedgerError, match="cannot be recorded"):
        Draft.of(**(fields | changes))


def test_an_event_is_refused_at_the_first_byte_too_many() -> None:
    def at(filling: int) -> bytes:
        texts = ["x" * 500] * 129 + ["x" * filling]
        draft = Draft.of("a.b", subject="ann", method="key", body={"texts": texts})
        return draft.at(0, id="7f" * 16, time="2026-02-28T23:59:59.000001Z", clock=b"{}")

    room = 65_536 - len(at(0))
    assert len(at(room)) == 65_536
    with pytest.raises(LedgerError, match="65536 bytes"):
        at(room + 1)
