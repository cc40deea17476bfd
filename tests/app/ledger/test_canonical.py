"""Canonical JSON: the fast way and the reference write the same bytes, and what neither could keep is refused."""

from __future__ import annotations

import struct
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from app.errors import LedgerError
from app.ledger.canonical import SAFE_INTEGER, encoded, plain

texts = st.text(st.characters(codec="utf-8"), max_size=12)
floats = st.floats(-SAFE_INTEGER, SAFE_INTEGER, allow_nan=False)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-SAFE_INTEGER, SAFE_INTEGER) | floats | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=20,
)


@given(values)
def test_the_bytes_are_those_of_the_reference(value: Any) -> None:
    try:
        copy = plain(value)
    except LedgerError:  # nested too deep
        return
    assert encoded(copy) == rfc8785.dumps(value)


@given(floats | st.floats(-1.0, 1.0) | st.floats(-1e-3, 1e-3) | st.decimals(-1000, 1000, places=4).map(float))
def test_every_fraction_is_written_as_the_reference_does(value: float) -> None:
    assert encoded(plain([value])) == rfc8785.dumps([value])


@given(st.integers(0, 2**64 - 1))
def test_every_pattern_of_bits_that_is_a_number_in_range_is_too(bits: int) -> None:
    (value,) = struct.unpack("<d", struct.pack("<Q", bits))
    if abs(value) <= SAFE_INTEGER:
        assert encoded(plain({"x": value})) == rfc8785.dumps({"x": value})
    else:
        with pytest.raises(LedgerError):
            plain({"x": value})


def test_every_character_is_escaped_as_the_reference_does() -> None:
    for code in [*range(0xD800), *range(0xE000, 0x10000), 0x10000, 0x1F600, 0x10FFFF]:
        text = chr(code)
        assert encoded({text: text}) == rfc8785.dumps({text: text}), hex(code)


@pytest.mark.parametrize(
    "names",
    [
        ("\uffff", "\U00010000"),  # UTF-8 order, and not that of UTF-16
        ("\ue000", "\U0001f600", "a"),
        ("b", "a", "A", "aa", ""),
        ("\u00e9", "e", "z"),
    ],
)
def test_names_are_in_the_order_of_utf_16(names: tuple[str, ...]) -> None:
    value = dict.fromkeys(names, 1)
    assert encoded(plain(value)) == rfc8785.dumps(value)
    assert encoded(plain(dict(reversed(value.items())))) == rfc8785.dumps(value)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1.0, b"1"),
        (-0.0, b"0"),
        (1e-7, b"1e-7"),
        (1e-5, b"0.00001"),
        (0.0001, b"0.0001"),
        (0.93, b"0.93"),
        (float(SAFE_INTEGER), b"9007199254740991"),
        (4503599627370495.5, b"4503599627370495.5"),
        (5e-324, b"5e-324"),
    ],
)
def test_numbers_that_are_written_in_more_than_one_way_are_written_as_ecmascript_does(
    value: float, written: bytes
) -> None:
    assert encoded(plain(value)) == written == rfc8785.dumps(value)


@given(st.recursive(st.binary() | st.floats() | st.integers() | texts, lambda x: st.lists(x) | st.tuples(x, x)))
def test_any_value_is_kept_or_refused_with_our_own_error(value: Any) -> None:
    try:
        copy = plain(value)
    except LedgerError:
        return
    assert encoded(copy) == rfc8785.dumps(value)
