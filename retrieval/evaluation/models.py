"""The embedding models of an evaluation, which remember what they computed between runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from retrieval.embedding import TextEmbedder
from retrieval.embedding_cache import CachedEmbedder

__all__ = ["Models", "opened"]

_CACHE = "embeddings.db"


@dataclass(frozen=True, slots=True)
class Models:
    """`embedders` are those that Vouch searches with; `tutorial` is the first, which a tutorial would take for all."""

    embedders: tuple[TextEmbedder, ...]
    tutorial: TextEmbedder


@contextmanager
def opened(workdir: Path, embedders: Sequence[TextEmbedder]) -> Iterator[Models]:
    """Lend models that keep their vectors in a folder.

    Raises:
        ValueError: there is no model.
    """
    if not embedders:
        raise ValueError("embedders is empty, expected at least one model")
    workdir.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        cached = tuple(stack.enter_context(closing(CachedEmbedder(one, workdir / _CACHE))) for one in embedders)
        yield Models(embedders=cached, tutorial=cached[0])
