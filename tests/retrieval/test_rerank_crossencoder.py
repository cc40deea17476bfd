"""A cross-encoder with random weights: it is loaded, read in batches, and orders a search."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from retrieval.rerank_crossencoder import CrossEncoderReranker
from retrieval.search import HybridSearch
from tests.retrieval.house import ALL, House
from tests.retrieval.tiny_model import write_tiny_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A one-layer BERT with a head of one label, as sentence-transformers reads a CrossEncoder."""
    import torch
    from safetensors.torch import save_file
    from transformers import BertConfig, BertForSequenceClassification

    place = write_tiny_model(tmp_path_factory.mktemp("models") / "cross")
    (place / "modules.json").unlink()
    config = BertConfig.from_pretrained(place, num_labels=1)
    config.architectures = ["BertForSequenceClassification"]
    config.save_pretrained(place)
    torch.manual_seed(1)
    weights = BertForSequenceClassification(config).state_dict()
    save_file(
        {name: value.contiguous() for name, value in weights.items()},
        place / "model.safetensors",
        metadata={"format": "pt"},
    )
    assert json.loads((place / "config.json").read_text())["architectures"] == ["BertForSequenceClassification"]
    return place


def test_one_finite_score_a_text_the_same_every_time(folder: Path):
    reranker = CrossEncoderReranker(folder)
    texts = ["the loan rate", "the weather is fine", "page"] * 7
    scores = reranker.scores("loan rate", texts)
    assert len(scores) == 21
    assert scores[:3] == pytest.approx(scores[3:6], abs=1e-4)
    assert len({round(score, 6) for score in scores[:3]}) == 3
    assert reranker.scores("weather", texts[:1]) != pytest.approx(scores[:1], abs=1e-6)
    assert reranker.scores("loan", []) == []


def test_it_orders_what_the_search_found(house: House, folder: Path):
    house.put("the loan rate", "the loan of the bank", "the bank is fine")
    query = "loan rate of the bank"
    reranker = CrossEncoderReranker(folder)
    plain = house.find(query)
    read = HybridSearch(house.catalog, house.index, reranker=reranker).search([query], ALL, k=5)
    marks = dict(zip([item.text for item in plain], reranker.scores(query, [item.text for item in plain]), strict=True))
    assert [item.text for item in read] == sorted(marks, key=lambda text: -marks[text])
    assert [item.score for item in read] == [item.score for item in plain]
