"""A process that is killed while it writes: what it had saved is there, whole, and what it left half-made goes."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.contracts.vector_store import CROWD
from tests.retrieval.stores.test_faiss_store import SECRET, small

ROOT = Path(__file__).resolve().parents[3]

_WRITE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import numpy as np
from tests.contracts.vector_store import CROWD, crowd_vectors
from tests.retrieval.stores.test_faiss_store import SECRET, small
store = small(Path(sys.argv[1]), secret=SECRET, tail_rows=200)
rows = crowd_vectors()
for generation in range(1, 10_000):
    for at in range(0, CROWD, 250):
        store.add(np.arange(at, at + 250) + 1 + CROWD * (generation % 3), rows[at : at + 250])
    store.remove([generation])
    print("saving", generation, flush=True)
    store.snapshot(generation)
    print("saved", generation, flush=True)
"""


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_any_moment_the_last_snapshot_is_whole(tmp_path: Path, seed: int):
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITE, str(tmp_path), str(ROOT)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    try:
        for line in writer.stdout:  # log lines of migrations come in between
            if line.startswith("saved 2"):
                break
        time.sleep(random.Random(seed).uniform(0.0, 0.4))
    finally:
        writer.send_signal(signal.SIGKILL)
        rest = writer.communicate()[0]
    # a line of the log may follow on the same line
    saved = max([2, *(int(number) for number in re.findall(r"^saved (\d+)", rest, re.MULTILINE))])
    store = small(tmp_path, secret=SECRET)
    generation = store.verify()
    assert generation in (saved, saved + 1)
    store.restore(generation)
    ids = store.ids()
    assert len(ids) == len(set(ids.tolist()))
    assert generation not in ids
    for start in {CROWD * (number % 3) for number in range(1, generation + 1)}:
        assert len(ids[(ids > start) & (ids <= start + CROWD)]) >= CROWD - generation
    store.snapshot(generation + 1)  # sweeps
    store.close()
    listed = {"manifest", *(proof.name for s in store._view.segments for proof in s.files.values())}
    assert {path.name for path in tmp_path.iterdir()} - {".lock"} == listed
    assert small(tmp_path, secret=SECRET).verify() == generation + 1


_MIGRATE = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import retrieval.stores.faiss_store as module
from tests.contracts.vector_store import CROWD, crowd_vectors
from tests.retrieval.stores.test_faiss_store import SECRET, small
store = small(Path(sys.argv[1]), secret=SECRET, flat_below=100_000)
store.add(range(1, CROWD + 1), crowd_vectors())
store.snapshot(1)
merged = module.merged
def slow(*sources, pause, **settings):
    def stop():
        print("migrating", flush=True)
        time.sleep(60)
    return merged(*sources, pause=stop, **settings)
module.merged = slow
other = small(Path(sys.argv[1]), secret=SECRET)
other.restore(1)
time.sleep(60)
"""


def test_killed_during_a_migration_nothing_is_lost_or_left(tmp_path: Path):
    writer = subprocess.Popen(
        [sys.executable, "-c", _MIGRATE, str(tmp_path), str(ROOT)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    assert any(line == "migrating\n" for line in writer.stdout)
    assert list(tmp_path.glob(".work-*/*.rows"))
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    store = small(tmp_path, secret=SECRET)
    store.restore(1)
    assert len(store.ids()) == CROWD
    store.settle()
    assert store.kinds["coded"] == CROWD
    store.snapshot(2)
    store.close()
    assert not list(tmp_path.glob(".work-*"))
    assert small(tmp_path, secret=SECRET).verify() == 2
