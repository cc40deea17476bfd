"""The contenders that can be had without gigabytes: transformers on a tiny model, and answers as they stream."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.serve_http import Served
from benchmarks.serve_transformers import Transformers
from model.catalog import DEFAULT_MODEL, card


def test_transformers_answers_all_prompts_and_says_when(tiny_checkpoint: Path) -> None:
    contender = Transformers(str(tiny_checkpoint), threads=torch.get_num_threads())
    assert contender.start()["version"].startswith("transformers ")
    moments = contender.generate([[5, 6, 7], [8, 9, 10]], 4)
    assert len(moments) == 4
    assert all(0 < a < b for a, b in itertools.pairwise(moments))
    contender.stop()


class Server:
    """Streams a reply's tokens in pieces of so many; the first client waits for the second one."""

    def __init__(self, pieces: list[int], *, status: int = 200) -> None:
        self.asked: list[dict[str, Any]] = []
        self.both = threading.Barrier(2, timeout=20)
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                server.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                if len(server.asked[-1]["prompt"]) > 1:
                    server.both.wait()
                self.send_response(status)
                self.end_headers()
                total = 0
                for piece in pieces:
                    total += piece
                    usage = {"usage": {"completion_tokens": total}}
                    self.wfile.write(f"data: {json.dumps(usage)}\n\n".encode())
                self.wfile.write(b"data: [DONE]\n\n")

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


class Started:
    """What `Served` asks an engine for."""

    api_key = "key"
    model_name = "tiny"

    def __init__(self, server: Server) -> None:
        self.url = f"http://127.0.0.1:{server.http.server_address[1]}/v1"


@pytest.fixture
def stopped() -> Iterator[list[Server]]:
    servers: list[Server] = []
    yield servers
    for server in servers:
        server.http.shutdown()
        server.http.server_close()


def served(server: Server, tmp_path: Path) -> Served:
    contender = Served(
        card=card(DEFAULT_MODEL).to_json(),
        model_dir=str(tmp_path),
        checkpoint=str(tmp_path),
        context_tokens=128,
        kv_cache_gb=0.1,
        log=str(tmp_path / "log"),
    )
    contender._engine = Started(server)  # a server that runs already
    return contender


def test_prompts_are_asked_at_once_greedily_and_past_the_end_of_text(tmp_path: Path, stopped: list[Server]) -> None:
    server = Server([1, 1, 1])
    stopped.append(server)
    moments = served(server, tmp_path).generate([[5, 6], [7, 8]], 3)
    assert len(moments) == 3
    assert sorted(moments) == moments
    assert sorted(body["prompt"] for body in server.asked) == [[5, 6], [7, 8]]
    for body in server.asked:
        assert (body["temperature"], body["ignore_eos"], body["max_tokens"]) == (0.0, True, 3)


def test_tokens_that_come_in_one_piece_have_one_moment(tmp_path: Path, stopped: list[Server]) -> None:
    server = Server([0, 1, 2])  # the first piece may hold no token yet
    stopped.append(server)
    moments = served(server, tmp_path).generate([[5]], 3)
    assert len(moments) == 3
    assert moments[1] == moments[2] >= moments[0] > 0


def test_a_refusal_is_a_failure_with_its_words(tmp_path: Path, stopped: list[Server]) -> None:
    server = Server([1], status=400)
    stopped.append(server)
    with pytest.raises(RuntimeError, match="HTTP 400"):
        served(server, tmp_path).generate([[5]], 1)
