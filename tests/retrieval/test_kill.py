"""Kill -9 at any moment loses nothing and doubles nothing: catalog, files, lexical and vector index agree at the end.

Real processes are killed fifty times over one data folder: before events of every kind that writes, and at random
moments. What was said to be submitted is there; what was not is submitted again, as its sender would.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from retrieval.index import PassageIndex
from retrieval.tables import DocumentRow, PageRow, PassageRow, VectorRow
from retrieval.types import DocumentState
from tests.retrieval.house import ALL, House
from tests.retrieval.lives import SOURCE

ROOT = Path(__file__).resolve().parents[2]
KILLS = 50
AT_RANDOM = {"sqlite": 18, "postgres": 6}
WITH_CHILD = 5  # of these, lives that parse in a child process

STAGES = {  # what a life does, by the event that it ends with
    "open files/incoming",  # an upload arrives
    "open files/incoming.doubt",  # its row is about to be written
    "os.rename files/incoming",  # its bytes get their lasting name
    "INSERT INTO documents",  # received
    "UPDATE documents",  # claimed, parsed, embedded, or READY
    "INSERT INTO pages",
    "INSERT INTO passages",
    "INSERT INTO passage_vectors",
    "commit",  # each of the stages above ends with one
    "DELETE FROM documents",  # deleted or replaced
    "os.remove files",  # the bytes that nothing names any more
    "open index",  # the snapshot
}


class Worker:
    """The process that forks the lives."""

    def __init__(self, folder: Path, url: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.retrieval.lives", str(folder), url],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._said: dict = {}
        self._lines = self._read()
        assert next(self._lines) == {"ready": True}

    def _read(self) -> Iterator[dict]:
        for line in self._process.stdout:
            yield json.loads(line)

    def live(self, *, kill_after: float | None = None, **order) -> list[dict]:
        """Live one life and return what it said, the exit status last."""
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        said, timer = [], None
        for line in self._lines:
            if "process" in line and kill_after is not None:
                timer = threading.Timer(kill_after, _kill, [line["process"]])
                timer.start()
            said.append(line)
            if "end" in line:
                break
        if timer is not None:
            timer.cancel()
            timer.join()
        return said

    def close(self) -> None:
        self._process.communicate(timeout=30)


def _kill(process: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # it was quicker
        os.kill(process, signal.SIGKILL)


def order_of(number: int) -> dict:
    """Two new documents, a new version of one, and the removal of one of those before."""
    return {
        "submit": [(f"gone{number}", None), (f"kept{number}", f"in/{number}"), (f"version{number}", SOURCE)],
        "delete": [f"gone{number - 1}"],
    }


def url_of(engine: Engine) -> str:
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            path = connection.execute(text("SHOW search_path")).scalar_one()
        return engine.url.update_query_dict({"options": f"-c search_path={path}"}).render_as_string(hide_password=False)
    return str(engine.url)


def told(said: list[dict], key: str) -> list:
    return [line[key] for line in said if key in line]


def deaths(counts: dict[str, int], wanted: int) -> list[tuple[str, int]]:
    """The first event of each kind, the last of each, then those between, evenly."""
    ends = list(dict.fromkeys([*((kind, 1) for kind in counts), *counts.items()]))
    between = [(kind, number) for kind, count in counts.items() for number in range(2, count)]
    room = max(0, wanted - len(ends))
    return (ends + between[:: max(1, len(between) // max(1, room))])[:wanted]


@pytest.mark.parametrize(("name", "kills"), [("sqlite", KILLS), ("postgres", 30)])
def test_kills_lose_nothing_and_double_nothing(request: pytest.FixtureRequest, tmp_path: Path, name: str, kills: int):
    engine = request.getfixturevalue(f"{name}_engine")
    worker = Worker(tmp_path, url_of(engine))
    submitted, deleted, killed, chance = set(), set(), 0, random.Random(4)
    try:
        submitted |= set(told(worker.live(**order_of(0)), "submitted"))
        begun = time.monotonic()
        whole = worker.live(**order_of(1))
        seconds = time.monotonic() - begun
        assert told(whole, "end") == [0]
        counts = told(whole, "counts")[0]
        assert set(counts) >= STAGES
        plan = deaths(counts, kills - AT_RANDOM[name])
        assert {kind for kind, _ in plan} >= STAGES
        lives = [{"death": death} for death in plan]
        lives += [{"kill_after": chance.uniform(0, seconds), "child": n < WITH_CHILD} for n in range(AT_RANDOM[name])]
        chance.shuffle(lives)
        submitted |= set(told(whole, "submitted"))
        for number, life in enumerate(lives, start=2):
            said = worker.live(**order_of(number), **life)
            killed += told(said, "end") == [-signal.SIGKILL]
            left = {name.removesuffix(".txt") for names in told(said, "left") for name in names}
            if left:
                lost = {word for word in submitted if word.startswith("kept")} - left
                assert not lost
            submitted |= set(told(said, "submitted"))
            deleted |= {name.removesuffix(".txt") for name in told(said, "deleted")}
        assert killed >= kills * 0.9, "some lives end before their moment comes"
        again = [(f"kept{number}", f"in/{number}") for number in range(len(lives) + 2)]
        last = {"submit": [*again, ("version", SOURCE)], "delete": [f"gone{n}" for n in range(len(lives) + 2)]}
        assert told(worker.live(**last), "end") == [0]
    finally:
        worker.close()
    assert_all_agree(tmp_path, engine, {word for word, _ in again} | {"version"})


def assert_all_agree(folder: Path, engine: Engine, expected: set[str]) -> None:
    """Compare everything with everything: rows, files, the index from its snapshot and an index made anew."""
    house = House.at(folder, engine)
    documents = house.catalog.list(ALL, limit=10_000)
    assert sorted(document.name.removesuffix(".txt") for document in documents) == sorted(expected)
    assert {document.state for document in documents} == {DocumentState.READY}
    on_disk = [path.name for path in (folder / "files").rglob("*") if path.is_file()]
    assert sorted(on_disk) == sorted(document.sha256 for document in documents)
    ids = _rows_agree(engine, {document.id: document.passages for document in documents})
    house.index.load()
    anew = PassageIndex(house.catalog, [house.embedder], folder=folder / "anew")
    anew.load()
    for index in (house.index, anew):
        assert index.size == len(ids)
        vector = house.embedder.embed(["rule"])[0]
        near = [i for i, _ in index.by_vector(house.embedder, vector, 10_000, ALL)]
        assert sorted(near) == sorted(ids)
        for document in documents:
            word = document.name.removesuffix(".txt")
            assert sorted(i for i, _ in index.by_words(word, 100, ALL)) == sorted(
                i for i in ids if ids[i] == document.id
            )


def _rows_agree(engine: Engine, passages: dict[str, int]) -> dict[int, str]:
    """Return the documents by passage id, when pages, passages and vectors are those of the documents, each once."""
    with Session(engine) as session:
        rows = session.execute(select(PassageRow.id, PassageRow.document_id, PassageRow.ordinal)).all()
        pages = session.scalars(select(PageRow.document_id).distinct()).all()
        vectors = session.scalars(select(VectorRow.passage_id)).all()
        assert session.scalars(select(func.count()).where(DocumentRow.claim.is_not(None))).one() == 0
    found: dict[str, list[int]] = {}
    for _, document_id, ordinal in rows:
        found.setdefault(document_id, []).append(ordinal)
    assert {document_id: sorted(places) for document_id, places in found.items()} == {
        document_id: list(range(count)) for document_id, count in passages.items()
    }
    assert sorted(pages) == sorted(passages)
    assert sorted(vectors) == sorted(row.id for row in rows)
    return {row.id: row.document_id for row in rows}
