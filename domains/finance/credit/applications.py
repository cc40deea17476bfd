"""A table of past applications: read from ``rows.jsonl``, checked, with what the score may not use kept apart.

Each line is a JSON object with ``id``, the fields of `characteristics` and ``creditability``, "good" or "bad". Figures
may be numbers or texts of numbers; an empty text or null is missing, and stays so: nothing is imputed. Categories are
taken as they come, so that a folder with another wording works, with its own weights.

`Applications.protected` holds sex and age group for the fairness report. They are never columns of the score. The sex
is read from the beginning of ``personal_status_and_sex``; for what that text is worth see docs/finance-credit.md: the
set's code mixes single men with women (U. Grömping, report 4/2019, Beuth University of Applied Sciences Berlin).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from domains.finance.credit.characteristics import CHARACTERISTICS, LABEL, MISSING
from domains.finance.credit.errors import ApplicantRefused, ApplicationsRefused

__all__ = ["AGES", "FILE", "SEXES", "Applications", "read_applications", "read_field"]

FILE: Final = "rows.jsonl"
SEXES: Final = ("female", "male", "unknown")
AGES: Final = ("25 or under", "26 to 61", "62 or over", "unknown")
_BYTES: Final = 256 << 20
_TEXT: Final = 200  # characters of one category
_LARGEST: Final = 1e12  # no term, amount or class of a consumer loan comes near it

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Applications:
    """Past applications by column: (n,) each.

    `numbers` holds NaN where a figure is missing, `texts` `MISSING` where a category is. `bad` is 1 where the loan went
    bad. `digest` is the SHA-256 of the bytes read.
    """

    ids: tuple[str, ...]
    numbers: Mapping[str, FloatArray]
    texts: Mapping[str, NDArray[np.str_]]
    bad: IntArray
    protected: Mapping[str, NDArray[np.str_]]
    digest: str

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: IntArray) -> Applications:
        """Return some of the rows, in the order given."""
        return Applications(
            tuple(self.ids[row] for row in rows),
            {name: column[rows] for name, column in self.numbers.items()},
            {name: column[rows] for name, column in self.texts.items()},
            self.bad[rows],
            {name: column[rows] for name, column in self.protected.items()},
            self.digest,
        )

    def relabelled(self, bad: IntArray) -> Applications:
        """Return the same applications with other outcomes; how the search for leaks works."""
        return Applications(self.ids, self.numbers, self.texts, bad, self.protected, self.digest)


def read_applications(path: Path) -> Applications:
    """Read a table of past applications.

    Raises:
        ApplicationsRefused: no such file, too large, or a line that is not of the form; the message names the line.
    """
    if not path.is_file():
        raise ApplicationsRefused(
            f"There is no {path.name} in the folder {path.parent.name}.",
            remedy=f"Name a folder that holds {FILE}, one JSON object a line; docs/finance-credit.md has the fields.",
        )
    if path.stat().st_size > _BYTES:
        raise ApplicationsRefused(f"{path.name} is larger than {_BYTES >> 20} MiB.", remedy="Give a smaller table.")
    data = path.read_bytes()
    rows = [_row(line, number) for number, line in enumerate(data.split(b"\n"), start=1) if line.strip()]
    return table(rows, digest=hashlib.sha256(data).hexdigest())


def table(rows: Sequence[Mapping[str, Any]], *, digest: str) -> Applications:
    """Return rows as columns; every row has been checked by `_row` or has its form.

    Raises:
        ApplicationsRefused: two rows have one id.
    """
    ids = tuple(str(row["id"]) for row in rows)
    if len(set(ids)) != len(ids):
        seen: set[str] = set()
        twice = next(name for name in ids if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ApplicationsRefused(f"The id {twice!r} stands twice.", remedy="Keep one row of each application.")
    numeric = [item.name for item in CHARACTERISTICS if item.numeric]
    texts = [item.name for item in CHARACTERISTICS if not item.numeric]
    return Applications(
        ids,
        {name: np.array([row[name] for row in rows], dtype=np.float64) for name in numeric},
        {name: np.array([row[name] for row in rows], dtype=np.str_) for name in texts},
        np.array([row[LABEL] for row in rows], dtype=np.int64),
        {name: np.array([row[name] for row in rows], dtype=np.str_) for name in ("sex", "age")},
        digest,
    )


def read_field(name: str, value: Any, *, numeric: bool) -> float | str:
    """Return one field as the score takes it: a figure, NaN when missing; or a category, `MISSING` when missing.

    Raises:
        ApplicantRefused: it is neither a figure within bounds nor a short text.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return math.nan if numeric else MISSING
    if not numeric:
        if not isinstance(value, str) or len(value) > _TEXT:
            raise _refused(name, f"is no text of at most {_TEXT} characters")
        return value.strip()
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not 0 <= number <= _LARGEST:
        raise _refused(name, "is no figure from 0 to 1e12")
    return number


def _refused(name: str, what: str) -> ApplicantRefused:
    return ApplicantRefused(f"The field {name} {what}.", remedy="Correct the field, or leave it out.")


def _row(line: bytes, number: int) -> dict[str, Any]:
    try:
        said = json.loads(line)
        if not isinstance(said, dict):
            raise ApplicationsRefused(f"Line {number} is no JSON object.", remedy="Write one object a line.")
        row: dict[str, Any] = {
            item.name: read_field(item.name, said.get(item.name), numeric=item.numeric) for item in CHARACTERISTICS
        }
        identity = said["id"]
    except ApplicantRefused as error:
        raise ApplicationsRefused(f"Line {number}: {error.message}", remedy=error.remedy) from error
    except KeyError:
        raise ApplicationsRefused(f"Line {number} has no id.", remedy="Give every application an id.") from None
    except (ValueError, RecursionError) as error:
        raise ApplicationsRefused(f"Line {number} is no JSON.", remedy="Write one JSON object a line.") from error
    if said.get(LABEL) not in ("good", "bad"):
        raise ApplicationsRefused(
            f"Line {number}: {LABEL} is neither 'good' nor 'bad'.", remedy="Leave out applications without an outcome."
        )
    return row | {"id": identity, LABEL: int(said[LABEL] == "bad"), "sex": _sex(said), "age": _age(said)}


def _sex(said: Mapping[str, Any]) -> str:
    begins = str(said.get("personal_status_and_sex", "")).partition(":")[0].strip().lower()
    return begins if begins in SEXES else SEXES[-1]


def _age(said: Mapping[str, Any]) -> str:
    try:
        years = float(said["age_in_years"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return AGES[-1]
    if not 0 < years < 150:
        return AGES[-1]
    return AGES[0] if years <= 25 else AGES[1] if years < 62 else AGES[2]
