"""Writes small sets and runs suites on them, checking what holds of every result."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from retrieval.embedding import Embedder
from retrieval.evaluation import SUITES

KEYS = {"suite", "data", "n", "metrics", "intervals", "rivals", "latency_ms", "settings", "seconds"}


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows as JSON lines, gzipped when the name says so."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def run(suite: str, data: Path, model: Path, tmp_path: Path, **changes: Any) -> dict[str, Any]:
    """Run a suite and check the shape of its result."""
    said: list[str] = []
    options: dict[str, Any] = {"limit": None, "seed": 0} | changes
    result = SUITES[suite](data, embedders=[Embedder(model)], workdir=tmp_path / "work", report=said.append, **options)
    assert said
    assert json.loads(json.dumps(result)) == result
    assert set(result) == KEYS
    assert set(result["intervals"]) == set(result["metrics"])
    for name, value in result["metrics"].items():
        low, high = result["intervals"][name]
        assert 0.0 <= low <= value <= high <= 1.0
    return result
