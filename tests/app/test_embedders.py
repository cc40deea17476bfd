"""Which embedding models are built for which settings, and what is said when one is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.embedders import bring, common_words, embedders_for, reranker_for
from app.errors import SettingsError
from app.settings import Settings, load
from model.errors import WeightsUnavailable
from retrieval.embedding import Embedder
from retrieval.multilingual import MultilingualEmbedder
from retrieval.rerank_crossencoder import CrossEncoderReranker
from tests.retrieval.word_embedder import WordEmbedder


def settings(tmp_path: Path, embedders: str | None = None) -> Settings:
    environ = {"VOUCH_MODEL_DIR": str(tmp_path), "VOUCH_OFFLINE": "true"}
    return load(environ if embedders is None else environ | {"VOUCH_EMBEDDERS": embedders})


def test_by_default_chinese_questions_reach_english_passages_too(tmp_path: Path) -> None:
    english, both = embedders_for(settings(tmp_path))
    assert isinstance(english, Embedder)
    assert isinstance(both, MultilingualEmbedder)
    assert (english.languages, both.languages) == ({"en"}, {"en", "zh"})


@pytest.mark.parametrize(
    ("written", "languages"),
    [
        ("bge-m3=en+zh", [{"en", "zh"}]),
        ("bge-m3", [{"en"}]),
        ("multilingual-use-v3=en+zh", [{"en", "zh"}]),
        ("a=en,b=zh", [{"en"}, {"zh"}]),
    ],
)
def test_a_setting_says_which_languages_are_left_to_which_model(tmp_path: Path, written: str, languages: list) -> None:
    assert [one.languages for one in embedders_for(settings(tmp_path, written))] == languages


@pytest.mark.parametrize("written", ["bge-m3=fr", "bge-m3=en+", "x=zh+xx"])
def test_a_language_that_is_unknown_is_refused_with_the_form_that_is_meant(tmp_path: Path, written: str) -> None:
    if written == "bge-m3=en+":
        assert embedders_for(settings(tmp_path, written))[0].languages == {"en"}
        return
    with pytest.raises(SettingsError, match="VOUCH_EMBEDDERS") as refused:
        embedders_for(settings(tmp_path, written))
    assert "NAME=en+zh" in refused.value.remedy


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="'bge-m3'") as refused:
        bring(settings(tmp_path, "bge-m3=en"), lambda _progress: None)
    assert "VOUCH_MODEL_DIR" in refused.value.remedy
    (tmp_path / "bge-m3").mkdir()
    bring(settings(tmp_path, "bge-m3=en"), lambda _progress: None)


def test_a_cross_encoder_is_built_only_where_one_is_named(tmp_path: Path) -> None:
    assert reranker_for(settings(tmp_path)) is None
    environ = {"VOUCH_MODEL_DIR": str(tmp_path), "VOUCH_OFFLINE": "1", "VOUCH_EMBEDDERS": "e", "VOUCH_RERANKER": "bge"}
    assert isinstance(reranker_for(load(environ)), CrossEncoderReranker)
    (tmp_path / "e").mkdir()
    with pytest.raises(SettingsError, match=r"VOUCH_RERANKER.*'bge'"):
        bring(load(environ), lambda _progress: None)


def test_weights_of_the_catalog_are_not_looked_for_in_a_network_that_is_forbidden(tmp_path: Path) -> None:
    with pytest.raises(WeightsUnavailable):
        bring(settings(tmp_path), lambda _progress: None)


def test_common_words_come_from_the_first_model_that_has_words(tmp_path: Path) -> None:
    assert not common_words([WordEmbedder()])("bank")
    (tmp_path / "vocab.txt").write_text("bank\n##ing\n", encoding="utf-8")
    common = common_words([WordEmbedder(), Embedder(tmp_path)])
    assert common("bank")
    assert not common("warfarin")
    assert not common_words([Embedder(tmp_path / "sentencepiece")])("bank")
