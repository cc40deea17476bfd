"""The second half of the notes: working capital, borrowings and covenants, provisions, and the register of assets."""

from __future__ import annotations

from collections.abc import Callable

from reportlab.platypus import CondPageBreak, Flowable, Paragraph

from sources.assets import register
from sources.figures import SHARES, Accounts, require_equal
from sources.invented import BANK
from sources.report_notes import pair_rows, title
from sources.typesetting import STYLES, Row, figures_table, heading, plain_table, prose

__all__ = ["second_notes"]

_ACCOUNT_NAMES = ("2025", "2024")


def second_notes(accounts: Accounts) -> list[Flowable]:
    """Set notes 12 to 21."""
    notes: list[Callable[[Accounts], list[Flowable]]] = [
        _receivables,
        _payables,
        _borrowings,
        _covenants,
        _provisions,
        _capital,
        _commitments,
        _register,
        _subsidiaries,
    ]
    return [part for note in notes for part in note(accounts)]


def _receivables(accounts: Accounts) -> list[Flowable]:
    this, last = accounts.this.closing, accounts.last.closing
    made_of = pair_rows(
        [
            ("Trade receivables", 64_880, 61_240),
            ("Loss allowance", -2_315, -2_480),
            ("Prepayments", 9_430, 8_865),
            ("Accrued income", 4_785, 4_610),
            ("Other receivables", 2_220, 2_380),
        ],
        total="Trade and other receivables",
        expected=(this.receivables, last.receivables),
        what="receivables",
    )
    heads = ("Not due", "1–30 days", "31–60 days", "61–90 days", "Over 90", "Total")
    gross, allowance = (48_210, 9_870, 3_745, 1_520, 1_535), (145, 215, 340, 455, 1_160)
    require_equal("ageing", sum(gross), 64_880)
    require_equal("allowance", sum(allowance), 2_315)
    ageing = [
        Row("Trade receivables", (*gross, sum(gross))),
        Row("Loss allowance", tuple(-value for value in (*allowance, sum(allowance)))),
    ]
    return [
        *title("receivables", "Trade and other receivables"),
        figures_table(_ACCOUNT_NAMES, made_of),
        Paragraph("Days past due at 31 December 2025:", STYLES["body"]),
        figures_table(heads, ageing, tint=False, width=59),
        *prose("The usual credit term is 30 days. The average time to collect was 46 days (2024: 47 days)."),
    ]


def _payables(accounts: Accounts) -> list[Flowable]:
    this, last = accounts.this.closing, accounts.last.closing
    rows = pair_rows(
        [
            ("Trade payables", 38_420, 36_150),
            ("Accruals", 21_865, 20_310),
            ("Accrued interest", this.accrued_interest, last.accrued_interest),
            ("Other taxes and social security", 7_240, 6_985),
            ("Deferred income", 6_512, 5_946),
        ],
        total="Trade and other payables",
        expected=(this.trade_payables, last.trade_payables),
        what="payables",
    )
    return [*title("payables", "Trade and other payables"), figures_table(_ACCOUNT_NAMES, rows)]


def _borrowings(accounts: Accounts) -> list[Flowable]:
    this, last = accounts.this.closing, accounts.last.closing
    rows = pair_rows(
        [
            ("Term loan, Facility A", 120_000, 0),
            ("Revolving facility, Facility B", 20_000, 0),
            ("Earlier term loan", 0, 138_000),
            ("Loan notes, 4.85%, due 2031", 45_000, 45_000),
            ("Arrangement fees not yet charged", -this.loan_fees, -last.loan_fees),
        ],
        total="Borrowings",
        expected=(this.borrowings, last.borrowings),
        what="borrowings",
    )
    due = [
        ("Within one year", 12_000),
        ("One to two years", 12_000),
        ("Two to five years", 116_000),
        ("After five", 45_000),
    ]
    require_equal("maturity", sum(amount for _, amount in due), this.loans)
    maturity = [Row("Loans and notes", (*(amount for _, amount in due), this.loans))]
    heads = (*(label for label, _ in due), "Total")
    return [
        *title("borrowings", "Borrowings and covenants"),
        figures_table(_ACCOUNT_NAMES, rows),
        *prose(f"""
            On 18 June 2025 the group signed a credit agreement with {BANK} for £180,000 thousand: a term loan of
            £120,000 thousand (Facility A) and a revolving facility of £60,000 thousand (Facility B), of which
            £40,000 thousand was undrawn at the year end. Both end on 18 June 2030. Interest is compounded SONIA and
            a margin that moves with leverage; the margin at the year end was 1.95% a year. Arrangement fees of
            £1,800 thousand were paid.
        """),
        Paragraph("Amounts owed, before fees, fall due as follows:", STYLES["body"]),
        figures_table(heads, maturity, tint=False, width=74),
    ]


def _covenants(accounts: Accounts) -> list[Flowable]:
    this, last = accounts.this, accounts.last
    rows = [
        Row("Loans and notes", (this.closing.loans, last.closing.loans)),
        Row("Lease liabilities", (this.closing.leases, last.closing.leases)),
        Row("Cash and cash equivalents", (-this.closing.cash, -last.closing.cash)),
        Row("Net debt", (this.closing.net_debt, last.closing.net_debt), rule=True, strong=True),
        Row("Operating profit", (this.operating_profit, last.operating_profit)),
        Row("Depreciation and amortisation", (this.depreciation, last.depreciation)),
        Row("EBITDA", (this.ebitda, last.ebitda), rule=True, strong=True),
        Row("Net finance charges", (this.net_finance_charges, last.net_finance_charges)),
        Row("Leverage (net debt to EBITDA)", (f"{this.leverage:.2f}x ", f"{last.leverage:.2f}x ")),
        Row(
            "Interest cover (EBITDA to net finance charges)",
            (f"{this.interest_cover:.2f}x ", f"{last.interest_cover:.2f}x "),
        ),
    ]
    return [
        CondPageBreak(210),
        *prose(f"""
            The credit agreement sets two covenants, tested each quarter: leverage must not exceed 3.25 to 1, and
            interest cover must not be less than 4.00 to 1. At 31 December 2025 leverage was {this.leverage:.2f} to
            1 and interest cover was {this.interest_cover:.2f} to 1. The group complied with both throughout the
            year.
        """),
        figures_table(_ACCOUNT_NAMES, rows),
    ]


def _provisions(accounts: Accounts) -> list[Flowable]:
    this, last = accounts.this, accounts.last
    rows = pair_rows(
        [
            ("At 1 January", this.opening.provisions, last.opening.provisions),
            ("Charged", this.flows.provisions_charged, last.flows.provisions_charged),
            ("Used", -this.flows.provisions_used, -last.flows.provisions_used),
        ],
        total="At 31 December",
        expected=(this.closing.provisions, last.closing.provisions),
        what="provisions",
    )
    require_equal("kinds of provision", 5_140 + 2_325, this.closing.provisions)
    return [
        *title("provisions", "Provisions"),
        figures_table(_ACCOUNT_NAMES, rows),
        *prose("""
            Provisions are for the restoration of leased quays (£5,140 thousand) and for claims by crew and cargo owners
            (£2,325 thousand). The quays are to be restored between 2028 and 2041.
        """),
    ]


def _capital(accounts: Accounts) -> list[Flowable]:
    require_equal("share capital", SHARES // 10, accounts.this.closing.share_capital)
    return [
        *title("capital", "Share capital"),
        *prose(f"""
            The company has {SHARES:,} thousand ordinary shares of 10 pence each in issue, all fully paid, with a
            nominal value of £{SHARES // 10:,} thousand. No shares were issued or bought back in either year.
        """),
    ]


def _commitments(_accounts: Accounts) -> list[Flowable]:
    return [
        heading("17. Commitments and contingent liabilities", level=2),
        *prose("""
            Capital expenditure contracted for but not provided was £21,350 thousand (2024: £17,920 thousand), of which
            £14,600 thousand is for the extension of the Lornhaven cold store.

            A cargo owner has claimed £3.1 million for goods damaged aboard MV Corran Bell in October 2024. The
            directors, on legal advice, consider an outflow possible but not probable, and have made no provision
            for it.
        """),
        heading("18. Related parties", level=2),
        *prose("""
            Key management are the directors. Their remuneration was £4,286 thousand (2024: £3,972 thousand), of
            which £512 thousand (2024: £448 thousand) was for share-based payments. There were no other transactions
            with related parties in either year.
        """),
    ]


def _register(accounts: Accounts) -> list[Flowable]:
    assets = register(accounts)
    rows = [(asset.name, asset.description, asset.held, str(asset.since), f"{asset.carrying:,}") for asset in assets]
    total = sum(asset.carrying for asset in assets)
    rows.append(("<b>Total of vessels, land and buildings</b>", "", "", "", f"<b>{total:,}</b>"))
    return [
        CondPageBreak(110),
        heading("19. Register of ships and sites", level=2),
        *prose("Carrying amounts at 31 December 2025, in £000. They come to the first two classes of note 9."),
        plain_table(
            ("Name", "Description", "Held", "Since", "£000"), rows, (0.33, 0.36, 0.11, 0.09, 0.11), right=(3, 4)
        ),
    ]


def _subsidiaries(_accounts: Accounts) -> list[Flowable]:
    rows = [
        ("Halden Ports Limited", "Ports and terminals", "England and Wales", "100%"),
        ("Halden Coastal Limited", "Coastal shipping", "England and Wales", "100%"),
        ("Halden Coldstore Limited", "Cold-chain storage", "England and Wales", "100%"),
        ("Brannock Haven Pilots Limited", "Pilotage", "Scotland", "100%"),
    ]
    return [
        heading("20. Subsidiaries", level=2),
        plain_table(("Company", "Business", "Registered in", "Held"), rows, (0.36, 0.28, 0.24, 0.12), right=(3,)),
        heading("21. Events after the reporting date", level=2),
        *prose("""
            On 9 February 2026 the group agreed to buy Norrick Cold Storage Limited, which has two cold stores with
            27,000 pallet positions, for £18.5 million in cash. Completion is expected in the second quarter of 2026
            and depends on the consent of the competition authority. The price will be met from Facility B.
        """),
        Paragraph(
            "Halden Marine Logistics plc is a fictitious company. This report, its figures and every name in it were "
            "invented as an example document; any likeness to a real company or person is chance.",
            STYLES["note"],
        ),
    ]
