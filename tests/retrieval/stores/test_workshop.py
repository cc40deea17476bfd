"""The folder where a store makes its files: one a process, however many threads ask first, and nothing left behind."""

from __future__ import annotations

import threading
from pathlib import Path

import retrieval.stores._workshop as module
from retrieval.stores._workshop import Workshop


def test_threads_that_ask_at_once_get_one_folder_and_it_goes_at_the_end(tmp_path: Path, monkeypatch):
    names, started = iter(["first", "second", "third"]), threading.Barrier(3, timeout=20)
    monkeypatch.setattr(module, "new_name", lambda: next(names))
    workshop, places = Workshop(tmp_path), []

    def ask() -> None:
        started.wait()
        places.append(workshop.place)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(places) == {tmp_path / ".work-first"}
    workshop.close()
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_leaves_what_is_listed_and_takes_what_was_half_written(tmp_path: Path):
    for name in ("manifest", "kept.rows", "old.rows", ".manifest.0123.part", ".hidden"):
        (tmp_path / name).write_bytes(b"x")
    abandoned = tmp_path / ".work-dead"
    abandoned.mkdir()
    (abandoned / "new.rows").write_bytes(b"x")
    living = Workshop(tmp_path)
    (living.place / "mine.rows").write_bytes(b"x")
    workshop = Workshop(tmp_path)
    with workshop.alone():
        workshop.sweep({"manifest", "kept.rows"})
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"manifest", "kept.rows", ".hidden", ".lock", living.place.name}
    living.close()
