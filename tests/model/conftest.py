"""A local package index instead of the world's, and one tiny model served by the real vLLM for all tests here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from model import canary
from model.catalog import ModelCard, card
from model.quantize import quantize
from model.serving import Engine
from tests.tiny_model import make_tiny_checkpoint

START_S = 500


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty package index folder, the only one that pip and the hub's library can reach."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    return folder


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_checkpoint(tmp_path_factory.mktemp("tiny") / "bf16")


@pytest.fixture(scope="session")
def tiny_int8(tiny_checkpoint: Path) -> Path:
    folder = tiny_checkpoint.with_name("w8a8")
    quantize(tiny_checkpoint, folder, report=lambda _: None)
    canary.write(folder, canary.record(tiny_checkpoint))
    return folder


def tiny_engine(checkpoint: Path, folder: Path, *, model: ModelCard | None = None, **options: Any) -> Engine:
    return Engine(
        model or card("qwen2.5-coder-0.5b-instruct"),
        folder / "models",
        offline=True,
        checkpoint=checkpoint,
        **{"context_tokens": 2048, "kv_cache_gb": 0.0625, "log_path": folder / "engine.log"} | options,
    )


@pytest.fixture(scope="session")
def engine(tiny_int8: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The tiny model with int8 weights, ready; one for the whole session."""
    served = tiny_engine(tiny_int8, tmp_path_factory.mktemp("engine"))
    served.start()
    try:
        served.wait_ready(START_S)
        yield served
    finally:
        served.stop()
