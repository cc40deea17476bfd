"""Who enters `./vouch bench serve`, and how each is started: weights, command line, environment, interpreter."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.settings import load
from benchmarks.serve_checkpoints import built, dense_int4, gguf
from benchmarks.serve_worker import Entrant
from model._vllm_process import VllmOptions, _command, _environment
from model.build import Form
from model.catalog import ModelCard, card
from model.progress import Progress

__all__ = ["ENGINES", "SERVERS", "Place", "engine", "entrant", "place_of", "server"]

ENGINES: Final = ("ours", "llamacpp", "vllm_stock_int4", "vllm_stock_w8a8", "transformers")
SERVERS: Final = ("ours_http", "vllm_stock_w8a8_http")
_NEEDS_GB: Final = {
    "ours": 4.5,
    "llamacpp": 1.5,
    "vllm_stock_int4": 4.5,
    "vllm_stock_w8a8": 5.0,
    "transformers": 4.0,
    "vllm_stock_bf16": 6.0,
    "ours_http": 5.0,
    "vllm_stock_w8a8_http": 5.5,
}
"""Resident memory at most, with what loading takes for a while, in GiB."""
_STOCK: Final = {"VLLM_PLUGINS": ""}
"""vLLM loads no plugin, so not ours."""
_PLUGIN: Final = "model.vllm_plugin"
_SEQUENCES: Final = 8
_KV_CACHE_GB: Final = 0.5
"""Room for 18,000 tokens of the default model; what is measured needs 1,100."""
_CONTEXT: Final = 2048


@dataclass(frozen=True, slots=True)
class Place:
    """Where everything is.

    Attributes:
        card: The model.
        model_dir: Folder of weights and checkpoints.
        folder: Folder of this run's logs.
        report: Told how far a build is.
    """

    card: ModelCard
    model_dir: Path
    folder: Path
    report: Callable[[Progress], None]


def entrant(name: str, folder: Path, *, report: Callable[[str], None]) -> Entrant:
    """Make sure that the weights of a contender are there; return how it is started.

    Args:
        name: One of `ENGINES` or `SERVERS`.
        folder: Where its logs go.
        report: Told the steps of a build.

    Raises:
        ModelError: its weights are not there and cannot be made.
    """
    place = place_of(folder, lambda text: report(f"{name}: {text}"))
    if name == "llamacpp":
        return _llama(name, place)
    if name == "transformers":
        return _transformers(name, place)
    return (server if name in SERVERS else engine)(name, _checkpoint(name, place), place)


def place_of(folder: Path, report: Callable[[str], None]) -> Place:
    """Return where the settings say that everything is; of a build, `report` is told each step once."""
    settings = load()
    said: set[str] = set()

    def tell(progress: Progress) -> None:
        if progress.step not in said:
            said.add(progress.step)
            report(progress.step)

    return Place(card(settings.model), settings.model_dir, folder, tell)


def _llama(name: str, place: Place) -> Entrant:
    arguments = {
        "gguf": str(gguf(place.card, place.model_dir)),
        "threads": _threads(),
        "context_tokens": _CONTEXT,
        "sequences": _SEQUENCES,
    }
    python = os.environ.get("VOUCH_BENCH_LLAMA_PYTHON") or sys.executable
    return Entrant(name, "benchmarks.serve_llama:LlamaCpp", arguments, _NEEDS_GB[name], python=python)


def _transformers(name: str, place: Place) -> Entrant:
    checkpoint = built(place.card, place.model_dir, form="bf16", report=place.report)
    arguments = {"checkpoint": str(checkpoint), "threads": _threads()}
    return Entrant(name, "benchmarks.serve_transformers:Transformers", arguments, _NEEDS_GB[name])


def engine(name: str, checkpoint: Path, place: Place) -> Entrant:
    """Return vLLM's engine on a checkpoint, with the command line and the environment that `model.serving` gives it."""
    options = VllmOptions(
        checkpoint=checkpoint,
        model_name=place.card.name,
        port=0,
        api_key="none",
        context_tokens=_CONTEXT,
        kv_cache_gb=_KV_CACHE_GB,
        threads=0,
        gpu=False,
        log_path=place.folder / f"{name}.log",
    )
    plugin = _PLUGIN if name.startswith("ours") else ""
    arguments = {"arguments": _command(options)[3:], "plugin": plugin}  # behind `python -m MODULE`
    environment = _environment(options) | _plugins(name)
    return Entrant(name, "benchmarks.serve_vllm:VllmEngine", arguments, _NEEDS_GB[name], environment)


def server(name: str, checkpoint: Path, place: Place) -> Entrant:
    """Return a checkpoint behind `model.serving`."""
    arguments = {
        "card": place.card.to_json(),
        "model_dir": str(place.model_dir),
        "checkpoint": str(checkpoint),
        "context_tokens": _CONTEXT,
        "kv_cache_gb": _KV_CACHE_GB,
        "log": str(place.folder / f"{name}-vllm.log"),
    }
    return Entrant(name, "benchmarks.serve_http:Served", arguments, _NEEDS_GB[name], _plugins(name))


def _plugins(name: str) -> dict[str, str]:
    return {} if name.startswith("ours") else _STOCK


def _checkpoint(name: str, place: Place) -> Path:
    if name.startswith("vllm_stock_int4"):
        return dense_int4(place.card, place.model_dir, report=place.report)
    form: Form = "w8a8" if name.startswith("vllm_stock_w8a8") else "int4"
    return built(place.card, place.model_dir, form=form, report=place.report)


def _threads() -> int:
    return len(os.sched_getaffinity(0))
