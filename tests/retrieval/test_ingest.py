"""Ingestion: every way in, every refusal, and crashes at every stage; real files, parsers, databases and processes."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, create_engine, event, func, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from retrieval.errors import (
    DocumentNotFound,
    EmptyFile,
    FileTooLarge,
    StorageFull,
    UnsupportedFormat,
)
from retrieval.ingest import Ingestor
from retrieval.parsing.parse import parse
from retrieval.tables import PageRow, PassageRow
from retrieval.types import Document, DocumentState, Scope
from tests.retrieval.house import ALL, LIMITS, House, seeing

ROOT = Path(__file__).resolve().parents[2]
POLICY = "# Leave\n\nEmployees have twenty-five days of leave.\n\n# 差旅\n\n差旅费用须经部门经理批准。\n"


def files(house: House) -> list[str]:
    return sorted(path.name for path in (house.folder / "files").rglob("*") if path.is_file())


def work(house: House) -> int:
    count = 0
    while house.ingestor.run_once():
        count += 1
    return count


def state(house: House, document: Document) -> DocumentState:
    return house.catalog.get(document.id, ALL).state


def count_rows(engine: Engine, table: type) -> int:
    with Session(engine) as session:
        return session.scalars(select(func.count()).select_from(table)).one()


def test_a_file_becomes_passages_that_are_found(any_house: House):
    document = any_house.submit(POLICY, "policy.md")
    assert document.state is DocumentState.QUEUED
    assert any_house.find("days of leave") == []
    assert work(any_house) == 1
    ready = any_house.catalog.get(document.id, ALL)
    assert (ready.state, ready.pages, ready.pages_done) == (DocumentState.READY, 1, 1)
    assert ready.passages >= 1
    assert "twenty-five days" in any_house.find("days of leave")[0].text
    assert "部门经理" in any_house.find("谁批准差旅费用")[0].text
    found = any_house.find("days of leave")[0]
    page = any_house.catalog.page_text(document.id, found.locator.page, ALL).text
    assert page[found.locator.start : found.locator.end] in found.text


def test_a_path_is_taken_as_well_as_a_stream(house: House, tmp_path: Path):
    path = tmp_path / "policy.md"
    path.write_text(POLICY)
    document = house.ingestor.submit(path, name="policy.md", collection="c", label="l")
    assert house.ingestor.path_of(document).read_text() == POLICY
    assert path.read_text() == POLICY


def test_bytes_are_kept_by_their_content(house: House):
    document = house.submit(POLICY)
    assert files(house) == [document.sha256]
    assert house.ingestor.path_of(document).parent.name == document.sha256[:2]


def test_the_same_file_is_read_once(house: House, sqlite_engine: Engine):
    first = house.submit(POLICY)
    work(house)
    passages = count_rows(sqlite_engine, PassageRow)
    second = house.submit(POLICY, "another-name.txt")
    assert (second.id, second.state) == (first.id, DocumentState.READY)
    assert work(house) == 0
    assert count_rows(sqlite_engine, PassageRow) == passages


def test_the_same_file_under_another_label_is_another_document(house: House):
    house.submit(POLICY, label="staff")
    hidden = house.submit(POLICY, label="board")
    assert work(house) == 2
    assert len(files(house)) == 1
    assert {item.locator.document_id for item in house.find("days of leave", seeing("board"))} == {hidden.id}
    assert house.catalog.count(seeing("staff")) == 1


def test_two_uploads_of_one_file_at_once_are_one_document(house: House):
    start, made = threading.Barrier(4), []

    def upload() -> None:
        start.wait()
        made.append(house.submit(POLICY).id)

    uploads = [threading.Thread(target=upload) for _ in range(4)]
    for upload_ in uploads:
        upload_.start()
    for upload_ in uploads:
        upload_.join()
    assert len(made) == 4
    assert len(set(made)) == 1
    assert work(house) == 1
    assert len(files(house)) == 1


class Endless(io.RawIOBase):
    """A stream without end that counts what was taken of it."""

    taken = 0

    def read(self, size: int = -1) -> bytes:
        self.taken += size
        return b"x" * size


def test_an_upload_is_refused_as_soon_as_it_is_too_long(house: House):
    source = Endless()
    with pytest.raises(FileTooLarge, match=r"1\.0 MiB"):
        house.ingestor.submit(source, name="big.txt", collection="c", label="l")
    assert source.taken <= LIMITS.max_bytes + (1 << 20)
    assert files(house) == []
    assert house.catalog.count(ALL) == 0
    exactly = io.BytesIO(b"word " * (LIMITS.max_bytes // 5) + b"x" * (LIMITS.max_bytes % 5))
    assert house.ingestor.submit(exactly, name="fits.txt", collection="c", label="l").size == LIMITS.max_bytes


@pytest.mark.parametrize(
    ("data", "name", "error"),
    [(b"", "empty.pdf", EmptyFile), (b"MZ\x90\x00" + bytes(range(256)) * 8, "report.pdf", UnsupportedFormat)],
    ids=["empty", "renamed executable"],
)
def test_what_is_refused_at_the_door_leaves_nothing(house: House, data: bytes, name: str, error: type):
    with pytest.raises(error):
        house.ingestor.submit(io.BytesIO(data), name=name, collection="c", label="l")
    assert files(house) == []
    assert house.catalog.count(ALL) == 0
    house.submit(POLICY)
    assert work(house) == 1


class Broken(io.RawIOBase):
    """A stream that breaks off: a lost connection."""

    def read(self, size: int = -1) -> bytes:
        raise ConnectionResetError("peer gone")


def test_an_upload_that_breaks_off_leaves_nothing(house: House):
    with pytest.raises(ConnectionResetError):
        house.ingestor.submit(Broken(), name="a.txt", collection="c", label="l")
    assert files(house) == []


def test_a_damaged_file_fails_with_a_reason_and_the_next_is_served(house: House):
    broken = house.ingestor.submit(
        io.BytesIO(b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog"), name="a.pdf", collection="c", label="l"
    )
    fine = house.submit(POLICY)
    assert work(house) == 2
    failed = house.catalog.get(broken.id, ALL)
    assert failed.state is DocumentState.FAILED
    assert failed.error_code == "damaged_file"
    assert failed.error
    assert failed.remedy
    assert state(house, fine) is DocumentState.READY


def test_a_document_whose_file_is_gone_fails_with_a_reason(house: House):
    document = house.submit(POLICY)
    house.ingestor.path_of(document).unlink()
    assert work(house) == 1
    assert house.catalog.get(document.id, ALL).error == "The stored file is gone."
    again = house.submit(POLICY)
    assert again.id == document.id
    work(house)
    assert state(house, document) is DocumentState.READY


def with_parser(house: House, parser) -> Ingestor:
    return Ingestor(
        house.catalog,
        house.queue,
        files_dir=house.folder / "files",
        index=house.index,
        limits=LIMITS,
        parser=parser,
    )


def test_an_error_that_nobody_foresaw_fails_one_document_and_tells_no_secrets(house: House):
    def parser(path, *, name, limits, report=None):
        raise ZeroDivisionError("the patient is called Jane")

    document = house.submit(POLICY)
    with capture_logs() as logs:
        assert with_parser(house, parser).run_once()
    failed = house.catalog.get(document.id, ALL)
    assert (failed.state, failed.error_code) == (DocumentState.FAILED, "retrieval")
    assert "Jane" not in f"{failed.error} {failed.remedy} {logs}"
    assert logs[-1]["kind"] == "ZeroDivisionError"
    assert logs[-1]["where"].startswith("parser:")


def test_a_database_that_goes_away_for_a_moment_costs_a_second_try(tmp_path: Path, postgres_engine: Engine):
    house = House.at(tmp_path, postgres_engine)
    document = house.submit(POLICY)
    tries = []

    def parser(path, *, name, limits, report=None):
        parsed = parse(path, name=name, limits=limits)
        tries.append(name)
        if len(tries) == 1:
            held = postgres_engine.raw_connection()
            own = held.driver_connection.info.backend_pid
            held.close()  # the pool gives this connection out again at the next statement
            end = "SELECT pg_terminate_backend(:pid)"
            admin = create_engine(postgres_engine.url)
            with admin.connect() as connection:
                connection.execute(text(end), {"pid": own})
            admin.dispose()
        return parsed

    ingestor = with_parser(house, parser)
    with pytest.raises(OperationalError):
        ingestor.run_once()
    assert state(house, document) is DocumentState.PARSING
    assert ingestor.run_once()
    assert state(house, document) is DocumentState.READY
    assert len(tries) == 2


def test_a_document_that_is_deleted_while_it_is_read_stays_gone(house: House):
    def parser(path, *, name, limits, report=None):
        parsed = parse(path, name=name, limits=limits, report=report)
        house.ingestor.delete(document.id, ALL)
        return parsed

    document = house.submit(POLICY)
    assert with_parser(house, parser).run_once()
    assert house.catalog.count(ALL) == 0
    assert house.find("days of leave") == []
    assert files(house) == []


def test_progress_is_seen_from_outside(house: House):
    seen = []

    def parser(path, *, name, limits, report=None):
        parsed = parse(path, name=name, limits=limits)
        for done in range(1, 4):
            report(done, 3)
            current = house.catalog.get(document.id, ALL)
            seen.append((current.state, current.pages_done, current.pages))
        return parsed

    document = house.submit(POLICY)
    with_parser(house, parser).run_once()
    assert seen[0] == (DocumentState.PARSING, 1, 3)
    assert seen[-1] == (DocumentState.PARSING, 3, 3)


def test_delete_removes_everything_but_what_others_share(house: House, sqlite_engine: Engine):
    first = house.submit(POLICY, label="staff")
    second = house.submit(POLICY, label="board")
    work(house)
    with pytest.raises(DocumentNotFound):
        house.ingestor.delete(second.id, seeing("staff"))
    house.ingestor.delete(first.id, seeing("staff"))
    assert len(files(house)) == 1
    assert len(house.find("days of leave")) >= 1
    house.ingestor.delete(second.id, ALL)
    assert files(house) == []
    assert (count_rows(sqlite_engine, PassageRow), count_rows(sqlite_engine, PageRow)) == (0, 0)
    assert house.index.size == 0
    assert house.find("days of leave") == []


def test_the_worker_loop_serves_what_comes_and_stops_when_told(house: House):
    stop = threading.Event()
    worker = threading.Thread(target=house.ingestor.run, args=(stop,))
    worker.start()
    try:
        made = [house.submit(f"{POLICY}\n\nNumber {number}.", f"{number}.md").id for number in range(3)]
        assert house.ingestor.wait(made, 60)
        assert len(house.find("days of leave", k=10)) >= 3
    finally:
        stop.set()
        worker.join(timeout=60)
    assert not worker.is_alive()
    assert house.ingestor.wait(["0" * 32], 0)


def test_waiting_ends_when_nobody_works(house: House):
    document = house.submit(POLICY)
    assert not house.ingestor.wait([document.id], 0.05)


def test_the_loop_takes_up_what_an_earlier_process_left(house: House):
    document = house.submit(POLICY)
    house.queue.next_queued()
    stop = threading.Event()
    worker = threading.Thread(target=house.ingestor.run, args=(stop,))
    worker.start()
    try:
        assert house.ingestor.wait([document.id], 60)
    finally:
        stop.set()
        worker.join(timeout=60)
    assert state(house, document) is DocumentState.READY


def child(folder: Path, url: URL, stage: str) -> subprocess.Popen[str]:
    database = url.render_as_string(hide_password=False)
    return subprocess.Popen(
        [sys.executable, "-m", "tests.retrieval.worker", str(folder), database, stage],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def until(process: subprocess.Popen[str], word: str) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(word):
            return line.strip()
    pytest.fail(f"the worker ended with {process.wait()} before it said {word!r}")


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def test_two_worker_processes_share_the_queue(any_house: House, engine: Engine, tmp_path: Path):
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            path = connection.execute(text("SHOW search_path")).scalar_one()  # the test's own schema
        engine_url = engine.url.update_query_dict({"options": f"-c search_path={path}"})
    else:
        engine_url = engine.url
    made = [any_house.submit(f"{POLICY}\n\nNumber {number}.", f"{number}.md") for number in range(5)]
    workers = [child(tmp_path, engine_url, "none") for _ in range(2)]
    try:
        for worker in workers:
            until(worker, "ready")
        for worker in workers:
            go(worker)
        counts = [int(until(worker, "done").split()[1]) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
    assert sum(counts) == 5
    assert {state(any_house, document) for document in made} == {DocumentState.READY}
    assert count_rows(engine, PassageRow) == sum(any_house.catalog.get(d.id, ALL).passages for d in made)


def test_leftovers_of_broken_uploads_are_swept(house: House):
    house.submit(POLICY)
    incoming = house.folder / "files" / "incoming"
    old, new = incoming / "old", incoming / "new"
    old.write_bytes(b"x")
    new.write_bytes(b"x")
    os.utime(old, (0, 0))
    house.ingestor.recover()
    assert [path.name for path in incoming.iterdir()] == ["new"]


_FILL = """
import io, resource, sys
from pathlib import Path
from retrieval.errors import StorageFull
from tests.retrieval.house import House, sqlite
house = House.at(Path(sys.argv[1]), sqlite(Path(sys.argv[1]) / "vouch.db"))
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
try:
    house.ingestor.submit(io.BytesIO(b"word " * 100_000), name="a.txt", collection="c", label="l")
except StorageFull as error:
    print("full:", error.remedy)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
house.submit("The next upload is taken.", "b.txt")
print("work:", house.ingestor.run_once())
"""


def test_no_space_is_said_so_and_the_next_upload_is_taken(house: House, tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-c", _FILL, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    lines = done.stdout.splitlines()
    assert any(line.startswith("full: Free space") for line in lines)
    assert "work: True" in lines
    assert [d.name for d in house.catalog.list(ALL)] == ["b.txt"]
    assert len(files(house)) == 1


@pytest.fixture
def small_disk(tmp_path: Path):
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system takes root")
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a file system")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_keeps_nothing_half_written(house: House, small_disk: Path):
    ingestor = Ingestor(house.catalog, house.queue, files_dir=small_disk / "files", index=house.index, limits=LIMITS)
    with pytest.raises(StorageFull):
        ingestor.submit(io.BytesIO(b"word " * 100_000), name="a.txt", collection="c", label="l")
    assert [path for path in small_disk.rglob("*") if path.is_file()] == []
    assert house.catalog.count(ALL) == 0
    assert ingestor.submit(io.BytesIO(POLICY.encode()), name="b.md", collection="c", label="l").size


def test_a_database_on_a_full_disk_loses_nothing(tmp_path: Path, house: House, sqlite_engine: Engine):
    document = house.submit(POLICY + "\n\nmore words. " * 5_000, "long.md")
    with sqlite_engine.connect() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
    limit = f"PRAGMA max_page_count={pages + 2}"

    def squeeze(connection, _record, _proxy):
        connection.execute(limit).close()

    event.listen(sqlite_engine, "checkout", squeeze)
    work(house)
    event.remove(sqlite_engine, "checkout", squeeze)
    failed = house.catalog.get(document.id, ALL)
    assert (failed.state, failed.error_code) == (DocumentState.FAILED, "storage_full")
    assert count_rows(sqlite_engine, PassageRow) == 0
    with sqlite_engine.connect() as connection:
        connection.execute(text("PRAGMA max_page_count=1000000"))
    sqlite_engine.dispose()
    assert house.submit(POLICY + "\n\nmore words. " * 5_000, "long.md").id == document.id
    work(house)
    assert state(house, document) is DocumentState.READY


def test_nobody_finds_what_was_ingested_for_others(house: House):
    house.submit(POLICY, label="board")
    work(house)
    assert house.find("days of leave", Scope.nobody()) == []
    assert house.find("days of leave", seeing("staff")) == []
    assert house.find("days of leave", seeing("board")) != []
