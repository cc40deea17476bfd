"""An OpenAI-compatible server over llama.cpp: `./vouch eval sql` asks it the same prompts through the same client.

    PYTHON benchmarks/sql_llamacpp.py MODEL.gguf --port 9100          PYTHON: one that has llama-cpp-python
    VOUCH_MODEL_URL=http://127.0.0.1:9100/v1 ./vouch eval sql --data DIR --limit 100 --json llamacpp.json
    .venv/bin/python benchmarks/sql_compare.py DIR ours.json llamacpp.json

It needs the standard library and llama-cpp-python, which may be installed elsewhere. It answers greedily whatever is
asked, without penalties, with the chat template of the GGUF, one request after the other; what a prompt shares with the
one before it is not read again. It is for what llama.cpp answers; how fast it answers is `./vouch bench serve`.
"""

from __future__ import annotations

import argparse
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

__all__ = ["LlamaCpp", "server"]

_TOKENS: Final = 320
_LONGEST: Final = 1 << 20

Messages = Sequence[Mapping[str, str]]
Answer = Callable[[Messages, int], Iterator[Mapping[str, Any]]]
"""Messages and the most new tokens in, chunks of OpenAI's streaming form out."""


class LlamaCpp:
    """A GGUF file in llama.cpp, answering chats greedily, one at a time.

    Args:
        gguf: The file.
        context_tokens: Longest prompt and reply together.
        threads: Threads that compute.
    """

    def __init__(self, gguf: Path, *, context_tokens: int, threads: int) -> None:
        import llama_cpp

        self._lock = threading.Lock()
        self._model = llama_cpp.Llama(
            str(gguf), n_ctx=context_tokens, n_threads=threads, n_threads_batch=threads, verbose=False
        )

    def __call__(self, messages: Messages, tokens: int) -> Iterator[Mapping[str, Any]]:
        """Yield the chunks of one reply."""
        with self._lock:
            yield from self._model.create_chat_completion(
                list(messages), max_tokens=tokens, temperature=0.0, repeat_penalty=1.0, stream=True
            )


def server(answer: Answer, *, name: str, port: int) -> ThreadingHTTPServer:
    """Return a server on loopback, not yet serving: ``GET /v1/models`` and ``POST /v1/chat/completions``, streamed."""

    class Routes(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/v1/models":
                self._json(404, {"error": {"message": "no such route"}})
                return
            self._json(200, {"object": "list", "data": [{"id": name, "object": "model"}]})

        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length", 0))
            if self.path != "/v1/chat/completions" or not 0 < size <= _LONGEST:
                self._json(404, {"error": {"message": "no such route"}})
                return
            body = json.loads(self.rfile.read(size))
            tokens = int(body.get("max_completion_tokens") or body.get("max_tokens") or _TOKENS)
            try:
                chunks = answer(body["messages"], tokens)
                first = next(chunks)
            except ValueError as error:  # llama-cpp-python's word for a prompt that exceeds the context
                self._json(400, {"error": {"message": f"maximum context length: {error}"}})
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            self._event(first)
            for chunk in chunks:
                self._event(chunk)
            self.wfile.write(b"data: [DONE]\n\n")

        def _event(self, chunk: Mapping[str, Any]) -> None:
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
            self.wfile.flush()

        def _json(self, status: int, body: Mapping[str, Any]) -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Say nothing: the client reports how far it is."""

    return ThreadingHTTPServer(("127.0.0.1", port), Routes)


def main() -> None:
    """Serve one GGUF file until Ctrl-C."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("gguf", type=Path)
    options.add_argument("--port", type=int, default=9100)
    options.add_argument("--context", type=int, default=8192, help="tokens of prompt and reply together")
    options.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    given = options.parse_args()
    model = LlamaCpp(given.gguf, context_tokens=given.context, threads=given.threads)
    serving = server(model, name=given.gguf.stem, port=given.port)
    print(f"http://127.0.0.1:{serving.server_port}/v1", flush=True)
    try:
        serving.serve_forever()
    except KeyboardInterrupt:
        serving.server_close()


if __name__ == "__main__":
    main()
