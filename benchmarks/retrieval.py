"""Vector search by size: latency, recall against exact search and memory, for several scopes, beside two rivals.

    ./vouch bench retrieval                                               10k, 100k and 1m passages
    .venv/bin/python benchmarks/retrieval.py --sizes 10m --folder DIR     ten million: half an hour of building
    .venv/bin/python benchmarks/retrieval.py --vectors FILE --rivals DIR  real vectors, and where rivals are installed

The same for `./vouch bench`: VOUCH_BENCH_SIZES, VOUCH_BENCH_VECTORS, VOUCH_BENCH_RIVALS, VOUCH_BENCH_FOLDER. See
`vector_data` for what is searched and `vector_contenders` for who searches.

Each store is built in a process of its own and searched in another one, which reads what the first wrote: the times
are those of a service that was started again, and `peak_gb` is the larger of the two processes' resident peaks
(`build_gb`, `serve_gb`). One query at a time, k = 10, 1,000 queries for each of: all passages visible, 50 %, 1 %, and
all visible while a writer adds documents of 20 passages, 50 a second. `cpu_…` is the searching thread's processor
time, which a busy machine lengthens less than the clock. Recall is of the first 200 queries against exact search over
the same vectors; `found` is the mean number of results, 10 wherever 10 are visible. Rivals are built and searched in
one process.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import vector_plot
from benchmarks.vector_contenders import RIVALS, Contender, Ours, reach
from benchmarks.vector_data import DOCUMENT, LABELS, Data, Exact, label_of
from retrieval.visibility import Group

_SIZES: Final = {"10k": 10_000, "100k": 100_000, "1m": 1_000_000, "10m": 10_000_000}
_DEFAULT: Final = "10k,100k,1m"
_RIVALS_UP_TO: Final = {"langchain_faiss": 1_000_000, "chroma": 100_000}
_SHARES: Final = {"all": LABELS, "half": 50, "hundredth": 1}
_K: Final = 10
_JUDGED: Final = 200
_WARM: Final = 20
_WRITES_A_SECOND: Final = 50

Report = Callable[[str], None]


def run(
    *,
    report: Report,
    sizes: str | None = None,
    vectors: Path | None = None,
    rivals: Path | None = None,
    folder: Path | None = None,
) -> dict[str, Any]:
    """Measure every size; the rivals up to the sizes that they can do."""
    wanted = (sizes or os.environ.get("VOUCH_BENCH_SIZES") or _DEFAULT).split(",")
    vectors = vectors or _path("VOUCH_BENCH_VECTORS")
    rivals = rivals or _path("VOUCH_BENCH_RIVALS")
    folder = folder or _path("VOUCH_BENCH_FOLDER")
    rows: list[dict[str, Any]] = []
    for name in wanted:
        size = _SIZES[name]
        truth = _truth(size, vectors, report)
        for contender in ("vouch", *(r for r in RIVALS if size <= _RIVALS_UP_TO[r])):
            row = _measured(contender, size, truth, vectors, rivals, folder)
            rows.append({"contender": contender, "size": name, **row})
            report(json.dumps(rows[-1]))
    ours = {row["size"]: row for row in rows if row["contender"] == "vouch"}
    return {"rows": rows, "ratios": _ratios(rows, ours), "metrics": _metrics(ours)}


def _metrics(ours: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    found = {}
    for name, row in ours.items():
        found |= {f"p50_ms_{name}": row["all"]["p50_ms"], f"p99_ms_{name}": row["all"]["p99_ms"]}
        found |= {f"recall@10_{name}": row["all"]["recall"], f"peak_gb_{name}": row["peak_gb"]}
    return found


def _ratios(rows: Sequence[Mapping[str, Any]], ours: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Return our p99 over each rival's, at every size that it did, and under its own name at the largest."""
    found = {}
    for row in rows:
        if row["contender"] != "vouch" and "all" in row:
            ratio = ours[row["size"]]["all"]["p99_ms"] / row["all"]["p99_ms"]
            found[f"p99_vs_{row['contender']}_{row['size']}"] = found[f"p99_vs_{row['contender']}"] = ratio
    return found


# the parent's side


def _truth(size: int, vectors: Path | None, report: Report) -> str:
    """Work out the exact neighbours, and return the name of the file that holds them."""
    started = time.perf_counter()
    data = Data(vectors)
    exact = Exact(data.queries[:_JUDGED], _K, tuple(_SHARES.values()))
    for start, rows in data.blocks(size):
        exact.take(np.arange(start + 1, start + 1 + len(rows)), rows)
    handle, name = tempfile.mkstemp(suffix=".npz")
    os.close(handle)
    arrays: dict[str, Any] = {str(share): ids for share, ids in exact.ids.items()}
    np.savez(name, **arrays)
    report(f"{size:>10,} passages, {data.of(size)}; exact search took {time.perf_counter() - started:.0f} s")
    return name


def _measured(
    name: str, size: int, truth: str, vectors: Path | None, rivals: Path | None, folder: Path | None
) -> dict[str, Any]:
    place = Path(tempfile.mkdtemp(prefix="retrieval-", dir=folder))
    try:
        phases = ("build", "serve") if name == "vouch" else ("both",)
        found: dict[str, Any] = {}
        for phase in phases:
            command = [sys.executable, __file__, "--phase", phase, name, str(size), truth, str(place)]
            for option, value in (("--vectors", vectors), ("--rivals", rivals)):
                command += [option, str(value)] if value else []
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                last = done.stderr.strip().splitlines()[-1:] or ["it was killed"]
                return found | {"failed": last[0][:200]}
            found |= json.loads(done.stdout.splitlines()[-1])
        found["peak_gb"] = max(found[key] for key in ("build_gb", "serve_gb") if key in found)
        return found
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _path(variable: str) -> Path | None:
    return Path(os.environ[variable]) if os.environ.get(variable) else None


# the child's side


def _phase(phase: str, name: str, size: int, truth: Path, place: Path, vectors: Path | None) -> dict[str, Any]:
    data = Data(vectors)
    contender: Contender = Ours(place) if name == "vouch" else RIVALS[name](place)
    found: dict[str, Any] = {"data": data.of(size), "version": contender.version}
    if phase in ("build", "both"):
        started = time.perf_counter()
        with contender.bulk():
            for start, rows in data.blocks(size):
                contender.add(np.arange(start + 1, start + 1 + len(rows)), rows)
        contender.ready(size)
        found |= {"build_s": round(time.perf_counter() - started, 1), "build_gb": _peak_gb()}
        found["disk_gb"] = round(sum(p.stat().st_size for p in place.rglob("*") if p.is_file()) / 1e9, 3)
    if phase in ("serve", "both"):
        found |= _served(contender, data, size, np.load(truth))
    if isinstance(contender, Ours):
        found["kinds"] = contender.store.kinds
        contender.store.close()
    return found


def _served(contender: Contender, data: Data, size: int, truth: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if isinstance(contender, Ours):
        started = time.perf_counter()
        contender.restored(size)
        found["restore_s"] = round(time.perf_counter() - started, 1)
    for scope, share in _SHARES.items():
        found[scope] = _searched(contender, data, share, truth[str(share)])
    if isinstance(contender, Ours):
        stop = threading.Event()
        writer = threading.Thread(target=_write, args=(contender, data, size, stop))
        writer.start()
        found["while_writing"] = _searched(contender, data, LABELS, truth[str(LABELS)])
        stop.set()
        writer.join()
    return found | {"serve_gb": _peak_gb(), "load": round(os.getloadavg()[0], 1)}


def _searched(contender: Contender, data: Data, share: int, truth: Any) -> dict[str, float]:
    for query in data.queries[-_WARM:]:
        contender.search(query, _K, share)
    wall, used, right, found = [], [], 0, 0
    for number, query in enumerate(data.queries):
        started, before = time.perf_counter(), time.thread_time()
        ids = contender.search(query, _K, share)
        wall.append(time.perf_counter() - started)
        used.append(time.thread_time() - before)
        found += len(ids)
        if number < _JUDGED:
            right += len(set(ids) & set(truth[number].tolist()))
    ms, cpu = np.array(wall) * 1000, np.array(used) * 1000
    return {
        "p50_ms": round(float(np.quantile(ms, 0.5)), 2),
        "p99_ms": round(float(np.quantile(ms, 0.99)), 2),
        "cpu_p50_ms": round(float(np.quantile(cpu, 0.5)), 2),
        "cpu_p99_ms": round(float(np.quantile(cpu, 0.99)), 2),
        "recall": round(right / _JUDGED / _K, 4),
        "found": round(found / len(wall), 2),
    }


def _write(ours: Ours, data: Data, size: int, stop: threading.Event) -> None:
    """Add documents, and let them be seen, until told to stop. Their vectors lie far from all queries."""
    rng = np.random.default_rng(1)
    away = -data.queries.mean(axis=0)
    at = size + 1
    while not stop.wait(1 / _WRITES_A_SECOND):
        ids = np.arange(at, at + DOCUMENT)
        rows = away + 0.1 * rng.standard_normal((DOCUMENT, len(away))).astype(np.float32)
        ours.add(ids, rows / np.linalg.norm(rows, axis=1, keepdims=True))
        group = Group(label=str(label_of(ids)[0]), collection="c", ids=ids)
        ours.store.visibility = ours.store.visibility.changed([group])
        at += DOCUMENT


def _peak_gb() -> float:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    peak = next(line for line in lines if line.startswith("VmHWM"))
    return round(int(peak.split()[1]) * 1024 / 1e9, 3)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure some sizes, and draw the cost by size."""
    parser = argparse.ArgumentParser(description="Vector search by size.")
    parser.add_argument("--sizes", help=f"of {', '.join(_SIZES)}; default {_DEFAULT}")
    parser.add_argument("--vectors", type=Path, help="file of float16 vectors of 384 numbers")
    parser.add_argument("--rivals", type=Path, help="folder that rivals were installed into")
    parser.add_argument("--folder", type=Path, help="where stores are built; default: the system's temporary folder")
    parser.add_argument("--json", type=Path, help="write the result to this file")
    parser.add_argument("--plot", type=Path, help="draw the results of --json files, comma-separated, into this SVG")
    parser.add_argument("--results", help="comma-separated result files to draw")
    parser.add_argument("--phase", nargs=5, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.phase:
        reach(chosen.rivals)
        phase, name, size, truth, place = chosen.phase
        print(json.dumps(_phase(phase, name, int(size), Path(truth), Path(place), chosen.vectors)))
    elif chosen.plot:
        found = [json.loads(Path(name).read_text(encoding="utf-8")) for name in chosen.results.split(",")]
        chosen.plot.write_text(vector_plot.drawn([row for one in found for row in one["rows"]]), encoding="utf-8")
    else:
        options = {name: getattr(chosen, name) for name in ("sizes", "vectors", "rivals", "folder")}
        text = json.dumps(run(report=print, **options), indent=2)
        print(text)
        if chosen.json:
            chosen.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
