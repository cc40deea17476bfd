"""What every test gets: an environment without settings of the machine it runs on, and the way to the shared data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.logs import configure

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No VOUCH_* setting of the caller reaches a test; VOUCH_TEST_* are the tests' own."""
    for name in list(os.environ):
        if name.startswith("VOUCH_") and not name.startswith("VOUCH_TEST_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Public evaluation data beside the checkout; a stranger's machine has none."""
    folder = Path(os.environ.get("VOUCH_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no evaluation data at {folder}; set VOUCH_TEST_DATA")
    return folder


@pytest.fixture(scope="session")
def weights_dir() -> Path:
    """Where real weights are kept between runs; fetched by the first test that needs them."""
    return Path(os.environ.get("VOUCH_TEST_MODEL_DIR", "~/.cache/vouch/models")).expanduser()


@pytest.fixture(scope="session")
def examples() -> Path:
    """The documents that are shipped."""
    return ROOT / "examples"


@pytest.fixture(autouse=True, scope="session")
def _plain_log() -> None:
    """Tests log as the service does; pytest shows it when one fails."""
    configure("info")
