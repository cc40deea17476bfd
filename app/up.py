"""`./vouch up`: run the service in the foreground, say where it is, and tell how far the model is until it answers.

The page is served as soon as the database is ready; weights, model and indexes follow in the background. Ctrl-C stops
all that was started and nothing else.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import uvicorn
from rich.console import Console

from app.errors import StartFailed
from app.identity.principal import Role
from app.logs import configure
from app.service import Service
from app.settings import Settings
from retrieval.types import EVERYTHING

__all__ = ["RECORD", "run"]

RECORD: Final = "service.json"
"""File in the data folder that says where the running service answers: {"url", "pid"}."""

OPERATOR_KEY: Final = "operator.key"
"""File in the data folder with the first administrator's key, mode 0600; made when `auth = keys` and no key exists."""


def run(settings: Settings, *, quiet: bool = False) -> None:
    """Serve until a signal ends it.

    Raises:
        StartFailed: the port is taken, or another Vouch uses the data folder.
    """
    configure(settings.log_level, path=settings.data_dir / "logs" / "vouch.log")
    signal.signal(signal.SIGTERM, _leave)  # uvicorn stops, then raises the signal again for whoever was here before
    listener = _listen(settings)
    console = Console(stderr=True, quiet=quiet, highlight=False)
    with listener:
        port = listener.getsockname()[1]
        url = f"http://{'127.0.0.1' if settings.on_loopback else settings.host}:{port}"
        service = Service(settings)
        if settings.auth == "keys":
            _first_key(service, settings.data_dir, console)
        from app.api.application import (
            create,
        )  # late: Gradio takes seconds to import, and a taken port needs none of it

        server = uvicorn.Server(
            uvicorn.Config(
                create(service),
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=math.ceil(settings.model_drain_s),
                timeout_keep_alive=30,
            )
        )
        with _record(settings.data_dir / RECORD, url):
            threading.Thread(target=_tell, args=(server, service, url, console), daemon=True).start()
            try:
                asyncio.run(server.serve(sockets=[listener]))
            except SystemExit:  # also uvicorn's way to say that the application did not start
                if server.started:
                    raise
                raise StartFailed(
                    "The service could not start.", remedy=f"See {settings.data_dir / 'logs' / 'vouch.log'}."
                ) from None


def _leave(_number: int, _frame: object) -> None:
    raise SystemExit(0)


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise StartFailed(
            f"Port {settings.port} at {settings.host} cannot be used: {error.strerror}.",
            remedy=f"Stop the program that has it, or take another: ./vouch up --port {min(settings.port + 1, 65535)}",
        ) from None
    return listener


def _first_key(service: Service, data_dir: Path, console: Console) -> None:
    if service.keys.list():
        return
    key = service.keys.create(
        "operator", role=Role.ADMIN, labels=frozenset({EVERYTHING}), collections=frozenset({EVERYTHING})
    )
    path = data_dir / OPERATOR_KEY
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(key)
    console.print(f"A first administrator's key is in {path}; make others with ./vouch users add NAME.")


@contextmanager
def _record(path: Path, url: str) -> Iterator[None]:
    temporary = path.with_suffix(f".{secrets.token_hex(4)}")
    temporary.write_text(json.dumps({"url": url, "pid": os.getpid()}), encoding="utf-8")
    temporary.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _tell(server: uvicorn.Server, service: Service, url: str, console: Console) -> None:
    """Print the address once the page answers, then each change of the model's state until it is ready."""
    while not server.should_exit:
        try:
            if httpx.get(f"{url}/healthz", timeout=2).is_success:
                break
        except httpx.HTTPError:
            time.sleep(0.1)
    console.print(f"Vouch is at {url}  (Ctrl-C stops it)")
    shown = ""
    while not server.should_exit:
        state = service.engine.state
        line = state.detail
        if state.total:
            line += f", {100 * state.done // state.total} %"
        if line and line != shown:
            _say(console, f"model: {line}", same=bool(shown) and line.split(",")[0] == shown.split(",")[0])
            shown = line
        if state.stage == "ready":
            console.print(f'Ready. Ask at {url} or with ./vouch ask "..."')
            return
        if state.stage == "failed" and state.error is not None:
            console.print(f"The model cannot be served: {state.error.message}\n  {state.error.remedy}")
            return
        time.sleep(0.5 if sys.stderr.isatty() else 2)


def _say(console: Console, text: str, *, same: bool) -> None:
    if sys.stderr.isatty() and same:
        console.file.write("\x1b[1A\x1b[2K")  # the next line replaces the last one
    console.print(text, markup=False)
