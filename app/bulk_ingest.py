"""Brings any number of files to a running service, a few at a time, and follows each until it is searchable or refused.

What the service has already, by its bytes, is not sent again, so that a run that broke off is continued by the same
command. At most so many files are under way at a time, and their states are asked for together, once a second: neither
the service's queue nor the network sees ten thousand files at once.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from app.connection import ServiceError, result

__all__ = ["BulkIngest", "LocalFile", "Tally"]

_UPLOADS: Final = 4  # at the same time; more only wait for the service's disk
_UNDER_WAY: Final = 400  # files that are sent and not done; a lookup may name 500
_SHOW_S: Final = 0.1
_PORTION: Final = 100  # files whose bytes are looked up together
_POLL_S: Final = 1.0
_SOON_S: Final = 0.2  # for a handful of files, which somebody watches
_HANDFUL: Final = 20
_WINDOW_S: Final = 60.0  # over which speeds are told
_HOPELESS: Final = frozenset({"forbidden", "unauthenticated", "storage_full", "ledger", "ledger_unavailable"})
"""What one file was refused for and every other would be."""
_DONE: Final = ("ready", "failed")


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file to be added. `source` is how the service knows where it came from."""

    path: Path
    source: str

    def digest(self) -> str:
        """Return the SHA-256 of its bytes."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class Tally:
    """How far it is. `per_s` are of the last minute; `left_s` is None as long as nobody can know."""

    files: int
    done: int
    failed: int
    pages: int
    files_per_s: float
    pages_per_s: float
    left_s: float | None


class BulkIngest:
    """One run. The documents come back in the order in which they were done."""

    def __init__(
        self,
        client: httpx.Client,
        *,
        collection: str | None,
        label: str | None,
        report: Callable[[Tally], None] = lambda _: None,
    ) -> None:
        """Prepare a run.

        Args:
            client: of the service.
            collection: where they belong; None: where the service puts what comes without one.
            label: who may see them; None: likewise.
            report: called whenever something may have changed.
        """
        self._client = client
        self._where = {k: v for k, v in (("collection", collection), ("label", label)) if v is not None}
        self._report = report
        self._files = 0
        self._bulk = False
        self._done: list[dict[str, Any]] = []
        self._known = self._failed = self._pages = 0
        self._told = float("-inf")
        self._under_way: dict[str, dict[str, Any]] = {}
        self._copies: Counter[str] = Counter()  # files that are one document under way, for they have the same bytes
        self._uploads: set[Future[dict[str, Any]]] = set()
        self._asked = float("-inf")
        self._history: deque[tuple[float, int, int]] = deque()

    @property
    def known(self) -> int:
        """Files that were ready before this run."""
        return self._known

    def run(self, files: Sequence[LocalFile]) -> list[dict[str, Any]]:
        """Add all files and wait for them; each is as the service tells it, or why it was not taken.

        Raises:
            ServiceError: no file would be taken, or the service is gone; what was done stays done.
        """
        self._files, self._bulk = len(files), len(files) > _HANDFUL
        with ThreadPoolExecutor(_UPLOADS) as pool:
            try:
                for portion in _portions(files, _PORTION):
                    self._send(portion, pool)
                while self._uploads or self._under_way:
                    self._attend(room=0)
            except httpx.TransportError as error:
                raise _gone() from error
            finally:
                for upload in self._uploads:
                    upload.cancel()
        return self._done

    def _send(self, portion: Sequence[LocalFile], pool: ThreadPoolExecutor) -> None:
        digests = [file.digest() for file in portion]
        body = {"sha256": list(dict.fromkeys(digests)), **self._where}
        found = result(self._client.post("/v1/documents/lookup", json=body))["documents"]
        known = {item["sha256"]: item for item in found}
        for file, digest in zip(portion, digests, strict=True):
            item = known.get(digest)
            if item is None or item["source"] != file.source or item["state"] == "failed":
                self._attend(room=_UNDER_WAY)
                self._uploads.add(pool.submit(self._upload, file))
            elif item["state"] == "ready":
                self._known += 1
                self._end(item)
            else:  # from a run that broke off
                self._follow(item)
        self._attend(room=_UNDER_WAY)

    def _upload(self, file: LocalFile) -> dict[str, Any]:
        data = {**self._where, "source": file.source, "bulk": str(self._bulk).lower()}
        try:
            with file.path.open("rb") as content:
                sent = {"files": (file.path.name, content)}
                reply = result(self._client.post("/v1/documents", files=sent, data=data))
        except ServiceError as error:
            if error.reported in _HOPELESS:
                raise
            return _refused(file, error.reported, error.message, error.remedy)
        except OSError as error:
            return _refused(file, "unreadable", f"The file cannot be read: {error.strerror}.", "Check its permissions.")
        return dict(reply["documents"][0])

    def _attend(self, *, room: int) -> None:
        """Take up what is done; come back when there is room for one more file, or after the next answer for none."""
        while True:
            self._take_up()
            self._ask()
            self._tell()
            if len(self._uploads) + len(self._under_way) < room or not (self._uploads or self._under_way):
                return
            pause = self._pause()
            if self._uploads:
                wait(self._uploads, timeout=pause, return_when=FIRST_COMPLETED)
            else:
                time.sleep(pause)
            if not room:
                return

    def _take_up(self) -> None:
        for upload in [one for one in self._uploads if one.done()]:
            self._uploads.remove(upload)
            item = upload.result()
            if item["state"] in _DONE:
                self._end(item)
            else:
                self._follow(item)

    def _follow(self, item: dict[str, Any]) -> None:
        self._under_way[item["id"]] = item
        self._copies[item["id"]] += 1

    def _ask(self) -> None:
        now = time.monotonic()
        if not self._under_way or now - self._asked < self._pause():
            return
        self._asked = now
        for ids in _portions(list(self._under_way), 500):
            found = result(self._client.post("/v1/documents/lookup", json={"ids": list(ids)}))["documents"]
            there = {item["id"]: item for item in found}
            for document in ids:
                item = there.get(document) or _vanished(self._under_way[document])
                self._under_way[document] = item
                if item["state"] in _DONE:
                    for _ in range(self._copies.pop(document)):
                        self._end(item)
                    del self._under_way[document]

    def _end(self, item: dict[str, Any]) -> None:
        self._done.append(item)
        self._failed += item["state"] == "failed"
        self._pages += item["pages"]

    def _pause(self) -> float:
        return _POLL_S if self._bulk else _SOON_S

    def _tell(self) -> None:
        now = time.monotonic()
        if now - self._told >= _SHOW_S or len(self._done) == self._files:
            self._told = now
            self._report(self._tally())

    def _tally(self) -> Tally:
        now, done = time.monotonic(), len(self._done)
        pages = self._pages + sum(item["pages_done"] for item in self._under_way.values())
        self._history.append((now, done - self._known, pages))
        while now - self._history[0][0] > _WINDOW_S:
            self._history.popleft()
        then, done_then, pages_then = self._history[0]
        seconds = max(now - then, 1e-9)
        speed = (done - self._known - done_then) / seconds
        return Tally(
            files=self._files,
            done=done,
            failed=self._failed,
            pages=pages,
            files_per_s=speed,
            pages_per_s=(pages - pages_then) / seconds,
            left_s=(self._files - done) / speed if speed > 0 else None,
        )


def _portions(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for at in range(0, len(items), size):
        yield items[at : at + size]


def _refused(file: LocalFile, code: str, message: str, remedy: str) -> dict[str, Any]:
    said = {"error_code": code, "error": message, "remedy": remedy}
    return {"name": file.path.name, "source": file.source, "state": "failed", "pages": 0, "passages": 0, **said}


def _vanished(item: dict[str, Any]) -> dict[str, Any]:
    """Say that a document was deleted, or replaced by a newer version, while it was read."""
    message, remedy = "The document was deleted or replaced while it was read.", "Nothing to do, or add it again."
    return item | {"state": "failed", "error_code": "document_not_found", "error": message, "remedy": remedy}


def _gone() -> ServiceError:
    return ServiceError(
        {
            "code": "start_failed",
            "message": "The service does not answer any more.",
            "remedy": "Start it and run the same command again: what is done is not done again.",
        }
    )
