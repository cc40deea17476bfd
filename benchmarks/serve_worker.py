"""A contender in a process of its own: the process, and the other end of its line.

    python -m benchmarks.serve_worker '{"factory": "benchmarks.serve_llama:LlamaCpp", "arguments": {...}}'

One line of JSON in, ``{"call": "generate", "arguments": {...}}``, one out, ``{"value": ...}`` or ``{"error": "..."}``.
Whatever the contender's libraries print goes to the log. The process ends when its input does.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

__all__ = ["ContenderFailed", "Entrant", "Worker"]

_ROOT: Final = Path(__file__).resolve().parents[1]
_END_S: Final = 20.0


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

    Raises:
        ContenderFailed: there is no such interpreter.
    """

    def __init__(self, entrant: Entrant, log: Path) -> None:
        self.name = entrant.name
        self._log = log
        order = json.dumps({"factory": entrant.factory, "arguments": dict(entrant.arguments)})
        try:
            with log.open("ab") as output:
                self._process = subprocess.Popen(
                    [entrant.python, "-m", "benchmarks.serve_worker", order],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=output,
                    cwd=_ROOT,
                    env={**os.environ, **entrant.environment},
                    start_new_session=True,
                )
        except OSError as error:
            raise ContenderFailed(f"{entrant.python} cannot be started: {error.strerror}.") from error
        self._rest = b""

    @property
    def session(self) -> int:
        """Id of the session of its processes."""
        return self._process.pid

    def call(self, name: str, *, timeout_s: float, **arguments: Any) -> Any:
        """Let the contender do something and return what it returned.

        Raises:
            ContenderFailed: it failed, it ended, or it took longer than `timeout_s`.
        """
        try:
            self._write({"call": name, "arguments": arguments})
            reply = json.loads(self._line(timeout_s))
        except (OSError, ValueError) as error:
            raise ContenderFailed(f"{self.name} ended during {name}: {_tail(self._log)}") from error
        if "error" in reply:
            raise ContenderFailed(reply["error"])
        return reply["value"]

    def end(self, *, grace_s: float = _END_S) -> None:
        """End it with all its processes, whatever state it is in."""
        with contextlib.suppress(OSError):
            if self._process.stdin:
                self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(grace_s)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.session, signal.SIGKILL)
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def _write(self, request: Mapping[str, Any]) -> None:
        if self._process.stdin:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()

    def _line(self, timeout_s: float) -> bytes:
        end = time.monotonic() + timeout_s
        stream = self._process.stdout
        if stream is None:
            raise OSError("no output")
        while b"\n" not in self._rest:
            ready, _, _ = select.select([stream], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                raise ContenderFailed(f"{self.name} did not answer within {timeout_s:.0f} s.")
            more = os.read(stream.fileno(), 1 << 16)
            if not more:
                raise OSError("end of output")
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        return line


def _tail(log: Path) -> str:
    """Return the last line of a log that names an error, else its last line."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if "Error: " in line]
    return (errors or lines or ["it said nothing"])[-1][-300:]


def main(argv: Sequence[str]) -> int:
    """Serve one contender on standard input and output."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # libraries that print must not be heard as replies
    order = json.loads(argv[0])
    module, _, name = order["factory"].partition(":")
    contender = getattr(importlib.import_module(module), name)(**order["arguments"])
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply = {"value": getattr(contender, request["call"])(**request["arguments"])}
        except Exception as error:  # noqa: BLE001 -- the process's edge: the other end decides what a failure means
            reply = {"error": f"{type(error).__name__}: {error}"}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()
    with contextlib.suppress(Exception):  # it may not have started
        contender.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
