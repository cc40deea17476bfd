"""A clause inside its contract: spans, the budget of characters, contracts drawn whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.retrieval.evaluation.sets import run, write

FILLER = "The parties shall meet every month and discuss the progress of the work in good faith. " * 12
CAP = "In no event shall the liability of either party exceed the amount that was paid under this agreement."


def contract(name: str, paragraphs: list[str]) -> dict[str, Any]:
    return {"id": name, "text": "\n\n".join(paragraphs)}


def label(row: dict[str, Any], category: str, words: str) -> dict[str, Any]:
    start = row["text"].index(words)
    return {"contract": row["id"], "category": category, "spans": [[start, start + len(words)]]}


@pytest.fixture
def contracts(tmp_path: Path) -> Path:
    data = tmp_path / "contracts"
    data.mkdir()
    one = contract("one", [*[f"{n}. {FILLER}" for n in range(9)], CAP, *[f"{n}. {FILLER}" for n in range(9)]])
    two = contract("two", [f"  {FILLER}", "This Agreement shall be governed by the laws of Delaware.", FILLER])
    write(data / "contracts.jsonl.gz", [one, two])
    absent = {"contract": "two", "category": "Cap On Liability", "spans": []}
    labels = [
        label(one, "Cap On Liability", CAP),
        label(two, "Governing Law", "shall be governed by the laws of Delaware"),
        absent,
    ]
    write(data / "labels.jsonl.gz", labels)
    return data


def test_a_clause_is_found_by_its_wording(contracts: Path, model: Path, tmp_path: Path):
    result = run("cuad", contracts, model, tmp_path)
    assert result["n"] == 2
    assert result["metrics"]["hit@5"] == 1.0
    assert set(result["metrics"]) == {"hit@5", "hit@5_2500", "hit@5_name", "hit@5_name_2500"}
    assert result["rivals"]["bm25"]["metrics"]["hit@5"] == 1.0


def test_a_span_elsewhere_is_missed(contracts: Path, model: Path, tmp_path: Path):
    write(
        contracts / "labels.jsonl.gz",
        [{"contract": "one", "category": "Cap On Liability", "spans": [[10**6, 10**6 + 5]]}],
    )
    assert run("cuad", contracts, model, tmp_path)["metrics"]["hit@5"] == 0.0


def test_only_the_first_characters_count_where_they_are_limited(contracts: Path, model: Path, tmp_path: Path):
    often = [f"{'zebra ' * 5}{n}. {FILLER}" for n in range(3)]
    long = contract("long", [*often, f"{FILLER} One zebra, at last."])
    write(contracts / "contracts.jsonl.gz", [long])
    write(contracts / "labels.jsonl.gz", [label(long, "zebra", "One zebra, at last")])
    by_words = run("cuad", contracts, model, tmp_path)["rivals"]["bm25"]["metrics"]
    assert by_words["hit@5"] == by_words["hit@5_name"] == 1.0
    assert by_words["hit@5_2500"] == by_words["hit@5_name_2500"] == 0.0  # three passages of 1,100 stand before it


def test_a_limit_draws_contracts_and_leaves_the_others_out(contracts: Path, model: Path, tmp_path: Path):
    result = run("cuad", contracts, model, tmp_path, limit=1)
    assert (result["n"], result["settings"]["documents"]) == (1, 1)
