"""The library as a page: functions, definitions, factors by group, sources, written as Markdown tables.

    markdown() -> the text between the marks of docs/finance-factors.md

A row of a factor says all that is declared: id, both titles, formula, unit, direction, what it needs, source by key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from domains.finance.statements.definitions import DEFINITIONS
from domains.finance.statements.factors import FACTORS
from domains.finance.statements.factors.sources import SOURCES
from domains.finance.statements.formula import FUNCTIONS
from domains.finance.statements.types import Factor

__all__ = ["markdown", "needs", "source_key"]

_DIRECTION: Final = {"higher_is_better": "higher", "lower_is_better": "lower", "neutral": "neutral"}


def source_key(factor: Factor) -> str:
    """Return the key of the source that a factor's base quantity is from."""
    return max(
        (key for key, text in SOURCES.items() if factor.source.startswith(text)), key=lambda key: len(SOURCES[key])
    )


def needs(factor: Factor) -> str:
    """Say in a few words what must hold for a factor to have a value."""
    applicability = factor.applicability
    words = [f"{applicability.periods} periods"] if applicability.periods > 1 else []
    words += [f"{applicability.peers} peers"] if applicability.peers else []
    words += [f"{applicability.months} months"] if applicability.months else []
    words += [applicability.currency] if applicability.currency else []
    words += ["not " + ", ".join(applicability.excluded)] if applicability.excluded else []
    words += ["above 0: " + ", ".join(f"`{item}`" for item in applicability.positive)] if applicability.positive else []
    return "; ".join(words)


def _functions() -> Iterator[str]:
    yield from ("| function | meaning |", "| --- | --- |")
    for name, function in FUNCTIONS.items():
        least, most = function.arguments
        arguments = [("item" if function.takes != "any" else "x", "y", "...")[place] for place in range(min(most, 3))]
        names = {"digit_mad": "n", "digit_chi2": "n", "digit_ks": "n", "digit_z": "nd"}.get(name, "k")
        arguments += list(names[: len(function.numbers)])
        shown = f"{name}({', '.join(arguments)})" if not function.optional else f"{name}(x) or {name}(x, k)"
        yield f"| `{shown}` | {function.meaning}{'' if least == most else f'; {least} to {most} arguments'} |"


def _definitions() -> Iterator[str]:
    yield from ("| definition | formula | English | 中文 |", "| --- | --- | --- | --- |")
    for item in DEFINITIONS.values():
        yield f"| `{item.name}` | `{item.formula}` | {item.titles['en']} | {item.titles['zh']} |"


def _counts() -> Iterator[str]:
    yield from ("| group | factors |", "| --- | --- |")
    for group, count in Counter(factor.group for factor in FACTORS.values()).items():
        yield f"| {group} | {count} |"
    yield f"| all | {len(FACTORS):,} |"


def _factors(group: str) -> Iterator[str]:
    yield from (
        "| factor | English | 中文 | formula | unit | better | needs | source |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    )
    for item in FACTORS.values():
        if item.group == group:
            yield (
                f"| `{item.id}` | {item.titles['en']} | {item.titles['zh']} | `{item.formula}` | {item.unit} "
                f"| {_DIRECTION[item.direction]} | {needs(item)} | {source_key(item)} |"
            )


def _sources() -> Iterator[str]:
    yield from ("| key | source |", "| --- | --- |")
    for key, text in SOURCES.items():
        yield f"| {key} | {text} |"


def markdown() -> str:
    """Return the tables of the library."""
    lines = ["### Functions", "", *_functions(), "", "### Definitions", "", *_definitions(), ""]
    lines += ["### Factors by group", "", *_counts(), ""]
    for group in dict.fromkeys(factor.group for factor in FACTORS.values()):
        lines += [f"### {group.replace('_', ' ').capitalize()}", "", *_factors(group), ""]
    return "\n".join([*lines, "### Sources", "", *_sources()]) + "\n"
