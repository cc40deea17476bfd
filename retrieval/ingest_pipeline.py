"""Works through the queue with parsing and embedding overlapped, and lets no document wait for another's length.

Threads read: each claims a document, has it parsed in a child process, and hands over a draft. The caller's thread
embeds the drafts' texts in batches over several documents, and stores each document when it has all its vectors.

Memory is bounded: nothing more is read while so many pages wait to be embedded, and at most one long document is at
work at a time. Neither makes others wait:

* a document that came alone goes before those that came with many others, and is read past the first bound;
* a document that turns out to be long while another long one is at work is put back, with its pages in its row;
* batches are filled from the shortest rest upwards (`retrieval.batching`).

Not covered: one long document is held in memory as a whole, about 30 KB a page.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from sqlalchemy.exc import DBAPIError

from retrieval.batching import Batch, Batches
from retrieval.drafting import Draft
from retrieval.embedding import TextEmbedder
from retrieval.packing import pack
from retrieval.queue import Claim, Queue
from retrieval.stages import ClaimLost, Progress, Stages, may_pass

__all__ = ["IngestPipeline"]

_POLL_S: Final = 0.5  # how soon a document is seen that another process queued
_PAUSE_S: Final = 5.0  # before the database is tried again
_ALIVE_S: Final = 10.0  # between signs of life of documents that wait
_BATCH: Final = 128  # texts; some seconds on two cores, which a page that came alone waits at most
_AHEAD: Final = 300  # pages that are read before they can be embedded; half a minute's work
_FAR_AHEAD: Final = 1200  # pages beyond which documents that came alone wait as well
_LONG: Final = 500  # pages; most annual reports and contracts have fewer
_FIRST_COME: Final = 4  # every so many claims the oldest document is taken, whatever it came with

_log = structlog.get_logger()


class _Deferred(Exception):
    """A long document; another one is at work."""


class _Stopped(Exception):
    """The pipeline is told to stop."""


class _Held:
    """A document at work: read, or being read."""

    def __init__(self, queue: Queue, claim: Claim) -> None:
        self.claim = claim
        self.progress = Progress(queue, claim)
        self.pages = 0  # that count against the bounds
        self.draft: Draft | None = None
        self.places: dict[str, list[int]] = {}  # by model
        self.done = 0

    @property
    def texts(self) -> int:
        return sum(map(len, self.places.values()))


class IngestPipeline:
    """One worker with several readers. `run` may be called once."""

    def __init__(
        self,
        queue: Queue,
        stages: Stages,
        *,
        embedders: Sequence[TextEmbedder],
        readers: int,
        arrived: threading.Event,
        idle: Callable[[], None],
        pause_s: float = _PAUSE_S,
    ) -> None:
        """Prepare; nothing runs yet.

        Args:
            queue: what is worked through.
            stages: what is done with each document.
            embedders: the models; each embeds the passages whose language it knows.
            readers: files parsed at the same time.
            arrived: set when there may be something in the queue.
            idle: called by the thread of `run` whenever nothing is left to do, at least twice a second.
            pause_s: seconds before a database that failed is tried again.
        """
        self._queue = queue
        self._stages = stages
        self._embedders = {embedder.identity: embedder for embedder in embedders}
        self._readers = readers
        self._arrived = arrived
        self._idle = idle
        self._pause_s = pause_s
        self._stop = threading.Event()
        self._changed = threading.Condition()  # guards all below
        self._held: dict[str, _Held] = {}  # by claim
        self._batches: Batches[str] = Batches(_BATCH)
        self._complete: list[str] = []
        self._orphans: list[Claim] = []  # the database went away before their end was written
        self._long: str | None = None
        self._turn = 0
        self._empty = False  # as a reader saw the whole queue last

    def run(self, stop_event: threading.Event) -> None:
        """Work until `stop_event` is set; what is not stored by then is queued again."""
        readers = [threading.Thread(target=self._read, name=f"read-{number}") for number in range(self._readers)]
        for reader in readers:
            reader.start()
        alive = time.monotonic()
        try:
            while not stop_event.is_set():
                try:
                    self._release_orphans()
                    if not self._work():
                        if self._empty and not self._held:
                            self._idle()
                        self._wait_for_draft()
                    if time.monotonic() - alive >= _ALIVE_S:
                        self._sign_of_life()
                        alive = time.monotonic()
                except DBAPIError as error:
                    self._pause(error)
        finally:
            self._stop.set()
            self._arrived.set()
            for reader in readers:
                reader.join()
            self._release_all()

    # reading, in threads of its own

    def _read(self) -> None:
        while not self._stop.is_set():
            try:
                claim = self._claim()
                if claim is None:
                    if self._arrived.wait(_POLL_S) and not self._stop.is_set():
                        self._arrived.clear()
                else:
                    self._arrived.set()  # there may be more, for the others
                    self._take_up(claim)
            except DBAPIError as error:
                self._pause(error)

    def _claim(self) -> Claim | None:
        with self._changed:
            pages = sum(held.pages for held in self._held.values())
            most = _LONG if self._long is not None else None
            self._turn += 1
            turn = self._turn
        if pages >= _FAR_AHEAD:
            return None
        if pages >= _AHEAD:
            return self._queue.next_queued(single=True, most_pages=_LONG)
        claim = self._queue.next_queued(strict=turn % _FIRST_COME == 0, most_pages=most)
        self._empty = claim is None and most is None
        return claim

    def _take_up(self, claim: Claim) -> None:
        held = _Held(self._queue, claim)
        with self._changed:
            self._held[claim.token] = held
        try:
            draft = self._stages.read(claim, lambda done, pages: self._report(held, done, pages))
            places = {identity: draft.wanted(embedder) for identity, embedder in self._embedders.items()}
        except _Stopped:
            return  # released with the others
        except _Deferred:
            self._let_go(claim)
            self._queue.defer(claim, pages=held.pages)
        except Exception as error:  # noqa: BLE001 - one document must not stop the queue; its row and the log say why
            self._fail(claim, error)
        else:
            texts = {identity: len(some) for identity, some in places.items()}
            with self._changed:
                if claim.token in self._held:  # else it was lost meanwhile
                    held.pages, held.draft, held.places = draft.pages, draft, places
                    if not self._batches.add(claim.token, texts):
                        self._complete.append(claim.token)
                    self._changed.notify()

    def _report(self, held: _Held, done: int, pages: int) -> None:
        if self._stop.is_set():
            raise _Stopped
        with self._changed:
            held.pages = pages
            if pages > _LONG and self._long != held.claim.token:
                if self._long is not None:
                    raise _Deferred
                self._long = held.claim.token
        held.progress.parsing(done, pages)

    # embedding and storing, in the caller's thread

    def _work(self) -> bool:
        with self._changed:
            complete = self._complete[0] if self._complete else None
            batch = None if complete is not None else self._batches.next()
        if complete is not None:
            self._store(complete)
        elif batch is not None:
            self._embed(batch)
        return complete is not None or batch is not None

    def _store(self, token: str) -> None:
        held = self._held.get(token)
        if held is not None and held.draft is not None:
            try:
                self._stages.store(held.claim, held.draft.outcome())
            except Exception as error:  # as in `_take_up`
                if may_pass(error):
                    raise  # it stays complete, and is stored at the next try
                self._fail(held.claim, error)
        with self._changed:
            self._complete.remove(token)
        if held is not None:
            self._let_go(held.claim)

    def _embed(self, batch: Batch[str]) -> None:
        embedder = self._embedders[batch.model]
        parts = []
        for part in batch.parts:
            held = self._held.get(part.key)  # a lost document is gone
            if held is not None and held.draft is not None:
                parts.append((held, held.draft, held.places[batch.model][part.start : part.end]))
        texts = [text for _, draft, places in parts for text in draft.texts(places)]
        try:
            rows = iter(embedder.embed(texts))
        except Exception as error:  # noqa: BLE001 - whose text it was is not known: each is tried alone
            if len(parts) == 1:
                self._fail(parts[0][0].claim, error)
                return
            for part in batch.parts:
                self._embed(Batch(batch.model, (part,), tuple(key for key in batch.last if key == part.key)))
            return
        for _, draft, places in parts:
            draft.take(batch.model, [(place, pack(next(rows))) for place in places])
        with self._changed:
            self._complete.extend(key for key in batch.last if key in self._held)
        for held, _, places in parts:
            held.done += len(places)
            self._tell(held)

    def _tell(self, held: _Held) -> None:
        try:
            held.progress.indexing(held.done, held.texts)
        except ClaimLost as lost:
            self._fail(held.claim, lost)

    def _wait_for_draft(self) -> None:
        with self._changed:
            if not self._complete:
                self._changed.wait(_POLL_S)

    def _sign_of_life(self) -> None:
        with self._changed:
            claims = [held.claim for held in self._held.values()]
        for lost in self._queue.keep(claims):
            self._fail(lost, ClaimLost())

    # ends

    def _fail(self, claim: Claim, error: Exception) -> None:
        """Settle a document and forget it; when it was the database that failed, it is queued again later."""
        self._let_go(claim)
        try:
            if may_pass(error):
                raise error
            self._stages.settle(claim, error)
        except DBAPIError:
            self._orphans.append(claim)
            raise

    def _release_orphans(self) -> None:
        while self._orphans:
            self._queue.release(self._orphans[0])
            self._orphans.pop(0)

    def _let_go(self, claim: Claim) -> None:
        with self._changed:
            self._held.pop(claim.token, None)
            self._batches.drop(claim.token)
            if self._long == claim.token:
                self._long = None
        self._arrived.set()  # there may be room now

    def _pause(self, error: DBAPIError) -> None:
        _log.error("ingest.database_unavailable", kind=type(error).__name__)
        self._stop.wait(self._pause_s)

    def _release_all(self) -> None:
        try:
            self._release_orphans()
            for held in self._held.values():
                self._queue.release(held.claim)
        except DBAPIError as error:  # the next start queues them again
            _log.error("ingest.not_released", kind=type(error).__name__)
