"""Serves a witness over HTTP: one route, ``POST /add-checkpoint``, and nothing else.

It is a program of its own (`./vouch audit witness`), with its own key and folder, and knows nothing of the service.
There is no authentication: a request has no effect unless a known log signed the checkpoint in it.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import structlog
import uvicorn
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.errors import StartFailed
from app.ledger.witness import Answer, Witness

__all__ = ["alone_in", "application", "serve"]

_LARGEST: Final = 65_536 + 64 * 64
"""A note of the largest size that is read, after an old size and 63 hashes."""

_log = structlog.get_logger()


def application(witness: Witness) -> Starlette:
    """Return the witness as a web application."""

    async def add_checkpoint(request: Request) -> Response:
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > _LARGEST:
                return _response(Answer(400, "The request is too long.\n"))
        try:
            answer = await asyncio.to_thread(witness.add_checkpoint, body)
        except SQLAlchemyError as error:
            _log.error("witness.not_kept", error=type(error.__cause__ or error).__name__)
            answer = Answer(503, "The witness cannot keep its state, so it cosigned nothing.\n")
        _log.info("witness.answered", status=answer.status)
        return _response(answer)

    return Starlette(routes=[Route("/add-checkpoint", add_checkpoint, methods=["POST"])])


def serve(witness: Witness, *, host: str, port: int, started: Callable[[str], None]) -> None:
    """Serve until a signal ends it.

    Args:
        witness: Who answers.
        host: Address to listen on.
        port: Its port; 0 takes a free one.
        started: Told the address.

    Raises:
        StartFailed: the port cannot be used.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(128)
        except OSError as error:
            raise StartFailed(
                f"Port {port} at {host} cannot be used: {error.strerror}.", remedy="Take another: --port."
            ) from None
        config = uvicorn.Config(
            application(witness), log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=3
        )
        shown = f"[{host}]" if ":" in host else host
        started(f"http://{shown}:{listener.getsockname()[1]}")
        signal.signal(signal.SIGTERM, _leave)
        try:
            asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))
        finally:
            witness.close()


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold a witness's folder for this process.

    Raises:
        StartFailed: another process holds it, or it cannot be written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = os.open(folder / "witness.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StartFailed(
            f"The witness's folder cannot be written: {error.strerror}.", remedy="Give --folder one that can be."
        ) from None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise StartFailed(
            f"Another witness uses {folder}.", remedy="Stop it, or give this one a folder of its own."
        ) from None
    finally:
        os.close(held)


def _response(answer: Answer) -> Response:
    return Response(answer.body, status_code=answer.status, headers={"content-type": answer.kind})


def _leave(_number: int, _frame: object) -> None:
    raise SystemExit(0)
