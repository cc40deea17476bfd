"""FAISS under the contract, and what its files must withstand."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retrieval.errors import IndexDamaged
from retrieval.stores._manifest import sealed
from retrieval.stores.contract import VectorStore
from retrieval.stores.faiss_store import FaissStore
from retrieval.visibility import Group, Visibility
from tests.contracts.vector_store import ALL, CROWD, Texts, VectorStoreContract, crowd_vectors, fill, unit
from tests.retrieval.word_embedder import WordEmbedder


def build(folder: Path, embedder: WordEmbedder | None = None) -> FaissStore:
    return FaissStore(folder, embedder=embedder or WordEmbedder(), passages=Texts())


def small(folder: Path, embedder: WordEmbedder | None = None, **settings: Any) -> FaissStore:
    settings = {"flat_below": 100, "tail_rows": 64, "memory_bytes": 20_000} | settings
    return FaissStore(folder, embedder=embedder or WordEmbedder(), passages=Texts(), **settings)


class TestFaissStore(VectorStoreContract):
    def build(self, folder: Path, embedder: WordEmbedder) -> VectorStore:
        return build(folder, embedder)


class TestCodedFaissStore(VectorStoreContract):
    """The same with codes from the hundredth vector on, and rows read from their file."""

    def build(self, folder: Path, embedder: WordEmbedder) -> VectorStore:
        return small(folder, embedder)

    def settled(self, store: VectorStore) -> None:
        assert isinstance(store, FaissStore)
        store.settle()
        assert store.kinds["coded"] > 0.9 * CROWD


SECRET = b"the installation's own secret bytes"


@pytest.fixture(params=["flat", "coded"])
def saved(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder with a snapshot of generation 7, of either kind."""
    store = small(tmp_path, secret=SECRET)
    if request.param == "flat":
        fill(store)
    else:
        store.add(range(1, CROWD + 1), crowd_vectors())
        store.settle()
        store.remove([3])
        assert store.kinds["coded"] > CROWD / 2
    store.snapshot(7)
    store.close()
    return tmp_path


def files(folder: Path) -> dict[str, Path]:
    """The snapshot's files by what they hold; of several segments those of the first."""
    found = sorted((path for path in folder.iterdir() if not path.name.startswith(".")), reverse=True)
    return {path.suffix[1:].partition("-")[0] or path.name: path for path in found}


def refused(folder: Path, words: str, *, secret: bytes = SECRET) -> None:
    store = small(folder, secret=secret)
    with pytest.raises(IndexDamaged, match=words):
        store.verify()
    with pytest.raises(IndexDamaged, match=words):
        store.restore(7)
    assert len(store.ids()) == 0


def resigned(folder: Path, change: Callable[[dict[str, Any]], None], secret: bytes = SECRET) -> None:
    """Change a manifest and sign it, as only the installation can."""
    body = json.loads((folder / "manifest").read_text().partition("\n")[2])
    change(body)
    (folder / "manifest").write_bytes(sealed(json.dumps(body).encode(), secret))


def test_a_snapshot_is_a_manifest_and_files_of_numbers(saved: Path):
    names = set(files(saved))
    assert names in ({"manifest", "ids", "rows"}, {"manifest", "ids", "rows", "codes", "cells", "dead"})
    manifest = json.loads((saved / "manifest").read_text().partition("\n")[2])
    assert {k: manifest[k] for k in ("format", "embedder", "dimension", "generation")} == {
        "format": 2,
        "embedder": "words@1",
        "dimension": 32,
        "generation": 7,
    }
    assert small(saved, secret=SECRET).verify() == 7
    again = small(saved, secret=SECRET)
    again.restore(7)
    assert len(again.ids()) == manifest["count"]
    assert not any(path.name.startswith(".work") for path in saved.iterdir())


@pytest.mark.parametrize("at", [0, 40, -1])
def test_one_flipped_bit_is_told_before_anything_is_read(saved: Path, at: int):
    for kind, path in files(saved).items():
        data = path.read_bytes()
        place = at % len(data)
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        refused(saved, "did not write" if kind == "manifest" else "digest")
        path.write_bytes(data)
    assert small(saved, secret=SECRET).verify() == 7


@pytest.mark.parametrize("keep", [0, 10, -1])
def test_a_truncated_file_is_told(saved: Path, keep: int):
    for kind, path in files(saved).items():
        data = path.read_bytes()
        path.write_bytes(data[:keep])
        refused(saved, "did not write" if kind == "manifest" else "digest")
        path.write_bytes(data)


def test_a_missing_file_is_told(saved: Path):
    for kind, path in files(saved).items():
        path.rename(saved / ".away")
        refused(saved, "no manifest" if kind == "manifest" else "lacks")
        (saved / ".away").rename(path)


def test_a_folder_or_a_link_in_the_place_of_a_file_is_told(saved: Path):
    for path in files(saved).values():
        path.rename(saved / ".away")
        path.mkdir()
        refused(saved, "opened")
        path.rmdir()
        path.symlink_to(saved / ".away")
        refused(saved, "opened")
        path.unlink()
        (saved / ".away").rename(path)


def test_files_that_changed_places_are_told(tmp_path: Path):
    store = small(tmp_path, secret=SECRET)
    fill(store)
    store.snapshot(7)
    old = (tmp_path / "manifest").read_bytes()
    store.add([1], np.stack([unit(9)]))
    store.snapshot(8)
    for kind in ("ids", "rows"):
        one, other = sorted(tmp_path.glob(f"*.{kind}"))
        one.rename(tmp_path / ".away")
        other.rename(one)
        (tmp_path / ".away").rename(other)
        with pytest.raises(IndexDamaged, match="digest"):
            small(tmp_path, secret=SECRET).verify()
        one.rename(tmp_path / ".away")
        other.rename(one)
        (tmp_path / ".away").rename(other)
    assert small(tmp_path, secret=SECRET).verify() == 8
    (tmp_path / "manifest").write_bytes(old)
    with pytest.raises(IndexDamaged, match="older or newer"):
        restored(tmp_path, 8)


def test_a_forged_manifest_is_told(saved: Path):
    refused(saved, "did not write", secret=b"another installation's secret")
    body = (saved / "manifest").read_bytes().partition(b"\n")[2]
    plain = hashlib.sha256(body).hexdigest().encode()
    unkeyed = sealed(body, b"")
    for forged in (
        body,
        plain + b"\n" + body,
        unkeyed,
        b"",
        b"\n",
        b"\xff" * 65 + body,
        b"0" * 64 + b"\n" + b"[" * 5000,
    ):
        (saved / "manifest").write_bytes(forged)
        refused(saved, "did not write")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 3}, "format"),
        ({"dimension": 31}, "model"),
        ({"embedder": "other@1"}, "model"),
        ({"count": 5}, "something else"),
        ({"generation": 8}, "older or newer"),
        ({"more": 1}, "version"),
    ],
)
def test_a_signed_manifest_of_something_else_is_not_taken(saved: Path, change: dict[str, object], words: str):
    resigned(saved, lambda body: body.update(change))
    store = small(saved, secret=SECRET)
    with pytest.raises(IndexDamaged, match=words):
        store.restore(7)
    assert len(store.ids()) == 0


def test_a_manifest_names_no_file_outside_its_folder(saved: Path):
    def outside(body: dict[str, Any]) -> None:
        body["parts"][0]["files"]["ids"]["name"] = "../" + body["parts"][0]["files"]["ids"]["name"]

    resigned(saved, outside)
    refused(saved, "version")


@pytest.mark.parametrize("kind", ["ids", "rows", "codes", "cells", "dead"])
def test_files_that_hold_something_else_are_not_taken_even_with_the_right_digest(saved: Path, kind: str):
    if kind not in files(saved):
        pytest.skip("a flat segment has no such file")
    rubbish = files(saved)[kind].read_bytes()[:-8] if kind != "codes" else b"IwPf" + b"\xff" * 100
    if kind == "cells":
        rubbish = b"\xff" * len(files(saved)[kind].read_bytes())
    files(saved)[kind].write_bytes(rubbish)

    def proven(body: dict[str, Any]) -> None:
        for part in body["parts"]:
            for proof in part["files"].values():
                if proof["name"] == files(saved)[kind].name:
                    proof |= {"size": len(rubbish), "sha256": hashlib.sha256(rubbish).hexdigest()}

    resigned(saved, proven)
    store = small(saved, secret=SECRET)
    assert store.verify() == 7
    with pytest.raises(IndexDamaged, match=r"something else|version"):
        store.restore(7)
    assert len(store.ids()) == 0


def test_a_snapshot_writes_what_is_new_and_no_more(saved: Path):
    before = {path.name: path.stat().st_mtime_ns for path in files(saved).values()}
    store = small(saved, secret=SECRET)
    store.restore(7)
    largest = max(files(saved)["rows"].parent.glob("*.rows"), key=lambda path: path.stat().st_size)
    store.add([CROWD + 9], np.stack([unit(0)]))
    if largest.stat().st_size > 100 * 128:
        store.snapshot(8)
        assert largest.stat().st_mtime_ns == before[largest.name]
        assert sum(p.stat().st_size for p in saved.glob("*.rows") if p.name not in before) <= 2 * 128
    store.snapshot(9)
    assert store.verify() == 9


def test_what_no_manifest_lists_is_swept_away(saved: Path):
    (saved / f"{'0' * 16}.rows").write_bytes(b"left over")
    (saved / ".work-of-a-killed-one").mkdir()
    (saved / ".work-of-a-killed-one" / "half.rows").write_bytes(b"half")
    living = small(saved, secret=SECRET)
    living._workshop.place.joinpath("kept").touch()
    store = small(saved, secret=SECRET)
    store.restore(7)
    store.snapshot(8)
    assert not (saved / f"{'0' * 16}.rows").exists()
    assert not (saved / ".work-of-a-killed-one").exists()
    assert living._workshop.place.joinpath("kept").exists()
    living.close()


def test_two_processes_may_take_turns_on_one_folder(saved: Path):
    one, two = small(saved, secret=SECRET), small(saved, secret=SECRET)
    for store in (one, two):
        store.restore(7)
    one.add([CROWD + 1], np.stack([unit(0)]))
    one.snapshot(8)
    two.add([CROWD + 2], np.stack([unit(1)]))
    two.settle()
    two.snapshot(9)
    one.snapshot(10)
    again = small(saved, secret=SECRET)
    again.restore(10)
    assert sorted(again.ids()) == sorted(one.ids())


def test_removed_vectors_leave_the_disk_when_a_quarter_is_dead(tmp_path: Path):
    store = small(tmp_path)
    store.add(range(1, CROWD + 1), crowd_vectors())
    store.settle()
    store.snapshot(1)
    before = sum(path.stat().st_size for path in tmp_path.glob("*.rows"))
    store.remove(range(1, CROWD // 2))
    store.settle()
    store.snapshot(2)
    assert sum(path.stat().st_size for path in tmp_path.glob("*.rows")) < 0.6 * before
    assert not list(tmp_path.glob("*.dead-*"))
    assert sorted(store.ids()) == list(range(CROWD // 2, CROWD + 1))


_FILL_DISK = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from retrieval.errors import StorageFull
from tests.retrieval.stores.test_faiss_store import SECRET, small
store = small(Path(sys.argv[1]), secret=SECRET)
store.restore(7)
import numpy as np
rows = np.random.default_rng(0).standard_normal((2000, 32)).astype(np.float32)
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, resource.RLIM_INFINITY))
store.add(range(2000, 4000), rows)
for step in (store.settle, lambda: store.snapshot(8)):
    try:
        step()
    except StorageFull as error:
        print("full:", error.code, len(store.ids()))
store.close()
"""


@pytest.mark.parametrize("saved", ["coded"], indirect=True)
def test_a_full_disk_leaves_the_older_snapshot_and_an_answering_store(saved: Path):
    root = str(Path(__file__).resolve().parents[3])
    before = sorted(path.name for path in saved.iterdir())
    count = len(restored(saved).ids())
    done = subprocess.run(
        [sys.executable, "-c", _FILL_DISK, str(saved), root], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.splitlines().count(f"full: storage_full {count + 2000}") == 2
    assert sorted(path.name for path in saved.iterdir()) == before
    assert len(restored(saved).ids()) == count


def restored(folder: Path, generation: int = 7) -> FaissStore:
    store = small(folder, secret=SECRET)
    store.restore(generation)
    return store


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
        store.close()
        assert [path.name for path in place.iterdir()] == [".lock"]
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_the_model_is_not_needed_to_build_a_store(tmp_path: Path):
    from retrieval.embedding import Embedder

    store = FaissStore(tmp_path, embedder=Embedder(tmp_path / "not-yet-there"), passages=Texts())
    assert store.nearest(unit(0), 5, ALL) == []


@pytest.mark.parametrize(("count", "kind"), [(90, "flat"), (CROWD, "coded")])
def test_what_comes_in_in_bulk_is_searched_meanwhile_and_merged_once_at_the_end(tmp_path: Path, count: int, kind: str):
    store = small(tmp_path, memory_bytes=1 << 20)
    store.visibility = Visibility.of([Group(label="staff", collection="c", ids=range(1, count + 1))])
    with store.bulk():
        for at in range(0, count, 30):
            store.add(np.arange(at, min(at + 30, count)) + 1, crowd_vectors()[at : min(at + 30, count)])
        assert store.kinds["coded"] == 0
        assert store.nearest(crowd_vectors()[5], 1, ALL)[0][0] == 6
    assert store.kinds == {"tail": 0, "flat": 0, "coded": 0} | {kind: count}
    assert len(list(tmp_path.glob(".work-*/*.rows"))) == (kind == "coded")
    assert store.nearest(crowd_vectors()[5], 1, ALL) == [(6, pytest.approx(1.0, abs=1e-3 if kind == "coded" else 1e-6))]
    store.snapshot(1)
    rows = sum(path.stat().st_size for path in tmp_path.glob("*.rows"))
    assert rows == count * 32 * (2 if kind == "coded" else 4)
    store.close()
