"""The statements tie when they are read back from the pages, as a reader would."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

_REPORT = "annual-report-2025.pdf"
_AMOUNT = re.compile(r"\(?\d[\d,]*\)?|–")
_Rows = list[tuple[str, tuple[int, ...]]]


def _value(text: str) -> int:
    number = 0 if text == "–" else int(text.strip("()").replace(",", ""))
    return -number if text.startswith("(") else number


def _rows(page: str, columns: int) -> _Rows:
    """Return the lines that end in so many amounts; a line of words alone is a caption with no amounts."""
    rows: _Rows = []
    for line in page.splitlines():
        words = line.split()
        tail = words[-columns:]
        if len(words) > columns and all(_AMOUNT.fullmatch(word) for word in tail):
            label = " ".join(words[:-columns])
            rows.append((re.sub(r" \d{1,2}$", "", label), tuple(_value(word) for word in tail)))
        elif words:
            rows.append((" ".join(words), ()))
    return rows


def _table(rows: _Rows) -> dict[str, tuple[int, ...]]:
    return {label: amounts for label, amounts in rows if amounts}


def _between(rows: _Rows, first: str, last: str) -> list[tuple[int, ...]]:
    """Return the amounts that stand after a caption or line and before another."""
    labels = [label for label, _ in rows]
    begin = labels.index(first) + 1
    return [amounts for _, amounts in rows[begin : labels.index(last, begin)] if amounts]


def _sum(columns: list[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(sum(column) for column in zip(*columns, strict=True))


@pytest.fixture(scope="module")
def page(pages_of: Callable[[str], list[str]]) -> Callable[[str], str]:
    """Find the page that carries a heading of its own, other than the list of contents."""

    def find(heading: str) -> str:
        found = [text for text in pages_of(_REPORT) if text.startswith(heading) or f"\n{heading}\n" in text]
        assert len(found) == 1, heading
        return found[0]

    return find


@pytest.fixture(scope="module")
def income(page: Callable[[str], str]) -> _Rows:
    return _rows(page("Consolidated income statement").split("Consolidated statement of changes")[0], 2)


@pytest.fixture(scope="module")
def balance(page: Callable[[str], str]) -> _Rows:
    return _rows(page("Consolidated balance sheet"), 2)


@pytest.fixture(scope="module")
def cash(page: Callable[[str], str]) -> _Rows:
    return _rows(page("Consolidated cash flow statement"), 2)


def test_has_ten_to_fourteen_numbered_pages(pages_of: Callable[[str], list[str]]) -> None:
    pages = pages_of(_REPORT)
    assert 10 <= len(pages) <= 14
    for number, text in enumerate(pages[1:], start=2):
        assert text.rstrip().endswith(f"A fictitious company, invented as an example {number}")


def test_contents_name_the_right_pages(pages_of: Callable[[str], list[str]]) -> None:
    pages = pages_of(_REPORT)
    entries = re.findall(r"^(\S.*?)[ .]{6,}(\d+)\s*$", pages[1], re.MULTILINE)
    assert len(entries) >= 8
    for heading, number in entries:
        assert pages[int(number) - 1].startswith(heading.strip())


def test_income_statement_adds_up(income: _Rows) -> None:
    table = _table(income)
    steps = (
        ("Revenue", "Gross profit", False),
        ("Gross profit", "Operating profit", True),
        ("Operating profit", "Profit before tax", True),
        ("Profit before tax", "Profit for the year", True),
    )
    for first, last, counts_first in steps:
        start = [table[first]] if counts_first else [table["Revenue"]]
        assert _sum([*start, *_between(income, first, last)]) == table[last]


@pytest.mark.parametrize(
    "caption",
    ["Non-current assets", "Current assets", "Current liabilities", "Non-current liabilities", "Equity"],
)
def test_balance_sheet_sections_add_up(balance: _Rows, caption: str) -> None:
    total = f"Total {caption.lower()}"
    assert _sum(_between(balance, caption, total)) == _table(balance)[total]


def test_balance_sheet_balances(balance: _Rows) -> None:
    table = _table(balance)
    assets, liabilities = table["Total assets"], table["Total liabilities"]
    assert _sum([table["Total non-current assets"], table["Total current assets"]]) == assets
    assert _sum([table["Total current liabilities"], table["Total non-current liabilities"]]) == liabilities
    assert _sum([liabilities, table["Total equity"]]) == assets
    assert table["Net assets"] == table["Total equity"]


def test_cash_flow_statement_adds_up(cash: _Rows) -> None:
    table = _table(cash)
    generated, operating = "Cash generated from operations", "Net cash from operating activities"
    investing, financing = "Net cash used in investing activities", "Net cash used in financing activities"
    assert _sum(_between(cash, "Operating activities", generated)) == table[generated]
    assert _sum([table[generated], table["Tax paid"]]) == table[operating]
    assert _sum(_between(cash, "Investing activities", investing)) == table[investing]
    assert _sum(_between(cash, "Financing activities", financing)) == table[financing]
    assert _sum([table[operating], table[investing], table[financing]]) == table["Net change in cash"]
    assert _sum([table["Net change in cash"], table["Cash at 1 January"]]) == table["Cash at 31 December"]
    assert table["Cash at 1 January"][0] == table["Cash at 31 December"][1]


def test_the_statements_agree_with_each_other(income: _Rows, balance: _Rows, cash: _Rows) -> None:
    earned, held, moved = _table(income), _table(balance), _table(cash)
    assert moved["Operating profit"] == earned["Operating profit"]
    assert moved["Cash at 31 December"] == held["Cash and cash equivalents"]
    for paid, line in (
        ("Increase in inventories", "Inventories"),
        ("Increase in receivables", "Trade and other receivables"),
    ):
        assert -moved[paid][0] == held[line][0] - held[line][1]


def test_equity_moves_by_profit_shares_and_dividends(
    page: Callable[[str], str], income: _Rows, balance: _Rows, cash: _Rows
) -> None:
    text = page("Consolidated income statement").split("Consolidated statement of changes in equity")[1]
    ends = [_table(_rows(text, 4))[f"At {day}"] for day in ("1 January 2024", "31 December 2024", "31 December 2025")]
    assert [sum(end[:3]) for end in ends] == [end[3] for end in ends]
    changes = zip(
        _table(income)["Profit for the year"],
        _table(cash)["Share-based payments"],
        _table(cash)["Dividends paid"],
        strict=True,
    )
    this, last = (sum(change) for change in changes)
    assert (ends[2][3] - ends[1][3], ends[1][3] - ends[0][3]) == (this, last)
    assert (ends[2][3], ends[1][3]) == _table(balance)["Total equity"]


def test_segments_add_up_to_the_group(page: Callable[[str], str], income: _Rows) -> None:
    rows = _rows(page("3. Segment information").split("3. Segment information")[1], 2)
    table = _table(rows)
    assert _sum(_between(rows, "Revenue", "Group revenue")) == table["Group revenue"] == _table(income)["Revenue"]
    assert _sum(_between(rows, "Operating profit", "Group operating profit")) == table["Group operating profit"]
    assert table["Group operating profit"] == _table(income)["Operating profit"]


@pytest.mark.parametrize(
    ("heading", "line", "total"),
    [
        ("12. Trade and other receivables", "Trade and other receivables", "Trade and other receivables"),
        ("13. Trade and other payables", "Trade and other payables", "Trade and other payables"),
        ("15. Provisions", "Provisions", "At 31 December"),
    ],
)
def test_notes_add_up_to_the_balance_sheet(
    page: Callable[[str], str], balance: _Rows, heading: str, line: str, total: str
) -> None:
    text = page(heading).split(heading)[1]
    rows = _rows(text[: text.index(total) + 60], 2)
    labels = [label for label, _ in rows]
    amounts = [amounts for _, amounts in rows[: labels.index(total)] if amounts]
    assert _sum(amounts) == _table(rows)[total] == _table(balance)[line]


def test_property_note_ties_in_every_class(page: Callable[[str], str], balance: _Rows, cash: _Rows) -> None:
    rows = _rows(page("9. Property, plant and equipment"), 5)
    table = _table(rows)
    for amounts in table.values():
        assert sum(amounts[:4]) == amounts[4]
    closing = "Cost at 31 December 2024", "Cost at 31 December 2025"
    assert _sum([table[closing[0]], *_between(rows, closing[0], closing[1])]) == table[closing[1]]
    written = "Depreciation at 31 December 2025"
    carrying = tuple(cost - gone for cost, gone in zip(table[closing[1]], table[written], strict=True))
    assert carrying == table["Carrying amount at 31 December 2025"]
    assert carrying[4] == _table(balance)["Property, plant and equipment"][0]
    charges = [amounts[4] for label, amounts in rows if label == "Charge for the year"]
    assert tuple(reversed(charges)) == _table(cash)["Depreciation of property, plant and equipment"]


def test_register_runs_over_a_page_break_and_repeats_its_header(pages_of: Callable[[str], list[str]]) -> None:
    with_header = [
        number for number, text in enumerate(pages_of(_REPORT), start=1) if "Name Description Held Since £000" in text
    ]
    assert len(with_header) >= 2
    assert with_header == list(range(with_header[0], with_header[-1] + 1))


def test_register_comes_to_two_classes_of_property(
    pages_of: Callable[[str], list[str]], page: Callable[[str], str]
) -> None:
    text = "\n".join(pages_of(_REPORT))
    lines = re.findall(r"^(.+) (?:Owned|Freehold) (\d{4}) ([\d,]+)\s*$", text, re.MULTILINE)
    assert len({name for name, _, _ in lines}) == len(lines) >= 30
    total = sum(_value(amount) for _, _, amount in lines)
    printed = re.search(r"Total of vessels, land and buildings ([\d,]+)", text)
    assert printed is not None
    carrying = _table(_rows(page("9. Property, plant and equipment"), 5))["Carrying amount at 31 December 2025"]
    assert total == _value(printed[1]) == carrying[0] + carrying[1]


def test_covenants_are_what_the_figures_give(page: Callable[[str], str], balance: _Rows, income: _Rows) -> None:
    text = page("15. Provisions").split("15. Provisions")[0]
    table = _table(_rows(text, 2))
    net_debt = _sum([table["Loans and notes"], table["Lease liabilities"], table["Cash and cash equivalents"]])
    assert net_debt == table["Net debt"]
    assert _sum([table["Operating profit"], table["Depreciation and amortisation"]]) == table["EBITDA"]
    assert table["Operating profit"] == _table(income)["Operating profit"]
    held = _table(balance)
    leases = _sum([held["Lease liabilities, current"], held["Lease liabilities, non-current"]])
    assert table["Lease liabilities"] == leases
    for line, over, under in (
        ("Leverage (net debt to EBITDA)", "Net debt", "EBITDA"),
        ("Interest cover (EBITDA to net finance charges)", "EBITDA", "Net finance charges"),
    ):
        expected = " ".join(f"{a / b:.2f}x" for a, b in zip(table[over], table[under], strict=True))
        assert f"{line} {expected}" in " ".join(text.split())


def test_words_agree_with_the_statements(
    pages_of: Callable[[str], list[str]], page: Callable[[str], str], income: _Rows
) -> None:
    table = _table(income)
    letter = " ".join(pages_of(_REPORT)[2].split())
    for line in ("Revenue", "Operating profit", "Profit for the year"):
        assert f"£{table[line][0] / 1000:.1f} million" in letter
    rise = (table["Revenue"][0] / table["Revenue"][1] - 1) * 100
    assert f"Revenue rose by {rise:.1f}%" in letter
    shares = re.search(r"([\d,]+) thousand ordinary shares of 10 pence", page("16. Share capital"))
    assert shares is not None
    pence = table["Profit for the year"][0] / _value(shares[1]) * 100
    assert f"Basic earnings per share were {pence:.1f} pence" in letter
