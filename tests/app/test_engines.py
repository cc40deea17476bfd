"""Which served model the settings ask for; none of them is started here."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from app.engines import engine_for
from app.settings import load
from model.cascade import Cascade
from model.plan import Parallel, Wishes
from model.pool import Pool
from model.remote import RemoteEngine
from model.serving import Engine

SERVER = {"VOUCH_MODEL_URL": "http://a/v1", "VOUCH_MODEL_API_KEY": "ka", "VOUCH_REMOTE_MODEL": "m"}


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {"VOUCH_DATA_DIR": str(tmp_path / "data"), "VOUCH_MODEL_DIR": str(tmp_path / "models")}


def test_by_default_it_is_our_own_alone(home: dict[str, str]) -> None:
    engine = engine_for(load(home))
    assert type(engine) is Engine
    assert engine.model_name == "qwen2.5-coder-1.5b-instruct"
    assert engine._wishes == Wishes()
    assert engine.context_tokens == 8192


def test_settings_reach_it(home: dict[str, str]) -> None:
    said = {
        "VOUCH_CONTEXT_TOKENS": "4096",
        "VOUCH_KV_CACHE_GB": "0.5",
        "VOUCH_MODEL_SEQUENCES": "3",
        "VOUCH_MODEL_THREADS": "2",
        "VOUCH_TENSOR_PARALLEL": "4",
        "VOUCH_PIPELINE_PARALLEL": "2",
        "VOUCH_EXPERT_PARALLEL": "true",
        "VOUCH_RAY_ADDRESS": "head:6379",
        "VOUCH_MODEL_DRAIN_S": "9",
    }
    engine = engine_for(load(home | said))
    assert isinstance(engine, Engine)
    assert engine._wishes == Wishes(4096, 1 << 29, 3, 2, Parallel(4, 2, expert=True, ray_address="head:6379"))
    assert engine._drain_s == 9
    assert engine.context_tokens == 4096


def test_a_folder_can_be_served_in_place_of_the_catalogs_model(home: dict[str, str], tmp_path: Path) -> None:
    engine = engine_for(load(home | {"VOUCH_MODEL_CHECKPOINT": str(tmp_path / "DeepSeek-V2-Lite")}))
    assert engine.model_name == "DeepSeek-V2-Lite"


def test_an_address_is_a_server_elsewhere(home: dict[str, str]) -> None:
    engine = engine_for(load(home | SERVER))
    assert type(engine) is RemoteEngine
    assert (engine.url, engine.api_key, engine.model_name) == ("http://a/v1", "ka", "m")


@pytest.mark.parametrize(("keys", "expected"), [({}, "ka"), ({"VOUCH_REPLICA_API_KEYS": "kb"}, "kb")])
def test_several_addresses_are_a_pool(home: dict[str, str], keys: dict[str, str], expected: str) -> None:
    engine = engine_for(load(home | SERVER | keys | {"VOUCH_REPLICA_URLS": "http://b/v1"}))
    assert isinstance(engine, Pool)
    servers = [(member.engine.url, member.engine.api_key, member.engine.model_name) for member in engine._members]
    assert servers == [("http://a/v1", "ka", "m"), ("http://b/v1", expected, "m")]


@pytest.mark.parametrize("small", [{}, SERVER], ids=["own", "server"])
def test_a_larger_model_makes_a_cascade(home: dict[str, str], small: dict[str, str]) -> None:
    said = {"VOUCH_CASCADE_URL": "http://large/v1", "VOUCH_CASCADE_MODEL": "large", "VOUCH_CASCADE_THRESHOLD": "-0.8"}
    engine = engine_for(load(home | small | said))
    assert isinstance(engine, Cascade)
    assert isinstance(engine.small, RemoteEngine if small else Engine)
    assert (engine.large.url, engine.large.model_name) == ("http://large/v1", "large")
    assert engine.doubt.threshold == -0.8
    assert engine.doubt.of("NOT_FOUND", [-0.1]) == "abstains"
    assert engine.doubt.of("The passages do not mention it.", [-0.1]) == "abstains"
    assert engine.doubt.of("Revenue grew.", [-0.1]) == ""


def test_both_conditions_of_a_cascade_can_be_left_out(home: dict[str, str]) -> None:
    said = {
        "VOUCH_CASCADE_URL": "http://large/v1",
        "VOUCH_CASCADE_THRESHOLD": "-100",
        "VOUCH_CASCADE_ON_ABSTENTION": "false",
    }
    engine = engine_for(load(home | said))
    assert isinstance(engine, Cascade)
    assert engine.doubt.threshold == -math.inf
    assert engine.doubt.of("NOT_FOUND", []) == ""
