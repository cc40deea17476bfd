"""Compares two results of `./vouch eval sql`, question by question: two engines, or two forms of a model.

    .venv/bin/python benchmarks/sql_compare.py DIR ours.json theirs.json

DIR is the set on which both were made. The replies in both files are scored again by the rules of today, and only
questions that both were asked count. The interval is that of the mean difference over questions, which is much narrower
than the two intervals beside each other suggest, since both answer the same questions.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from domains.sql.evaluation import rescored
from retrieval.metrics import interval, mean

__all__ = ["compared"]


def compared(data: Path, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Return both accuracies on the questions that both were asked, the difference, and where they part."""
    sides = [{row["id"]: row["outcome"] == "correct" for row in rescored(data, one)["items"]} for one in (ours, theirs)]
    replies = [{row["id"]: row["reply"] for row in one["items"]} for one in (ours, theirs)]
    shared = [name for name in sides[0] if name in sides[1]]
    left, right = ([float(side[name]) for name in shared] for side in sides)
    gains = [mine - other for mine, other in zip(left, right, strict=True)]
    return {
        "n": len(shared),
        "ours": mean(left),
        "theirs": mean(right),
        "difference": {"mean": mean(gains), "interval": list(interval(gains, seed=0))},
        "same_reply": mean([float(replies[0][name] == replies[1][name]) for name in shared]),
        "only_ours_correct": [name for name, gain in zip(shared, gains, strict=True) if gain > 0],
        "only_theirs_correct": [name for name, gain in zip(shared, gains, strict=True) if gain < 0],
        "prompts": [one["settings"]["prompt"] for one in (ours, theirs)],
    }


def main() -> None:
    """Print the comparison as JSON."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("data", type=Path)
    options.add_argument("ours", type=Path)
    options.add_argument("theirs", type=Path)
    given = options.parse_args()
    ours, theirs = (json.loads(path.read_text(encoding="utf-8")) for path in (given.ours, given.theirs))
    print(json.dumps(compared(given.data, ours, theirs), ensure_ascii=False, indent=2))


if __name__ == "__main__":
    main()
