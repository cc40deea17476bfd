"""From the settings to a vector store, and a service whose vectors are in Milvus."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.errors import BadRequest, SettingsError
from app.service import Service
from app.settings import load
from app.vector_stores import builder
from retrieval.errors import StoreUnavailable
from retrieval.stores.faiss_store import FaissStore
from retrieval.stores.milvus_store import MilvusStore
from tests.app.conftest import REPORT, SmallEmbedder, add, serving

Make = Callable[..., Service]


class Nothing:
    def passages(self, _ids: Any, _scope: Any) -> list[Any]:
        return []


def settings_of(tmp_path: Path, **environ: str) -> Any:
    return load({"VOUCH_DATA_DIR": str(tmp_path)} | {f"VOUCH_{name.upper()}": value for name, value in environ.items()})


def test_the_embedded_store_is_the_default(tmp_path: Path) -> None:
    build = builder(settings_of(tmp_path), Nothing(), b"s" * 32)
    assert isinstance(build(SmallEmbedder(), tmp_path / "0"), FaissStore)


def test_milvus_is_built_when_it_is_asked_for_and_nothing_is_called_yet(tmp_path: Path) -> None:
    asked = settings_of(tmp_path, vector_store="milvus", milvus_uri="http://milvus.invalid:19530")
    assert isinstance(builder(asked, Nothing(), b"")(SmallEmbedder(), tmp_path / "0"), MilvusStore)
    assert isinstance(builder(asked, Nothing(), b"", kind="faiss")(SmallEmbedder(), tmp_path / "0"), FaissStore)


def test_milvus_without_an_address_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="VOUCH_MILVUS_URI"):
        settings_of(tmp_path, vector_store="milvus")
    with pytest.raises(BadRequest, match="Milvus"):
        builder(settings_of(tmp_path), Nothing(), b"", kind="milvus")


@pytest.mark.parametrize("name", ["", "1a", "a-b", "a" * 33, 'a" or "'])
def test_a_collection_is_named_as_milvus_can_name_one(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="milvus_collection"):
        settings_of(tmp_path, milvus_collection=name)


def test_a_token_is_not_shown(tmp_path: Path) -> None:
    assert "hush" not in repr(settings_of(tmp_path, milvus_token="root:hush"))


def test_a_service_answers_from_milvus_and_again_after_a_restart(make_service: Make, tmp_path: Path) -> None:
    pytest.importorskip("milvus_lite", reason="Milvus Lite is not installed; it comes with the extra `dev`")
    environ = {"VOUCH_VECTOR_STORE": "milvus", "VOUCH_MILVUS_URI": str(tmp_path / "milvus.db")}
    question = {"question": "Who is the auditor of the company?", "stream": False}
    for starts in range(2):
        with serving(make_service(environ=environ)) as client:
            if starts == 0:
                add(client, "report.md", REPORT)
            end = time.monotonic() + 60
            while not (found := client.post("/v1/ask", json=question)).is_success:
                assert time.monotonic() < end, found.text
                time.sleep(0.1)
            assert found.json()["evidence"]
    assert not (tmp_path / "data" / "index").exists(), "nothing is kept beside Milvus"


def test_a_service_waits_for_a_store_that_is_away(make_service: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.library._STORE_PAUSE_S", 0.05)
    service, tries = make_service(), []
    load_index = service.index.load

    def away_at_first() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise StoreUnavailable("The vector store is away.", remedy="Wait.")
        load_index()

    monkeypatch.setattr(service.index, "load", away_at_first)
    with serving(service) as client:
        assert add(client, "report.md", REPORT)["state"] == "ready"
    assert len(tries) == 3
