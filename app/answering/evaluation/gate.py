"""Pinned figures: what a change may not make worse.

A pin keeps a figure with its 95 % interval. It holds while the new figure, on the same items, is not beyond the worse
edge of that interval: below the lower one, or above the upper one where less is better. So a gate does not fail by the
luck of sampling that another draw of items would have shown as well. It does not see slow decline: each pin is compared
with what was pinned, so pin anew only after a change that was looked at.

The file of pins is JSON: ``{"version": 1, "pins": [{"suite", "data", "n", "metric", "value", "interval",
"less_is_better"}]}``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from app.answering.evaluation.results import Result
from app.errors import BadRequest

__all__ = ["LESS_IS_BETTER", "Checked", "Pin", "held", "pins_of", "read_pins"]

LESS_IS_BETTER: Final = frozenset(
    {
        "attack_success",
        "over_refusal",
        "wrong",
        "refused",
        "leaks",
        "executed",
        "false_decline_rate",
        "unsupported_shown",
        "aurc",
    }
)
"""Metrics that a lower figure is better of; of all others a higher one is."""

_VERSION: Final = 1
_REMEDY: Final = "Make one with `./vouch eval gate --pinned FILE --write RESULT.json`."


@dataclass(frozen=True, slots=True)
class Pin:
    """One pinned figure."""

    suite: str
    data: str
    n: int
    metric: str
    value: float
    interval: tuple[float, float]
    less_is_better: bool = False

    def allows(self, value: float) -> bool:
        """Say whether a new figure is not worse than the interval."""
        low, high = self.interval
        return value <= high if self.less_is_better else value >= low


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of a pin: `value` is the new figure, None where the result has none of that name."""

    pin: Pin
    value: float | None

    @property
    def holds(self) -> bool:
        """Say whether it holds; a figure that is no longer there does not."""
        return self.value is not None and self.pin.allows(self.value)

    def __str__(self) -> str:
        """Say it in one line."""
        low, high = self.pin.interval
        now = "missing" if self.value is None else f"{self.value:.4f}"
        said = "holds" if self.holds else "WORSE"
        return f"{said}  {self.pin.suite} {self.pin.metric}: {now}, pinned {self.pin.value:.4f} [{low:.4f}, {high:.4f}]"


def read_pins(path: Path) -> list[Pin]:
    """Read a file of pins.

    Raises:
        BadRequest: there is no such file, or it is none of pins.
    """
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadRequest(f"{path} cannot be read as a file of pins.", remedy=_REMEDY) from error
    try:
        if body["version"] != _VERSION:
            raise ValueError("version")
        pins = [
            Pin(**{**row, "interval": (float(row["interval"][0]), float(row["interval"][1]))}) for row in body["pins"]
        ]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise BadRequest(f"{path} is no file of pins of version {_VERSION}.", remedy=_REMEDY) from error
    if not pins:
        raise BadRequest(f"{path} pins nothing.", remedy=_REMEDY)
    return pins


def pins_of(results: Sequence[Result]) -> dict[str, Any]:
    """Return a file of pins for all figures of results that have an interval.

    Raises:
        BadRequest: none has.
    """
    pins = [
        Pin(one.suite, one.data, one.n, name, one.metrics[name], edges, name in LESS_IS_BETTER)
        for one in results
        for name, edges in one.intervals.items()
        if name in one.metrics
    ]
    if not pins:
        raise BadRequest("No figure of these results has an interval.", remedy="Give results that `--json` wrote.")
    return {"version": _VERSION, "pins": [asdict(pin) for pin in pins]}


def held(pins: Sequence[Pin], results: Sequence[Result]) -> list[Checked]:
    """Hold results against pins; pins of suites without a result are left out.

    Raises:
        BadRequest: a result has no pins, there are two of one suite, or it is of other items than were pinned.
    """
    found: list[Checked] = []
    seen: set[tuple[str, str]] = set()
    for one in results:
        own = [pin for pin in pins if (pin.suite, pin.data) == (one.suite, one.data)]
        if not own:
            raise BadRequest(f"Nothing of {one.suite} on {one.data} is pinned ({one.name}).", remedy=_REMEDY)
        if (one.suite, one.data) in seen:
            raise BadRequest(f"Two results are of {one.suite} on {one.data}.", remedy="Give one of each.")
        seen.add((one.suite, one.data))
        if counts := {pin.n for pin in own} - {one.n}:
            raise BadRequest(
                f"{one.name} has {one.n} items; {min(counts)} were pinned.",
                remedy="Run the suite with the --limit and --seed of the pinned figures.",
            )
        found += [Checked(pin, one.metrics.get(pin.metric)) for pin in own]
    return found
