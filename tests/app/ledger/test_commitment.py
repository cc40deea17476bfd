"""Commitments: the formula that the documentation states, and what they hide."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ledger.commitment import SALT_BYTES, Opening, commitment

SALT = bytes(range(32))
TEXT = "Is aspirin safe? 阿司匹林安全吗？"


def test_it_is_the_formula_that_is_documented() -> None:
    made = commitment(TEXT, SALT)
    assert made == hashlib.sha256(b"vouch commitment 2\0" + SALT + TEXT.encode()).hexdigest()
    assert made != hashlib.sha256(TEXT.encode()).hexdigest()
    assert made != commitment(TEXT, SALT[::-1])


def test_anyone_can_check_it_with_a_program_that_is_not_ours(tmp_path: Path) -> None:
    opening = Opening.of(TEXT)
    (tmp_path / "salt.hex").write_text(opening.salt)
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    line = (
        r"printf 'vouch commitment 2\0' > d;"
        " python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(open(\"salt.hex\").read()))' >> d;"
        " cat text.txt >> d; sha256sum d"
    )
    done = subprocess.run(["sh", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == opening.commitment


@given(st.text(), st.text())
def test_an_opening_opens_its_own_text_and_no_other(one: str, other: str) -> None:
    opening = Opening.of(one)
    assert opening.opens(opening.commitment)
    assert Opening(other, opening.salt).opens(opening.commitment) == (one == other)


def test_equal_texts_have_different_salts_and_cannot_be_recognised() -> None:
    made = [Opening.of("yes") for _ in range(1000)]
    assert len({opening.salt for opening in made}) == 1000
    assert len({opening.commitment for opening in made}) == 1000


def test_half_characters_are_told_apart() -> None:
    assert commitment("\ud800", SALT) != commitment("\udfff", SALT)


@pytest.mark.parametrize("salt", [b"", b"short", bytes(SALT_BYTES - 1), bytes(SALT_BYTES + 1)])
def test_a_salt_of_another_length_is_refused(salt: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        commitment("text", salt)
