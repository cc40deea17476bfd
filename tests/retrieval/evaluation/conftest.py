"""The embedding model of all suites' tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.retrieval.tiny_model import write_tiny_model


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny")
