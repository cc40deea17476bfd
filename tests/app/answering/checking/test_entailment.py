"""How a claim is put together: what the signals are, and what the fitted coefficients make of them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.answering.checking.entailment import Entailment, fitted, probability
from app.answering.checking.signals import SIGNALS, Source, signals

PASSAGE = (
    "Larkfield Paper opened a mill at Orrin Bay in 2016. The mill makes board for boxes and employs 240 people. "
    "A second mill may follow. Ines Varga leads the company since March."
)
CHINESE = "青禾银行去年新开了三家分行。分行行长由总行任命。"

MODEL = {
    "features": ["pieces", "names"],
    "centre": [0.2, 1.0],
    "spread": [0.1, 0.5],
    "weights": [-1.0, -2.0],
    "bias": 0.5,
    "faithful_from": 0.0,
}


def of(text: str, source: str = PASSAGE) -> dict[str, float]:
    return dict(zip(SIGNALS, signals(text, Source(source)), strict=True))


@pytest.mark.parametrize(
    ("text", "source"), [("The mill makes board for boxes and employs 240 people.", PASSAGE), (CHINESE[:14], CHINESE)]
)
def test_a_sentence_of_the_passage_is_one_piece_and_has_nothing_new(text: str, source: str) -> None:
    found = of(text, source)
    assert found["pieces"] <= 1 / 10
    assert [found[name] for name in ("missing", "spread", "strange", "names", "hedged")] == [0] * 5


def test_a_stitched_sentence_is_of_more_pieces_than_a_plain_one() -> None:
    plain = of("Larkfield Paper opened a mill at Orrin Bay.")
    stitched = of("Ines Varga opened boxes at the second mill in March.")
    assert stitched["pieces"] > plain["pieces"]
    assert stitched["strange"] > plain["strange"]


def test_what_stands_far_apart_is_spread() -> None:
    parts = " ".join(["The ferry leaves at noon.", *("Nothing happens here." for _ in range(4)), "Tickets cost money."])
    found = of("The ferry tickets cost money.", parts)
    assert found["missing"] == 0
    assert found["spread"] > 0


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("The mill at Orrin Bay belongs to Larkfield Paper.", 0),
        ("The mill at Norrick belongs to Halden Group.", 3),
        ("Norrick is a mill.", 0),  # the first word is a capital's for another reason
        ("It went to Alba Berg Cole Dorn Elms.", 3),  # no more than three are counted
        ("该厂由青禾纸业经营。", 0),
    ],
)
def test_names_that_the_passage_has_not(text: str, names: int) -> None:
    assert of(text)["names"] == names


@pytest.mark.parametrize(
    ("text", "hedged"),
    [
        ("The mill employs about 240 people.", 1),
        ("A second mill may follow.", 0),  # the passage says so too
        ("The mill employs 240 people.", 0),
    ],
)
def test_a_hedge_counts_where_the_passage_has_none(text: str, hedged: int) -> None:
    assert of(text)["hedged"] == hedged


def test_a_heading_is_part_of_the_passage() -> None:
    bare, headed = Source("It employs 240 people."), Source("It employs 240 people.", "Orrin Bay mill")
    text = "The Orrin Bay mill employs 240 people."
    assert signals(text, headed)[0] < signals(text, bare)[0]


@given(st.text(max_size=120), st.text(max_size=240))
@settings(deadline=None)
def test_no_text_breaks_the_signals(text: str, source: str) -> None:
    found = signals(text, Source(source))
    assert len(found) == len(SIGNALS)
    assert all(math.isfinite(value) and value >= 0 for value in found)
    assert found == signals(text, Source(source))


def test_log_odds_are_the_weighed_sum() -> None:
    values = tuple({"pieces": 0.3, "names": 2.0}.get(name, 9.0) for name in SIGNALS)
    assert Entailment.of(MODEL).weighed(values) == pytest.approx(0.5 - 1.0 * 1.0 - 2.0 * 2.0)


def test_a_text_has_the_mean_of_its_sentences() -> None:
    model, source = Entailment.of(MODEL), Source(PASSAGE)
    one, other = "The mill employs 240 people.", "It was bought by Halden Group."
    mean = (model.log_odds(one, source) + model.log_odds(other, source)) / 2
    assert model.of_all(f"{one} {other}", source) == pytest.approx(mean)
    assert model.of_all(" ", source) == 0.0


def test_without_a_floor_nothing_falls_short() -> None:
    assert not Entailment.of(MODEL).falls_short(-100.0)
    floored = Entailment.of(MODEL | {"floor": -1.0})
    assert (floored.falls_short(-1.1), floored.falls_short(-1.0)) == (True, False)


@pytest.mark.parametrize(
    "change", [{"features": ["pieces", "colour"]}, {"weights": [1.0]}, {"spread": [1.0, 1.0, 1.0]}]
)
def test_coefficients_of_other_signals_are_refused(change: dict) -> None:
    with pytest.raises(ValueError, match="fit"):
        Entailment.of(MODEL | change)


def test_what_is_shipped_can_be_read_and_prefers_a_plain_sentence() -> None:
    model, source = fitted(), Source(PASSAGE)
    plain = model.log_odds("The mill makes board for boxes and employs 240 people.", source)
    assert plain > model.log_odds("Halden Group might, in time, move boxes for Norrick to the second board.", source)
    assert not model.falls_short(plain)


@pytest.mark.parametrize(("odds", "share"), [(0.0, 0.5), (1000.0, 1.0), (-1000.0, 0.0), (math.log(3), 0.75)])
def test_log_odds_are_a_probability(odds: float, share: float) -> None:
    assert probability(odds) == pytest.approx(share)
