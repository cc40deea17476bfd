"""Saved models: what comes back is what was saved; whatever was touched in between is refused before it is parsed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domains.finance import models
from domains.finance.models import ModelAltered, ModelMissing, ModelUnusable, load, save
from tests.domains.finance.test_modelcard import make_card

PARTS = {"model.txt": b"tree", "bins.json": b"{}"}


class Ledger:
    """A recorder that keeps what it was given."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any, dict[str, Any]]] = []

    def record(self, action: str, *, actor: Any, body: Mapping[str, Any], outcome: str = "ok") -> int:
        self.events.append((action, actor, dict(body)))
        return len(self.events)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(tmp_path / "credit", card=make_card(), parts=PARTS)
    return tmp_path / "credit"


def stored(folder: Path, part: str) -> Path:
    return folder / json.loads((folder / models.MANIFEST).read_bytes())["parts"][part]["file"]


def test_what_was_saved_comes_back(folder: Path) -> None:
    found = load(folder)
    assert found.parts == PARTS
    assert found.card == make_card()


def test_the_digest_is_that_of_the_manifest_and_the_same_each_time(tmp_path: Path) -> None:
    first = save(tmp_path / "a", card=make_card(), parts=PARTS)
    second = save(tmp_path / "b", card=make_card(), parts=dict(reversed(PARTS.items())))
    assert first.digest == second.digest == load(tmp_path / "a").digest


@pytest.mark.parametrize(
    ("card", "parts"),
    [
        (make_card(version="2"), PARTS),
        (make_card(), PARTS | {"model.txt": b"tree2"}),
        (make_card(), PARTS | {"more.json": b""}),
    ],
)
def test_the_digest_covers_the_card_and_every_part(tmp_path: Path, card: Any, parts: dict[str, bytes]) -> None:
    plain = save(tmp_path / "plain", card=make_card(), parts=PARTS)
    assert save(tmp_path / "other", card=card, parts=parts).digest != plain.digest


def test_a_new_model_takes_the_place_of_the_old_one_and_leaves_no_parts_behind(folder: Path) -> None:
    (folder / "notes.md").write_text("mine")
    (folder / ".new-half").write_bytes(b"left by a crash")
    new = save(folder, card=make_card(version="2"), parts={"model.txt": b"other"})
    assert load(folder).digest == new.digest
    assert len(list(folder.iterdir())) == 4  # manifest, card, model and what is not ours
    assert (folder / "notes.md").read_text() == "mine"


def test_a_crash_before_the_manifest_leaves_the_old_model_whole(folder: Path, tmp_path: Path) -> None:
    save(tmp_path / "new", card=make_card(version="2"), parts={"model.txt": b"other"})
    for path in (tmp_path / "new").iterdir():
        if path.name != models.MANIFEST:
            shutil.copy(path, folder)
    assert load(folder).parts == PARTS


@pytest.mark.parametrize("part", ["model.txt", "bins.json", models.CARD])
@pytest.mark.parametrize("damage", ["changed", "cut", "longer", "gone", "empty", "link", "folder"])
def test_a_file_that_is_not_what_was_saved_is_refused(folder: Path, tmp_path: Path, part: str, damage: str) -> None:
    path = stored(folder, part)
    data = path.read_bytes()
    if damage in ("gone", "link", "folder"):
        path.unlink()
    if damage == "link":
        (tmp_path / "elsewhere").write_bytes(data)
        path.symlink_to(tmp_path / "elsewhere")
    elif damage == "folder":
        path.mkdir()
    elif damage != "gone":
        changed = {"changed": bytes([data[0] ^ 1]) + data[1:], "cut": data[:-1], "longer": data + b" ", "empty": b""}
        path.write_bytes(changed[damage])
    with pytest.raises(ModelAltered) as refused:
        load(folder)
    assert "backup" in refused.value.remedy


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)  # it writes files
@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_no_bit_of_the_manifest_can_be_turned_unseen(folder: Path, place: int, bit: int) -> None:
    good = (folder / models.MANIFEST).read_bytes()
    known = load(folder).digest
    bad = bytearray(good)
    bad[place % len(bad)] ^= 1 << bit
    (folder / models.MANIFEST).write_bytes(bytes(bad))
    try:
        with pytest.raises(ModelAltered):
            load(folder, digest=known)
    finally:
        (folder / models.MANIFEST).write_bytes(good)


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"format": "vouch-model/2", "parts": {}}',
        b'{"format": "vouch-model/1", "parts": {}}',
        b'{"format": "vouch-model/1", "parts": 3}',
        b'{"format": "vouch-model/1", "parts": {"model.txt": 3}}',
        b'{"format": "vouch-model/1", "parts": {"model.txt": {"file": "../../etc/passwd", "sha256": "%s", "bytes": 1}}}'
        % (b"a" * 64),
        b'{"format": "vouch-model/1", "parts": {"a.txt": {"file": "a.012345678901.txt", "sha256": "%s", "bytes": 1.0}}}'
        % (b"a" * 64),
    ],
)
def test_a_manifest_that_is_none_is_refused(folder: Path, manifest: bytes) -> None:
    (folder / models.MANIFEST).write_bytes(manifest)
    with pytest.raises(ModelAltered):
        load(folder)


def test_a_manifest_larger_than_any_is_not_read(folder: Path) -> None:
    (folder / models.MANIFEST).write_bytes(b" " * ((1 << 20) + 1))
    with pytest.raises(ModelAltered, match="larger than 1 MiB"):
        load(folder)


def test_a_whole_other_model_is_refused_when_the_digest_is_known(folder: Path) -> None:
    known = load(folder).digest
    other = save(folder, card=make_card(version="2"), parts=PARTS)
    assert load(folder).digest == other.digest
    with pytest.raises(ModelAltered, match=known[:16]):
        load(folder, digest=known)


@pytest.mark.parametrize("place", ["nowhere", "empty"])
def test_no_model_is_no_altered_model(tmp_path: Path, place: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelMissing, match=place) as missing:
        load(tmp_path / place)
    assert missing.value.code == "model_missing"


@pytest.mark.parametrize("name", ["card.json", "manifest.json", "../x.txt", "model.pkl", "Model.txt", "", "a/b.txt"])
def test_a_part_needs_a_plain_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelUnusable, match="named"):
        save(tmp_path / "m", card=make_card(), parts={name: b""})
    assert not (tmp_path / "m").exists()


def test_a_model_needs_a_part(tmp_path: Path) -> None:
    with pytest.raises(ModelUnusable, match="without any part"):
        save(tmp_path / "m", card=make_card(), parts={})


def test_a_folder_that_cannot_be_made_is_our_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ModelUnusable, match="could not be written"):
        save(tmp_path / "file" / "m", card=make_card(), parts=PARTS)


def test_a_booster_predicts_the_same_after_its_text(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(200, 3))
    data = lightgbm.Dataset(rows, (rows[:, 0] > 0).astype(float))
    booster = lightgbm.train({"objective": "binary", "verbose": -1, "num_threads": 1}, data, 5)
    save(tmp_path / "m", card=make_card(), parts={"model.txt": models.lightgbm_text(booster)})
    again = models.lightgbm_booster(load(tmp_path / "m").parts["model.txt"])
    assert np.array_equal(booster.predict(rows), again.predict(rows))


@pytest.mark.parametrize("text", [b"", b"not a model", b"\xff\xff", b"tree\nversion=v4\n"])
def test_a_text_that_is_no_booster_is_our_error(text: bytes) -> None:
    with pytest.raises(ModelAltered):
        models.lightgbm_booster(text)


def test_the_ledger_gets_names_and_digests(folder: Path) -> None:
    ledger, saved = Ledger(), load(folder)
    assert models.record_fitted(ledger, saved, actor="ann") == 1
    assert models.record_loaded(ledger, saved) == 2
    assert [(action, actor) for action, actor, _ in ledger.events] == [("model.fitted", "ann"), ("model.loaded", None)]
    assert ledger.events[0][2]["digest"] == saved.digest
    assert ledger.events[0][2]["training_digest"] == "a" * 64
