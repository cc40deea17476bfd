"""A small embedding model that computes: words in, unit vectors out, the same on every machine."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np

from retrieval.embedding import Vectors

DIMENSION = 32


class WordEmbedder:
    """Each word has a fixed random direction; a text is the sum of its words'. Texts that share words are near."""

    def __init__(self, identity: str = "words@1") -> None:
        self.identity = identity
        self.dimension = DIMENSION
        self.languages = frozenset({"en"})
        self.texts = 0

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.texts += len(texts)
        rows = [sum(map(_direction, re.findall(r"\w+", text.lower())), np.zeros(DIMENSION)) for text in texts]
        vectors = np.array(rows, dtype=np.float32).reshape(len(texts), DIMENSION)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def _direction(word: str) -> np.ndarray:
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
    return np.random.default_rng(seed).standard_normal(DIMENSION)
