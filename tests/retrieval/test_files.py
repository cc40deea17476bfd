"""Bytes on disk and the marks between a file and its row: what a process leaves half-way is decided, nothing else."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

import pytest

from retrieval.errors import StorageFull
from retrieval.files import FileStore, storage_full


def kept(store: FileStore, content: bytes) -> str:
    received = store.receive(io.BytesIO(content), max_bytes=100)
    store.keep(received)
    return received.sha256


def on_disk(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


class DiedError(BaseException):
    """Stands for a process that ends here."""


def test_a_file_whose_row_was_never_written_is_removed_and_one_with_a_row_is_not(tmp_path: Path):
    store = FileStore(tmp_path)
    lost, wanted = b"no row names me", b"a row names me"
    digests = []
    for content in (lost, wanted):
        received = store.receive(io.BytesIO(content), max_bytes=100)
        digests.append(received.sha256)
        with contextlib.suppress(DiedError), store.in_doubt(received.sha256):
            store.keep(received)
            raise DiedError
    quiet = kept(store, b"nobody doubts me")
    asked = []

    def names(sha256: str) -> bool:
        asked.append(sha256)
        return sha256 == digests[1]

    assert store.sweep(older_than_s=3600, wanted=names) == 0
    assert asked == []
    assert store.sweep(older_than_s=0, wanted=names) == 1
    assert sorted(asked) == sorted(digests)
    assert on_disk(tmp_path) == sorted([digests[1], quiet])


def test_a_mark_goes_when_all_is_in_order_and_stays_when_nobody_knows(tmp_path: Path):
    store = FileStore(tmp_path)
    with store.in_doubt("ab" * 32):
        assert len(on_disk(tmp_path)) == 1
    assert on_disk(tmp_path) == []
    with pytest.raises(StorageFull), store.in_doubt("ab" * 32):
        raise storage_full()
    assert on_disk(tmp_path) == []
    with pytest.raises(OSError, match="database"), store.in_doubt("ab" * 32):
        raise OSError("the database went away")
    [mark] = on_disk(tmp_path)
    assert mark.startswith("ab" * 32)
    assert store.sweep(older_than_s=0, wanted=lambda _: False) == 0, "there was no file"
    assert on_disk(tmp_path) == []


def test_uploads_that_broke_off_are_swept_when_they_are_old(tmp_path: Path):
    store = FileStore(tmp_path)
    kept(store, b"here to stay")
    for name in ("old", "new"):
        (tmp_path / "incoming" / name).write_bytes(b"x")
    os.utime(tmp_path / "incoming" / "old", (0, 0))
    assert store.sweep(older_than_s=60, wanted=lambda _: True) == 1
    assert "new" in on_disk(tmp_path)
    assert "old" not in on_disk(tmp_path)
