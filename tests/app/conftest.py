"""A whole service on real storage, with a scripted model and a small embedder, behind a real HTTP server."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import uvicorn
from langchain_core.language_models import BaseChatModel

from app.api.application import create
from app.service import Service
from app.settings import load
from model.client import chat_model
from model.engine_state import EngineState
from retrieval.lexical import tokenize
from tests.scripted_chat import ScriptedChat


class SmallEmbedder:
    """Embeds by hashing words: real vectors, deterministic, no weights."""

    dimension = 64
    identity = "small-test-embedder"
    languages = frozenset({"en"})

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for word in tokenize(text):
                row[hashlib.sha256(word.encode()).digest()[0] % self.dimension] += 1.0
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors / np.maximum(norms, 1e-9)


@dataclass
class StillEngine:
    """An engine that is always in the state that the test gave it."""

    state: EngineState = field(default_factory=lambda: EngineState("ready", "ready", 0, 0, None))
    url: str = "http://127.0.0.1:9/v1"
    api_key: str = "none"
    model_name: str = "scripted"
    context_tokens: int = 8192
    identity: dict[str, str] = field(default_factory=lambda: {"model": "scripted"})

    def chat(self, *, max_tokens: int, timeout_s: float) -> BaseChatModel:
        return chat_model(
            url=self.url, api_key=self.api_key, model=self.model_name, max_tokens=max_tokens, timeout_s=timeout_s
        )

    def start(self) -> None:
        pass

    def wait_ready(self, timeout_s: float) -> None:
        pass

    def stop(self) -> None:
        pass


@pytest.fixture
def make_service(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Builds services on one data folder, one after the other; stops what is still open."""
    made: list[Service] = []

    def make(
        *replies: str, environ: dict[str, str] | None = None, chat: ScriptedChat | None = None, **parts: Any
    ) -> Service:
        model = chat or ScriptedChat(replies=list(replies) or ["NOT_FOUND"])
        settings = load(
            {"VOUCH_DATA_DIR": str(tmp_path / "data"), "VOUCH_MODEL_DIR": str(tmp_path / "models")} | (environ or {})
        )
        parts.setdefault("engine", StillEngine())
        parts.setdefault("embedders", [SmallEmbedder()])
        service = Service(settings, chat=lambda: model, **parts)
        made.append(service)
        return service

    yield make
    for service in made:
        service.ledger.close()


@contextmanager
def serving(service: Service, *, pages: bool = False, **client: Any) -> Iterator[httpx.Client]:
    """Serve a service by uvicorn on a free loopback port; gives a client of it."""
    config = uvicorn.Config(create(service, pages=pages), port=0, log_config=None, timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the server did not start")
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, **client) as session:
            yield session
    finally:
        server.should_exit = True
        thread.join(timeout=20)


def add(client: httpx.Client, name: str, text: str | bytes, **data: str) -> dict[str, Any]:
    """Add a document and wait until it is ready or refused."""
    content = text.encode() if isinstance(text, str) else text
    reply = client.post("/v1/documents", files={"files": (name, content)}, data=data)
    assert reply.status_code == 202, reply.text
    document = reply.json()["documents"][0]
    end = time.monotonic() + 60
    while document["state"] not in ("ready", "failed"):
        assert time.monotonic() < end, document
        time.sleep(0.05)
        document = client.get(f"/v1/documents/{document['id']}").json()
    return dict(document)


REPORT = """# Annual report

## Results

Revenue of Halden Marine was 412 million euro in 2025.

## Auditor

The auditor of the company is Brenner and Partners.
"""
