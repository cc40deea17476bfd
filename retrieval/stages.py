"""The stages that a document goes through, each for itself: whoever works through the queue puts them together.

read      the file becomes a draft: parsed in a child process, cut, screened
(embed)   the draft gets its vectors; texts of several documents go together, so this is the caller's
store     everything is stored, and the document is READY, in one transaction
settle    in place of the rest: what went wrong is in the row, and the next document can be taken
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Protocol

import structlog
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError

from retrieval.catalog import IndexEntry
from retrieval.drafting import Draft
from retrieval.errors import DamagedFile, RetrievalError, StorageFull
from retrieval.files import FileStore, storage_full
from retrieval.parsing.types import Limits, ParsedDocument
from retrieval.queue import Claim, Outcome, Queue
from retrieval.types import DocumentState

__all__ = ["ClaimLost", "Parser", "Progress", "Stages", "is_full", "may_pass"]

_REPORT_S: Final = 0.25  # progress is written no more often

_log = structlog.get_logger()


class Parser(Protocol):
    """`retrieval.parsing.parse.parse`, or what stands in its place."""

    def __call__(
        self, path: Path, *, name: str, limits: Limits, report: Callable[[int, int], None] | None = None
    ) -> ParsedDocument:
        """Read a file into pages."""
        ...


class ClaimLost(Exception):
    """The document was deleted, replaced, or taken over by another worker: drop it."""


class Progress:
    """Writes into the row how far a document is, as often as anyone can read, and ends the work of a lost claim."""

    def __init__(self, queue: Queue, claim: Claim) -> None:
        self._queue = queue
        self._claim = claim
        self._pages = 0
        self._last = float("-inf")

    def parsing(self, pages_done: int, pages: int) -> None:
        """Take a report of the parser.

        Raises:
            ClaimLost: drop the document.
        """
        self._pages = pages
        if time.monotonic() - self._last >= _REPORT_S or pages_done == pages:
            self._write(DocumentState.PARSING, pages_done)

    def indexing(self, done: int, texts: int) -> None:
        """Take a report of embedding: so many texts of so many; pages count as done in the same proportion.

        Raises:
            ClaimLost: drop the document.
        """
        if time.monotonic() - self._last >= _REPORT_S:
            self._write(DocumentState.INDEXING, self._pages * done // max(texts, 1))

    def _write(self, state: DocumentState, pages_done: int) -> None:
        self._last = time.monotonic()
        if not self._queue.progress(self._claim, pages_done=pages_done, pages=self._pages, state=state):
            raise ClaimLost


class Stages:
    """Reads, stores and settles documents. Safe to share between threads."""

    def __init__(
        self,
        queue: Queue,
        files: FileStore,
        *,
        limits: Limits,
        parser: Parser,
        holds: Callable[[str], bool],
        contents: Callable[[str], Iterable[IndexEntry]] = lambda _: (),
    ) -> None:
        """Put the stages together.

        Args:
            queue: where the rows are.
            files: where the bytes are.
            limits: of a file.
            parser: reads a file.
            holds: says whether any document has the bytes of a SHA-256.
            contents: gives the passages of a document with the vectors that can be used again.
        """
        self._queue = queue
        self._files = files
        self._limits = limits
        self._parser = parser
        self._holds = holds
        self._contents = contents
        self.naming = threading.Lock()
        """Held between "the file is there" and "a row says so"."""

    def read(self, claim: Claim, report: Callable[[int, int], None]) -> Draft:
        """Parse and cut a document.

        Args:
            claim: the document.
            report: called with the pages read so far and the pages in all; what it raises ends the work.

        Raises:
            RetrievalError: it cannot be read; `settle` it.
        """
        document = claim.document
        path = self._files.path_of(document.sha256)
        if not path.exists():
            raise DamagedFile("The stored file is gone.", remedy="Delete the document and add it again.")
        draft = Draft(self._parser(path, name=document.name, limits=self._limits, report=report), name=document.name)
        if document.replaces is not None:
            draft.reuse(self._contents(document.replaces))
        return draft

    def store(self, claim: Claim, outcome: Outcome) -> None:
        """Store a document, and remove the files of versions that it takes the place of.

        Raises:
            ClaimLost: nothing was stored.
            DBAPIError: nothing was stored; `may_pass` tells whether it is worth another try.
        """
        versions = self._queue.versions(claim)
        with ExitStack() as marks:
            for sha256 in versions:
                marks.enter_context(self._files.in_doubt(sha256))
            stored = self._queue.finish(claim, outcome)
            self.forget(versions)
        if not stored:
            raise ClaimLost
        _log.info("document.ready", document=claim.document.id, pages=len(outcome.pages))

    def forget(self, digests: Sequence[str]) -> None:
        """Remove files that no document has any more."""
        for sha256 in digests:
            with self.naming:
                if not self._holds(sha256):
                    self._files.remove(sha256)

    def settle(self, claim: Claim, error: Exception) -> None:
        """Write into the row why a document came to nothing.

        Raises:
            DBAPIError: the database is away.
        """
        document = claim.document.id
        if isinstance(error, ClaimLost):
            _log.warning("document.claim_lost", document=document)
        elif isinstance(error, RetrievalError):
            self._queue.fail(claim, error)
            _log.warning("document.failed", document=document, code=error.code)
        elif isinstance(error, DBAPIError) and is_full(error):
            self._queue.fail(claim, storage_full())
            _log.error("document.failed", document=document, code=StorageFull.code)
        else:
            self._queue.fail(claim, _unexpected())
            frames = traceback.extract_tb(error.__traceback__)
            place = f"{frames[-1].name}:{frames[-1].lineno}" if frames else ""
            kind = type(error).__name__  # its words may hold document text
            _log.error("document.failed", document=document, code="retrieval", kind=kind, where=place)


def is_full(error: DBAPIError) -> bool:
    """Say whether the database ran out of disk: SQLite's SQLITE_FULL, PostgreSQL's SQLSTATE 53100 (disk_full)."""
    code = getattr(error.orig, "sqlite_errorname", None) or getattr(error.orig, "sqlstate", None)
    return code in {"SQLITE_FULL", "53100"}


def may_pass(error: Exception) -> bool:
    """Say whether the database refused for its own reasons (away, busy, a deadlock), and not because of the rows."""
    return isinstance(error, OperationalError | InterfaceError | InternalError) and not is_full(error)


def _unexpected() -> RetrievalError:
    return RetrievalError(
        "The document could not be read, for a reason that was not foreseen.",
        remedy="Try another format; your administrator finds the reason in the log.",
    )
