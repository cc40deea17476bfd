"""Durable ingestion: bytes in, passages out, and a crash at any point loses nothing and doubles nothing.

A file is first kept by its content, then its row is written: the row is its own entry in the queue. A worker claims the
row, parses in a child process, cuts, embeds, and stores everything in one transaction that also makes the document
READY. What a dead worker left half-way is queued again at the next start; a worker that is merely slow finds its claim
gone and writes nothing.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

import structlog
from sqlalchemy.exc import DBAPIError

from retrieval.catalog import Catalog, IndexEntry
from retrieval.errors import StorageFull, StoreUnavailable
from retrieval.files import FileStore, Received, storage_full
from retrieval.index import PassageIndex
from retrieval.ingest_pipeline import IngestPipeline
from retrieval.packing import pack
from retrieval.parsing.parse import parse
from retrieval.parsing.sandbox import Sandbox
from retrieval.parsing.sniff import sniff
from retrieval.parsing.types import Limits
from retrieval.queue import Claim, Queue
from retrieval.stages import Parser, Progress, Stages, is_full, may_pass
from retrieval.types import Document, DocumentState, Scope

__all__ = ["Ingestor"]

_PAUSE_S: Final = 5.0  # before the database is tried again
_STALE_UPLOAD_S: Final = 86_400.0  # no upload takes a day
_TEXTS_A_STEP: Final = 64
_MOST_READERS: Final = 4  # one core parses what several embed


_log = structlog.get_logger()


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
        parser: Parser | None = None,
        readers: int = 0,
    ) -> None:
        """Put the parts together.

        Args:
            catalog: where documents are.
            queue: the same database.
            files_dir: where their bytes are kept.
            index: is refreshed when the queue is empty; its models embed.
            limits: of a file.
            parser: reads a file; by default `parse` in a sandbox of its own.
            readers: files that are parsed at the same time; by default one a core, at least two and at most four.
        """
        self.sandbox: Final = Sandbox()
        """Where files are opened."""
        self._catalog = catalog
        self._queue = queue
        self._files = FileStore(files_dir)
        self._index = index
        self._limits = limits
        self._stages = Stages(
            queue,
            self._files,
            limits=limits,
            parser=parser or partial(parse, sandbox=self.sandbox),
            holds=catalog.holds,
            contents=self._contents,
        )
        self._readers = readers or max(2, min(_MOST_READERS, len(os.sched_getaffinity(0))))
        self._arrived = threading.Event()
        self._orphan: Claim | None = None  # still there after run_once when the database went away

    def close(self) -> None:
        """End the processes that wait for files; those at work end with them."""
        self.sandbox.close()

    def submit(
        self,
        content: BinaryIO | Path,
        *,
        name: str,
        collection: str,
        label: str,
        source: str | None = None,
        bulk: bool = False,
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
            bulk: it comes with many others, and those that come alone go first.

        Raises:
            DocumentRefused: the bytes are too many, none, or no format that is read.
            StorageFull: there is no space; nothing of the file stays.
        """
        with content.open("rb") if isinstance(content, Path) else nullcontext(content) as stream:
            received = self._files.receive(stream, max_bytes=self._limits.max_bytes)
        try:
            media_type = sniff(received.draft, name=name)
            with self._files.in_doubt(received.sha256), self._stages.naming:
                self._files.keep(received)
                document = self._enter(
                    received,
                    media_type=media_type,
                    name=name,
                    collection=collection,
                    label=label,
                    source=source,
                    bulk=bulk,
                )
        finally:
            self._files.discard(received)
        if document.state is DocumentState.READY and source is not None:
            self._stages.forget(self._queue.retire(document))
        self._arrived.set()
        _log.info("document.queued", document=document.id, size=document.size, media_type=media_type)
        return document

    def delete(self, document_id: str, scope: Scope) -> None:
        """Remove a document everywhere: rows, vectors, words, and its file when no other document has the same bytes.

        Raises:
            DocumentNotFound: there is none, or none that the scope may see.
        """
        sha256 = self._catalog.get(document_id, scope).sha256
        with self._files.in_doubt(sha256):
            self._catalog.delete(document_id, scope)
            self._stages.forget([sha256])
        self._index.refresh()
        _log.info("document.deleted", document=document_id)

    def path_of(self, document: Document) -> Path:
        """Return where the document's bytes are, for whoever renders its pages."""
        return self._files.path_of(document.sha256)

    def recover(self, *, silent_for_s: float = 0.0, stale_upload_s: float = _STALE_UPLOAD_S) -> int:
        """Queue again what an earlier process left half-way, and clear up its files; `run` begins with it.

        A worker of another process that is still at such a document finds its claim gone: it worked in vain, but
        nothing is doubled.

        Args:
            silent_for_s: seconds without progress after which a document counts as left; more than 0 where workers of
                other processes may be alive.
            stale_upload_s: seconds after which an upload counts as broken off; 0 where nobody can be uploading.
        """
        self._files.sweep(older_than_s=stale_upload_s, wanted=self._catalog.holds)
        requeued = self._queue.requeue_interrupted(silent_for_s=silent_for_s)
        if requeued:
            _log.warning("ingest.recovered", documents=requeued)
        return requeued

    def run(self, stop_event: threading.Event) -> None:
        """Work through the queue until `stop_event` is set: parsing and embedding at the same time.

        Documents at hand when it is set are queued again.
        """
        recovered = False
        while not recovered and not stop_event.is_set():
            try:
                self.recover()
                recovered = True
            except DBAPIError as error:
                _log.error("ingest.database_unavailable", kind=type(error).__name__)
                stop_event.wait(_PAUSE_S)
        pipeline = IngestPipeline(
            self._queue,
            self._stages,
            embedders=self._index.embedders,
            readers=self._readers,
            arrived=self._arrived,
            idle=self._settle_index,
        )
        pipeline.run(stop_event)

    def run_once(self) -> bool:
        """Bring one queued document to READY or FAILED, one stage after the other. False when the queue is empty.

        Raises:
            DBAPIError: the database is away; the document is queued again at the next call.
        """
        if self._orphan is not None:
            self._queue.release(self._orphan)
            self._orphan = None
        claim = self._orphan = self._queue.next_queued()
        if claim is None:
            return False
        try:
            self._process(claim)
        except Exception as error:  # one document must not stop the queue; its row and the log say which and why
            if may_pass(error):
                raise
            self._stages.settle(claim, error)
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
        self,
        received: Received,
        *,
        media_type: str,
        name: str,
        collection: str,
        label: str,
        source: str | None,
        bulk: bool,
    ) -> Document:
        try:
            return self._catalog.add(
                name=name,
                media_type=media_type,
                size=received.size,
                sha256=received.sha256,
                collection=collection,
                label=label,
                source=source,
                bulk=bulk,
            )
        except DBAPIError as error:
            if not is_full(error):
                raise
            if not self._catalog.holds(received.sha256):
                self._files.remove(received.sha256)
            raise storage_full() from error

    def _process(self, claim: Claim) -> None:
        progress = Progress(self._queue, claim)
        draft = self._stages.read(claim, progress.parsing)
        for embedder in self._index.embedders:
            places = draft.wanted(embedder)
            for at in range(0, len(places), _TEXTS_A_STEP):
                progress.indexing(at, len(places))
                some = places[at : at + _TEXTS_A_STEP]
                rows = embedder.embed(draft.texts(some))
                draft.take(embedder.identity, zip(some, map(pack, rows), strict=True))
        self._stages.store(claim, draft.outcome())

    def _contents(self, document_id: str) -> Iterator[IndexEntry]:
        identities = [embedder.identity for embedder in self._index.embedders]
        return self._catalog.contents([document_id], embedders=identities)

    def _settle_index(self) -> None:
        """Bring the index to what the catalog has, and its snapshot too."""
        try:
            self._index.refresh()
            self._index.save()
        except StoreUnavailable as error:  # its server is away: searches say so, and this is tried again
            _log.error("ingest.store_unavailable", code=error.code)
        except StorageFull as error:  # of the snapshot alone, which can be written later
            _log.error("ingest.snapshot_not_written", code=error.code)
