"""The network beside a naive reading of its formulas, one text and one token at a time, on random weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from retrieval.ngram_network import DIMENSION, NgramNetwork
from tests.retrieval.ngram_weights import random_weights

TEXTS = [[1, 2], [1, 9, 9, 9, 2], [5], [1, *range(3, 3 + 40), 2], [1, 50, 2]]


@pytest.fixture(scope="module")
def weights() -> dict[str, Any]:
    return random_weights(rows=3)


def norm(row: np.ndarray, gain: np.ndarray, shift: np.ndarray, epsilon: float) -> np.ndarray:
    return (row - row.mean()) / np.sqrt(row.var() + epsilon) * gain + shift


def vector_reference(w: dict[str, Any], text: list[int]) -> np.ndarray:
    e = np.stack([w[f"q{t % 17 + 1}"][t // 17] * w["scale"][t % 17] + w["lo"][t % 17] for t in text])
    joined = {
        name: np.concatenate([w[f"{name}{n}"] for n in (2, 3, 5)], axis=-1)
        for name in ("proj", "proj_b", "ln_g", "ln_b")
    }
    x = [norm(row @ joined["proj"] + joined["proj_b"], joined["ln_g"], joined["ln_b"], w["eps"]) for row in e]
    columns = [list(e)]
    for branch, (n, before) in enumerate(((2, 0), (3, 1), (5, 2))):
        values = [row[256 * branch : 256 * (branch + 1)] for row in x]
        for step in (1, 2):
            seen = [np.zeros(256)] * before + values + [np.zeros(256)] * n
            windows = [np.concatenate(seen[t : t + n]) for t in range(len(text))]
            values = [
                value + np.maximum(window @ w[f"w{step}_{n}"] + w[f"b{step}_{n}"], 0)
                for value, window in zip(values, windows, strict=True)
            ]
        columns.append(values)
    features = [norm(np.concatenate(parts), w["ln_g"], w["ln_b"], w["eps"]) for parts in zip(*columns, strict=True)]
    m = (np.sum(features, axis=0) @ w["cnn_W"] + len(text) * w["cnn_b"]) / np.sqrt(len(text))
    y = np.maximum(m @ w["p1"] + np.maximum(m @ w["d0"], 0) @ w["d1"], 0)
    z = np.tanh(y @ w["p3"] + np.maximum(y @ w["d2"], 0) @ w["d3"])
    result: np.ndarray = z / np.linalg.norm(z)
    return result


def test_every_text_has_the_vector_of_the_formulas(weights: dict[str, Any]):
    vectors = NgramNetwork(weights)(TEXTS)
    assert vectors.shape == (len(TEXTS), DIMENSION)
    assert vectors.dtype == np.float32
    expected = np.stack([vector_reference(weights, text) for text in TEXTS])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-5)
    assert np.abs(vectors - expected).max() < 1e-4  # float32 against float64


def test_a_text_does_not_see_its_neighbours(weights: dict[str, Any]):
    network = NgramNetwork(weights)
    together, turned = network(TEXTS), network(TEXTS[::-1])[::-1]
    for text, first, second in zip(TEXTS, together, turned, strict=True):
        alone = network([text])[0]
        assert first @ alone == pytest.approx(1.0, abs=1e-5)
        assert second @ alone == pytest.approx(1.0, abs=1e-5)


def test_the_order_of_tokens_matters(weights: dict[str, Any]):
    there, back = NgramNetwork(weights)([[1, 20, 30, 40, 2], [1, 40, 30, 20, 2]])
    assert there @ back < 0.999
