"""Runs one job in a child process that may cost only so much, and reads what it says.

The files are strangers' and their parsers are native code, so no file is opened by a parser in the process that
serves users. The child has its own process group, no input, no error output, an environment of one variable, and the
limits that `retrieval.parsing.child` puts on itself before it opens the file. The parent reads at most as many bytes
from the child as the child may hold in memory, and ends the whole group when the time is up.

Not covered: the child runs as the same user and is not cut off from the network or the file system. A parser that is
taken over can read what the service can read. Run the service in a container to bound that.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator, Mapping
from typing import Any, Final

import structlog

from retrieval import errors
from retrieval.errors import DamagedFile, ParseLimit, RetrievalError
from retrieval.parsing.clean import one_line
from retrieval.parsing.types import Limits

__all__ = ["run"]

_log = structlog.get_logger()

_MIB: Final = 1 << 20
_READ: Final = 1 << 16
_SENTENCE: Final = 300  # characters of a message that is taken from a child

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


def run(job: Mapping[str, Any], *, limits: Limits) -> Generator[dict[str, Any]]:
    """Yield the events of a child process that does `job`, until it says that it is done.

    Raises:
        DocumentRefused: The child refused the file, broke on it, or passed its time or memory.
        DocumentNotFound: The child found no such page.
        RetrievalError: The child did not start; this is a fault of the installation.
    """
    deadline = time.monotonic() + limits.timeout_s
    order = json.dumps({**job, "memory_mb": limits.memory_mb, "timeout_s": limits.timeout_s})
    child = subprocess.Popen(  # noqa: S603 - our own interpreter and module; the file's name is no part of it
        [sys.executable, "-I", "-X", "utf8", "-m", "retrieval.parsing.child", order],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"LC_ALL": "C.UTF-8"},
        cwd="/",
        process_group=0,
    )
    try:
        for line in _lines(child, deadline=deadline, limits=limits):
            event = _event(line)
            if "refused" in event:
                raise _refusal(event)
            if event.get("done") is True:
                return
            yield event
        raise _broken(_wait(child, deadline=deadline, limits=limits))
    finally:
        _end(child)


def _lines(child: subprocess.Popen[bytes], *, deadline: float, limits: Limits) -> Iterator[bytes]:
    if child.stdout is None:
        raise RuntimeError("the child was started without a pipe")
    rest, taken = bytearray(), 0
    with selectors.DefaultSelector() as ready:
        ready.register(child.stdout, selectors.EVENT_READ)
        while True:
            if not ready.select(max(0.0, deadline - time.monotonic())):
                raise _too_slow(limits)
            piece = os.read(child.stdout.fileno(), _READ)
            if not piece:
                return
            taken += len(piece)
            if taken > limits.memory_mb * _MIB:
                raise _too_big(limits)
            rest += piece
            if b"\n" in piece:
                *whole, tail = rest.split(b"\n")
                rest = bytearray(tail)
                yield from map(bytes, whole)


def _event(line: bytes) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError as error:
        raise _damaged() from error
    if not isinstance(event, dict):
        raise _damaged()
    return event


def _wait(child: subprocess.Popen[bytes], *, deadline: float, limits: Limits) -> int:
    try:
        return child.wait(timeout=max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired as error:
        raise _too_slow(limits) from error


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:  # not reaped yet, so the group id is still the child's own
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    if child.stdout is not None:
        child.stdout.close()


def _refusal(event: Mapping[str, Any]) -> RetrievalError:
    kind = _BY_CODE.get(str(event["refused"]), DamagedFile)
    _log.info("document_refused", code=kind.code, because=str(event.get("because", ""))[:_SENTENCE])
    message, remedy = (one_line(str(event.get(key, "")))[:_SENTENCE] for key in ("message", "remedy"))
    return kind(message, remedy=remedy)


def _broken(code: int) -> RetrievalError:
    """Name what ended a child that neither finished nor refused; a negative code is a signal."""
    _log.warning("parser_died", returncode=code)
    if code > 0:
        return RetrievalError(
            "The document reader did not start.", remedy="Ask the operator to repair the installation."
        )
    if code < 0 and -code in _OVER_LIMIT:
        return ParseLimit(
            "Reading the document took more memory or time than is allowed.",
            remedy="Split the document, or ask the operator for a higher limit.",
        )
    return _damaged()


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
