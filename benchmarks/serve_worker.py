"""A contender in a process of its own: the process, and the other end of its line.

    python -m benchmarks.serve_worker NAME '{"factory": "benchmarks.serve_llama:LlamaCpp", "arguments": {...}}'

NAME is that of an abstract Unix socket (unix(7)): one line of JSON in, ``{"call": "generate", "arguments": {...}}``,
one out, ``{"value": ...}`` or ``{"error": "..."}``. Whatever the contender and its libraries print goes to the log.
The process and all that it starts end with whoever asked for it, however that ends (`model._children`).
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import secrets
import socket
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from model._children import Child

__all__ = ["ContenderFailed", "Entrant", "Worker"]

_ROOT: Final = Path(__file__).resolve().parents[1]
_POLL_S: Final = 0.1


class ContenderFailed(Exception):
    """A contender could not do what it was asked; the message says why."""


@dataclass(frozen=True, slots=True)
class Entrant:
    """How a contender is started.

    Attributes:
        name: What it is called in the figures.
        factory: ``module:class``, imported in its own process.
        arguments: Keyword arguments of the class.
        needs_gb: Memory that it takes at most, in GiB, with what loading takes for a while.
        environment: Variables of its process beside ours.
        python: The interpreter.
    """

    name: str
    factory: str
    arguments: Mapping[str, Any]
    needs_gb: float
    environment: Mapping[str, str] = field(default_factory=dict)
    python: str = sys.executable


class Worker:
    """A started contender.

    Args:
        entrant: Which one.
        log: Where all that it prints goes.
    """

    def __init__(self, entrant: Entrant, log: Path) -> None:
        self.name = entrant.name
        self._log = log
        address = f"vouch-bench-{secrets.token_hex(16)}"
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(f"\0{address}")
        self._door.listen(1)
        self._line: socket.socket | None = None
        self._rest = b""
        order = json.dumps({"factory": entrant.factory, "arguments": dict(entrant.arguments)})
        environment = {**os.environ, **entrant.environment}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(_ROOT), environment.get("PYTHONPATH"))))
        self._child = Child(
            [entrant.python, "-m", "benchmarks.serve_worker", address, order],
            log=log,
            environment=environment,
        )

    @property
    def session(self) -> int:
        """Id of the session of its processes."""
        return self._child.pid

    def call(self, name: str, *, timeout_s: float, **arguments: Any) -> Any:
        """Let the contender do something and return what it returned.

        Raises:
            ContenderFailed: it failed, it ended, or it took longer than `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        try:
            line = self._connected(deadline)
            line.sendall(json.dumps({"call": name, "arguments": arguments}).encode() + b"\n")
            reply = json.loads(self._read(line, deadline))
        except TimeoutError:
            raise ContenderFailed(f"{self.name} did not answer within {timeout_s:.0f} s.") from None
        except (OSError, ValueError) as error:
            raise ContenderFailed(f"{self.name} ended during {name}: {_tail(self._log)}") from error
        if "error" in reply:
            raise ContenderFailed(reply["error"])
        return reply["value"]

    def end(self) -> None:
        """End it with all its processes, whatever state it is in."""
        self._child.end()
        self._door.close()
        if self._line is not None:
            self._line.close()

    def _connected(self, deadline: float) -> socket.socket:
        self._door.settimeout(_POLL_S)
        while self._line is None:
            try:
                self._line, _ = self._door.accept()
            except TimeoutError:
                if self._child.poll() is not None:
                    raise ConnectionError from None
                if time.monotonic() > deadline:
                    raise
        return self._line

    def _read(self, line: socket.socket, deadline: float) -> bytes:
        while b"\n" not in self._rest:
            line.settimeout(max(_POLL_S, deadline - time.monotonic()))
            more = line.recv(1 << 16)
            if not more:
                raise ConnectionError
            self._rest += more
        reply, _, self._rest = self._rest.partition(b"\n")
        return reply


def _tail(log: Path) -> str:
    """Return the last line of a log that names an error, else its last line."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if "Error: " in line]
    return (errors or lines or ["it said nothing"])[-1][-300:]


def main(argv: Sequence[str]) -> int:
    """Serve one contender on the socket that the other end listens to."""
    address, text = argv
    line = socket.socket(socket.AF_UNIX)
    line.connect(f"\0{address}")
    order = json.loads(text)
    module, _, name = order["factory"].partition(":")
    contender = getattr(importlib.import_module(module), name)(**order["arguments"])
    with line.makefile("r", encoding="utf-8") as requests:
        for request in map(json.loads, requests):
            try:
                reply = {"value": getattr(contender, request["call"])(**request["arguments"])}
            except Exception as error:  # noqa: BLE001 -- the process's edge: the other end decides what a failure means
                traceback.print_exc()
                reply = {"error": f"{type(error).__name__}: {error}"}
            line.sendall(json.dumps(reply).encode() + b"\n")
    with contextlib.suppress(Exception):  # it may not have started
        contender.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
