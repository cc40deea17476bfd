"""The part of a text that is much too long."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.answering.excerpt import excerpt
from app.answering.prompt import estimate_tokens

FACT = "The chair of Larkfield Paper is Ines Varga."


@pytest.mark.parametrize("before", [0, 5_000, 40_000])
@pytest.mark.parametrize("filler", ["Filler words stand here. ", "filler words without any mark ", "x"])
def test_the_part_that_answers_is_found_wherever_it_stands(before, filler):
    text = (filler * 50_000)[:before] + f" {FACT} " + (filler * 50_000)[:20_000]
    part = excerpt(text, "Who is the chair of Larkfield Paper?", room=500, count=estimate_tokens)
    assert "Larkfield" in part
    assert estimate_tokens(part) <= 500


def test_a_line_of_ideographs_is_cut_as_well():
    text = "填充文字，" * 9000 + "青禾纸业的董事长是叶知秋。" + "填充文字，" * 900
    part = excerpt(text, "青禾纸业的董事长是谁？", room=600, count=estimate_tokens)
    assert "叶知秋" in part
    assert estimate_tokens(part) <= 600


@settings(deadline=None)
@given(st.text(max_size=400), st.text(max_size=30), st.integers(0, 120))
def test_it_is_always_a_piece_of_the_text_and_always_fits(text, question, room):
    part = excerpt(text, question, room=room, count=estimate_tokens)
    assert part in text
    assert estimate_tokens(part) <= room


def test_no_room_is_no_part():
    assert excerpt(FACT, "Who?", room=0, count=estimate_tokens) == ""
