"""How contenders are started: ours as the service starts it, stock vLLM without our plugin, on the same cores."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.serve_entrants import ENGINES, SERVERS, Place, engine, server
from benchmarks.serve_http import Served
from benchmarks.serve_llama import LlamaCpp
from benchmarks.serve_vllm import VllmEngine
from model.catalog import DEFAULT_MODEL, card

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(card(DEFAULT_MODEL), tmp_path, tmp_path, print)


def test_stock_vllm_runs_as_ours_does_but_for_the_checkpoint_and_the_plugin(place: Place, tmp_path: Path) -> None:
    ours = engine("ours", tmp_path / "a", place)
    stock = engine("vllm_stock_int4", tmp_path / "b", place)
    ours_arguments, stock_arguments = (list(one.arguments["arguments"]) for one in (ours, stock))
    assert str(tmp_path / "a") in ours_arguments
    assert [str(word).replace(str(tmp_path / "b"), str(tmp_path / "a")) for word in stock_arguments] == ours_arguments
    assert stock.environment["VLLM_PLUGINS"] == ""
    assert "VLLM_PLUGINS" not in ours.environment
    assert {**stock.environment, "VLLM_PLUGINS": None} == {**ours.environment, "VLLM_PLUGINS": None}
    assert re.fullmatch(r"[\d,|-]+", stock.environment["VLLM_CPU_OMP_THREADS_BIND"])


def test_ours_is_not_measured_without_our_plugin(place: Place, tmp_path: Path) -> None:
    assert engine("ours", tmp_path, place).arguments["plugin"] == "model.vllm_plugin"
    assert engine("vllm_stock_int4", tmp_path, place).arguments["plugin"] == ""
    with pytest.raises(RuntimeError, match=r"no plugin not\.a\.plugin"):
        VllmEngine([], plugin="not.a.plugin").start()


def test_the_arguments_begin_behind_the_module(place: Place, tmp_path: Path) -> None:
    assert engine("ours", tmp_path, place).arguments["arguments"][0] == "--model"


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_is_made_of_what_it_is_told(name: str, place: Place, tmp_path: Path) -> None:
    entrant = server(name, tmp_path, place)
    Served(**entrant.arguments)  # starts nothing
    assert entrant.environment.get("VLLM_PLUGINS") == (None if name == "ours_http" else "")


def test_names_are_those_of_the_contract() -> None:
    assert ENGINES == ("ours", "llamacpp", "vllm_stock_int4", "vllm_stock_w8a8", "transformers")


def test_a_missing_rival_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "llama_cpp", None)
    llama = LlamaCpp(str(tmp_path / "none.gguf"), threads=1, context_tokens=128, sequences=1)
    with pytest.raises(
        RuntimeError, match=r"pip install --no-deps llama-cpp-python==0.3.36 .*VOUCH_BENCH_LLAMA_PYTHON"
    ):
        llama.start()


def test_rivals_are_an_extra_that_no_lock_holds() -> None:
    assert 'rivals = ["llama-cpp-python==0.3.36"]' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for lock in (ROOT / "requirements").glob("*.lock"):
        assert "llama-cpp-python" not in lock.read_text(encoding="utf-8")
