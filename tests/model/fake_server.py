"""A small OpenAI-like server on a real socket that misbehaves on request, for what vLLM cannot be made to do."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Script:
    """What the server does next; a test changes it while it runs."""

    status: int = 200
    body: bytes = json.dumps({"object": "list", "data": [{"id": "m"}, {"id": "n"}]}).encode()
    pieces: list[str] = field(default_factory=list)
    finish: str | None = "stop"
    done: bool = True
    asked: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""
    silence: threading.Event | None = None
    logprob: float | None = None
    """What each piece says of its one token."""


def _chunk(piece: str, finish: str | None = None, logprob: float | None = None) -> bytes:
    choice: dict[str, Any] = {"index": 0, "delta": {"content": piece}, "finish_reason": finish}
    if logprob is not None and piece:
        choice["logprobs"] = {"content": [{"token": piece, "logprob": logprob, "top_logprobs": []}]}
    body = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return f"data: {json.dumps(body)}\n\n".encode()


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A client that leaves early is what some tests do."""


@contextmanager
def misbehaving() -> Iterator[Script]:
    """Serve on a free port of this machine."""
    script = Script()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            script.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(script.status)
            if script.pieces and script.status == 200:
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                self._stream()
                return
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(script.body)))
            self.end_headers()
            self.wfile.write(script.body)

        def _stream(self) -> None:
            for piece in script.pieces:
                self.wfile.write(_chunk(piece, logprob=script.logprob))
            self.wfile.flush()
            if script.silence is not None:
                script.silence.wait(30)
            if script.finish:
                self.wfile.write(_chunk("", script.finish))
            if script.done:
                self.wfile.write(b"data: [DONE]\n\n")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = _Quiet(("127.0.0.1", 0), Answer)
    script.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
