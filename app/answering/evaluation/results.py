"""Reads what `./vouch eval SUITE --json` wrote, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.errors import BadRequest

__all__ = ["Item", "Result", "read_result", "result_of"]

_REMEDY: Final = "Give a file that `./vouch eval SUITE --data DIR --json FILE` wrote."
_LARGEST: Final = 1 << 28
"""Bytes of the largest file that is read."""


@dataclass(frozen=True, slots=True)
class Item:
    """One item's figures, and the group that it is drawn with; itself where it shares nothing."""

    figures: Mapping[str, float]
    group: str


@dataclass(frozen=True, slots=True)
class Result:
    """What a suite found.

    Attributes:
        name: Of the file, for messages.
        metrics: All figures.
        intervals: Edges of those that have an interval.
        items: By id; empty where the suite keeps no figure an item.
    """

    name: str
    suite: str
    data: str
    n: int
    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    items: Mapping[str, Item]


def read_result(path: Path) -> Result:
    """Read a result.

    Raises:
        BadRequest: there is no such file, or it is no result.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise BadRequest(f"{path} is too large for a result.", remedy=_REMEDY)
        body = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadRequest(f"{path} cannot be read.", remedy=_REMEDY) from error
    except ValueError as error:
        raise BadRequest(f"{path} is no JSON.", remedy=_REMEDY) from error
    return result_of(path.name, body)


def result_of(name: str, body: Any) -> Result:
    """Read a result that is there already.

    Raises:
        BadRequest: it is none, or has two items of one id.
    """
    try:
        rows = [row for row in body.get("items", []) if "figures" in row]
        items = {
            str(row["id"]): Item(
                {str(key): float(value) for key, value in row["figures"].items()}, str(row.get("group", row["id"]))
            )
            for row in rows
        }
        result = Result(
            name,
            str(body["suite"]),
            str(body["data"]),
            int(body["n"]),
            {str(key): float(value) for key, value in body["metrics"].items()},
            {str(key): (float(low), float(high)) for key, (low, high) in body.get("intervals", {}).items()},
            items,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadRequest(f"{name} is no result of a suite.", remedy=_REMEDY) from error
    if len(items) < len(rows):
        raise BadRequest(f"{name} has two items of one id.", remedy=_REMEDY)
    return result
