"""Texts of many languages to vectors, without a transformer: the multilingual Universal Sentence Encoder, version 3.

Sixteen languages share one space, Chinese and English among them, so that a question in one may find a passage in the
other. Its weights are 33 MB, and a text costs a tenth of what it costs MiniLM.

Not covered: texts beyond 2,048 tokens, whose rest is left out; the order of words beyond five tokens, which the network
does not see.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from retrieval.embedding import Vectors, identity_of

__all__ = ["MultilingualEmbedder"]

_WEIGHTS: Final = "weights.npz"
_TOKENIZER: Final = "sp.model"
_DIMENSION: Final = 512
_MOST_TOKENS: Final = 2048
_BATCH_TOKENS: Final = 1024  # what is computed for a batch stays in the cache


class MultilingualEmbedder:
    """The encoder from a local folder, loaded at the first use. Safe between threads."""

    def __init__(self, folder: Path, *, languages: frozenset[str] = frozenset({"zh"})) -> None:
        """Remember where the model is; nothing is read yet.

        Args:
            folder: holds the tokenizer and the weights.
            languages: the languages of the texts that are left to it.
        """
        self.languages: Final = languages
        self._folder = folder
        self._lock = threading.Lock()
        self._identity: str | None = None
        self._parts: tuple[Any, Any] | None = None

    @property
    def dimension(self) -> int:
        """Length of each vector."""
        return _DIMENSION

    @property
    def identity(self) -> str:
        """Name of the folder and the SHA-256 of its weights, without loading the model."""
        if self._identity is None:
            self._identity = identity_of(self._folder / _WEIGHTS)
        return self._identity

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one unit vector a text, (n, dimension), in the order of the texts."""
        tokenizer, network = self._loaded()
        rows = np.empty((len(texts), _DIMENSION), dtype=np.float32)
        tokens = tokenizer.encode(list(texts), add_bos=True, add_eos=True)
        for batch in _batches([min(len(text), _MOST_TOKENS) for text in tokens]):
            rows[batch] = network([tokens[i][:_MOST_TOKENS] for i in batch])
        return rows

    def _loaded(self) -> tuple[Any, Any]:
        with self._lock:
            if self._parts is None:
                self._parts = self._load()
            return self._parts

    def _load(self) -> tuple[Any, Any]:
        from sentencepiece import SentencePieceProcessor

        from retrieval.ngram_network import NgramNetwork

        tokenizer = SentencePieceProcessor(model_file=str(self._folder / _TOKENIZER))
        with np.load(self._folder / _WEIGHTS, allow_pickle=False) as weights:
            return tokenizer, NgramNetwork(weights)


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Give the places of all texts in turn, in batches that fill up the tokens of one. No text needs padding."""
    batch: list[int] = []
    tokens = 0
    for at, length in enumerate(lengths):
        if batch and tokens + length > _BATCH_TOKENS:
            yield batch
            batch, tokens = [], 0
        batch.append(at)
        tokens += length
    if batch:
        yield batch
