"""Parsing and embedding at the same time: who goes first, how much is held, and what a failure costs."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

from retrieval.files import FileStore
from retrieval.ingest_pipeline import IngestPipeline
from retrieval.parsing.types import TEXT, Block, BlockKind, ParsedDocument, ParsedPage
from retrieval.stages import Stages
from retrieval.types import Document, DocumentState
from tests.retrieval.house import ALL, LIMITS, House
from tests.retrieval.word_embedder import WordEmbedder

READY, QUEUED, FAILED = DocumentState.READY, DocumentState.QUEUED, DocumentState.FAILED


class Reader:
    """Parses without a child: `x-PAGES.txt` has so many pages. Notes whom it read, and how many long ones at once."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.long = self.most_long = 0
        self._own = threading.Lock()

    def __call__(self, path, *, name, limits, report=None):
        pages = int(name.removesuffix(".txt").rpartition("-")[2])
        with self._own:
            self.names.append(name)
        report(1, pages)  # a long document may be put back here
        if pages > 500:
            with self._own:
                self.long += 1
                self.most_long = max(self.most_long, self.long)
        try:
            text = f"The rule of {name.partition('-')[0]} holds here, whatever others say."
            blocks = (Block(kind=BlockKind.PARAGRAPH, start=0, end=len(text)),)
            sheets = [ParsedPage(number=n, text=text, width=0, height=0, blocks=blocks) for n in range(1, pages + 1)]
            report(pages, pages)
            return ParsedDocument(media_type=TEXT, pages=tuple(sheets))
        finally:
            if pages > 500:
                with self._own:
                    self.long -= 1


class GatedEmbedder(WordEmbedder):
    """Embeds when the gate is open; cannot embed a text with the word that it dislikes."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.batches: list[list[str]] = []

    def embed(self, texts):
        self.gate.wait(60)
        self.batches.append(list(texts))
        if any("poison" in text for text in texts):
            raise ValueError("the patient is called Jane")
        return super().embed(texts)


@pytest.fixture
def gated(tmp_path: Path, sqlite_engine: Engine) -> House:
    return House.at(tmp_path, sqlite_engine, GatedEmbedder())


@contextmanager
def running(
    house: House, reader: Reader, *, readers: int = 2, idle: Callable[[], None] | None = None
) -> Iterator[threading.Event]:
    stop, arrived = threading.Event(), threading.Event()
    stages = Stages(
        house.queue, FileStore(house.folder / "files"), limits=LIMITS, parser=reader, holds=house.catalog.holds
    )
    pipeline = IngestPipeline(
        house.queue,
        stages,
        embedders=house.index.embedders,
        readers=readers,
        arrived=arrived,
        idle=idle or house.index.refresh,
        pause_s=0.05,
    )
    thread = threading.Thread(target=pipeline.run, args=(stop,))
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        house.embedder.gate.set()
        thread.join(timeout=60)
    assert not thread.is_alive()


def put(house: House, name: str, pages: int = 1, *, bulk: bool = False) -> Document:
    content = io.BytesIO(f"{name} {pages}".encode())
    return house.ingestor.submit(content, name=f"{name}-{pages}.txt", collection="c", label="l", bulk=bulk)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.01)


def states(house: House) -> dict[str, DocumentState]:
    return {document.name.partition("-")[0]: document.state for document in house.catalog.list(ALL, limit=500)}


def test_a_document_that_came_alone_goes_before_a_folder_and_the_folder_still_moves(gated: House):
    reader = Reader()
    folder = [put(gated, f"bulk{n}", bulk=True).id for n in range(12)]
    alone = [put(gated, f"alone{n}").id for n in range(6)]
    with running(gated, reader, readers=1):
        assert gated.ingestor.wait([*folder, *alone], 60)
    first = [name.partition("-")[0] for name in reader.names[:8]]
    assert [name for name in first if name.startswith("alone")] == [f"alone{n}" for n in range(6)]
    assert [name for name in first if name.startswith("bulk")] == ["bulk0", "bulk1"]
    assert set(states(gated).values()) == {READY}


def test_reading_stops_ahead_of_a_slow_model_but_not_for_one_that_came_alone(gated: House, sqlite_engine: Engine):
    reader, asked = Reader(), []

    def look(_connection, _cursor, statement, *_rest):
        if "documents.bulk IS" in statement:
            asked.append(len(reader.names))

    gated.embedder.gate.clear()
    folder = [put(gated, f"bulk{n}", 100, bulk=True).id for n in range(20)]
    event.listen(sqlite_engine, "before_cursor_execute", look)
    with running(gated, reader):
        until(lambda: len(asked) > 2 or len(reader.names) == 20)
        single = put(gated, "alone", 2)
        until(lambda: "alone-2.txt" in reader.names)
        assert len(reader.names) <= 3 + 2 + 1, "three hundred pages, what two readers had begun, and the one alone"
        gated.embedder.gate.set()
        assert gated.ingestor.wait([*folder, single.id], 60)
    assert set(states(gated).values()) == {READY}
    assert max(map(len, gated.embedder.batches)) > 100, "texts of several documents go together"


def test_one_long_document_at_a_time_and_short_ones_pass_it(gated: House):
    reader = Reader()
    gated.embedder.gate.clear()
    longs = [put(gated, f"long{n}", 600).id for n in range(3)]
    shorts = [put(gated, f"short{n}").id for n in range(4)]
    with running(gated, reader, readers=3):
        until(lambda: all(f"short{n}-1.txt" in reader.names for n in range(4)))
        assert sum(document.pages == 600 for document in gated.catalog.list(ALL)) >= 2, "told, though put back"
        gated.embedder.gate.set()
        assert gated.ingestor.wait(shorts, 60)
        assert gated.ingestor.wait(longs, 60)
    assert reader.most_long == 1
    assert set(states(gated).values()) == {READY}


def test_a_text_that_cannot_be_embedded_fails_its_document_alone(gated: House):
    reader = Reader()
    gated.embedder.gate.clear()
    made = [put(gated, name).id for name in ("good", "poison", "fine")]
    with running(gated, reader):
        until(lambda: len(reader.names) == 3)
        gated.embedder.gate.set()
        assert gated.ingestor.wait(made, 60)
    assert states(gated) == {"good": READY, "poison": FAILED, "fine": READY}
    failed = gated.catalog.get(made[1], ALL)
    assert failed.remedy
    assert "Jane" not in f"{failed.error}{failed.remedy}"


@pytest.mark.parametrize("kind", ["INSERT INTO passages", "UPDATE documents", "SELECT documents.id"])
def test_a_database_that_fails_for_a_moment_costs_no_document(gated: House, sqlite_engine: Engine, kind: str):
    reader, failures = Reader(), []

    def fail(_connection, _cursor, statement, *_rest):
        if len(failures) < 3 and " ".join(statement.split()).startswith(kind):
            failures.append(statement)
            raise OperationalError(statement, {}, Exception("database is locked"))

    made = [put(gated, f"doc{n}").id for n in range(8)]
    event.listen(sqlite_engine, "before_cursor_execute", fail)
    with running(gated, reader):
        until(lambda: len(failures) == 3)
        event.remove(sqlite_engine, "before_cursor_execute", fail)
        assert gated.ingestor.wait(made, 60)
    assert set(states(gated).values()) == {READY}
    assert len(gated.find("rule", k=50)) == 8
    if kind == "INSERT INTO passages":
        assert len(reader.names) == 8, "what was read and embedded is stored at the next try"


def test_what_is_at_work_when_told_to_stop_is_queued_again(gated: House):
    reader = Reader()
    gated.embedder.gate.clear()
    made = [put(gated, f"doc{n}").id for n in range(3)]
    with running(gated, reader) as stop:
        until(lambda: len(reader.names) == 3)
        stop.set()
    left = states(gated)
    assert set(left.values()) <= {QUEUED, READY}
    assert QUEUED in left.values()
    with running(gated, reader):
        assert gated.ingestor.wait(made, 60)
    assert set(states(gated).values()) == {READY}
    assert gated.index.size == 3


def test_a_document_deleted_while_it_waits_stays_gone(gated: House):
    reader = Reader()
    gated.embedder.gate.clear()
    gone, stays = put(gated, "gone"), put(gated, "stays")
    with running(gated, reader):
        until(lambda: len(reader.names) == 2)
        gated.ingestor.delete(gone.id, ALL)
        gated.embedder.gate.set()
        assert gated.ingestor.wait([gone.id, stays.id], 60)
    assert states(gated) == {"stays": READY}
    assert gated.index.size == 1


def test_the_index_is_brought_up_when_the_queue_is_empty_and_not_before(gated: House):
    reader, seen = Reader(), []
    made = [put(gated, f"bulk{n}", 310, bulk=True).id for n in range(4)]  # each alone reaches the bound
    with running(gated, reader, idle=lambda: seen.append(gated.queue.waiting(made))):
        assert gated.ingestor.wait(made, 60)
        until(lambda: bool(seen))
    assert set(seen) == {0}


def test_pages_count_on_while_a_document_is_embedded(gated: House, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("retrieval.stages._REPORT_S", 0.0)  # a fast machine is done before anything was due
    reader, seen = Reader(), set()
    document = put(gated, "doc", 400)

    def look(_connection, _cursor, statement, parameters, *_rest):
        if statement.startswith("UPDATE documents SET state=") and "indexing" in map(str, parameters):
            seen.add(next(value for value in parameters if isinstance(value, int)))

    event.listen(gated.catalog._engine, "before_cursor_execute", look)
    with running(gated, reader):
        assert gated.ingestor.wait([document.id], 60)
    assert seen
    assert max(seen) <= 400
