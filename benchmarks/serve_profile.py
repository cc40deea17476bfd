"""Where a decoding step's milliseconds go: torch's operators in the process that computes, and what is left to Python.

    .venv/bin/python benchmarks/serve_profile.py [--contender ours] [--batch 1] [--steps 32]

Each contender of `serve_entrants` that is vLLM's engine. The same steps are timed twice, without the profiler and with
it; an operator's time is its own, without those that it calls. What no operator takes is Python, vLLM's bookkeeping and
the way between its processes; that part is the step without the profiler less the operators, so it is not lengthened by
what recording costs, while the operators are, by about a microsecond each.
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.serve_contender import Measure, prompts
from benchmarks.serve_entrants import entrant
from benchmarks.serve_worker import Worker

__all__ = ["own_times", "table"]

_WAIT_S: Final = 300.0
_LINES: Final = 24


def own_times(events: Iterable[Mapping[str, Any]]) -> dict[str, tuple[int, float]]:
    """Return calls and own microseconds of each operator of a Chrome trace (`ts` and `dur` in microseconds)."""
    calls: dict[str, int] = defaultdict(int)
    own: dict[str, float] = defaultdict(float)
    threads: dict[Any, list[Mapping[str, Any]]] = defaultdict(list)
    for event in events:
        if event.get("ph") == "X" and event.get("cat") == "cpu_op":
            threads[event["pid"], event["tid"]].append(event)
    for found in threads.values():
        found.sort(key=lambda event: (event["ts"], -event["dur"]))
        open_: list[tuple[float, str]] = []  # end and name of the operators that are running, outermost first
        for event in found:
            while open_ and open_[-1][0] <= event["ts"]:
                open_.pop()
            if open_:
                own[open_[-1][1]] -= event["dur"]
            calls[event["name"]] += 1
            own[event["name"]] += event["dur"]
            open_.append((event["ts"] + event["dur"], event["name"]))
    return {name: (calls[name], own[name]) for name in calls}


def table(times: Mapping[str, tuple[int, float]], *, steps: int, step_ms: float) -> str:
    """Return operators by the milliseconds that they take of a step, and what is left of `step_ms`."""
    ordered = sorted(times.items(), key=lambda item: -item[1][1])
    lines = [f"{'ms a step':>10} {'calls':>7}  operator"]
    for name, (calls, microseconds) in ordered[:_LINES]:
        lines.append(f"{microseconds / 1000 / steps:>10.2f} {calls / steps:>7.0f}  {name}")
    rest = sum(microseconds for _, (_, microseconds) in ordered[_LINES:]) / 1000 / steps
    operators = sum(microseconds for _, microseconds in times.values()) / 1000 / steps
    lines.append(f"{rest:>10.2f} {'':>7}  other operators")
    lines.append(f"{step_ms - operators:>10.2f} {'':>7}  no operator: Python, vLLM's processes")
    lines.append(f"{step_ms:>10.2f} {'':>7}  step without the profiler")
    return "\n".join(lines)


def _step_ms(moments: Sequence[float], first: int) -> float:
    return 1000 * statistics.median(b - a for a, b in zip(moments[first - 1 :], moments[first:], strict=False))


def main() -> None:
    """Profile and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contender", default="ours")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--steps", type=int, default=32)
    options = parser.parse_args()
    measure = Measure("profile", options.batch, prompt_tokens=8, first=4, last=options.steps)
    with tempfile.TemporaryDirectory(prefix="vouch-profile-") as made:
        folder = Path(made)
        one = entrant(options.contender, folder, report=print)
        profiler = {"profiler": "torch", "torch_profiler_dir": made, "torch_profiler_with_stack": False}
        command = [*one.arguments["arguments"], "--profiler-config", json.dumps(profiler)]
        worker = Worker(replace(one, arguments={**one.arguments, "arguments": command}), folder / "log")
        try:
            worker.call("start", timeout_s=_WAIT_S)
            plain = worker.call("generate", timeout_s=_WAIT_S, prompts=prompts(measure, 1), new_tokens=measure.last)
            traced = worker.call("trace", timeout_s=_WAIT_S, prompts=prompts(measure, 2), new_tokens=measure.last)
        finally:
            worker.end()
        traces = [json.loads(gzip.decompress(path.read_bytes())) for path in folder.rglob("*.json.gz")]
    times: dict[str, tuple[int, float]] = {}
    for trace in traces:
        times |= own_times(trace["traceEvents"])
    sys.stdout.write(table(times, steps=measure.last, step_ms=_step_ms(plain, measure.first)) + "\n")
    sys.stdout.write(f"{_step_ms(traced, measure.first):>10.2f} {'':>7}  step with the profiler\n")


if __name__ == "__main__":
    main()
