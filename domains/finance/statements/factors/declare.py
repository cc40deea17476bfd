"""Reads factors from the tables in which they are declared, and derives from each what analysts derive from it.

A table is text, three lines or more for a base factor:

    current_ratio ratio + textbook fin LCTVZP
        current_assets / current_liabilities
        Current ratio | 流动比率

that is: id, unit, direction (``+`` higher is better, ``-`` lower, ``0`` neutral), key of the source, marks, variants;
the formula (it may run over several lines); the titles. Marks, joined by commas: ``any`` none, ``fin`` says nothing of
banks, insurers and brokers, ``year`` needs periods of twelve months, ``usd`` is defined in dollars.

The letters say which variants of the base quantity are factors; `VARIANTS` says what each is. ``L`` is the quantity
itself. A base without ``L`` (a reported item) is no factor of its own; ``-`` is no variant at all.

Errors: `FormulaError` for a table that cannot be read, at import; it names the row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, get_args

from domains.finance.statements.definitions import parsed
from domains.finance.statements.errors import FormulaError
from domains.finance.statements.evaluation import PEERS
from domains.finance.statements.factors.sources import SOURCES
from domains.finance.statements.formula import Call, positives, reach, walk
from domains.finance.statements.types import Applicability, Direction, Factor, FactorUnit
from retrieval.language import Language

__all__ = ["FINANCIALS", "VARIANTS", "Variant", "declare"]

FINANCIALS: Final = ("bank", "insurer", "broker")
"""Industries without working capital, cost of sales or debt in the sense of these factors."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to look at a quantity. `formula` and `titles` hold ``{}`` where the quantity's own stand."""

    suffix: str
    formula: str
    titles: Mapping[Language, str]
    unit: FactorUnit | None = None
    direction: Direction | None = None
    method: str = ""


def _variant(suffix: str, formula: str, english: str, chinese: str, **more: str) -> Variant:
    return Variant(suffix, formula, MappingProxyType({"en": english, "zh": chinese}), **more)  # type: ignore[arg-type]


_SERIES: Final = "time-series analysis, textbook definition"
_CROSS: Final = "cross-sectional analysis, textbook definition"

VARIANTS: Final[Mapping[str, Variant]] = MappingProxyType(
    {
        "L": _variant("", "{}", "{}", "{}"),
        "C": _variant(".change", "change({})", "{}: change on the period before", "{}：较上期变动", method=_SERIES),
        "G": _variant(
            ".growth", "growth({})", "{}: growth on the period before", "{}：同比增长率", unit="percent", method=_SERIES
        ),
        "A": _variant(
            ".cagr3",
            "cagr({}, 3)",
            "{}: compound growth over three periods",
            "{}：三期复合增长率",
            unit="percent",
            method=_SERIES,
        ),
        "B": _variant(
            ".cagr5",
            "cagr({}, 5)",
            "{}: compound growth over five periods",
            "{}：五期复合增长率",
            unit="percent",
            method=_SERIES,
        ),
        "T": _variant(".trend3", "slope({}, 3)", "{}: trend over three periods", "{}：三期趋势", method=_SERIES),
        "N": _variant(
            ".trend5",
            "trend({}, 5)",
            "{}: trend over five periods against their mean",
            "{}：五期趋势（相对均值）",
            unit="percent",
            method=_SERIES,
        ),
        "V": _variant(
            ".sd3",
            "sd({}, 3)",
            "{}: volatility over three periods",
            "{}：三期波动",
            direction="lower_is_better",
            method=_SERIES,
        ),
        "W": _variant(
            ".cv5",
            "cv({}, 5)",
            "{}: coefficient of variation over five periods",
            "{}：五期变异系数",
            unit="ratio",
            direction="lower_is_better",
            method=_SERIES,
        ),
        "Z": _variant(
            ".peer_z",
            "peer_z({})",
            "{}: distance from the peers in deviations",
            "{}：与同业的标准差距离",
            unit="z",
            method=_CROSS,
        ),
        "P": _variant(
            ".peer_rank",
            "peer_rank({})",
            "{}: percentile among the peers",
            "{}：同业百分位",
            unit="percentile",
            method=_CROSS,
        ),
    }
)
"""The ways to look at a quantity, by letter."""

_DIRECTIONS: Final[Mapping[str, Direction]] = {"+": "higher_is_better", "-": "lower_is_better", "0": "neutral"}


def declare(group: str, table: str) -> Iterator[Factor]:
    """Yield the factors of a table, each base followed by its variants.

    Raises:
        FormulaError: a row is not as the module describes; the message holds its first line.
    """
    for block in table.strip().split("\n\n"):
        head, *middle = block.splitlines()
        words = head.split()
        titles = middle[-1].split(" | ") if len(middle) > 1 else []
        if len(words) != 6 or len(titles) != 2 or words[2] not in _DIRECTIONS or words[3] not in SOURCES:
            raise FormulaError(f"No declaration of a factor: {head!r}.", remedy="See the module's docstring.")
        formula = " ".join(line.strip() for line in middle[:-1])
        for letter in words[5].strip("-"):
            yield _factor(group, words, formula, (titles[0].strip(), titles[1].strip()), VARIANTS[letter])


def _factor(group: str, words: list[str], formula: str, titles: tuple[str, str], variant: Variant) -> Factor:
    name, unit, direction, source, marks, _ = words
    if unit not in get_args(FactorUnit):
        raise FormulaError(f"{name} has no unit {unit!r}.", remedy="Use one of FactorUnit.")
    base: FactorUnit = unit  # type: ignore[assignment]
    whole = variant.formula.format(formula)
    node = parsed(whole)
    compared = any(isinstance(item, Call) and item.function.startswith("peer_") for item in walk(node))
    return Factor(
        id=name + variant.suffix,
        titles=MappingProxyType(
            {"en": variant.titles["en"].format(titles[0]), "zh": variant.titles["zh"].format(titles[1])}
        ),
        group=group,
        formula=whole,
        unit=variant.unit or ("points" if base == "percent" and variant.suffix else base),
        direction=variant.direction or _DIRECTIONS[direction],
        source=SOURCES[source] + (f"; {variant.method}" if variant.method else ""),
        applicability=Applicability(
            periods=reach(node) + 1,
            positive=positives(node),
            excluded=FINANCIALS if "fin" in marks.split(",") else (),
            months=12 if "year" in marks.split(",") else None,
            currency="USD" if "usd" in marks.split(",") else None,
            peers=PEERS if compared else 0,
        ),
    )
