"""Publishes checkpoints while the service runs: every so many events, or every so many seconds when there are new ones.

The states of an entry, as in Tessera: *sequenced* when it has its number, *integrated* when it is durable and in the
tree (both before `append` returns), *published* when a checkpoint that contains it has left this process: it lies in
every configured folder and every configured witness has cosigned it.

Nothing here is in the way of an append. A place that cannot be reached is tried again, at growing intervals, with the
newest checkpoint then; what is wrong, and how many entries are not published yet, is part of the service's status.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import structlog

from app.answering.types import Receipt
from app.errors import LedgerError, NotFound, ProofInvalid
from app.ledger.checkpoint import Checkpoint
from app.ledger.checkpoint_folder import CheckpointFolder
from app.ledger.checkpoint_signer import CheckpointSigner
from app.ledger.note import Note, VerifierKey
from app.ledger.proving import Prover
from app.ledger.witness_client import WitnessClient

__all__ = ["Publisher"]

_LOOK_S: Final = 0.2
"""How often the number of entries is looked at: a number in memory, so that appends need not tell anybody."""
_FIRST_RETRY_S: Final = 1.0
_LAST_RETRY_S: Final = 60.0

_log = structlog.get_logger()


@dataclass(slots=True)
class _Place:
    """Somewhere a checkpoint goes, how far it has got there, and what stands in the way."""

    name: str
    deliver: Callable[[Note, int], None]
    size: int = 0
    error: str = ""
    wait: float = 0.0
    next_try: float = 0.0

    def shown(self) -> dict[str, Any]:
        return {"name": self.name, "published": self.size, "error": self.error}


@dataclass(slots=True)
class _Watch:
    """The newest checkpoint, and since when there are entries that it does not contain."""

    note: Note | None = None
    size: int = 0
    behind_since: float | None = None
    error: str = ""
    places: list[_Place] = field(default_factory=list)


class Publisher:
    """A thread that signs and publishes."""

    def __init__(
        self,
        signer: CheckpointSigner,
        prover: Prover,
        *,
        size: Callable[[], int],
        folders: Sequence[CheckpointFolder],
        witnesses: Sequence[WitnessClient] = (),
        events: int,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare to publish; `start` begins it.

        Args:
            signer: Signs checkpoints.
            prover: Proves to a witness that they extend each other.
            size: Gives the number of durable entries.
            folders: Where they are written; the first is the service's own.
            witnesses: Who cosigns them.
            events: Most entries that are not published.
            seconds: Longest time that an entry is not published.
            clock: Seconds that never step back.
        """
        self._signer = signer
        self._prover = prover
        self._size = size
        self._folders = tuple(folders)
        self._events = events
        self._seconds = seconds
        self._clock = clock
        self._stopping = threading.Event()
        self._turn = threading.Lock()  # one round at a time: the thread's, and the last one of `stop`
        self._thread: threading.Thread | None = None
        self._watch = _Watch()
        for folder in self._folders:
            self._watch.places.append(_Place(str(folder.path), partial(_written, folder)))
        for witness in witnesses:
            self._watch.places.append(_Place(witness.url, partial(self._witnessed, witness)))
        if signer.last is not None:  # an earlier process may have ended between signing and publishing
            self._watch.note, self._watch.size = signer.last, Checkpoint.parse(signer.last.text).size

    @property
    def keys(self) -> tuple[VerifierKey, ...]:
        """The keys that the ledger has signed with, the one in force last."""
        return tuple(period.key for period in self._signer.identity.keys)

    def start(self) -> None:
        """Publish from now on."""
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and publish what is not published yet, once; what fails then is left to the next start."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self.publish()

    def certify(self, receipt: Receipt) -> Receipt:
        """Add the proof and the signed checkpoint to a receipt; see `CheckpointSigner.certify`."""
        return self._signer.certify(receipt)

    def publish(self) -> bool:
        """Sign the tree as it is now and take it everywhere; say whether it got everywhere."""
        with self._turn:
            self._sign()
            for place in self._watch.places:
                self._deliver(place)
            return not self._watch.error and all(place.size == self._watch.size for place in self._watch.places)

    def state(self) -> dict[str, Any]:
        """Return how far publication is: entries, the signed and the published size, the lag, and what is wrong."""
        watch = self._watch
        published = min((place.size for place in watch.places), default=watch.size)
        try:
            size, error = self._size(), watch.error
        except LedgerError as failure:
            size, error = watch.size, failure.message
        return {
            "entries": size,
            "signed": watch.size,
            "published": published,
            "lag": max(0, size - published),
            "error": error,
            "places": [place.shown() for place in watch.places],
        }

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_S):
            with self._turn:
                if self._is_due():
                    self._sign()
                for place in self._watch.places:
                    if place.size != self._watch.size and self._clock() >= place.next_try:
                        self._deliver(place)

    def _is_due(self) -> bool:
        watch = self._watch
        try:
            behind = self._size() - watch.size
        except LedgerError as error:
            watch.error = error.message
            return False
        if behind == 0:
            watch.behind_since = None
            return False
        if watch.behind_since is None:
            watch.behind_since = self._clock()
        return behind < 0 or behind >= self._events or self._clock() - watch.behind_since >= self._seconds

    def _sign(self) -> None:
        watch = self._watch
        try:
            note = self._signer.sign()
        except (LedgerError, NotFound) as error:
            if watch.error != error.message:
                _log.error("checkpoint.not_signed", code=error.code, reason=error.message)
            watch.error = error.message
            watch.behind_since = self._clock()  # it is tried again after `seconds`
            return
        watch.note, watch.size, watch.behind_since, watch.error = note, Checkpoint.parse(note.text).size, None, ""

    def _deliver(self, place: _Place) -> None:
        watch = self._watch
        if watch.note is None:
            return
        try:
            place.deliver(watch.note, place.size)
        except (LedgerError, NotFound, ProofInvalid) as error:
            if place.error != error.message:
                _log.error("checkpoint.not_published", place=place.name, code=error.code, reason=error.message)
            place.error = error.message
            place.wait = min(_LAST_RETRY_S, place.wait * 2 or _FIRST_RETRY_S)
            place.next_try = self._clock() + place.wait
            return
        if place.error:
            _log.info("checkpoint.published_again", place=place.name, size=watch.size)
        place.size, place.error, place.wait, place.next_try = watch.size, "", 0.0, 0.0

    def _witnessed(self, witness: WitnessClient, note: Note, known: int) -> None:
        cosignature = witness.cosign(note, self._prover, known=known)
        for folder in self._folders:
            folder.publish(note.signed(cosignature), witness=witness.key.key_id)


def _written(folder: CheckpointFolder, note: Note, _known: int) -> None:
    folder.publish(note)
