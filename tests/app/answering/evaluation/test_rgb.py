"""RGB: what is drawn, what counts, and a run with a model that answers from a script."""

from __future__ import annotations

import json

import pytest

from app.answering.checking.verify import Verifier
from app.answering.evaluation.assistant import Assistant
from app.answering.evaluation.naive import says_no
from app.answering.evaluation.rgb import holds, items_of, rgb
from app.errors import BadRequest
from domains.registry import load
from tests.scripted_chat import ScriptedChat


def folder(tmp_path, count=4):
    right = "The mill at Orrin Bay was opened in May 2016."
    noise = [f"The mill at Telmere number {n} makes brown cardboard." for n in range(6)]
    for name in ("en_fact", "zh_fact"):
        rows = [
            {"id": n, "query": "When was the mill at Orrin Bay opened?", "answer": "May 2016", "positive": [right] * 2}
            | {"negative": [*noise, "Another one was opened in May 2016."]}
            for n in range(count)
        ]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "wanted", "right"),
    [
        ("It was May  2016 .", (("May 2016",),), True),
        ("may2016", (("May 2016",),), True),
        ("It was June.", (("May 2016",),), False),
        ("A and B", (("A",), ("B", "C")), True),
        ("A only", (("A",), ("B", "C")), False),
    ],
)
def test_an_answer_holds_one_string_of_each_group(text, wanted, right):
    assert holds(text, wanted) is right


def test_five_passages_are_drawn_and_noise_holds_no_answer(tmp_path):
    items = items_of(folder(tmp_path), seed=0)
    for item in items:
        assert len(item.mixed) == len(item.noise) == 5
        assert sum("Orrin Bay" in text for text in item.mixed) == 2
        assert not any(holds(text, item.wanted) for text in item.noise)
    assert items == items_of(tmp_path, seed=0)


def test_an_answer_put_together_gets_a_passage_of_each_group(tmp_path):
    row = {"id": 1, "query": "q", "answer": [["a"], "b"], "positive": [["x a", "y a"], ["z b"]], "negative": ["n"] * 9}
    (tmp_path / "zh_int.jsonl").write_text(json.dumps(row), encoding="utf-8")
    (item,) = items_of(tmp_path, seed=0)
    assert item.wanted == (("a",), ("b",))
    assert sum(text.endswith(" a") for text in item.mixed) == 1
    assert sum(text.endswith(" b") for text in item.mixed) == 1


def test_what_is_no_such_folder_is_refused(tmp_path):
    with pytest.raises(BadRequest):
        items_of(tmp_path, seed=0)
    (tmp_path / "en_fact.jsonl").write_text('{"id": 1}', encoding="utf-8")
    with pytest.raises(BadRequest):
        items_of(tmp_path, seed=0)


def test_a_run_prints_both_pipelines_and_the_curve(tmp_path):
    chat = ScriptedChat(replies=["The mill at Orrin Bay was opened in May 2016 [1]."])
    assistant = Assistant(chat, 6000, load(only=[]), Verifier(), gate=None)
    found = rgb(folder(tmp_path), assistant=assistant, limit=4, seed=0, report=lambda _line: None)
    assert set(found["metrics"]) == {"accuracy_en", "accuracy_zh", "rejection_en", "rejection_zh"}
    assert found["metrics"]["accuracy_en"] == 1.0
    assert found["metrics"]["rejection_en"] == 1.0  # nothing in the noise supports what the model says
    assert found["naive"]["metrics"]["rejection_en"] == 0.0
    assert found["naive"]["ours_on_the_same"]["rejection_en"] == 1.0
    assert found["risk_coverage"]["n"] == len(found["items"]) == 8


@pytest.mark.parametrize(
    "text", ["I don't know.", "The context does not provide it.", "无法确定。", "", "I'm not sure."]
)
def test_a_naive_no_is_read_generously(text):
    assert says_no(text)


@pytest.mark.parametrize("text", ["May 2016.", "It was opened in May 2016.", "2016年5月"])
def test_an_answer_is_no_no(text):
    assert not says_no(text)
