"""The suite of the summaries: what is read, what is counted, and that neither depends on who wrote a summary."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.answering.checking.fit import fit, read
from app.answering.checking.signals import SIGNALS
from app.answering.evaluation.faithbench import auc, balanced_accuracy, faithbench, overlap
from app.answering.evaluation.summaries import summaries_of
from app.errors import BadRequest

TOWNS = ("Orrin", "Halden", "Norrick", "Alba", "Berg", "Cole", "Dorn", "Elms", "Fenn", "Gart")


def item(number: int, town: str, summary: str, spans: list[tuple[str, str]], label: str) -> dict[str, Any]:
    source = f"The mill at {town} makes board for boxes. It employs {200 + number} people. The owner lives by the sea."
    annotations = [
        {"label": [kind], "summary_start": summary.index(span), "summary_end": summary.index(span) + len(span)}
        for span, kind in spans
    ]
    return {
        "id": f"{town}-{label}",
        "source": source,
        "summary": summary,
        "annotations": annotations,
        "worst_label": label,
        "metadata": {"summarizer": "any", "trueteacher": 1, "gpt_4o": 0 if label == "Unwanted" else 1},
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = []
    for number, town in enumerate(TOWNS):
        good = f"The mill at {town} makes board for boxes. It employs {200 + number} people."
        bad = f"It employs {200 + number} people. Boxes by the owner might reach Zurich and London, at sea."
        rows.append(item(number, town, good, [], "Consistent"))
        rows.append(item(number, town, bad, [(bad.partition(". ")[2], "Unwanted.Extrinsic")], "Unwanted"))
    (tmp_path / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return tmp_path


def test_a_sentence_is_unfaithful_where_a_bad_span_touches_it(folder: Path) -> None:
    good, bad = summaries_of(folder)[:2]
    assert [one.faithful for one in good.sentences] == [True, True]
    assert [one.faithful for one in bad.sentences] == [True, False]
    assert (good.faithful, bad.faithful) == (True, False)


def test_a_benign_span_leaves_a_sentence_faithful(tmp_path: Path) -> None:
    row = item(1, "Orrin", "It employs 201 people.", [("201 people", "Benign")], "Benign")
    (tmp_path / "samples.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    (found,) = summaries_of(tmp_path)
    assert found.faithful
    assert found.sentences[0].faithful


def test_the_result_has_the_contracts_keys_and_finds_what_is_plain_to_see(folder: Path) -> None:
    result = faithbench(folder, report=lambda _text: None)
    assert result["suite"] == "faithbench"
    assert result["n"] == 2 * len(TOWNS)
    assert result["metrics"]["auc"] == 1.0
    assert set(result["intervals"]) == {"balanced_accuracy"}
    assert {"word pairs", "trueteacher", "gpt_4o"} == set(result["rivals"])
    assert result["rivals"]["gpt_4o"]["balanced_accuracy"] == 1.0
    assert result["rivals"]["trueteacher"]["balanced_accuracy"] == 0.5
    assert len(result["items"]) == result["n"]
    json.dumps(result)


def test_neither_the_writer_nor_a_detector_moves_the_score(folder: Path) -> None:
    before = faithbench(folder, report=lambda _text: None)
    rows = [json.loads(line) for line in (folder / "samples.jsonl").read_text(encoding="utf-8").splitlines()]
    for row in rows:
        row["metadata"] = {}
    (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    after = faithbench(folder, report=lambda _text: None)
    assert before["items"] == after["items"]
    assert set(after["rivals"]) == {"word pairs"}


def test_a_limit_draws_the_same_items_with_the_same_seed(folder: Path) -> None:
    first, again = (faithbench(folder, limit=8, seed=3, report=lambda _text: None) for _ in range(2))
    assert first["n"] == 8
    assert first["items"] == again["items"]


def test_a_folder_of_another_kind_is_refused_with_what_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"samples\.jsonl"):
        faithbench(tmp_path)
    (tmp_path / "samples.jsonl").write_text('{"id": 1}\n', encoding="utf-8")
    with pytest.raises(BadRequest, match="no item") as refused:
        faithbench(tmp_path)
    assert "worst_label" in refused.value.remedy


def test_summaries_of_one_kind_alone_cannot_be_measured(folder: Path) -> None:
    first = (folder / "samples.jsonl").read_text(encoding="utf-8").splitlines()[0]
    (folder / "samples.jsonl").write_text(first + "\n", encoding="utf-8")
    with pytest.raises(BadRequest, match="one kind"):
        faithbench(folder, report=lambda _text: None)


def test_balanced_accuracy_counts_each_kind_alike() -> None:
    assert balanced_accuracy([True, False, False, False], [True, True, False, True]) == pytest.approx((1 + 1 / 3) / 2)
    assert balanced_accuracy([True] * 9 + [False], [True] * 10) == 0.5
    with pytest.raises(ValueError, match="both kinds"):
        balanced_accuracy([True], [True])


def test_the_area_counts_a_tie_as_half() -> None:
    assert auc([True, False], [0.9, 0.1]) == 1.0
    assert auc([True, False], [0.1, 0.9]) == 0.0
    assert auc([True, False, False], [0.5, 0.5, 0.1]) == 0.75
    with pytest.raises(ValueError, match="both kinds"):
        auc([False], [0.1])


@pytest.mark.parametrize(("text", "share"), [("a b c", 1.0), ("a b x", 0.5), ("x", 0.0), ("", 0.0)])
def test_overlap_is_of_pairs(text: str, share: float) -> None:
    assert overlap(text, "a b c d") == share


def test_fitting_finds_the_signals_that_tell_and_says_how_sure_that_is(folder: Path) -> None:
    body = fit(read(summaries_of(folder)))
    assert set(body["features"]) <= set(SIGNALS)
    assert body["cross_validated"]["auc"] == 1.0
    assert body["cross_validated"]["nested_balanced_accuracy"] == 1.0
    assert (body["sources"], body["summaries"], body["sentences"]) == (10, 20, 40)
