"""Runs the numerics of this folder in Triton's interpreter, which must be chosen before a process imports Triton."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SUITES = sorted(path.name for path in (HERE / "numerics").glob("test_*.py"))


@pytest.mark.parametrize("suite", SUITES)
def test_numerics_in_the_interpreter(suite: str) -> None:
    pytest.importorskip("triton", reason="Triton is not installed here (it is for Linux on x86-64)")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(HERE / "numerics" / suite)],
        env=os.environ | {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        cwd=HERE.parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
    assert " skipped" not in done.stdout


def test_there_are_numerics() -> None:
    assert SUITES == ["test_experts.py", "test_router.py"]
