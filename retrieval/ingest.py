"""Durable ingestion: bytes in, passages out, and a crash at any point loses nothing and doubles nothing.

A file is first kept by its content, then its row is written: the row is its own entry in the queue. A worker claims the
row, parses in a child process, cuts, embeds, and stores everything in one transaction that also makes the document
READY. What a dead worker left half-way is queued again at the next start; a worker that is merely slow finds its claim
gone and writes nothing.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO, Final, Protocol

import structlog
from sqlalchemy.exc import DBAPIError

from retrieval.catalog import Catalog
from retrieval.drafting import draft
from retrieval.errors import DamagedFile, RetrievalError, StorageFull
from retrieval.files import FileStore, Received, storage_full
from retrieval.index import PassageIndex
from retrieval.parsing.parse import parse
from retrieval.parsing.sniff import sniff
from retrieval.parsing.types import Limits, ParsedDocument
from retrieval.queue import Claim, Queue
from retrieval.types import Document, DocumentState, Scope

__all__ = ["Ingestor", "Parser"]

_POLL_S: Final = 0.5  # how soon a worker sees what another process queued
_PAUSE_S: Final = 5.0  # before the database is tried again
_REPORT_S: Final = 0.25  # progress is written no more often
_STALE_UPLOAD_S: Final = 86_400.0  # no upload takes a day

_log = structlog.get_logger()


class Parser(Protocol):
    """`retrieval.parsing.parse.parse`, or what stands in its place."""

    def __call__(
        self, path: Path, *, name: str, limits: Limits, report: Callable[[int, int], None] | None = None
    ) -> ParsedDocument:
        """Read a file into pages."""
        ...


class _ClaimLost(Exception):
    """The document was deleted, or another worker has taken it over."""


class Ingestor:
    """Takes documents in and works through the queue. `submit`, `delete` and one `run` may go on at the same time."""

    def __init__(
        self,
        catalog: Catalog,
        queue: Queue,
        *,
        files_dir: Path,
        index: PassageIndex,
        limits: Limits,
        parser: Parser = parse,
    ) -> None:
        self._catalog = catalog
        self._queue = queue
        self._files = FileStore(files_dir)
        self._index = index
        self._limits = limits
        self._parser = parser
        self._naming = threading.Lock()  # between "the file is there" and "a row says so"
        self._arrived = threading.Event()
        self._orphan: Claim | None = None  # still there after run_once when the database went away

    def submit(
        self, content: BinaryIO | Path, *, name: str, collection: str, label: str, source: str | None = None
    ) -> Document:
        """Keep a file and queue it; it is searchable once the worker made it READY.

        The same bytes in the same collection under the same label are taken once: their document is returned as it is,
        or queued again when it had failed.

        Args:
            content: the bytes.
            name: what its owner calls it.
            collection: where it belongs.
            label: who may see it.
            source: where it came from, as its owner names it; other bytes from there take the place of the earlier ones
                as soon as they are READY.

        Raises:
            DocumentRefused: the bytes are too many, none, or no format that is read.
            StorageFull: there is no space; nothing of the file stays.
        """
        with content.open("rb") if isinstance(content, Path) else nullcontext(content) as stream:
            received = self._files.receive(stream, max_bytes=self._limits.max_bytes)
        try:
            media_type = sniff(received.draft, name=name)
            document = self._enter(
                received, media_type=media_type, name=name, collection=collection, label=label, source=source
            )
        finally:
            self._files.discard(received)
        self._arrived.set()
        _log.info("document.queued", document=document.id, size=document.size, media_type=media_type)
        return document

    def delete(self, document_id: str, scope: Scope) -> None:
        """Remove a document everywhere: rows, vectors, words, and its file when no other document has the same bytes.

        Raises:
            DocumentNotFound: there is none, or none that the scope may see.
        """
        with self._naming:
            gone = self._catalog.delete(document_id, scope)
            if not self._catalog.holds(gone.sha256):
                self._files.remove(gone.sha256)
        self._index.refresh()
        _log.info("document.deleted", document=document_id)

    def path_of(self, document: Document) -> Path:
        """Return where the document's bytes are, for whoever renders its pages."""
        return self._files.path_of(document.sha256)

    def recover(self, *, silent_for_s: float = 0.0) -> int:
        """Queue again what an earlier process left half-way; `run` begins with it.

        A worker of another process that is still at such a document finds its claim gone: it worked in vain, but
        nothing is doubled.

        Args:
            silent_for_s: seconds without progress after which a document counts as left; more than 0 where workers of
                other processes may be alive.
        """
        self._files.sweep(older_than_s=_STALE_UPLOAD_S)
        requeued = self._queue.requeue_interrupted(silent_for_s=silent_for_s)
        if requeued:
            _log.warning("ingest.recovered", documents=requeued)
        return requeued

    def run(self, stop_event: threading.Event) -> None:
        """Work through the queue until `stop_event` is set; the document at hand is finished first."""
        recovered = False
        while not stop_event.is_set():
            self._arrived.clear()
            try:
                if not recovered:
                    self.recover()
                    recovered = True
                while self.run_once():
                    if stop_event.is_set():
                        return
                self._index.refresh()
                self._index.save()
            except DBAPIError as error:  # the database is away or full: the queue waits in it
                _log.error("ingest.database_unavailable", kind=type(error).__name__)
                stop_event.wait(_PAUSE_S)
            except StorageFull as error:  # of the snapshot alone, which can be written later
                _log.error("ingest.snapshot_not_written", code=error.code)
                stop_event.wait(_PAUSE_S)
            self._arrived.wait(_POLL_S)

    def run_once(self) -> bool:
        """Bring one queued document to READY or FAILED. False when the queue is empty.

        Raises:
            DBAPIError: the database is away; the document is queued again at the next call.
        """
        if self._orphan is not None:
            self._queue.release(self._orphan)
            self._orphan = None
        claim = self._orphan = self._queue.next_queued()
        if claim is None:
            return False
        started = time.monotonic()
        try:
            self._process(claim)
        except _ClaimLost:
            _log.warning("document.claim_lost", document=claim.document.id)
        except RetrievalError as error:
            self._queue.fail(claim, error)
            _log.warning("document.failed", document=claim.document.id, code=error.code)
        except DBAPIError as error:
            if not _is_full(error):
                raise
            self._queue.fail(claim, storage_full())
            _log.error("document.failed", document=claim.document.id, code=StorageFull.code)
        except Exception as error:  # noqa: BLE001 - one document must not stop the queue; the log says which and where
            self._queue.fail(claim, _unexpected())
            where = traceback.extract_tb(error.__traceback__)[-1]
            kind, place = type(error).__name__, f"{where.name}:{where.lineno}"  # its words may hold document text
            _log.error("document.failed", document=claim.document.id, code="retrieval", kind=kind, where=place)
        else:
            seconds = round(time.monotonic() - started, 3)
            _log.info("document.ready", document=claim.document.id, seconds=seconds)
        self._orphan = None
        return True

    def wait(self, document_ids: Sequence[str], timeout: float) -> bool:
        """Wait until all of these documents are READY, FAILED or gone. False when `timeout` seconds were not enough.

        Somebody must be in `run` meanwhile, here or in another process.
        """
        end = time.monotonic() + timeout
        while self._queue.waiting(document_ids):
            if time.monotonic() >= end:
                return False
            time.sleep(min(0.05, timeout))
        return True

    def _enter(
        self, received: Received, *, media_type: str, name: str, collection: str, label: str, source: str | None
    ) -> Document:
        with self._naming:
            self._files.keep(received)
            try:
                return self._catalog.add(
                    name=name,
                    media_type=media_type,
                    size=received.size,
                    sha256=received.sha256,
                    collection=collection,
                    label=label,
                    source=source,
                )
            except DBAPIError as error:
                if not _is_full(error):
                    raise
                if not self._catalog.holds(received.sha256):
                    self._files.remove(received.sha256)
                raise storage_full() from error

    def _process(self, claim: Claim) -> None:
        document = claim.document
        path = self._files.path_of(document.sha256)
        if not path.exists():
            raise DamagedFile("The stored file is gone.", remedy="Delete the document and add it again.")
        progress = _Progress(self._queue, claim)
        parsed = self._parser(path, name=document.name, limits=self._limits, report=progress.parsing)
        outcome = draft(parsed, name=document.name, embedders=self._index.embedders, step=progress.indexing)
        if not self._queue.finish(claim, outcome):
            raise _ClaimLost
        if document.replaces is not None:
            _log.info("document.replaced", document=document.id, replaces=document.replaces)


class _Progress:
    """Writes into the row how far a document is, as often as anyone can read, and ends the work of a lost claim."""

    def __init__(self, queue: Queue, claim: Claim) -> None:
        self._queue = queue
        self._claim = claim
        self._pages = 0
        self._last = float("-inf")

    def parsing(self, pages_done: int, pages: int) -> None:
        """Take a report of the parser."""
        self._pages = pages
        if time.monotonic() - self._last >= _REPORT_S or pages_done == pages:
            self._write(DocumentState.PARSING, pages_done)

    def indexing(self) -> None:
        """Take a sign of life while passages are embedded."""
        self._write(DocumentState.INDEXING, self._pages)

    def _write(self, state: DocumentState, pages_done: int) -> None:
        self._last = time.monotonic()
        if not self._queue.progress(self._claim, pages_done=pages_done, pages=self._pages, state=state):
            raise _ClaimLost


def _is_full(error: DBAPIError) -> bool:
    """Say whether the database ran out of disk: SQLite's SQLITE_FULL, PostgreSQL's SQLSTATE 53100 (disk_full)."""
    code = getattr(error.orig, "sqlite_errorname", None) or getattr(error.orig, "sqlstate", None)
    return code in {"SQLITE_FULL", "53100"}


def _unexpected() -> RetrievalError:
    return RetrievalError(
        "The document could not be read, for a reason that was not foreseen.",
        remedy="Try another format; your administrator finds the reason in the log.",
    )
