"""Serving speed: ours beside llama.cpp, stock vLLM and transformers, the same weights on all cores of this machine.

    ./vouch bench serve
    .venv/bin/python benchmarks/serve.py --contenders ours,llamacpp --rounds 5 --out FILE

The same for `./vouch bench`: VOUCH_BENCH_SERVE, VOUCH_BENCH_ROUNDS; VOUCH_BENCH_LLAMA_PYTHON names a Python that has
llama-cpp-python when this one has not.

| contender | what it is |
|---|---|
| ours | the int4 mixture of experts in vLLM with our plugin, started as `model.serving` starts it |
| llamacpp | llama.cpp, Q4_K_M, by its own calls |
| vllm_stock_int4 | vLLM without our plugin, dense int4 checkpoint (W4A16) |
| vllm_stock_w8a8 | vLLM without our plugin, dense int8 checkpoint |
| transformers | dense bfloat16 checkpoint |
| ours_http, vllm_stock_w8a8_http | the same over HTTP, as a user meets it; `ready_s` is how long ours takes to answer |

Every contender has a process of its own and is loaded once. They take turns, measure by measure, so that the figures
of a round are seconds apart; those that wait are halted. Where memory is short, they are loaded in several goes. See
`serve_contender` for what is measured and `serve_figures` for how rounds become figures. A contender that fails is
named with its reason and the others go on.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.serve_contest import contest, goes
from benchmarks.serve_entrants import ENGINES, SERVERS, entrant
from benchmarks.serve_figures import Outcome, metrics, ratios, table
from benchmarks.serve_load import free_gb

__all__ = ["run"]

_ROUNDS: Final = 3

Report = Callable[[str], None]


def run(*, report: Report, contenders: Sequence[str] = (), rounds: int = 0) -> dict[str, Any]:
    """Measure all contenders.

    Raises:
        ValueError: there is no contender of that name.
    """
    wanted = list(contenders) or [name for name in os.environ.get("VOUCH_BENCH_SERVE", "").split(",") if name]
    rounds = rounds or int(os.environ.get("VOUCH_BENCH_ROUNDS") or _ROUNDS)
    unknown = set(wanted) - {*ENGINES, *SERVERS}
    if unknown:
        raise ValueError(f"There is no contender {min(unknown)!r}; there are {', '.join((*ENGINES, *SERVERS))}.")
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="vouch-bench-") as folder:
        for kind in (ENGINES, SERVERS):
            entrants = []
            for name in (name for name in kind if not wanted or name in wanted):
                try:
                    entrants.append(entrant(name, Path(folder), report=report))
                except Exception as error:  # noqa: BLE001 -- one contender without weights must not end the others
                    outcomes.append(Outcome(name, failure=f"{type(error).__name__}: {error}"))
                    report(f"{name}: {outcomes[-1].failure}")
            for go in goes(entrants, free_gb()):
                outcomes += contest(go, Path(folder), rounds=rounds, report=report)
    outcomes.sort(key=lambda outcome: (*ENGINES, *SERVERS).index(outcome.name))
    report("\n" + table(outcomes))
    return {"rows": [outcome.row() for outcome in outcomes], "ratios": ratios(outcomes), "metrics": metrics(outcomes)}


def _note(text: str) -> None:
    sys.stderr.write(text + "\n")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contenders", default="", help=f"of {','.join((*ENGINES, *SERVERS))}; all by default")
    parser.add_argument("--rounds", type=int, default=0, help=f"{_ROUNDS} by default")
    parser.add_argument("--out", type=Path, help="write the result to this file as well")
    options = parser.parse_args()
    names = [name for name in options.contenders.split(",") if name]
    found = run(report=_note, contenders=names, rounds=options.rounds)
    text = json.dumps({**found, "load": os.getloadavg()}, indent=2)
    sys.stdout.write(text + "\n")
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
