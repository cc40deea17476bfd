"""Model cards: what a card must say, that it survives its JSON, and that a page of it shows nothing but text."""

from __future__ import annotations

import json
import math
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from pydantic import ValidationError

from domains.finance.modelcard import (
    CardRefused,
    FairnessRow,
    Metric,
    ModelCard,
    Text,
    TrainingData,
    markdown,
    read_card,
)

WORDS = Text(en="It ranks.", zh="用于排序。")


def make_card(**changes: Any) -> ModelCard:
    fields: dict[str, Any] = {
        "name": "credit-scorecard",
        "version": "1",
        "kind": "scorecard",
        "fitted": date(2026, 11, 24),
        "owner": "risk",
        "contact": "risk@example.org",
        "title": Text(en="Credit scorecard", zh="信用评分卡"),
        "intended_use": Text(en="Rank applicants.", zh="对申请人排序。"),
        "out_of_scope": Text(en="Pricing.", zh="定价。"),
        "training": TrainingData(name="rows", digest="a" * 64, rows=540),
        "inputs": ("duration",),
        "not_inputs": ("age",),
        "not_inputs_why": Text(en="Equal treatment.", zh="平等对待。"),
        "metrics": (
            Metric(name="auc", value=0.79, low=0.75, high=0.83, n=540, how="bootstrap of rows"),
            Metric(name="psi", value=None, why="no earlier period"),
        ),
        "evaluation": Text(en="Cross-validated.", zh="交叉验证。"),
        "limits": (Text(en="Old data.", zh="数据陈旧。"),),
    }
    return ModelCard(**fields | changes)


def test_a_card_survives_its_json() -> None:
    card = make_card()
    assert read_card(card.encoded()) == card
    assert read_card(card.encoded()).encoded() == card.encoded()


def test_the_json_of_a_card_is_readable_chinese() -> None:
    assert "信用评分卡" in make_card().encoded().decode()


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"limits": ()}, "limits"),
        ({"inputs": ("age",)}, "named as an input and as none: age"),
        ({"name": "../etc"}, "name"),
        ({"name": "Ärger"}, "name"),
        ({"kind": "oracle"}, "kind"),
        ({"owner": ""}, "owner"),
        ({"surprise": 1}, "surprise"),
        ({"training": {"name": "rows", "digest": "A" * 64, "rows": 1}}, "digest"),
        ({"training": {"name": "rows", "digest": "a" * 64, "rows": 0}}, "rows"),
        ({"title": {"en": "only English"}}, "zh"),
        ({"title": {"en": " ", "zh": "仅中文"}}, "en"),
    ],
)
def test_a_card_that_leaves_something_out_is_refused(changes: dict[str, Any], word: str) -> None:
    with pytest.raises(ValidationError, match=word):
        make_card(**changes)


@pytest.mark.parametrize(
    "fields",
    [
        {"value": None},
        {"value": 0.5, "why": "both"},
        {"value": 0.5, "low": 0.1},
        {"value": 0.5, "low": 0.9, "high": 0.1},
        {"value": math.nan},
        {"value": math.inf},
        {"value": 0.5, "low": -math.inf, "high": 1.0},
        {"value": 0.5, "n": -1},
    ],
)
def test_a_metric_has_a_finite_value_or_says_why_not(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Metric(name="auc", **fields)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"null", b"\xff", b'{"name": NaN}', b"[" * 100_000])
def test_what_is_no_card_is_refused_with_a_remedy(data: bytes) -> None:
    with pytest.raises(CardRefused) as refused:
        read_card(data)
    assert refused.value.remedy
    assert refused.value.code == "model_card"


def test_a_refusal_names_the_place() -> None:
    said = json.loads(make_card().encoded())
    said["metrics"][0]["value"] = "high"
    with pytest.raises(CardRefused, match=r"metrics\.0\.value"):
        read_card(json.dumps(said).encode())


def test_the_english_page() -> None:
    page = markdown(make_card(), "en", digest="d" * 64)
    assert page.startswith("# Model card: Credit scorecard\n")
    assert "- Digest (SHA-256): " + "d" * 64 in page
    assert "| auc | 0.790 | [0.750, 0.830] | bootstrap of rows |" in page
    assert "| psi | no earlier period |  |  |" in page
    assert "## Deliberately no inputs\n\nage\n\nEqual treatment." in page
    assert "## Fairness\n\nnot reported" in page


def test_the_chinese_page_has_no_english_heading() -> None:
    page = markdown(make_card(), "zh", digest="d" * 64)
    headings = [line for line in page.splitlines() if line.startswith("#")]
    assert headings[0] == "# 模型卡: 信用评分卡"
    assert all(line.split(" ", 1)[1].isascii() is False for line in headings)
    assert page.count("## ") == markdown(make_card(), "en", digest="d" * 64).count("## ")


def test_groups_stand_in_one_table_also_when_their_figures_differ() -> None:
    rows = (
        FairnessRow(
            attribute="sex", group="female", n=179, metrics=(Metric(name="tpr", value=0.5, low=0.4, high=0.6),)
        ),
        FairnessRow(
            attribute="age",
            group="under 25",
            n=3,
            metrics=(Metric(name="auc", value=None, why="one class"), Metric(name="tpr", value=1.0)),
        ),
    )
    page = markdown(make_card(fairness=rows, fairness_reading=WORDS), "en", digest="0" * 64)
    assert "| Attribute | Group | n | tpr | auc |" in page
    assert "| sex | female | 179 | 0.500 [0.400, 0.600] |  |" in page
    assert "| age | under 25 | 3 | 1.000 | one class |" in page
    assert page.index("It ranks.") > page.index("under 25")


@given(st.text(min_size=1, max_size=60).filter(lambda text: bool(text.strip())))
def test_no_text_in_a_card_becomes_markup(text: str) -> None:
    hostile = f"{text}<script>|x\n# head"
    try:
        card = make_card(owner=hostile, metrics=(Metric(name="auc", value=0.5, how=hostile),))
    except ValidationError:  # a lone surrogate is no text
        return
    page = markdown(card, "en", digest="0" * 64)
    html = MarkdownIt("commonmark").enable("table").render(page)
    assert "<script>" not in html
    assert html.count("<h1>") == 1
    assert html.count("<table>") == 1
    assert html.count("<td") == 4
