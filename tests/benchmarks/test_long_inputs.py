"""What the benchmark of long inputs pads with, and that its two contenders see what they say they see."""

from __future__ import annotations

import asyncio
import re

import pytest

from app.answering.drafters.prose import Prose
from app.answering.drafters.sections import Sections
from app.answering.evaluation.assistant import evidence_of
from benchmarks.long_inputs import FACTS, _asked, _pipeline, _row, _texts, padded
from tests.scripted_chat import ScriptedChat

WORDS = ["The parties met and spoke of many things that carry no weight. " * 12, "Nothing else was said. " * 30]


def reader(messages) -> str:
    """A model that copies the fact that answers the question of its prompt, if it stands in it."""
    prompt = str(messages[-1].content)
    for question, sentence, _ in FACTS:
        if question in prompt and sentence in prompt:
            ids = re.findall(r"^\[(\d+)\] \(", prompt[: prompt.index(sentence)], re.MULTILINE)
            return f"{sentence} [{ids[-1]}]"
    return "NOT_FOUND"


@pytest.mark.parametrize("tokens", [10, 2000, 16000])
def test_each_fact_stands_once_and_in_order(tokens):
    passages = padded(WORDS, tokens)
    places = [[n for n, text in enumerate(passages) if sentence in text] for _, sentence, _ in FACTS]
    assert [len(found) for found in places] == [1] * len(FACTS)
    assert places == sorted(places)
    assert places[-1][0] - places[0][0] >= len(passages) // 2


def test_the_figure_of_a_fact_is_in_its_sentence_and_in_no_other_text():
    for _, sentence, figure in FACTS:
        assert figure in sentence
    padding = "\n".join(_texts())
    assert [sentence for _, sentence, _ in FACTS if sentence in padding] == []


def test_a_text_is_as_long_as_it_is_said_to_be():
    assert sum(map(len, padded(_texts(), 8000))) / 4 == pytest.approx(8000, rel=0.15)


def answers(drafters, budget: int):
    chat = ScriptedChat(replies=[reader])
    pipeline = _pipeline(chat, budget, evidence_of(padded(WORDS, 8000)), drafters)

    async def run():
        return [await _asked(pipeline, question) for question, _, _ in FACTS]

    return asyncio.run(run())


def test_sections_find_what_one_prompt_has_no_room_for():
    ours = _row("sections", 8000, answers((Sections(), Prose()), 3000))
    single = _row("one_prompt", 8000, answers((Prose(),), 6000))
    assert (ours["found"], ours["abstained"]) == (1.0, 0.0)
    assert len(ours["sections_read"]) == len(FACTS)
    assert single["found"] < 1.0
    assert single["sections_read"] == []
