"""The words of the annual report: the chair's letter, the review of the segments, and the principal risks."""

from __future__ import annotations

from reportlab.platypus import CondPageBreak, Flowable, PageBreak, Paragraph

from sources.figures import Accounts
from sources.invented import CHAIR
from sources.typesetting import STYLES, heading, plain_table, prose

__all__ = ["chair_letter", "growth", "millions", "risks", "segment_review"]


def millions(thousands: int) -> str:
    """Write an amount in millions of pounds with one decimal."""
    return f"£{thousands / 1000:.1f} million"


def growth(this: float, last: float) -> str:
    """Write a change in percent with one decimal."""
    return f"{abs(this / last - 1) * 100:.1f}%"


def chair_letter(accounts: Accounts) -> list[Flowable]:
    """Set the chair's letter to shareholders."""
    this, last = accounts.this, accounts.last
    text = f"""
        Dear shareholder,

        2025 was a year of steady work in uneven seas. Revenue rose by {growth(this.revenue, last.revenue)} to
        {millions(this.revenue)} (2024: {millions(last.revenue)}). Operating profit rose by
        {growth(this.operating_profit, last.operating_profit)} to {millions(this.operating_profit)}, a margin of
        {this.operating_profit / this.revenue:.1%} (2024: {last.operating_profit / last.revenue:.1%}), and profit
        for the year was {millions(this.profit)} (2024: {millions(last.profit)}). Basic earnings per share were
        {this.earnings_per_share:.1f} pence.

        Two of our three segments did better than we planned. Ports and terminals gained volume on the northern
        feeder routes, and cold-chain storage filled stores that had stood a sixth empty. Coastal shipping did less
        well: two ships were out of service for longer than planned, and rates for bulk cargo fell in the second
        half.

        We refinanced. In June we replaced our earlier term loan with a five-year credit agreement with Wexmoor Bank plc
        for £180.0 million. Net debt, with leases, fell to {millions(this.closing.net_debt)}
        (2024: {millions(last.closing.net_debt)}), and leverage to {this.leverage:.2f} times EBITDA
        (2024: {last.leverage:.2f} times).

        The board proposes a final dividend of 5.0 pence a share. With the interim dividend of 2.4 pence this makes
        7.4 pence for the year (2024: 6.4 pence). If shareholders agree at the annual general meeting on 7 May 2026,
        the final dividend will be paid on 22 May 2026.

        Safety comes first. There were 1.9 lost-time injuries for each million hours worked (2024: 2.4), the lowest rate
        that we have recorded, but a stevedore was badly hurt at Garrowmouth in March. An outside inquiry made eleven
        recommendations; ten are in place, and the last, the renewal of the hatch signals, will be by June 2026.

        Callum Dreyer, who has chaired the audit committee since 2017, will leave the board at the annual general
        meeting, and Ingrid Halvorsen-Pike will follow him in that chair. We thank him for eight years of patient
        questions. I also thank our 2,184 colleagues, who kept cargo moving on the days when the harbour was closed
        to everyone else.

        For 2026 we expect revenue to grow by between 4% and 6% and capital expenditure of about £52 million, the
        largest part of it for the extension of the Lornhaven cold store.
    """
    return [
        heading("Chair's letter"),
        *prose(text),
        Paragraph(f"<b>{CHAIR}</b><br/>Chair, 2 March 2026", STYLES["body"]),
    ]


def segment_review(accounts: Accounts) -> list[Flowable]:
    """Set the review of the three segments."""
    this, last = accounts.this.flows, accounts.last.flows

    def results(at: int) -> str:
        revenue, before = this.revenue[at], last.revenue[at]
        profit, profit_before = this.segment_profit[at], last.segment_profit[at]
        verb = "rose" if revenue > before else "fell"
        return (
            f"Revenue {verb} by {growth(revenue, before)} to {millions(revenue)} and operating profit was "
            f"{millions(profit)} (2024: {millions(profit_before)}), a margin of {profit / revenue:.1%} "
            f"(2024: {profit_before / before:.1%})."
        )

    measures = [
        ("Containers handled, thousand TEU", "1,284", "1,197", "+7.3%"),
        ("Cargo carried, thousand tonnes", "6,420", "6,612", "–2.9%"),
        ("Days at sea for each ship", "287", "301", "–4.7%"),
        ("Pallet positions in cold stores", "105,000", "105,000", "–"),
        ("Average occupancy of cold stores", "91%", "84%", "+7 points"),
        ("Lost-time injuries for each million hours", "1.9", "2.4", "–20.8%"),
        ("Carbon dioxide, grams for each tonne-kilometre", "14.6", "15.3", "–4.6%"),
    ]
    return [
        PageBreak(),
        heading("Segment review"),
        heading("Ports and terminals", level=2),
        *prose(f"""
            We run nine terminals at seven ports. {results(0)} Terminals handled 1,284 thousand twenty-foot equivalent
            units (TEU), 7.3% more than in 2024. The new ship-to-shore crane at the East Quay of Port Averley entered
            service in April, six weeks early, and cut the average time at berth from 19.4 to 16.8 hours.

            A three-year agreement on pay was reached with the dock workers in September. It gives 4.0% in the first
            year and 3.0% in each of the two years after it.
        """),
        heading("Coastal shipping", level=2),
        *prose(f"""
            We sail sixteen ships, two of them leased, and eleven tugs and workboats. {results(1)} MV Brannock Light
            was out of service for 71 days after a failure of her main engine, and the dry-docking of MV Garrow Head
            took 38 days longer than planned. Together they cost about £2.9 million of operating profit. Fuel was
            8.1% cheaper by the tonne.

            MV Marram Isle, our reefer ship, now sails under a charter to a food group until December 2028.
        """),
        heading("Cold-chain storage", level=2),
        *prose(f"""
            We run four cold stores with 105,000 pallet positions. {results(2)} Average occupancy was 91% (2024:
            84%). The store at Kestleby, opened in 2021, reached the occupancy that it was built for a year later
            than planned, and the store at Hollinstow renewed its two largest contracts for five years each.

            In November the board approved an extension of the Lornhaven store by 20,000 pallet positions, to open in
            the third quarter of 2027 at a cost of £27.4 million.
        """),
        CondPageBreak(190),
        heading("How we measure ourselves", level=2),
        plain_table(("Measure", "2025", "2024", "Change"), measures, (0.52, 0.16, 0.16, 0.16), right=(1, 2, 3)),
    ]


_RISKS = (
    (
        "Loss of a major customer",
        "Medium",
        "Five customers bring 24% of revenue. Contracts in ports run for three to seven years, those in shipping "
        "for one. We renew early, and no customer may bring more than 10% of revenue without the board's consent.",
    ),
    (
        "Price and supply of fuel",
        "High",
        "We use about 96,000 tonnes of marine fuel a year. Surcharges pass on about 70% of a change in price, "
        "with a delay of one month. A rise of 10% in the price would cost about £1.8 million of operating profit "
        "in a year.",
    ),
    (
        "Accident, pollution or injury",
        "Medium",
        "Ships and terminals can harm people and the sea. Every master and terminal manager may stop work without"
        " leave. Liability for pollution is insured up to £400 million for each event.",
    ),
    (
        "Cyber attack on terminal systems",
        "High",
        "A terminal that cannot see its yard stands still. Systems at each port can run for 72 hours apart from "
        "the group network; this was tried at Brannock Haven in October 2025. Backups are kept off line.",
    ),
    (
        "Interest rates and covenants",
        "Medium",
        "Loans of £140.0 million bear a floating rate. A rise of one percentage point would cost £1.4 million a "
        "year. Leverage may not exceed 3.25 to 1 and interest cover may not be less than 4.00 to 1; both are "
        "forecast monthly.",
    ),
    (
        "Climate and weather",
        "Medium",
        "Storms closed our ports for 23 days in 2025 (2024: 17 days). Quays are being raised by 60 centimetres as"
        " they are renewed. From 2027 emission charges are expected to cost about £3.5 million a year before "
        "surcharges.",
    ),
    (
        "Skilled people",
        "Low",
        "A third of our deck officers are over 55. We train 48 cadets, twelve more than in 2024, and 86% of those"
        " who finished in the last five years are still with us.",
    ),
)


def risks(_accounts: Accounts) -> list[Flowable]:
    """Set the principal risks."""
    parts: list[Flowable] = [
        PageBreak(),
        heading("Principal risks"),
        *prose("""
            The board reviews the register of risks twice a year; the audit committee examines two risks at each
            meeting. The rating is of what is left after the measures described. A risk rated high has a named
            director who answers for it and reports to the board each quarter.
        """),
    ]
    for number, (name, rating, text) in enumerate(_RISKS, start=1):
        parts += [heading(f"Risk {number}: {name}", level=2), *prose(f"<b>Rating: {rating.lower()}.</b> {text}")]
    return parts
