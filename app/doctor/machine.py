"""The machine: processor, memory, graphics cards, disk, and the port of the page."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from app.connection import is_running
from app.doctor.finding import Finding, Health
from app.settings import Settings
from model.catalog import card
from model.machine import Machine, engine_version, look
from model.plan import Parallel, Wishes, choose_form

__all__ = ["disk", "driver", "port", "processor", "served_here", "with_memory"]

_GB: Final = 1_000_000_000
_LEAST_DISK: Final = 2 * _GB
"""Room for documents, indexes and the ledger to grow before somebody has to look."""
_BUILD_DISK: Final = 12 * _GB
"""Fetched weights, the checkpoint in the making, and what is beside it while it is built."""
_DRIVER_S: Final = 20


def served_here(settings: Settings) -> bool:
    """Say whether this machine serves the model itself."""
    return not settings.model_url


def processor(settings: Settings) -> Iterator[Finding]:
    """Look at cores and instructions."""
    machine = look()
    cores = f"{machine.cores} cores"
    if not served_here(settings) or machine.gpus:
        yield Finding("processor", Health.WELL, cores)
    elif machine.cores < 2:
        yield Finding(
            "processor", Health.DOUBTFUL, cores, "Give it at least 2 cores: the model computes on all of them."
        )
    elif not machine.vnni:
        yield Finding(
            "processor",
            Health.DOUBTFUL,
            f"{cores}, without AVX512-VNNI: answers take several times as long.",
            "Use a processor of Intel's Ice Lake, AMD's Zen 4 or later, or a server elsewhere (VOUCH_MODEL_URL).",
        )
    else:
        yield Finding("processor", Health.WELL, f"{cores} with AVX512-VNNI")


def with_memory(settings: Settings, machine: Machine | None = None) -> Iterator[Finding]:
    """Look whether the model fits into what is free now; a running service has already taken its part.

    Raises:
        NotEnoughMemory: it does not; the error says what would.
        ServingFailed: the settings ask for what this machine cannot do.
    """
    machine = machine or look()
    free = f"{machine.memory / _GB:.1f} GB free"
    if not served_here(settings) or is_running(settings):
        yield Finding("memory", Health.WELL, free)
        return
    wanted = card(settings.model)
    parallel = Parallel(settings.tensor_parallel, settings.pipeline_parallel, settings.expert_parallel)
    form = choose_form(
        wanted.name, wanted.parameters_m, machine, Wishes(parallel=parallel, form=settings.model_form or None)
    )
    yield Finding("memory", Health.WELL, f"{free}; {wanted.name} fits as {form}")


def driver(settings: Settings) -> Iterator[Finding]:
    """Look at graphics cards: what the driver sees, and whether the installed vLLM uses it."""
    cards = _cards_of_driver()
    engine = engine_version()
    if not served_here(settings):
        yield Finding("graphics card", Health.WELL, "not needed: the model is served elsewhere")
        return
    if engine == "vllm missing":
        yield Finding("vLLM", Health.BROKEN, "vLLM is not installed.", "Install it: ./vouch up --profile cpu or gpu.")
        return
    used = look().gpus
    if cards and not used:
        yield Finding(
            "graphics card",
            Health.DOUBTFUL,
            f"The driver sees {len(cards)} ({cards[0]}), and {engine} uses none of them.",
            "Install the GPU build: ./vouch up --profile gpu.",
        )
    else:
        seen = ", ".join(gpu.name for gpu in used) or "none: the processor computes"
        yield Finding("graphics card", Health.WELL, f"{seen}; {engine}")


def _cards_of_driver() -> list[str]:
    """Return what nvidia-smi lists; nothing where there is no driver."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return []
    try:
        told = subprocess.run(  # noqa: S603 - a fixed command, found on the path
            [command, "--query-gpu=name", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=_DRIVER_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in told.stdout.splitlines() if line.strip()]


def disk(settings: Settings) -> Iterator[Finding]:
    """Look at the room where data and weights go, and whether it can be written."""
    built = (settings.model_dir / "checkpoints").is_dir() or not served_here(settings)
    places = {
        "data folder": (settings.data_dir, _LEAST_DISK, "VOUCH_DATA_DIR"),
        "weights folder": (settings.model_dir, _LEAST_DISK if built else _BUILD_DISK, "VOUCH_MODEL_DIR"),
    }
    for part, (folder, least, setting) in places.items():
        there = _nearest(folder)
        free = shutil.disk_usage(there).free
        if not os.access(there, os.W_OK | os.X_OK):
            remedy = f"Give the user that runs Vouch the right to write there, or name another folder in {setting}."
            yield Finding(part, Health.BROKEN, f"{there} cannot be written.", remedy)
        elif free < least:
            remedy = f"Free some space, or name a folder on a larger disk in {setting}."
            message = f"{free / _GB:.1f} GB free at {there}; {least / _GB:.0f} GB are wanted."
            yield Finding(part, Health.BROKEN, message, remedy)
        else:
            yield Finding(part, Health.WELL, f"{folder}, {free / _GB:.0f} GB free")


def _nearest(folder: Path) -> Path:
    """Return the folder, or the one above it that exists: where it would be made."""
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())


def port(settings: Settings) -> Iterator[Finding]:
    """Look whether the page's port is free, or is held by the service of this data folder."""
    where = f"port {settings.port} at {settings.host}"
    if settings.port == 0:
        yield Finding("port", Health.WELL, "any that is free")
    elif is_running(settings):
        yield Finding("port", Health.WELL, "a service runs on this data folder and answers")
    else:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind((settings.host, settings.port))
            except OSError as error:
                other = min(settings.port + 1, 65535)
                yield Finding(
                    "port",
                    Health.BROKEN,
                    f"{where} cannot be used: {error.strerror}.",
                    f"Stop the program that has it, or take another: ./vouch up --port {other}",
                )
                return
        yield Finding("port", Health.WELL, f"{where} is free")
