"""The embedding models that the settings ask for: of the catalog, or folders of models put there by hand."""

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
from retrieval.multilingual import MultilingualEmbedder

__all__ = ["bring", "common_words", "embedders_for"]

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
        elif not (settings.model_dir / name).is_dir():
            raise SettingsError(
                f"embedders (VOUCH_EMBEDDERS) names {name!r}, which is neither in the catalog nor a folder of models.",
                remedy=f"Put the sentence-transformers folder {name!r} into the folder that VOUCH_MODEL_DIR names.",
            )


def common_words(embedders: Sequence[TextEmbedder]) -> Callable[[str], bool]:
    """Return what says whether an English word is a common one: the vocabulary of a model that has one of words.

    Without such a model no word is common, and the checks that ask are as strict as they can be.
    """
    known = next((one for one in embedders if isinstance(one, Embedder)), None)
    return known.is_common if known is not None else lambda _word: False


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
