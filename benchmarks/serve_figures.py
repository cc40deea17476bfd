"""The arithmetic of `./vouch bench serve`: what rounds of figures say, ours against each rival, and a table of it.

A figure is the median of its rounds. A ratio is the median of the rounds' own ratios, ours over the rival's in the same
round: what slows the whole machine down for a round slows both.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks.serve_contender import MEASURES

__all__ = ["GOALS", "Outcome", "metrics", "ratios", "table"]

GOALS: Final[Mapping[str, Mapping[str, float]]] = {
    "llamacpp": {"decode_b1": 1.0, "decode_b8": 2.5, "prefill_1k": 1.9},
    "vllm_stock_int4": {"decode_b1": 4.0, "decode_b8": 3.5, "prefill_1k": 3.0},
    "vllm_stock_w8a8": {"decode_b1": 2.0, "decode_b8": 1.2, "prefill_1k": 1.1},
}
"""Least ratios that the project aims at."""
READY_GOAL_S: Final = 45.0
_OURS: Final = "ours"
_HTTP: Final = "_http"


@dataclass(slots=True)
class Outcome:
    """What became of one contender.

    Attributes:
        name: Which one.
        version: What it is, as it says itself.
        start_s: Seconds from the start of its process until it was loaded.
        ready_s: Seconds from the start of the server to its first answer, of one that is served.
        memory_gb: What its processes hold after the last round, in GiB.
        speeds: Tokens a second by measure, one a round; None where a round failed.
        elsewhere: Share of the machine that went elsewhere, by measure, one a round.
        failure: Why it has no figures, or not all.
    """

    name: str
    version: str = ""
    start_s: float | None = None
    ready_s: float | None = None
    memory_gb: float | None = None
    speeds: dict[str, list[float | None]] = field(default_factory=dict)
    elsewhere: dict[str, list[float]] = field(default_factory=dict)
    failure: str = ""

    def median(self, measure: str) -> float | None:
        """Return the median of the rounds; None when there is none."""
        found = [speed for speed in self.speeds.get(measure, []) if speed is not None]
        return statistics.median(found) if found else None

    def row(self) -> dict[str, Any]:
        """Return it as a row of the result: medians, and of each the least and the greatest round."""
        row: dict[str, Any] = {"name": self.name, "version": self.version, "start_s": _round(self.start_s)}
        for name, value in (("ready_s", self.ready_s), ("memory_gb", self.memory_gb)):
            if value is not None:
                row[name] = _round(value)
        for measure in MEASURES:
            found = [speed for speed in self.speeds.get(measure.name, []) if speed is not None]
            if found:
                row[measure.name] = _round(statistics.median(found))
                row[f"{measure.name}_range"] = [_round(min(found)), _round(max(found))]
        shares = [share for measured in self.elsewhere.values() for share in measured]
        if shares:
            row["elsewhere"] = round(statistics.mean(shares), 3)
            row["elsewhere_most"] = round(max(shares), 3)
        if self.failure:
            row["missing"] = self.failure
        return row


def ratios(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Return ours over each rival's, ``MEASURE_vs_RIVAL``, and over HTTP ``MEASURE_http_vs_RIVAL``; what both have."""
    by_name = {outcome.name: outcome for outcome in outcomes}
    found: dict[str, float] = {}
    for end in ("", _HTTP):
        ours = by_name.get(_OURS + end)
        for rival in outcomes:
            if ours is None or rival is ours or rival.name.endswith(_HTTP) != bool(end):
                continue
            for measure in MEASURES:
                pairs = zip(ours.speeds.get(measure.name, []), rival.speeds.get(measure.name, []), strict=False)
                rounds = [mine / theirs for mine, theirs in pairs if mine is not None and theirs]
                if rounds:
                    name = f"{measure.name}{end}_vs_{rival.name.removesuffix(_HTTP)}"
                    found[name] = round(statistics.median(rounds), 2)
    return found


def metrics(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Return the ratios against what is measured without HTTP, our own figures, and how long the start takes."""
    found = {name: value for name, value in ratios(outcomes).items() if f"{_HTTP}_vs_" not in name}
    for outcome in outcomes:
        if outcome.name == _OURS:
            for measure in MEASURES:
                speed = outcome.median(measure.name)
                if speed is not None:
                    found[measure.name] = round(speed, 1)
        if outcome.name == _OURS + _HTTP and outcome.ready_s is not None:
            found["ready_s"] = round(outcome.ready_s, 1)
    return found


def table(outcomes: Sequence[Outcome]) -> str:
    """Return figures and ratios for people: tokens a second with the range of the rounds, ratios with their goals."""
    names = [measure.name for measure in MEASURES]
    lines = [_line("tokens a second", [*names, "start s", "elsewhere"])]
    for outcome in outcomes:
        row = outcome.row()
        cells = [_spread(row, name) for name in names]
        ready = row.get("ready_s", row["start_s"])
        share = f"{row['elsewhere']:.0%}, most {row['elsewhere_most']:.0%}" if "elsewhere" in row else "-"
        lines.append(_line(outcome.name, [*cells, "-" if ready is None else f"{ready}", share]))
    found = ratios(outcomes)
    for end in ("", _HTTP):
        rivals = [o.name.removesuffix(_HTTP) for o in outcomes if o.name.endswith(_HTTP) == bool(end)]
        against = [rival for rival in rivals if any(f"{name}{end}_vs_{rival}" in found for name in names)]
        if against:
            lines += ["", _line(f"ours over{' HTTP, over' if end else ''}", names)]
            lines += [_line(r, [_verdict(found.get(f"{n}{end}_vs_{r}"), r, n) for n in names]) for r in against]
    missing = [f"{outcome.name}: {outcome.failure}" for outcome in outcomes if outcome.failure]
    return "\n".join([*lines, *(["", *missing] if missing else [])])


def _verdict(ratio: float | None, rival: str, measure: str) -> str:
    if ratio is None:
        return "-"
    goal = GOALS.get(rival, {}).get(measure)
    return f"{ratio:.2f}" if goal is None else f"{ratio:.2f} {'>=' if ratio >= goal else '<'} {goal}"


def _spread(row: Mapping[str, Any], name: str) -> str:
    if name not in row:
        return "-"
    low, high = row[f"{name}_range"]
    return f"{row[name]} [{low}, {high}]"


def _line(first: str, cells: Sequence[str]) -> str:
    return f"{first:<22}" + "".join(f"{cell:<22}" for cell in cells).rstrip()


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
