"""FAISS under the contract, and what its files must withstand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from retrieval.errors import IndexDamaged
from retrieval.stores.contract import VectorStore
from retrieval.stores.faiss_store import FaissStore
from tests.contracts.vector_store import ALL, Texts, VectorStoreContract, fill, unit
from tests.retrieval.word_embedder import WordEmbedder


def build(folder: Path, embedder: WordEmbedder | None = None) -> FaissStore:
    return FaissStore(folder, embedder=embedder or WordEmbedder(), passages=Texts())


class TestFaissStore(VectorStoreContract):
    def build(self, folder: Path, embedder: WordEmbedder) -> VectorStore:
        return build(folder, embedder)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    store = build(tmp_path)
    fill(store)
    store.snapshot(7)
    return tmp_path


def refused(folder: Path, words: str) -> None:
    store = build(folder)
    with pytest.raises(IndexDamaged, match=words):
        store.verify()
    with pytest.raises(IndexDamaged, match=words):
        store.restore(7)
    assert len(store.ids()) == 0


def test_a_snapshot_is_two_files_and_neither_is_a_pickle(saved: Path):
    assert sorted(path.name for path in saved.iterdir()) == ["vectors.faiss", "vectors.json"]
    manifest = json.loads((saved / "vectors.json").read_text())
    assert {k: manifest[k] for k in ("embedder", "dimension", "count", "generation")} == {
        "embedder": "words@1",
        "dimension": 32,
        "count": 4,
        "generation": 7,
    }
    assert build(saved).verify() == 7


@pytest.mark.parametrize("at", [0, 40, -1])
def test_one_flipped_bit_is_told_before_faiss_reads_anything(saved: Path, at: int):
    path = saved / "vectors.faiss"
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    refused(saved, "digest")


@pytest.mark.parametrize("keep", [0, 10, -1])
def test_a_truncated_index_is_told(saved: Path, keep: int):
    path = saved / "vectors.faiss"
    path.write_bytes(path.read_bytes()[:keep])
    refused(saved, "digest")


def test_a_missing_half_is_told(saved: Path):
    (saved / "vectors.json").rename(saved / "away.json")
    refused(saved, "manifest")
    (saved / "away.json").rename(saved / "vectors.json")
    assert build(saved).verify() == 7
    (saved / "vectors.faiss").unlink()
    refused(saved, "missing")


@pytest.mark.parametrize("name", ["vectors.faiss", "vectors.json"])
def test_a_folder_in_the_place_of_a_file_is_told(saved: Path, name: str):
    (saved / name).unlink()
    (saved / name).mkdir()
    refused(saved, "opened")


@pytest.mark.parametrize(
    "manifest",
    [b"", b"{", b"[]", b"null", b'{"format": 1}', b"\xff\xfe", b'{"count": ' + b"[" * 5000],
)
def test_a_manifest_of_rubbish_is_told(saved: Path, manifest: bytes):
    (saved / "vectors.json").write_bytes(manifest)
    refused(saved, "manifest")


@pytest.mark.parametrize(("key", "value"), [("format", 2), ("dimension", 31), ("embedder", "other@1"), ("count", 5)])
def test_a_manifest_that_says_something_else_is_told(saved: Path, key: str, value: object):
    path = saved / "vectors.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    store = build(saved)
    with pytest.raises(IndexDamaged):
        store.restore(7)
    assert len(store.ids()) == 0


def test_a_file_that_is_no_index_is_told_even_with_the_right_digest(saved: Path):
    import hashlib

    rubbish = b"IxMp" + b"\xff" * 100
    (saved / "vectors.faiss").write_bytes(rubbish)
    path = saved / "vectors.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"sha256": hashlib.sha256(rubbish).hexdigest()}))
    store = build(saved)
    with pytest.raises(IndexDamaged):
        store.restore(7)
    assert len(store.ids()) == 0


def test_a_crash_between_the_two_files_is_told(saved: Path):
    old = (saved / "vectors.json").read_bytes()
    store = build(saved)
    store.restore(7)
    store.add([60], np.stack([unit(0)]))
    store.snapshot(8)
    (saved / "vectors.json").write_bytes(old)
    refused(saved, "digest")


_FILL_DISK = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from retrieval.errors import StorageFull
from tests.retrieval.stores.test_faiss_store import build
store = build(Path(sys.argv[1]))
store.restore(7)
import numpy as np
rows = np.random.default_rng(0).standard_normal((2000, 32)).astype(np.float32)
store.add(range(100, 2100), rows)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
try:
    store.snapshot(8)
except StorageFull as error:
    print("full:", error.code)
"""


def test_a_full_disk_leaves_the_older_snapshot(saved: Path):
    root = str(Path(__file__).resolve().parents[3])
    done = subprocess.run(
        [sys.executable, "-c", _FILL_DISK, str(saved), root], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "full: storage_full"
    assert sorted(path.name for path in saved.iterdir()) == ["vectors.faiss", "vectors.json"]
    store = build(saved)
    store.restore(7)
    assert len(store.ids()) == 4


def test_a_full_device_is_told(tmp_path: Path):
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system takes root")
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount a file system")
    try:
        from retrieval.errors import StorageFull

        store = build(place)
        store.add(range(1, 2001), np.tile(unit(0), (2000, 1)))
        with pytest.raises(StorageFull):
            store.snapshot(1)
        assert list(place.iterdir()) == []
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_the_model_is_not_needed_to_build_a_store(tmp_path: Path):
    from retrieval.embedding import Embedder

    store = FaissStore(tmp_path, embedder=Embedder(tmp_path / "not-yet-there"), passages=Texts())
    assert store.nearest(unit(0), 5, ALL) == []
