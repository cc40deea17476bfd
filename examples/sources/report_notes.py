"""The first half of the notes: policies, segments, expenses, tax, earnings and fixed assets."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reportlab.platypus import CondPageBreak, Flowable

from sources.assets import CLASSES, MORTGAGED, movements, register
from sources.figures import SEGMENTS, SHARES, Accounts, Year, require_equal
from sources.report_statements import NOTES
from sources.typesetting import Row, figures_table, heading, prose

__all__ = ["first_notes", "pair_rows", "title"]

_TAX_RATE = 25
_ACCOUNT_NAMES = ("2025", "2024")


def title(name: str, text: str, *, whole: bool = True) -> list[Flowable]:
    """Set a note's heading with its number, not alone at a page's foot; not `whole` lets a long table break."""
    head = heading(f"{NOTES[name]}. {text}", level=2)
    head.keepWithNext = whole
    return [CondPageBreak(90), head]


def pair_rows(lines: Sequence[tuple[str, int, int]], *, total: str, expected: tuple[int, int], what: str) -> list[Row]:
    """Make rows of two years with a total line, which must come to what the statements say.

    Raises:
        DoesNotTie: a column adds up to something else.
    """
    sums = (sum(line[1] for line in lines), sum(line[2] for line in lines))
    require_equal(f"{what} 2025", sums[0], expected[0])
    require_equal(f"{what} 2024", sums[1], expected[1])
    return [Row(label, (this, last)) for label, this, last in lines] + [Row(total, sums, rule=True, strong=True)]


def first_notes(accounts: Accounts) -> list[Flowable]:
    """Set notes 1 to 11."""
    notes: list[Callable[[Accounts], list[Flowable]]] = [
        _policies,
        _segments,
        _expenses,
        _staff,
        _finance,
        _tax,
        _earnings,
        _plant,
        _leases,
        _intangible,
    ]
    return [heading("Notes to the financial statements"), *(part for note in notes for part in note(accounts))]


def _policies(_accounts: Accounts) -> list[Flowable]:
    return [
        heading("1. General information and basis of preparation", level=2),
        *prose("""
            Halden Marine Logistics plc is a public company limited by shares, registered in England and Wales under
            number 99417208. Its registered office is Saltmarsh Quay, Port Averley AV1 4HM. The consolidated statements
            cover the company and its subsidiaries for the year ended 31 December 2025. They are prepared under
            UK-adopted international accounting standards, on the historical cost basis, and on a going concern basis.
            They are presented in pounds sterling, rounded to the nearest thousand.
        """),
        heading("2. Material accounting policies", level=2),
        *prose("""
            Revenue from port handling and storage is recognised as the service is given. Revenue from a voyage is
            recognised over the days of the voyage; voyages in progress at the year end are measured by days elapsed.

            Property, plant and equipment is carried at cost less depreciation. Freehold land is not depreciated.
            Buildings are depreciated over 40 years, vessels over 20 years from delivery, and plant and equipment over 5
            to 15 years. The costs of dry-docking are capitalised and depreciated over 30 months.

            Trade receivables carry a loss allowance measured at lifetime expected credit losses, by means of a
            matrix of days past due. Goodwill is tested for impairment each year at 31 October. Provisions are
            recognised when an outflow is probable and can be estimated reliably.
        """),
    ]


def _segments(accounts: Accounts) -> list[Flowable]:
    rows: list[Row] = []
    now, before = accounts.this.flows, accounts.last.flows
    for caption, this, last in (
        ("Revenue", now.revenue, before.revenue),
        ("Operating profit", now.segment_profit, before.segment_profit),
    ):
        rows.append(Row(caption, strong=True))
        rows += [Row(name, (a, b)) for name, a, b in zip(SEGMENTS, this, last, strict=True)]
        if caption == "Revenue":
            rows.append(Row("Group revenue", (sum(this), sum(last)), rule=True, strong=True))
    rows.append(Row("Central costs", (-accounts.this.flows.central_costs, -accounts.last.flows.central_costs)))
    profits = (accounts.this.operating_profit, accounts.last.operating_profit)
    rows.append(Row("Group operating profit", profits, rule=True, strong=True))
    return [
        *title("segments", "Segment information"),
        figures_table(_ACCOUNT_NAMES, rows),
        *prose("""
            The board reviews results by three segments. Sales between segments are priced as for third parties and are
            eliminated. No customer accounts for more than 10% of revenue; the largest accounts for 6.4% (2024: 6.9%).
        """),
    ]


def _expenses(accounts: Accounts) -> list[Flowable]:
    this, last = accounts.this, accounts.last
    lines = [
        ("Staff costs (note 5)", 109_165, 101_980),
        ("Depreciation and amortisation", this.depreciation, last.depreciation),
        ("Fuel and bunkers", 61_480, 64_905),
        ("Port dues and charter hire", 58_340, 59_120),
        ("Subcontracted haulage", 49_715, 46_280),
        ("Energy", 27_890, 25_310),
        ("Maintenance and dry-docking", 31_260, 29_475),
        ("Other", 49_851, 44_092),
    ]
    expected = tuple(year.flows.cost_of_sales + year.flows.administrative for year in (this, last))
    rows = pair_rows(
        lines, total="Cost of sales and administrative expenses", expected=(expected[0], expected[1]), what="expenses"
    )
    return [
        *title("expenses", "Expenses by nature"),
        figures_table(_ACCOUNT_NAMES, rows),
        *prose("""
            Other expenses include the auditor's remuneration: £685 thousand for the audit of the group (2024: £652
            thousand) and £74 thousand for other assurance services (2024: £61 thousand).
        """),
    ]


def _staff(accounts: Accounts) -> list[Flowable]:
    shares = (accounts.this.flows.share_payments, accounts.last.flows.share_payments)
    costs = pair_rows(
        [
            ("Wages and salaries", 92_460, 86_520),
            ("Social security", 10_215, 9_410),
            ("Pensions, defined contribution", 5_130, 4_860),
            ("Share-based payments", *shares),
        ],
        total="Staff costs",
        expected=(109_165, 101_980),
        what="staff costs",
    )
    people = pair_rows(
        [
            ("Ports and terminals", 1_012, 985),
            ("Coastal shipping", 566, 578),
            ("Cold-chain storage", 498, 430),
            ("Central functions", 108, 103),
        ],
        total="Average number of employees",
        expected=(2_184, 2_096),
        what="employees",
    )
    return [
        *title("staff", "Employees"),
        figures_table(_ACCOUNT_NAMES, [*costs, Row("People", strong=True), *people]),
    ]


def _finance(accounts: Accounts) -> list[Flowable]:
    def line(label: str, name: str) -> tuple[str, int, int]:
        return label, getattr(accounts.this.flows, name), getattr(accounts.last.flows, name)

    rows = pair_rows(
        [
            line("Interest on loans and notes", "loan_interest"),
            line("Interest on leases", "lease_interest"),
            line("Arrangement fees charged", "fee_amortisation"),
        ],
        total="Finance costs",
        expected=(accounts.this.finance_costs, accounts.last.finance_costs),
        what="finance costs",
    )
    return [
        *title("finance", "Finance income and costs"),
        figures_table(_ACCOUNT_NAMES, rows),
        *prose("""
            Fees charged in 2025 include £597 thousand written off when the earlier loan was repaid on 18 June 2025.
            Finance income of £1,486 thousand (2024: £1,120 thousand) is interest on bank deposits.
        """),
    ]


def _at_standard_rate(year: Year) -> int:
    return year.profit_before_tax * _TAX_RATE // 100


def _tax(accounts: Accounts) -> list[Flowable]:
    this, last = accounts.this, accounts.last
    charge = pair_rows(
        [
            ("Current tax", this.flows.current_tax, last.flows.current_tax),
            ("Deferred tax", this.flows.deferred_tax, last.flows.deferred_tax),
        ],
        total="Income tax charge",
        expected=(this.tax, last.tax),
        what="tax",
    )
    proof = pair_rows(
        [
            ("Profit before tax at 25%", _at_standard_rate(this), _at_standard_rate(last)),
            ("Expenses not deductible", 742, 615),
            ("Adjustment for earlier years", -318, -214),
            ("Tonnage tax and other reliefs", -423, -205),
        ],
        total="Income tax charge",
        expected=(this.tax, last.tax),
        what="tax reconciliation",
    )
    return [
        *title("tax", "Income tax"),
        figures_table(_ACCOUNT_NAMES, [*charge, Row("Reconciliation to the standard rate", strong=True), *proof]),
    ]


def _earnings(accounts: Accounts) -> list[Flowable]:
    this, last = accounts.this, accounts.last
    paid = pair_rows(
        [
            ("Final dividend for 2024 of 4.2p (for 2023: 3.8p)", SHARES * 42 // 1000, SHARES * 38 // 1000),
            ("Interim dividend for 2025 of 2.4p (for 2024: 2.2p)", SHARES * 24 // 1000, SHARES * 22 // 1000),
        ],
        total="Dividends paid",
        expected=(this.flows.dividends, last.flows.dividends),
        what="dividends",
    )
    diluted = tuple(year.profit / (SHARES + options) * 100 for year, options in ((this, 3_150), (last, 2_980)))
    return [
        *title("earnings", "Earnings per share and dividends"),
        *prose(f"""
            Basic earnings per share of {this.earnings_per_share:.1f} pence (2024: {last.earnings_per_share:.1f}
            pence) are the profit for the year of £{this.profit:,} thousand (2024: £{last.profit:,} thousand)
            divided by {SHARES:,} thousand ordinary shares. Diluted earnings per share, after 3,150 thousand share
            options (2024: 2,980 thousand), are {diluted[0]:.1f} pence (2024: {diluted[1]:.1f} pence).
        """),
        figures_table(_ACCOUNT_NAMES, paid),
        *prose(f"""
            The board proposes a final dividend for 2025 of 5.0 pence a share, £{SHARES * 50 // 1000:,} thousand in all,
            payable on 22 May 2026 to shareholders on the register on 24 April 2026. It is not yet a liability.
        """),
    ]


def _plant(accounts: Accounts) -> list[Flowable]:
    this, last = movements(accounts)

    def row(label: str, values: Sequence[int], *, strong: bool = False, sign: int = 1) -> Row:
        return Row(label, tuple(sign * value for value in (*values, sum(values))), rule=strong, strong=strong)

    rows = [row("Cost at 1 January 2024", last.cost_opening, strong=True)]
    for name, year in (("2024", last), ("2025", this)):
        rows += [
            row("Additions", year.additions),
            row("Transfers", year.transfers),
            row("Disposals", year.cost_disposed, sign=-1),
            row(f"Cost at 31 December {name}", year.cost_closing, strong=True),
        ]
    rows.append(row("Depreciation at 1 January 2024", last.depreciation_opening, strong=True))
    for name, year in (("2024", last), ("2025", this)):
        rows += [
            row("Charge for the year", year.charge),
            row("Disposals", year.depreciation_disposed, sign=-1),
            row(f"Depreciation at 31 December {name}", year.depreciation_closing, strong=True),
        ]
    rows += [
        row("Carrying amount at 31 December 2025", this.carrying, strong=True),
        row("Carrying amount at 31 December 2024", last.carrying, strong=True),
    ]
    heads = ("Land, buildings", "Vessels", "Plant", "In progress", "Total")
    require_equal("classes", len(heads) - 1, len(CLASSES))
    mortgaged = sum(asset.carrying for asset in register(accounts) if asset.name in MORTGAGED)
    return [
        *title("plant", "Property, plant and equipment", whole=False),
        figures_table(heads, rows, tint=False, width=62),
        *prose(f"""
            Eight vessels with a carrying amount of £{mortgaged:,} thousand (2024: £91,870 thousand) are mortgaged
            as security for the loans in note 14. The ships and sites that make up the first two classes are listed
            in note 19.
        """),
    ]


def _leases(accounts: Accounts) -> list[Flowable]:
    this, last = accounts.this, accounts.last
    assets = _roll(
        [
            ("Right-of-use assets at 1 January", this.opening.leased, last.opening.leased),
            ("Additions", this.flows.leased_additions, last.flows.leased_additions),
            ("Depreciation", -this.flows.depreciation_leased, -last.flows.depreciation_leased),
        ],
        total="Right-of-use assets at 31 December",
        expected=(this.closing.leased, last.closing.leased),
    )
    owed = _roll(
        [
            ("Lease liabilities at 1 January", this.opening.leases, last.opening.leases),
            ("Additions", this.flows.leased_additions, last.flows.leased_additions),
            ("Principal paid", -this.flows.lease_principal, -last.flows.lease_principal),
        ],
        total="Lease liabilities at 31 December",
        expected=(this.closing.leases, last.closing.leases),
    )
    return [
        *title("leases", "Leases"),
        *prose("""
            The group leases quays, warehouses and two feeder ships. The longest lease, of the west quay at Port
            Averley, ends in 2041. Payments that vary with tonnage, of £1,915 thousand (2024: £1,780 thousand), are
            charged as they arise and are not part of the liability.
        """),
        figures_table(_ACCOUNT_NAMES, [*assets, *owed]),
    ]


def _roll(lines: Sequence[tuple[str, int, int]], *, total: str, expected: tuple[int, int]) -> list[Row]:
    return pair_rows(lines, total=total, expected=expected, what=total)


def _intangible(accounts: Accounts) -> list[Flowable]:
    this, last = accounts.this, accounts.last
    rows = _roll(
        [
            ("Software and customer contracts at 1 January", this.opening.intangible, last.opening.intangible),
            ("Additions", this.flows.software, last.flows.software),
            ("Amortisation", -this.flows.amortisation, -last.flows.amortisation),
        ],
        total="Software and customer contracts at 31 December",
        expected=(this.closing.intangible, last.closing.intangible),
    )
    require_equal("goodwill", 31_200 + 17_400, this.closing.goodwill)
    return [
        *title("intangible", "Goodwill and other intangible assets"),
        *prose("""
            Goodwill of £48,600 thousand is allocated to cold-chain storage (£31,200 thousand) and to ports and
            terminals (£17,400 thousand). Value in use was computed from five-year forecasts, with growth of 2.0% a
            year after them and a pre-tax discount rate of 10.4% for cold-chain storage and 9.6% for ports and
            terminals. No impairment was found. A discount rate higher by 2.1 percentage points would remove the
            headroom of cold-chain storage.
        """),
        figures_table(_ACCOUNT_NAMES, rows),
    ]
