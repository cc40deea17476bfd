"""Sealed values: they open in their own place with their own key, unchanged, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from app.ledger.sealing import NotOpened, master_key, seal, unseal

KEY = b"k" * 32
ABOUT = ("item", "key", "alice", "answer", "question")


@given(st.binary(max_size=2000), st.lists(st.text(), max_size=4))
def test_what_was_sealed_opens(value: bytes, about: list[str]) -> None:
    sealed = seal(KEY, value, about=tuple(about))
    assert unseal(KEY, sealed, about=tuple(about)) == value
    assert len(sealed) == 12 + len(value) + 16


@given(st.data())
def test_any_changed_bit_keeps_it_shut(data: st.DataObject) -> None:
    sealed = bytearray(seal(KEY, b"a secret", about=ABOUT))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(NotOpened):
        unseal(KEY, bytes(sealed), about=ABOUT)


@pytest.mark.parametrize("place", range(len(ABOUT)))
def test_in_another_place_it_stays_shut(place: int) -> None:
    sealed = seal(KEY, b"a secret", about=ABOUT)
    other = tuple("other" if number == place else word for number, word in enumerate(ABOUT))
    for about in (other, ABOUT[1:], (*ABOUT, ""), ()):
        with pytest.raises(NotOpened):
            unseal(KEY, sealed, about=about)


def test_words_cannot_be_moved_across_their_border() -> None:
    sealed = seal(KEY, b"a secret", about=("ab", "c"))
    for about in (("a", "bc"), ("abc",), ("ab", "c", ""), ('ab", "c',)):
        with pytest.raises(NotOpened):
            unseal(KEY, sealed, about=about)


@pytest.mark.parametrize("value", [b"", b"x", bytes(12), bytes(27), bytes(28), None, 7, 1.5, "text" * 20])
def test_what_was_never_sealed_raises_our_own_error(value: Any) -> None:
    with pytest.raises(NotOpened):
        unseal(KEY, value, about=ABOUT)


@given(st.binary(max_size=200))
def test_hostile_bytes_raise_our_own_error(value: bytes) -> None:
    with pytest.raises(NotOpened):
        unseal(KEY, value, about=ABOUT)


def test_the_master_key_is_the_documented_derivation_and_not_the_secret() -> None:
    secret = b"s" * 64
    made = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"vouch vault master 1").derive(secret)
    assert master_key(secret) == made
    assert made not in secret
    assert master_key(b"t" * 64) != made


def test_a_text_sealed_twice_looks_different() -> None:
    assert len({seal(KEY, b"yes", about=ABOUT) for _ in range(500)}) == 500
