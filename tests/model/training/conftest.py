"""One tiny base on the disk, for all tests here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.model.training.tiny_moe import tiny_folder


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_folder(tmp_path_factory.mktemp("base"))
