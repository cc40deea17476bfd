"""The canary as a judge: recorded from a tiny model in transformers, held against replies as a server gives them."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from model.canary import AGREEMENT, CANARY, DRIFT, PROMPTS, Line, compare, read, record, request, write
from model.errors import ModelRejected, WeightsRejected
from model.limits import check_request

LINE = Line("a b c", tokens=(5, 6, 7, 8), logprobs=(-1.0, -2.0, -3.0), top=(6, 1, 8))


def reply(*lines: Line, off: float = 0.0, wrong: int = 0) -> dict[str, Any]:
    """What a server says that drifts by `off` and has another likeliest token in the first `wrong` places."""
    choices = []
    for number, line in enumerate(lines):
        places: list[Any] = [None]
        for place, (token, logprob, top) in enumerate(zip(line.tokens[1:], line.logprobs, line.top, strict=True)):
            best = 99 if place < wrong else top
            entries = {str(token): {"logprob": logprob + off, "rank": 1 if token == best else 7, "decoded_token": "?"}}
            entries.setdefault(str(best), {"logprob": -0.5, "rank": 1, "decoded_token": "?"})
            places.append(entries)
        choices.append({"index": number, "text": "x", "prompt_logprobs": places})
    return {"choices": choices}


def test_the_same_numbers_pass() -> None:
    assert compare([LINE], reply(LINE)) == (0.0, 1.0)


def test_choices_may_come_in_any_order() -> None:
    other = Line("d e", tokens=(1, 2), logprobs=(-4.0,), top=(9,))
    said = reply(LINE, other)
    said["choices"].reverse()
    assert compare([LINE, other], said) == (0.0, 1.0)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_small_drift_passes_and_a_large_one_does_not(sign: int) -> None:
    drift, _ = compare([LINE], reply(LINE, off=sign * DRIFT * 0.9))
    assert drift == pytest.approx(DRIFT * 0.9)
    with pytest.raises(ModelRejected, match=r"off by 0\.55 \(at most 0\.5\)") as caught:
        compare([LINE], reply(LINE, off=sign * DRIFT * 1.1))
    assert "./vouch model check" in caught.value.remedy


def test_one_other_token_in_three_passes_and_two_do_not() -> None:
    assert AGREEMENT < 2 / 3
    assert compare([LINE], reply(LINE, wrong=1))[1] == pytest.approx(2 / 3)
    with pytest.raises(ModelRejected, match=r"reference's in 33% of the places"):
        compare([LINE], reply(LINE, wrong=2))


def test_one_bad_line_among_good_ones_is_enough() -> None:
    others = [dataclasses.replace(LINE, text=str(number)) for number in range(5)]
    said = reply(*others)
    said["choices"][3] = reply(LINE, off=-9)["choices"][0] | {"index": 3}
    with pytest.raises(ModelRejected):
        compare(others, said)


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"choices": []},
        {"choices": [{"index": 0, "prompt_logprobs": None}]},
        {"choices": [{"index": 0, "prompt_logprobs": [None, {}, {}, {}]}]},
        {"choices": [{"index": 0, "prompt_logprobs": [None, {"6": {"logprob": None, "rank": 1}}]}]},
        {"choices": [{"index": 0, "prompt_logprobs": [None, {"six": {"logprob": -1, "rank": 1}}]}]},
        {"error": {"message": "no"}},
    ],
)
def test_a_server_that_gives_no_numbers_is_no_sound_model(said: Any) -> None:
    with pytest.raises(ModelRejected):
        compare([LINE], said)


def test_not_a_number_does_not_pass() -> None:
    with pytest.raises(ModelRejected, match="off by nan"):
        compare([LINE], reply(LINE, off=math.nan))


@pytest.mark.parametrize("tokens", [(5, 6, 7), (5, 6, 7, 8, 9), (5, 60, 7, 8)])
def test_another_tokenizer_is_found_out(tokens: tuple[int, ...]) -> None:
    places = len(tokens) - 1
    other = Line("a b c", tokens, logprobs=(-1.0,) * places, top=(1,) * places)
    with pytest.raises(ModelRejected, match="tokenizer"):
        compare([LINE], reply(other))


def test_what_it_asks_is_within_the_limits_of_the_gate() -> None:
    lines = [dataclasses.replace(LINE, text=text) for text in PROMPTS]
    check_request("/v1/completions", json.dumps(request("m", lines)).encode())


def test_the_lines_are_english_chinese_and_sql() -> None:
    assert len(PROMPTS) == 3
    assert any("\u4e00" <= character <= "\u9fff" for character in PROMPTS[1])
    assert PROMPTS[2].startswith("SELECT")


# recording


@pytest.fixture(scope="module")
def recorded(tiny_checkpoint: Path) -> list[Line]:
    return record(tiny_checkpoint)


def test_recording_twice_gives_the_same_and_the_file_keeps_it(
    recorded: list[Line], tiny_checkpoint: Path, tmp_path: Path
) -> None:
    assert record(tiny_checkpoint) == recorded
    write(tmp_path, recorded)
    assert read(tmp_path) == recorded
    assert [line.text for line in recorded] == list(PROMPTS)
    assert all(value <= 0 for line in recorded for value in line.logprobs)


def test_the_numbers_are_those_of_a_plain_forward_pass(recorded: list[Line], tiny_checkpoint: Path) -> None:
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_checkpoint, dtype=torch.bfloat16)
    line = recorded[0]
    with torch.inference_mode():
        logits = model(torch.tensor([line.tokens])).logits[0].float()
    for place, (token, logprob, top) in enumerate(zip(line.tokens[1:], line.logprobs, line.top, strict=True)):
        expected = logits[place].exp() / logits[place].exp().sum()
        assert math.exp(logprob) == pytest.approx(float(expected[token]), rel=0.05)  # a logit of 8 has steps of 3 %
        assert float(logits[place][top]) == float(logits[place].max())


def test_a_model_without_numbers_is_no_reference(tiny_checkpoint: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in tiny_checkpoint.iterdir():
        if path.suffix != ".safetensors":
            (broken / path.name).write_bytes(path.read_bytes())
    weights = load_file(tiny_checkpoint / "model.safetensors")
    weights["model.norm.weight"] = torch.full_like(weights["model.norm.weight"], math.inf)
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WeightsRejected, match="not finite"):
        record(broken, prompts=PROMPTS[:1])


# the file


def test_a_checkpoint_without_a_canary_has_no_lines(tmp_path: Path) -> None:
    assert read(tmp_path) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"format": 2, "lines": []}',
        '{"format": 1, "lines": []}',
        '{"format": 1, "lines": [{"text": "a", "tokens": [1, 2], "logprobs": [], "top": [3]}]}',
        '{"format": 1, "lines": [{"text": "a", "tokens": [1], "logprobs": [], "top": []}]}',
        '{"format": 1, "lines": [{"text": "a", "tokens": [1, 2], "logprobs": ["x"], "top": [3]}]}',
    ],
)
def test_a_canary_that_cannot_be_read_is_no_canary_that_passed(tmp_path: Path, text: str) -> None:
    (tmp_path / CANARY).write_text(text)
    with pytest.raises(WeightsRejected, match="cannot be read"):
        read(tmp_path)
