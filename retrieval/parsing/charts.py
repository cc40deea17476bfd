"""Writes a presentation's chart as the table behind it: a row a category, a column a series.

The values are those that the chart itself keeps (its cache), in the format that it keeps with them; the workbook inside
of the file is not opened.

Not covered: charts of the kinds that Office added in 2016 (waterfall, treemap, funnel, …), which keep no such values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Any, Final

from retrieval.parsing.cells import table_text
from retrieval.parsing.clean import one_line
from retrieval.parsing.number_format import shown

__all__ = ["chart_caption", "chart_table"]

_C: Final = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_A: Final = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_DAY_ZERO: Final = datetime(1899, 12, 30)  # noqa: DTZ001 - a date of a sheet has no zone
_LAST_DAY: Final = 2_958_465  # 9999-12-31
_MOST_POINTS: Final = 100_000


def chart_caption(space: Any) -> str:
    """Return the title of a chart and the titles of its axes, where it has them. `space` is its `c:chartSpace`."""
    chart = space.find(f"{_C}chart")
    if chart is None:
        return ""
    titles = [chart.find(f"{_C}title"), *chart.iterfind(f"{_C}plotArea/*/{_C}title")]
    return "; ".join(dict.fromkeys(filter(None, (_words(title) for title in titles if title is not None))))


def chart_table(space: Any) -> str:
    """Return the table of a chart, "" if it keeps no values."""
    groups = dict[tuple[str, ...], list[tuple[str, list[str]]]]()
    for series in space.iterfind(f"{_C}chart/{_C}plotArea/*/{_C}ser"):
        names = _series(series)
        groups.setdefault(tuple(_labels(series)), []).append(names)
    rows = list[list[str]]()
    for labels, columns in groups.items():
        head = "X" if any(name.endswith(_ACROSS) for name, _ in columns) else ""
        rows.append([head, *(name.removesuffix(_ACROSS) for name, _ in columns)])
        rows += [list(row) for row in zip_longest(labels, *(values for _, values in columns), fillvalue="")]
    return table_text(rows)


_ACROSS: Final = "\x00"  # marks a series whose labels are figures


def _series(series: Any) -> tuple[str, list[str]]:
    named = series.find(f"{_C}tx")
    name = "" if named is None else one_line(" ".join(value.text or "" for value in named.iter(f"{_C}v")))
    across = series.find(f"{_C}xVal") is not None
    values = _points(series.find(f"{_C}yVal" if across else f"{_C}val"))
    sizes = series.find(f"{_C}bubbleSize")
    if sizes is not None:
        values = [f"{value} ({size})" for value, size in zip_longest(values, _points(sizes), fillvalue="")]
    return name + (_ACROSS if across else ""), values


def _labels(series: Any) -> list[str]:
    found = series.find(f"{_C}cat")
    found = series.find(f"{_C}xVal") if found is None else found
    if found is None:
        return []
    levels = list(found.iter(f"{_C}lvl"))
    if not levels:
        return _points(found)
    return [" ".join(filter(None, names)) for names in zip(*(_spread(levels)), strict=True)]


def _spread(levels: Sequence[Any]) -> Iterator[list[str]]:
    """Yield the labels of each level, outermost first, each carried on to where the next one begins."""
    texts = [dict(_indexed(level, "General")) for level in levels]
    count = 1 + max((at for labels in texts for at in labels), default=-1)
    for labels in reversed(texts):
        spread, last = list[str](), ""
        for at in range(count):
            last = labels.get(at, "" if labels is texts[0] else last)
            spread.append(last)
        yield spread


def _points(holder: Any) -> list[str]:
    if holder is None:
        return []
    code = next((str(element.text or "General") for element in holder.iter(f"{_C}formatCode")), "General")
    points = dict(_indexed(holder, code))
    return [points.get(at, "") for at in range(1 + max(points, default=-1))]


def _indexed(holder: Any, code: str) -> Iterator[tuple[int, str]]:
    for point in holder.iter(f"{_C}pt"):
        at = int(point.get("idx", "0"))
        if 0 <= at < _MOST_POINTS:
            yield at, _shown(point.findtext(f"{_C}v") or "", str(point.get("formatCode", code)))


def _shown(text: str, code: str) -> str:
    try:
        number = float(text)
    except ValueError:
        return one_line(text)
    if code == "General":
        return shown(number)
    if any(letter in code.lower() for letter in "ymd") and 0 < number < _LAST_DAY:
        return shown(_DAY_ZERO + timedelta(days=number), code)
    return one_line(shown(number, code))


def _words(title: Any) -> str:
    texts = [element.text or "" for element in title.iter(f"{_A}t")]
    return one_line("".join(texts)) or one_line(" ".join(element.text or "" for element in title.iter(f"{_C}v")))
