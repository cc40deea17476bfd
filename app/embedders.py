"""The models of the search that the settings ask for: of the catalog, or folders of models put there by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from app.errors import SettingsError
from app.settings import Settings
from model.catalog import CATALOG, MULTILINGUAL_EMBEDDER
from model.fetch import fetch
from model.progress import Progress
from retrieval.embedding import Embedder, TextEmbedder
from retrieval.language import Language
from retrieval.multilingual import MultilingualEmbedder
from retrieval.rerank import Reranker
from retrieval.rerank_crossencoder import CrossEncoderReranker

__all__ = ["bring", "common_words", "embedders_for", "reranker_for", "similarity_of"]

_LANGUAGES: Final = frozenset({"en", "zh"})


def embedders_for(settings: Settings) -> tuple[TextEmbedder, ...]:
    """Build the models that `embedders` names, in this order; nothing is read from their folders yet.

    Raises:
        SettingsError: a language is none that Vouch knows.
    """
    return tuple(_built(entry, settings.model_dir) for entry in settings.embedders)


def bring(settings: Settings, report: Callable[[Progress], None]) -> None:
    """Make sure that the models are there: fetch those of the catalog, and look for the others.

    Raises:
        ModelError: one of the catalog cannot be had.
        SettingsError: one that is not in the catalog has no folder.
    """
    for name in _names(settings.embedders):
        if name in CATALOG:
            fetch(CATALOG[name], settings.model_dir, offline=settings.offline, report=report)
        else:
            _look_for(name, settings.model_dir, setting="embedders")
    if settings.reranker:
        _look_for(settings.reranker, settings.model_dir, setting="reranker")


def reranker_for(settings: Settings) -> Reranker | None:
    """Build the cross-encoder that `reranker` names, if it names one; nothing is read from its folder yet."""
    if not settings.reranker:
        return None
    return CrossEncoderReranker(settings.model_dir / settings.reranker, device=settings.reranker_device)


def common_words(embedders: Sequence[TextEmbedder]) -> Callable[[str], bool]:
    """Return what says whether an English word is a common one: the vocabulary of a model that has one of words.

    Without such a model no word is common, and the checks that ask are as strict as they can be.
    """
    known = next((one for one in embedders if isinstance(one, Embedder)), None)
    return known.is_common if known is not None else lambda _word: False


def similarity_of(embedders: Sequence[TextEmbedder]) -> Callable[[str, str, Language], float] | None:
    """Return what compares the meaning of two texts in a language: the cosine of their embeddings.

    None where no embedding model is at hand. A language without a model of its own is left to the first one.
    """
    if not embedders:
        return None

    def similarity(one: str, other: str, language: Language) -> float:
        embedder = next((model for model in embedders if language in model.languages), embedders[0])
        first, second = embedder.embed([one, other])
        return float(first @ second)

    return similarity


def _look_for(name: str, folder: Path, *, setting: str) -> None:
    if not (folder / name).is_dir():
        raise SettingsError(
            f"{setting} (VOUCH_{setting.upper()}) names {name!r}, which is not in the catalog and no folder of models.",
            remedy=f"Put the sentence-transformers folder {name!r} into the folder that VOUCH_MODEL_DIR names.",
        )


def _names(entries: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the models, without their languages."""
    return tuple(entry.partition("=")[0] for entry in entries)


def _built(entry: str, folder: Path) -> TextEmbedder:
    name, _, listed = entry.partition("=")
    languages = frozenset(filter(None, listed.split("+")))
    if languages - _LANGUAGES:
        raise SettingsError(
            f"embedders (VOUCH_EMBEDDERS) has {entry!r}: a language is none of {', '.join(sorted(_LANGUAGES))}.",
            remedy="Write NAME, or NAME=en, NAME=zh or NAME=en+zh.",
        )
    if name == MULTILINGUAL_EMBEDDER:
        return MultilingualEmbedder(folder / name, languages=languages or frozenset({"zh"}))
    return Embedder(folder / name, languages=languages or frozenset({"en"}))
