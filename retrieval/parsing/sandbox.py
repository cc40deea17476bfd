"""Runs jobs, each in a child process that may cost only so much, and reads what it says.

The files are strangers' and their parsers are native code, so no file is opened by a parser in the process that
serves users, and no two files by the same process. The children are forked by `retrieval.parsing.forkserver`, which
imports the parsers once and never opens a file. A child has its own process group, no input, no error output, an
environment of one variable, and the limits that `retrieval.parsing.child` puts on itself before it opens the file. The
parent reads at most as many bytes from the child as the child may hold in memory, and has the whole group killed when
the time is up.

Not covered: the child runs as the same user and is not cut off from the network or the file system. A parser that is
taken over can read what the service can read. Run the service in a container to bound that.
"""

from __future__ import annotations

import json
import signal
import threading
import time
import weakref
from collections.abc import Generator, Iterator, Mapping
from typing import Any, Final, Self

import structlog

from retrieval import errors
from retrieval.errors import DamagedFile, ParseLimit, RetrievalError
from retrieval.parsing.clean import one_line
from retrieval.parsing.server_process import ServerProcess
from retrieval.parsing.types import Limits

__all__ = ["Sandbox"]

_log = structlog.get_logger()

_MIB: Final = 1 << 20
_SENTENCE: Final = 300  # characters of a message that is taken from a child
_IDLE: Final = 4  # servers that are kept for the next job; each takes some 40 MB

_OVER_LIMIT: Final = frozenset({signal.SIGKILL, signal.SIGXCPU, signal.SIGABRT, signal.SIGTRAP, signal.SIGILL})
"""How a native parser dies that gets no more memory or time; what else kills it is damage."""

_BY_CODE: Final = {
    kind.code: kind
    for kind in (
        errors.EmptyFile,
        errors.UnsupportedFormat,
        errors.EncryptedFile,
        errors.DamagedFile,
        errors.TooManyPages,
        errors.NoText,
        errors.ParseLimit,
        errors.DocumentNotFound,
    )
}


class _ServerLost(Exception):
    """The server of a job is gone; `spoke` says whether anything of the job had come."""

    def __init__(self, *, spoke: bool) -> None:
        super().__init__("the server of a job is gone")
        self.spoke = spoke


class Sandbox:
    """Runs jobs in children with limits; any number of threads may use one. Servers are started as they are needed.

    Closing it, or forgetting it, ends the idle ones; those at work end with their jobs, or with this process.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[ServerProcess] = []
        self._closed = False
        self._forgotten = weakref.finalize(self, _close_all, self._idle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all servers that are idle, and from now on every one after its job."""
        with self._lock:
            self._closed = True
        self._forgotten()

    def run(self, job: Mapping[str, Any], *, limits: Limits) -> Generator[dict[str, Any]]:
        """Yield the events of a child process that does `job`, until it says that it is done.

        Raises:
            DocumentRefused: The child refused the file, broke on it, or passed its time or memory.
            DocumentNotFound: The child found no such page.
            RetrievalError: The child did not start; this is a fault of the installation.
        """
        deadline = time.monotonic() + limits.timeout_s
        asked = {**job, "memory_mb": limits.memory_mb, "timeout_s": limits.timeout_s}
        try:
            yield from self._attempt(asked, deadline=deadline, limits=limits)
        except _ServerLost as lost:  # it was dying while it took the job, so nothing was said and another can do it
            if lost.spoke:
                raise _broken(None) from None
            try:
                yield from self._attempt(asked, deadline=deadline, limits=limits)
            except _ServerLost:
                raise _broken(None) from None

    def _attempt(self, job: Mapping[str, Any], *, deadline: float, limits: Limits) -> Generator[dict[str, Any]]:
        server = self._begun(job)
        ended = spoke = False
        try:
            for line in _lines(server, deadline=deadline, limits=limits):
                event, spoke = _event(line), True
                if "refused" in event:
                    raise _refusal(event)
                if event.get("done") is True:
                    return
                yield event
            status = _status(server, deadline=deadline, limits=limits)
            ended = status is not None
            raise _broken(status) if ended else _ServerLost(spoke=spoke)
        finally:
            self._give_back(server, usable=ended or server.finish())

    def _begun(self, job: Mapping[str, Any]) -> ServerProcess:
        while True:
            with self._lock:
                server = self._idle.pop() if self._idle else None
            new = server is None
            server = server or ServerProcess()
            if server.begin(job):
                return server
            server.close()
            if new:
                raise _not_started()

    def _give_back(self, server: ServerProcess, *, usable: bool) -> None:
        with self._lock:
            kept = usable and not self._closed and len(self._idle) < _IDLE
            if kept:
                self._idle.append(server)
        if not kept:
            server.close()


def _close_all(servers: list[ServerProcess]) -> None:
    while servers:
        servers.pop().close()


def _lines(server: ServerProcess, *, deadline: float, limits: Limits) -> Iterator[bytes]:
    rest, taken = bytearray(), 0
    try:
        for piece in server.output(deadline=deadline):
            taken += len(piece)
            if taken > limits.memory_mb * _MIB:
                raise _too_big(limits)
            rest += piece
            if b"\n" in piece:
                *whole, tail = rest.split(b"\n")
                rest = bytearray(tail)
                yield from map(bytes, whole)
    except TimeoutError:
        raise _too_slow(limits) from None


def _event(line: bytes) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError as error:
        raise _damaged() from error
    if not isinstance(event, dict):
        raise _damaged()
    return event


def _status(server: ServerProcess, *, deadline: float, limits: Limits) -> int | None:
    try:
        return server.status(deadline=deadline)
    except TimeoutError as error:
        raise _too_slow(limits) from error


def _refusal(event: Mapping[str, Any]) -> RetrievalError:
    kind = _BY_CODE.get(str(event["refused"]), DamagedFile)
    _log.info("document_refused", code=kind.code, because=str(event.get("because", ""))[:_SENTENCE])
    message, remedy = (one_line(str(event.get(key, "")))[:_SENTENCE] for key in ("message", "remedy"))
    return kind(message, remedy=remedy)


def _broken(code: int | None) -> RetrievalError:
    """Name what ended a child that neither finished nor refused; negative: a signal, None: its server was lost."""
    _log.warning("parser_died", returncode=code)
    if code is not None and code > 0:
        return _not_started()
    if code is None or -code in _OVER_LIMIT:
        return ParseLimit(
            "Reading the document took more memory or time than is allowed.",
            remedy="Split the document, or ask the operator for a higher limit.",
        )
    return _damaged()


def _not_started() -> RetrievalError:
    return RetrievalError("The document reader did not start.", remedy="Ask the operator to repair the installation.")


def _damaged() -> DamagedFile:
    return DamagedFile("The document broke its reader.", remedy="Open it in its own program and save it anew.")


def _too_slow(limits: Limits) -> ParseLimit:
    return ParseLimit(
        f"Reading the document took longer than {limits.timeout_s:g} seconds.",
        remedy="Split the document, or ask the operator for a higher limit.",
    )


def _too_big(limits: Limits) -> ParseLimit:
    return ParseLimit(
        f"The document unfolds to more than {limits.memory_mb} MiB.",
        remedy="Split the document, or ask the operator for a higher limit.",
    )
