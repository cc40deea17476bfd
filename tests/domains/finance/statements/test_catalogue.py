"""The page of the library says what the code declares, row by row."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from domains.finance.statements.definitions import DEFINITIONS
from domains.finance.statements.factors import FACTORS
from domains.finance.statements.factors.catalogue import markdown, needs, source_key
from domains.finance.statements.factors.sources import SOURCES
from domains.finance.statements.formula import FUNCTIONS

PAGE = Path(__file__).resolve().parents[4] / "docs" / "finance-factors.md"


def rows(text: str, columns: int) -> dict[str, list[str]]:
    """Return the rows of all tables with so many columns, by their first cell in code marks."""
    found = {}
    for line in text.splitlines():
        cells = line[2:-2].split(" | ") if line.startswith("| `") else []
        if len(cells) == columns:
            found[cells[0].strip("`")] = cells
    return found


def test_the_page_holds_the_tables_as_they_are_generated() -> None:
    text = PAGE.read_text("utf-8")
    block = re.search(r"<!-- generated: factors -->\n(.*?)<!-- end -->", text, re.DOTALL)
    assert block
    assert block.group(1) == markdown()


def test_every_factor_has_a_row_that_says_what_is_declared() -> None:
    found = rows(PAGE.read_text("utf-8"), 8)
    assert list(found) == [
        factor.id
        for group in dict.fromkeys(f.group for f in FACTORS.values())
        for factor in FACTORS.values()
        if factor.group == group
    ]
    for name, (_, english, chinese, formula, unit, better, wanted, source) in found.items():
        factor = FACTORS[name]
        assert (english, chinese) == (factor.titles["en"], factor.titles["zh"])
        assert formula == f"`{factor.formula}`"
        assert unit == factor.unit
        assert factor.direction.startswith(better)
        assert wanted == needs(factor)
        assert factor.source.startswith(SOURCES[source])


def test_functions_and_definitions_are_explained() -> None:
    text = PAGE.read_text("utf-8")
    for name, function in FUNCTIONS.items():
        assert f"| `{name}(" in text
        assert function.meaning in text
    assert set(rows(text, 4)) == set(DEFINITIONS)


def test_the_counts_of_the_groups_add_up() -> None:
    text = PAGE.read_text("utf-8")
    counted = Counter(factor.group for factor in FACTORS.values())
    for group, count in counted.items():
        assert f"| {group} | {count} |" in text
    assert "| all | 1,024 |" in text
    assert sum(counted.values()) == 1024


@pytest.mark.parametrize("key", SOURCES)
def test_every_source_is_listed_and_referred_to(key: str) -> None:
    assert f"| {key} | {SOURCES[key]} |" in PAGE.read_text("utf-8")
    assert any(source_key(factor) == key for factor in FACTORS.values())


def test_needs_are_told_in_words() -> None:
    assert needs(FACTORS["altman_z"]) == (
        "12 months; not bank, insurer, broker; above 0: `total_assets`, `liabilities`"
    )
    assert needs(FACTORS["gross_margin.peer_z"]) == "3 peers; not bank, insurer, broker; above 0: `revenue`"
    assert needs(FACTORS["free_cash_flow"]) == "not bank, insurer, broker"
    assert needs(FACTORS["ohlson_size"]).startswith("12 months; USD")
    assert needs(FACTORS["loss_periods"]) == "5 periods"
