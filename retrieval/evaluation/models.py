"""The embedding models of an evaluation, which remember what they computed between runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from retrieval.embedding import Embedder, TextEmbedder
from retrieval.embedding_cache import CachedEmbedder

__all__ = ["Models", "opened"]


@dataclass(frozen=True, slots=True)
class Models:
    """`embedders` are those that Vouch searches with; `english` is what a tutorial would take."""

    embedders: tuple[TextEmbedder, ...]
    english: TextEmbedder


@contextmanager
def opened(workdir: Path, embedder_folder: Path) -> Iterator[Models]:
    """Open the models on a folder that keeps their vectors."""
    workdir.mkdir(parents=True, exist_ok=True)
    with closing(CachedEmbedder(Embedder(embedder_folder), workdir / "embeddings.db")) as english:
        yield Models(embedders=(english,), english=english)
