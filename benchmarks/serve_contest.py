"""Contenders that take turns: loaded together, asked measure by measure, so that a round's figures are seconds apart.

All but the one that is asked are halted meanwhile, so that they take nothing from it.

A contender that fails keeps what it had, is told of with its reason, and is not asked again; the others go on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.serve_contender import MEASURES, Measure, prompts
from benchmarks.serve_figures import Outcome
from benchmarks.serve_load import elsewhere, halt, resident_gb, resume
from benchmarks.serve_worker import ContenderFailed, Entrant, Worker

__all__ = ["contest", "goes"]

_WARM_UP: Final = Measure("warm_up", batch=8, prompt_tokens=32, first=1, last=3)
_START_S: Final = 600.0
_ANSWER_S: Final = 180.0
_SPARE_GB: Final = 2.0
"""Memory that is left to the rest of the machine."""

Report = Callable[[str], None]
Started = Mapping[str, tuple[Worker, list[int]]]
"""Workers by name, each with the sessions whose processes compute."""


def goes(entrants: Sequence[Entrant], free_gb: float) -> Iterator[list[Entrant]]:
    """Yield those that fit into memory together, in their order."""
    go: list[Entrant] = []
    needed = _SPARE_GB
    for one in entrants:
        if go and needed + one.needs_gb > free_gb:
            yield go
            go, needed = [], _SPARE_GB
        go.append(one)
        needed += one.needs_gb
    if go:
        yield go


def contest(entrants: Sequence[Entrant], folder: Path, *, rounds: int, report: Report) -> list[Outcome]:
    """Load these contenders and let them take turns."""
    outcomes = {one.name: Outcome(one.name) for one in entrants}
    started: dict[str, tuple[Worker, list[int]]] = {}
    workers: list[Worker] = []
    try:
        for one in entrants:
            workers.append(Worker(one, folder / f"{one.name}.log"))
            try:
                started[one.name] = workers[-1], _start(workers[-1], outcomes[one.name], report)
                halt(started[one.name][1])
            except ContenderFailed as failure:
                _failed(outcomes[one.name], str(failure), report)
        for number in range(1, rounds + 1):
            for measure in MEASURES:
                _turns(measure, number, started, outcomes, report)
        for name, (_, sessions) in started.items():
            outcomes[name].memory_gb = resident_gb(sessions)
    finally:
        for _, sessions in started.values():
            resume(sessions)
        for worker in workers:
            worker.end()
    return list(outcomes.values())


def _start(worker: Worker, outcome: Outcome, report: Report) -> list[int]:
    """Load a contender and let it answer once; return the sessions that compute."""
    report(f"{worker.name}: loading")
    begin = time.perf_counter()
    said = worker.call("start", timeout_s=_START_S)
    outcome.start_s = time.perf_counter() - begin
    outcome.version, outcome.ready_s = str(said["version"]), said.get("ready_s")
    worker.call("generate", timeout_s=_ANSWER_S, prompts=prompts(_WARM_UP, 0), new_tokens=_WARM_UP.last)
    report(f"{worker.name}: {outcome.version}, loaded in {outcome.start_s:.1f} s")
    return [worker.session, *([said["session"]] if said.get("session") else [])]


def _turns(measure: Measure, number: int, started: Started, outcomes: Mapping[str, Outcome], report: Report) -> None:
    """Let each contender that still answers answer the same prompts."""
    asked = prompts(measure, number)
    for name, (worker, sessions) in started.items():
        outcome = outcomes[name]
        speeds = outcome.speeds.setdefault(measure.name, [])
        if outcome.failure:
            speeds.append(None)
            continue
        resume(sessions)
        share = elsewhere(sessions)
        try:
            moments = worker.call("generate", timeout_s=_ANSWER_S, prompts=asked, new_tokens=measure.last)
            speed = measure.speed(moments)
        except (ContenderFailed, ValueError) as failure:
            speeds.append(None)
            _failed(outcome, f"{measure.name}, round {number}: {failure}", report)
            continue
        finally:
            others = share()
            halt(sessions)
        speeds.append(speed)
        outcome.elsewhere.setdefault(measure.name, []).append(others)
        report(f"round {number}, {measure.name}, {name}: {speed:.1f} tokens/s, {others:.0%} of the machine elsewhere")


def _failed(outcome: Outcome, why: str, report: Report) -> None:
    outcome.failure = why
    report(f"{outcome.name}: {why}")
