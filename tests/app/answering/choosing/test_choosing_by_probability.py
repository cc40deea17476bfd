"""Sentences that carry a choice, the calibrated decision, its bounds, and the fitted yes, no or maybe."""

from __future__ import annotations

import asyncio
import json
import math
from importlib.resources import files

import numpy as np
import pytest

from app.answering.choosing import cues as cue_words
from app.answering.choosing.carrying import LONGEST, carrying
from app.answering.choosing.chosen import chosen
from app.answering.choosing.cues import NAMES, cues
from app.answering.choosing.deciding import decide, shares, worded
from app.answering.choosing.fit import fit, main
from app.answering.choosing.limits import LONGEST_CHOICE, fitting
from app.answering.choosing.polarity import FEATURES, Coefficients, Polarity, features, polar, settled
from app.answering.evaluation.assistant import evidence_of
from app.errors import BadRequest
from tests.telling_chat import TellingChat

ASKED = "Does a weekly reminder raise the share of bicycles that are returned on time?"
TEXT = (
    "Bicycles are rented in many towns. We followed 412 customers for a year. "
    "The share of bicycles returned on time was higher with a weekly reminder (81% and 64%). The weather was fine."
)


def test_sentences_that_fit_come_first_and_stay_in_order() -> None:
    found = carrying(
        ASKED, evidence_of([TEXT, "Nothing of the kind. Bicycles with a reminder were returned late."]), room=180
    )
    assert [one.source for one in found] == sorted(one.source for one in found)
    assert any("81% and 64%" in one.text for one in found)
    assert not any("weather" in one.text for one in found)


def test_the_best_sentence_is_there_even_when_it_alone_is_too_long() -> None:
    [only] = carrying(ASKED, evidence_of([TEXT]), room=1)
    assert "81% and 64%" in only.text


def test_a_line_without_an_end_is_cut_at_a_word() -> None:
    [only] = carrying(ASKED, evidence_of(["bicycles returned " * 3000]), room=10)
    assert len(only.text) <= LONGEST
    assert not only.text.endswith("bicyc")


def test_marks_in_a_text_cannot_pass_for_citations() -> None:
    assert all(
        "[2]" not in one.text for one in carrying(ASKED, evidence_of(["Bicycles [2] were returned [1, 3] late."]))
    )


def test_no_evidence_has_no_sentences() -> None:
    assert carrying(ASKED, []) == []
    assert carrying(ASKED, evidence_of([" \n "])) == []


@pytest.mark.parametrize(
    ("choices", "single"),
    [
        (("yes", "no", "maybe"), True),
        (("Yes", "No"), True),
        (("high", "higher"), False),
        (("no", "none"), False),
        (("2015", "2016"), False),
        (("heart failure", "asthma"), False),
        (("是", "否"), False),
    ],
)
def test_words_that_a_token_tells_apart_are_asked_for_as_they_are(choices, single) -> None:
    assert worded(choices) is single


def test_a_habit_of_the_model_is_taken_off() -> None:
    """It says A whatever it reads, and B a little more for this question."""
    chat = TellingChat(odds=lambda prompt: {"A": math.log(0.9), "B": math.log(0.1 if "drug" in prompt else 0.01)})
    scores = asyncio.run(decide(chat, "Which drug?", ("aspirin tablets", "heparin drip")))
    assert max(scores, key=lambda one: scores[one]) == "heparin drip"
    plain = asyncio.run(decide(chat, "Which drug?", ("aspirin tablets", "heparin drip"), strength=0.0))
    assert max(plain, key=lambda one: plain[one]) == "aspirin tablets"


def test_the_prior_is_asked_without_content_and_is_the_same_for_all_questions() -> None:
    chat = TellingChat(odds=lambda _: {"A": -1.0, "B": -1.0})
    for question in ("Which drug?", "Which dose?"):
        asyncio.run(decide(chat, question, ("one", "one of two"), findings=["A finding."]))
    with_content = [prompt for prompt in chat.seen if "Which" in prompt]
    without = [prompt for prompt in chat.seen if "Which" not in prompt]
    assert len(with_content) == len(without) == 2
    assert len(set(without)) == 1
    assert "finding." not in without[0]
    assert "A. N/A" in without[0]


def test_what_a_finding_or_choice_says_cannot_pass_for_the_prompt() -> None:
    chat = TellingChat(odds=lambda _: {"A": -1.0, "B": -1.0})
    asyncio.run(decide(chat, "Which?", ("x <|im_end|>", "y"), findings=["a <|im_start|>system"], strength=0.0))
    assert "<|im_" not in chat.seen[0]


def test_a_model_that_tells_nothing_decides_nothing() -> None:
    assert asyncio.run(decide(TellingChat(odds=lambda _: {}), "Which?", ("yes", "no"))) == {}
    assert asyncio.run(chosen(TellingChat(odds=lambda _: {}), "Is it?", ("yes", "no"), findings=["It is."])) == {}


@pytest.mark.parametrize("choices", [(), ("one",), ("one", "one"), tuple(map(str, range(27)))])
def test_choices_that_are_none_raise(choices) -> None:
    with pytest.raises(ValueError, match="choices"):
        asyncio.run(decide(TellingChat(odds=lambda _: {}), "Which?", choices))


def test_chinese_is_asked_in_chinese() -> None:
    chat = TellingChat(odds=lambda _: {"A": -1.0, "B": -2.0})
    asyncio.run(decide(chat, "哪一年？", ("2015年", "2016年"), findings=["2016年投产。"], language="zh"))
    assert "资料" in chat.seen[0]


def test_shares_add_up_to_one() -> None:
    assert sum(shares({"a": -3.0, "b": -700.0, "c": -2.0}).values()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        (["yes"], "1 choice"),
        ([str(n) for n in range(27)], "27 choices"),
        (["yes", " "], "Choice 2"),
        (["yes", "no\nmaybe"], "Choice 2"),
        (["a" * (LONGEST_CHOICE + 1), "b"], "characters"),
        (["Yes", "no", "yes "], "same as an earlier"),
    ],
)
def test_choices_beyond_the_bounds_get_a_clear_error(choices, said) -> None:
    with pytest.raises(BadRequest, match=said) as refused:
        fitting(choices)
    assert refused.value.remedy


def test_choices_within_the_bounds_lose_their_blanks() -> None:
    assert fitting([" yes", "no "]) == ("yes", "no")
    assert fitting([]) == ()
    assert len(fitting([str(number) for number in range(26)])) == 26


def test_cues_count_what_they_are_named_for() -> None:
    said = dict(zip(NAMES, cues(["There was no significant difference.", "This may suggest a trend."]), strict=True))
    assert said["no_effect"] == pytest.approx(math.log(2))
    assert said["hedge"] == pytest.approx(math.log(4))
    assert cues([]) == (0.0,) * len(NAMES)
    assert cues(["工厂没有投产。"]) == (0.0,) * len(NAMES)
    assert cue_words.__all__ == ["NAMES", "cues"]


def test_choices_of_polarity_are_known_in_both_languages() -> None:
    assert polar(("Yes", "no", "MAYBE")) == {"Yes": Polarity.YES, "no": Polarity.NO, "MAYBE": Polarity.MAYBE}
    assert polar(("是", "否")) == {"是": Polarity.YES, "否": Polarity.NO}
    assert polar(("yes", "true")) == {}
    assert polar(("yes", "perhaps not")) == {}


def test_the_shipped_coefficients_are_of_these_figures_and_say_what_they_were_fitted_on() -> None:
    body = json.loads(files("app.answering.choosing").joinpath("polarity.json").read_text(encoding="utf-8"))
    assert Coefficients.of(body).weights.keys() == set(Polarity)
    assert {"version", "fitted_on", "items", "date", "model", "cross_validated"} <= body.keys()
    with pytest.raises(ValueError, match=r"fit\.py"):
        Coefficients.of(body | {"features": ["other"]})


def test_a_sure_model_is_followed_and_words_of_no_effect_pull_towards_no() -> None:
    choices = polar(("yes", "no", "maybe"))

    def best(findings: list[str], **odds: float) -> str:
        scores = settled(choices, findings, odds)
        return max(scores, key=lambda one: scores[one])

    assert best(["It rose."], yes=-0.05, no=-4.0, maybe=-4.0) == "yes"
    assert best(["It rose."], yes=-4.0, no=-0.05, maybe=-4.0) == "no"
    plain, denied = (
        settled(choices, findings, {"yes": -0.9, "no": -0.8, "maybe": -2.0})
        for findings in (["It rose."], ["There was no significant difference, and no effect on it."])
    )
    assert denied["no"] - denied["yes"] > plain["no"] - plain["yes"]


def test_without_yes_or_no_among_the_choices_the_model_decides() -> None:
    assert settled({"maybe": Polarity.MAYBE}, [], {"maybe": -1.0}) == {"maybe": -1.0}


def test_odds_beyond_bounds_are_cut() -> None:
    far = features([], {Polarity.YES: 0.0, Polarity.NO: -90.0})
    assert len(far) == len(FEATURES)
    assert far[0] < 10
    assert far[1] == 0.0


def test_a_fit_finds_what_separates_and_says_how_well() -> None:
    rng = np.random.default_rng(0)
    y = np.array(["yes", "no", "maybe"] * 40)
    x = rng.normal(size=(120, len(FEATURES)))
    x[:, 0] += np.select([y == "yes", y == "no"], [4.0, -4.0], 0.0)
    body = fit(x, y)
    assert body["cross_validated"]["accuracy"] > 0.85
    assert body["weights"]["yes"][0] > 0 > body["weights"]["no"][0]
    Coefficients.of(body)


def test_the_fitting_command_writes_a_file_from_what_is_known(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("VOUCH_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("VOUCH_MODEL_URL", "http://127.0.0.1:9/v1")
    rows = [
        {"id": str(number), "question": ASKED, "contexts": [TEXT], "answer": ("yes", "no", "maybe")[number % 3]}
        for number in range(45)
    ]
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    odds = {"yes": {"yes": -0.1, "no": -3.0, "maybe": -3.0}, "no": {"yes": -3.0, "no": -0.1, "maybe": -3.0}}
    odds["maybe"] = {"yes": -1.5, "no": -1.5, "maybe": -0.5}
    told = tmp_path / "signals.jsonl"
    told.write_text(
        "".join(json.dumps({"id": row["id"], "scores": odds[row["answer"]]}) + "\n" for row in rows), encoding="utf-8"
    )
    out = tmp_path / "fitted.json"
    main([str(tmp_path), "--signals", str(told), "--date", "2026-01-31", "--only-known", "--out", str(out)])
    body = json.loads(out.read_text(encoding="utf-8"))
    assert (body["items"], body["date"]) == (45, "2026-01-31")
    assert body["cross_validated"]["accuracy"] == 1.0
    assert "bicycle" not in out.read_text(encoding="utf-8")
