"""How moments become tokens a second, and that all contenders are asked the same, never twice the same."""

from __future__ import annotations

import pytest

from benchmarks.serve_contender import MEASURES, Measure, prompts


def test_decoding_counts_tokens_between_two_moments_so_that_fixed_costs_cancel() -> None:
    measure = Measure("decode", batch=8, prompt_tokens=32, first=2, last=6)
    steps = [10.0 + n for n in range(6)]  # ten seconds of whatever comes first, then a token a second
    assert measure.speed(steps) == pytest.approx(8 * 4 / 4.0)
    assert measure.speed([moment + 100 for moment in steps]) == pytest.approx(8.0)


def test_reading_counts_the_prompt_until_the_first_token() -> None:
    measure = Measure("prefill", batch=1, prompt_tokens=1024, first=0, last=1)
    assert measure.speed([4.0]) == pytest.approx(256.0)


@pytest.mark.parametrize("moments", [[], [1.0, 2.0], [1.0, 2.0, 3.0, 4.0], [1.0, 3.0, 2.0]])
def test_an_answer_of_the_wrong_length_or_order_is_no_figure(moments: list[float]) -> None:
    with pytest.raises(ValueError, match="3 rising moments"):
        Measure("decode", batch=1, prompt_tokens=4, first=1, last=3).speed(moments)


def test_the_measures_are_those_of_the_contract() -> None:
    assert [measure.name for measure in MEASURES] == ["decode_b1", "decode_b8", "prefill_1k"]
    assert [measure.batch for measure in MEASURES] == [1, 8, 1]
    assert MEASURES[2].prompt_tokens == 1024


@pytest.mark.parametrize("measure", MEASURES, ids=[measure.name for measure in MEASURES])
def test_prompts_have_the_size_that_was_asked_for(measure: Measure) -> None:
    made = prompts(measure, 1)
    assert len(made) == measure.batch
    assert {len(prompt) for prompt in made} == {measure.prompt_tokens}
    assert all(1_000 <= token < 100_000 for prompt in made for token in prompt)


def test_a_round_asks_everyone_the_same_and_no_prompt_comes_twice() -> None:
    made = [prompt for measure in MEASURES for n in (1, 2, 3) for prompt in prompts(measure, n)]
    again = [prompt for measure in MEASURES for n in (1, 2, 3) for prompt in prompts(measure, n)]
    assert made == again
    # not even their first sixteen tokens, a block of a prefix cache
    assert len({tuple(prompt[:16]) for prompt in made}) == len(made)
