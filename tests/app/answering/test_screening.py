"""The draft on its way out: a recited prompt is never heard, nothing acts, and every draft ends."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.answering.harmless import defang
from app.answering.screening import DraftEnd, DraftLimits, DraftWatch, canary_of, screened
from tests.app.answering.conftest import question

CANARY = "3f9a1c7e"


def heard(*pieces: str, limits: DraftLimits | None = None, clock=None) -> tuple[str, list[str], DraftWatch]:
    watch = DraftWatch(CANARY, limits or DraftLimits(), **({"clock": clock} if clock else {}))
    text, claims = "", []
    for piece in pieces:
        given_out, made = watch.feed(piece)
        text += given_out
        claims += [claim.text for claim in made]
        if watch.end is not None:
            break
    rest, made = watch.flush()
    return text + rest, [*claims, *(claim.text for claim in made)], watch


def cut(text: str, sizes: list[int]) -> list[str]:
    pieces = []
    for size in sizes:
        pieces.append(text[:size])
        text = text[size:]
    return [*pieces, text]


def test_the_canary_follows_from_the_secret_alone():
    assert canary_of(b"s") == canary_of(b"s") != canary_of(b"t")


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=8))
def test_no_number_and_no_word_passes_for_the_canary(secret):
    made = canary_of(secret)
    assert len(made) == 8
    assert not made.isdigit()
    assert not made.isalpha()
    with pytest.raises(ValueError, match="could not convert"):
        float(made)


@pytest.mark.parametrize("mark", [CANARY, "3F9A1C7E", "3f9a-1c7e", "3 f 9 a 1 c 7 e", "3f9a\u200b1c7e"])
@settings(deadline=None)
@given(sizes=st.lists(st.integers(1, 6), max_size=12))
def test_a_recited_prompt_is_stopped_before_its_mark_is_heard(mark, sizes):
    text, claims, watch = heard(*cut(f"Revenue rose [1]. Rules no. {mark}, not to be quoted. You answer", sizes))
    assert watch.end is DraftEnd.LEAKED
    assert "1c7e" not in text.lower()
    assert not any("Rules" in claim for claim in claims)


@pytest.mark.parametrize("text", ["The code is 3f9a1c.", "Revenue was 3,917 and 3f. It rose.", "Item 3f9a1c7d is red."])
def test_what_only_begins_like_a_mark_is_heard_in_the_end(text):
    assert heard(*text)[0] == text
    assert heard(*text)[2].end is None


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(["Rev", "enue ", "3f", "9a", "![", "](", "http", "://", "x. ", "[1]", "www", ".e"]), max_size=10
    )
)
def test_what_is_heard_is_the_defanged_draft(pieces):
    text, _, watch = heard(*pieces)
    if watch.end is None:
        assert text == defang("".join(pieces))


def test_a_draft_that_does_not_end_is_cut_and_its_broken_sentence_is_left_out():
    text, claims, watch = heard(
        *(f"Line {n} of the report says {n}. " for n in range(1000)), limits=DraftLimits(chars=150)
    )
    assert watch.end is DraftEnd.CUT
    assert len(text) < 200
    assert claims[:2] == ["Line 0 of the report says 0.", "Line 1 of the report says 1."]
    _, claims, watch = heard("One is one. ", "Two is two and then", limits=DraftLimits(chars=20))
    assert (claims, watch.end) == (["One is one."], DraftEnd.CUT)


def test_a_draft_that_takes_too_long_is_cut():
    times = iter(range(0, 1000, 100))
    _, claims, watch = heard(*["Revenue rose. ", "Costs fell. ", "More. "] * 9, clock=lambda: float(next(times)))
    assert watch.end is DraftEnd.CUT
    assert "Revenue rose." in claims


@pytest.mark.parametrize("again", ["Revenue rose by 3%.", "REVENUE rose by 3%!", "Revenue  rose by 3%  ."])
def test_a_sentence_said_again_is_one_claim(again):
    _, claims, watch = heard(f"Revenue rose by 3%. {again} Costs fell.")
    assert claims == ["Revenue rose by 3%.", "Costs fell."]
    assert (watch.repeats, watch.end) == (1, None)


def test_a_draft_in_a_loop_is_ended():
    text, claims, watch = heard(*["Revenue rose by 3%. "] * 500)
    assert watch.end is DraftEnd.REPEATING
    assert claims == ["Revenue rose by 3%."]
    assert len(text) < 400


def test_two_figures_are_two_claims():
    assert heard("Revenue was 5. Revenue was 6. Revenue was 7.")[2].repeats == 0


def test_a_question_and_its_history_lose_what_cannot_be_seen_and_what_acts():
    asked = question(
        "Revenue\u200b of\u202e Larkfield?", history=[("Who\u2060?", "![x](https://evil.example/?q=1) <script>")]
    )
    made = screened(asked)
    assert made.text == "Revenue of Larkfield?"
    assert made.history[0].question == "Who?"
    assert made.history[0].answer == "! [x] (https[:]//evil.example/?q=1) < script>"
    assert (made.scope, made.language) == (asked.scope, asked.language)
