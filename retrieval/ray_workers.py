"""Parses and embeds on many machines: the same code as here, on the workers of a Ray cluster.

The driver stands beside the database. It claims documents in portions, hands their bytes to Ray Data, and stores what
comes back through the same queue and the same transaction as the worker of the service, with which it may compete: a
document is done once, by whoever claimed it. Each worker has its own sandbox, so that a file is opened only by a
limited child process there as well, and its own copy of the embedding models, whose digests the driver compares with
its own.

Every machine needs Vouch and the weights installed. What crosses the network are the documents' bytes and text, between
processes that trust each other: keep the cluster on a network of its own, for Ray has no access control.

Not covered: files larger than a worker's memory; a cluster that loses the driver (the documents are queued again when
the service starts).
"""

from __future__ import annotations

import itertools
import json
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import structlog
from pydantic import TypeAdapter
from sqlalchemy.exc import DBAPIError

from retrieval import errors
from retrieval.drafting import Draft, embed
from retrieval.embedding import TextEmbedder
from retrieval.errors import RetrievalError
from retrieval.files import FileStore
from retrieval.parsing.parse import parse
from retrieval.parsing.sandbox import Sandbox
from retrieval.parsing.types import Limits
from retrieval.queue import Claim, Outcome, Queue
from retrieval.stages import Stages, may_pass

__all__ = ["Embedders", "RayIngest", "packed", "unpacked"]

_PORTION_BYTES: Final = 256 << 20  # of documents that are claimed together
_PORTION: Final = 512  # documents; enough for the start of the workers to cost little
_TOGETHER: Final = 8  # documents that a worker embeds together
_ALIVE_S: Final = 10.0
_POLL_S: Final = 0.5
_PAUSE_S: Final = 5.0  # before the database is tried again
_KNOCK_S: Final = 5.0

_OUTCOME: Final = TypeAdapter(Outcome)
_ERRORS: Final = {kind.code: kind for kind in (getattr(errors, name) for name in errors.__all__)}

Embedders = Callable[[], Sequence[TextEmbedder]]
"""Builds the models on a worker; a function of a module, or a `functools.partial` of one, so that Ray can send it."""

_log = structlog.get_logger()


def packed(outcome: Outcome) -> dict[str, Any]:
    """Return what a document became as text and one run of bytes, which need no pickle."""
    places, rows = list[list[Any]](), list[bytes]()
    for place, passage in enumerate(outcome.passages):
        for embedder, vector in passage.vectors.items():
            places.append([place, embedder, len(vector)])
            rows.append(vector)
    bare = replace(outcome, passages=[replace(passage, vectors={}) for passage in outcome.passages])
    return {"outcome": _OUTCOME.dump_json(bare).decode(), "places": json.dumps(places), "vectors": b"".join(rows)}


def unpacked(row: Mapping[str, Any]) -> Outcome:
    """Return what `packed` was given.

    Raises:
        ValueError: the row is none of `packed`.
    """
    outcome = _OUTCOME.validate_json(row["outcome"])
    vectors: list[dict[str, bytes]] = [{} for _ in outcome.passages]
    at = 0
    for place, embedder, length in json.loads(row["places"]):
        vectors[place][embedder] = row["vectors"][at : at + length]
        at += length
    if at != len(row["vectors"]):
        raise ValueError("the vectors are not those of the passages")
    passages = [replace(passage, vectors=own) for passage, own in zip(outcome.passages, vectors, strict=True)]
    return replace(outcome, passages=passages)


class _Worker:
    """Lives in a process of Ray: takes a few documents, gives back what they became or why not."""

    def __init__(self, embedders: Embedders, limits: Limits) -> None:
        self._embedders = embedders()
        self._limits = limits
        self._sandbox = Sandbox()

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        rows = [
            self._read(name=str(name), content=bytes(content))
            for name, content in zip(batch["name"], batch["content"], strict=True)
        ]
        drafts = [row for row in rows if isinstance(row, Draft)]
        for embedder in self._embedders:
            embed(drafts, embedder)
        told = [self._told(row) for row in rows]
        return {"claim": list(batch["claim"]), **{key: [row[key] for row in told] for key in told[0]}}

    def _read(self, *, name: str, content: bytes) -> Draft | dict[str, str]:
        try:
            with tempfile.NamedTemporaryFile() as file:
                file.write(content)
                file.flush()
                parsed = parse(Path(file.name), name=name, limits=self._limits, sandbox=self._sandbox)
            return Draft(parsed, name=name)
        except RetrievalError as error:
            return {"code": error.code, "message": error.message, "remedy": error.remedy}

    def _told(self, row: Draft | dict[str, str]) -> dict[str, Any]:
        models = json.dumps([embedder.identity for embedder in self._embedders])
        if isinstance(row, Draft):
            return {"error": "", "models": models, **packed(row.outcome())}
        return {"error": json.dumps(row), "models": models, "outcome": "", "places": "", "vectors": b""}


class RayIngest:
    """A worker on the queue whose hands are a Ray cluster."""

    def __init__(
        self,
        queue: Queue,
        stages: Stages,
        files: FileStore,
        *,
        address: str,
        embedders: Embedders,
        limits: Limits,
    ) -> None:
        """Join the cluster.

        Args:
            queue: what is worked through.
            stages: store and settle documents.
            files: the documents' bytes.
            address: of the cluster: `HOST:PORT`, `ray://HOST:PORT`, `auto` for the one that runs here, or `local` to
                start one in this process.
            embedders: builds the models, here and on each worker.
            limits: of a file.

        Raises:
            RetrievalError: Ray is not installed, or there is no cluster.
        """
        self._queue = queue
        self._stages = stages
        self._files = files
        self._embedders = embedders
        self._limits = limits
        self._data = _joined(address)
        self._models = json.dumps([embedder.identity for embedder in embedders()])

    def run(self, stop: threading.Event) -> None:
        """Work through the queue until `stop` is set; a portion that was begun is ended first."""
        while not stop.is_set():
            try:
                if not self.run_once():
                    stop.wait(_POLL_S)
            except DBAPIError as error:
                _log.error("ingest.database_unavailable", kind=type(error).__name__)
                stop.wait(_PAUSE_S)

    def run_once(self) -> int:
        """Claim a portion of the queue, have it done, and store it. Returns how many documents it had.

        Raises:
            RetrievalError: the workers have other weights than the driver.
            DBAPIError: the database is away; the documents are queued again, now or at the next start.
        """
        claims = {claim.token: claim for claim in self._claimed()}
        if not claims:
            return 0
        count, ended = len(claims), threading.Event()
        alive = threading.Thread(target=self._stay_alive, args=(claims, ended), daemon=True)
        alive.start()
        try:
            for row in self._done(list(claims.values())):
                self._take(claims[row["claim"]], row)
                del claims[row["claim"]]
        finally:
            ended.set()
            alive.join()
            for claim in claims.values():
                self._queue.release(claim)
        return count

    def _claimed(self) -> Iterator[Claim]:
        size = 0
        for _ in itertools.repeat(None, _PORTION):
            claim = self._queue.next_queued(strict=False) if size < _PORTION_BYTES else None
            if claim is None:
                return
            size += claim.document.size
            yield claim

    def _done(self, claims: Sequence[Claim]) -> Iterator[Mapping[str, Any]]:
        rows = [
            {"claim": claim.token, "name": claim.document.name, "content": content}
            for claim in claims
            if (content := self._content(claim)) is not None
        ]
        if not rows:
            return
        cores = int(_ray().cluster_resources().get("CPU", 1))
        workers = max(1, min(cores, len(rows)))
        data = self._data.from_items(rows, override_num_blocks=max(1, min(len(rows), 4 * workers)))
        mapped = data.map_batches(
            _Worker,
            fn_constructor_args=(self._embedders, self._limits),
            batch_size=_TOGETHER,
            concurrency=(1, workers),
            num_cpus=1,
        )
        yield from mapped.iter_rows()

    def _content(self, claim: Claim) -> bytes | None:
        try:
            return self._files.path_of(claim.document.sha256).read_bytes()
        except FileNotFoundError:
            gone = errors.DamagedFile("The stored file is gone.", remedy="Delete the document and add it again.")
            self._stages.settle(claim, gone)
            return None

    def _take(self, claim: Claim, row: Mapping[str, Any]) -> None:
        if row["models"] != self._models:
            raise RetrievalError(
                "A worker of the cluster has other embedding models than this machine.",
                remedy="Install the same weights on every machine.",
            )
        try:
            if row["error"]:
                said = json.loads(row["error"])
                raise _ERRORS.get(said["code"], RetrievalError)(said["message"], remedy=said["remedy"])
            self._stages.store(claim, unpacked(row))
        except Exception as error:  # one document must not stop the queue; its row and the log say which and why
            if may_pass(error):
                raise
            self._stages.settle(claim, error)

    def _stay_alive(self, claims: Mapping[str, Claim], ended: threading.Event) -> None:
        while not ended.wait(_ALIVE_S):
            self._queue.keep(list(claims.values()))


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise RetrievalError(
            "Ray is not installed.", remedy="Install it on every machine: .venv/bin/pip install '.[scale]'."
        ) from None
    return ray


def _joined(address: str) -> Any:
    """Join a cluster and return Ray Data."""
    ray = _ray()
    if address not in {"auto", "local"}:
        _knock(address)
    options: dict[str, Any] = {"include_dashboard": False} if address == "local" else {}
    if not ray.is_initialized():
        try:
            ray.init(address=address, log_to_driver=False, **options)
        except (ConnectionError, ValueError) as error:
            _log.error("ray.not_joined", kind=type(error).__name__)
            raise _no_cluster() from None
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    return ray.data


def _knock(address: str) -> None:
    """See whether anything listens; Ray itself tries for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=_KNOCK_S).close()
    except (OSError, ValueError, OverflowError):
        raise _no_cluster() from None


def _no_cluster() -> RetrievalError:
    return RetrievalError(
        "There is no Ray cluster at that address.",
        remedy="Start one with `ray start --head`, and give its address as HOST:PORT.",
    )
