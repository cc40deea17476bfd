"""Draws latency and memory by size as an SVG: two panels with logarithmic axes, no library."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

__all__ = ["drawn"]

_SIZES: Final = {"10k": 10_000, "100k": 100_000, "1m": 1_000_000, "10m": 10_000_000}
_COLOURS: Final = {"vouch": "#1f5fa8", "langchain_faiss": "#b8541a", "chroma": "#5b7d2a"}
_WIDTH, _HEIGHT, _LEFT, _TOP = 300, 220, 60, 40
Row = Mapping[str, Any]


def drawn(rows: Sequence[Row]) -> str:
    """Return the SVG of a benchmark's rows."""
    done = [row for row in rows if "all" in row]
    panels = [
        _panel(done, 0, "one query, ms: p50 solid, p99 dashed", 0.1, 1000, [_p50, _p99]),
        _panel(done, _WIDTH + 90, "peak memory, GB", 0.1, 100, [_memory]),
    ]
    names = [name for name in _COLOURS if any(row["contender"] == name for row in done)]
    legend = "".join(
        f'<text x="{_LEFT + 150 * n}" y="{_TOP + _HEIGHT + 48}" fill="{_COLOURS[name]}">{name}</text>'
        for n, name in enumerate(names)
    )
    size = f'width="{2 * _WIDTH + 180}" height="{_TOP + _HEIGHT + 60}"'
    style = 'font-family="sans-serif" font-size="12"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>\n{"".join(panels)}{legend}</svg>\n'


def _p50(row: Row) -> float:
    return float(row["all"]["p50_ms"])


def _p99(row: Row) -> float:
    return float(row["all"]["p99_ms"])


def _memory(row: Row) -> float:
    return float(row["peak_gb"])


def _panel(
    rows: Sequence[Row], shift: int, title: str, low: float, high: float, measures: Sequence[Callable[[Row], float]]
) -> str:
    def x(size: float) -> float:
        return shift + _LEFT + _WIDTH * (math.log10(size) - 4) / 3

    def y(value: float) -> float:
        share = math.log10(max(value, low) / low) / math.log10(high / low)
        return _TOP + _HEIGHT * (1 - min(share, 1.0))

    parts = [f'<text x="{shift + _LEFT}" y="{_TOP - 14}">{title}</text>\n']
    for name, size in _SIZES.items():
        parts.append(_line([(x(size), _TOP), (x(size), _TOP + _HEIGHT)], "#ddd"))
        parts.append(f'<text x="{x(size):.0f}" y="{_TOP + _HEIGHT + 18}" text-anchor="middle">{name}</text>\n')
    value = low
    while value <= high:
        parts.append(_line([(x(1e4), y(value)), (x(1e7), y(value))], "#ddd"))
        parts.append(f'<text x="{x(1e4) - 6:.0f}" y="{y(value) + 4:.0f}" text-anchor="end">{value:g}</text>\n')
        value *= 10
    for name, colour in _COLOURS.items():
        mine = sorted((row for row in rows if row["contender"] == name), key=lambda row: _SIZES[row["size"]])
        for number, measure in enumerate(measures):
            points = [(x(_SIZES[row["size"]]), y(measure(row))) for row in mine]
            parts.append(_line(points, colour, width=2, dash="5 3" if number else "none"))
            parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"/>\n' for a, b in points]
    return "".join(parts)


def _line(points: Sequence[tuple[float, float]], colour: str, *, width: int = 1, dash: str = "none") -> str:
    at = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    stroke = f'stroke="{colour}" stroke-width="{width}" stroke-dasharray="{dash}"'
    return f'<polyline points="{at}" fill="none" {stroke}/>\n'
