"""The rows that experts learn from: JSON Lines, checked line by line before anything is loaded.

    {"prompt": "...", "completion": "...", "domain": "legal", "unit": "contract-17"}

| field | |
|---|---|
| prompt | What the user's turn says. Empty in general text alone. |
| completion | What is learned, without the mark that ends a turn. |
| domain | One of the base's domains, or "general". |
| unit | Optional: what the row was made from (a database, a company, a contract, a table); the prompt by default. |

A unit is either trained on or measured on, never both, whatever its number of rows: it is held out when the first 64
bits of SHA-256 of its name, over 2^64, are below the share. So the split is the same for every seed and order of the
rows, and can be written down.

Rows of the domain "general" teach no answer: on their text the model is held to what the dense model says.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from model.errors import TrainingRejected

__all__ = ["GENERAL", "TrainingRow", "digest_of", "is_held_out", "read_rows", "split"]

GENERAL: Final = "general"
"""The domain of text on which the model must not change."""
_FIELDS: Final = frozenset({"prompt", "completion", "domain", "unit"})
_SHOWN: Final = 8
"""Broken rows named in the error."""


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """One row. See the module for the fields; `line` is where it stood, from 1."""

    prompt: str
    completion: str
    domain: str
    unit: str
    line: int


def read_rows(path: Path, *, domains: Collection[str] | None) -> list[TrainingRow]:
    """Read all rows of a file.

    Args:
        path: UTF-8, one JSON object a line; empty lines are broken rows.
        domains: The base's domains, besides "general"; None: any name.

    Raises:
        TrainingRejected: the file cannot be read or has no row, or rows are broken: each of the first few with its
            line number and what is wrong, and how many there are.
    """
    rows: list[TrainingRow] = []
    broken: list[str] = []
    known = None if domains is None else {*domains, GENERAL}
    try:
        with path.open("rb") as stream:
            for line, text in enumerate(stream, start=1):
                try:
                    rows.append(_row(text, line, known))
                except ValueError as error:
                    broken.append(f"line {line}: {error}")
    except OSError as error:
        raise TrainingRejected(f"The data {path} cannot be read: {error.strerror}.", remedy="Name a file.") from error
    if broken:
        more = f"; and {len(broken) - _SHOWN} more" if len(broken) > _SHOWN else ""
        raise TrainingRejected(
            f"The data {path.name} has {len(broken)} broken rows. {'; '.join(broken[:_SHOWN])}{more}.",
            remedy="Correct or remove them; no row is left out silently.",
        )
    if not rows:
        raise TrainingRejected(f"The data {path.name} has no row.", remedy="Give one JSON object a line.")
    return rows


def is_held_out(unit: str, share: float) -> bool:
    """Return whether a unit is measured on, and never trained on."""
    return int.from_bytes(hashlib.sha256(unit.encode()).digest()[:8], "big") < share * 2**64


def split(rows: Sequence[TrainingRow], share: float) -> tuple[list[TrainingRow], list[TrainingRow]]:
    """Return the rows to train on and those to measure on.

    Raises:
        TrainingRejected: one of the two has no row outside general text.
    """
    trained = [row for row in rows if not is_held_out(row.unit, share)]
    measured = [row for row in rows if is_held_out(row.unit, share)]
    for name, part in (("to train on", trained), ("to measure on", measured)):
        if all(row.domain == GENERAL for row in part):
            raise TrainingRejected(
                f"No row of a domain is left {name}: {len({row.unit for row in rows})} units, {share:.0%} held out.",
                remedy="Give more units, or another share to hold out.",
            )
    return trained, measured


def digest_of(rows: Sequence[TrainingRow]) -> str:
    """Return the SHA-256 of the rows' content, whatever the order, spacing and escapes of their file."""
    lines = sorted(json.dumps([row.domain, row.unit, row.prompt, row.completion]) for row in rows)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _row(text: bytes, line: int, known: Collection[str] | None) -> TrainingRow:
    """Read one line, or raise ValueError with what is wrong, never with what it says: data may be private."""
    value = _object(text)
    missing = [field for field in ("prompt", "completion", "domain") if not isinstance(value.get(field), str)]
    if missing:
        raise ValueError(f"{missing[0]} is missing or no text")
    unit = value.get("unit", value["prompt"] or value["completion"])
    if not (isinstance(unit, str) and unit):
        raise ValueError("unit is no text, or empty")
    if any("\ud800" <= letter <= "\udfff" for field in value.values() for letter in field):
        raise ValueError("half of a surrogate pair, which is no text")
    if not value["domain"] or (known is not None and value["domain"] not in known):
        raise ValueError(f"domain is none of {', '.join(sorted(known))}" if known else "domain is empty")
    if not value["completion"].strip():
        raise ValueError("completion is empty")
    if not value["prompt"].strip() and value["domain"] != GENERAL:
        raise ValueError("prompt is empty")
    return TrainingRow(value["prompt"], value["completion"], value["domain"], unit, line)


def _object(text: bytes) -> dict[str, Any]:
    try:
        value: Any = json.loads(text.decode("utf-8"))
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg}, column {error.colno})") from None
    if not isinstance(value, dict) or not set(value) <= _FIELDS:
        raise ValueError(f"not a JSON object of {', '.join(sorted(_FIELDS))} alone")
    return value
