"""What the Triton kernels need on an A100 and an H100: the compiler's report, without a GPU. Says nothing of speed.

./vouch bench kernel_resources
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any


def run(*, report: Callable[[str], None]) -> dict[str, Any]:
    """Compile every case for every architecture."""
    from model.kernels.compiled import cases
    from model.kernels.resources import ARCHITECTURES

    rows: list[dict[str, Any]] = []
    for case in cases():
        for architecture in ARCHITECTURES:
            found = asdict(case.compile(architecture))
            rows.append({"kernel": case.name, "architecture": f"sm_{architecture}", **found})
            report(f"{case.name}, sm_{architecture}: {found}")
    metrics = {
        "kernels": len(rows),
        "most registers": max(row["registers"] for row in rows),
        "bytes spilled": sum(row["spilled"] for row in rows),
        "most shared memory": max(row["shared"] for row in rows),
    }
    return {"rows": rows, "ratios": {}, "metrics": metrics}
