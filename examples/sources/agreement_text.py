"""The clauses of the credit agreement.

One paragraph a provision, parted by empty lines: "1.1 " begins a numbered provision, "(a) " an item of a list, anything
else runs on as plain text.
"""

from __future__ import annotations

from typing import Final

from sources.invented import AGENT_PHONE, BANK_ADDRESS, COMPANY_ADDRESS, TERMINATION_DATE

__all__ = ["CLAUSES"]

CLAUSES: Final[tuple[tuple[str, str], ...]] = (
    (
        "Definitions and interpretation",
        f"""
        1.1 In this Agreement the following words have the meanings set beside them.

        <b>Availability Period</b> means, for Facility A, the period from the date of this Agreement to 31 July 2025
        and, for Facility B, the period from the date of this Agreement to the date one month before the Termination
        Date.

        <b>Business Day</b> means a day, other than a Saturday or a Sunday, on which banks are open for general
        business in London.

        <b>Change of Control</b> means that a person, or persons acting together, gain control of more than 50% of
        the votes that may be cast at a general meeting of the Borrower.

        <b>Compliance Certificate</b> means a certificate in the form of Schedule 4.

        <b>EBITDA</b> means, for a Relevant Period, the consolidated operating profit of the Group before
        depreciation and amortisation, as shown by its latest financial statements.

        <b>Event of Default</b> means an event listed in clause 14.1, and <b>Facilities</b> means Facility A and
        Facility B.

        <b>Financial Indebtedness</b> means money borrowed, loan notes, and liabilities under leases that are shown
        as debt in the balance sheet of the Group. Arrangement fees not yet charged are not deducted from it.

        <b>Group</b> means the Borrower and its subsidiaries from time to time.

        <b>Interest Cover</b> means the ratio of EBITDA to Net Finance Charges for a Relevant Period.

        <b>Interest Period</b> means a period chosen under clause 5.3.

        <b>Leverage</b> means the ratio of Net Debt on the last day of a Relevant Period to EBITDA for that period.

        <b>Majority Lenders</b> means Lenders whose commitments are together more than two thirds of all commitments.

        <b>Margin</b> means the rate a year set by Schedule 3.

        <b>Net Debt</b> means the Financial Indebtedness of the Group less its cash and cash equivalents.

        <b>Net Finance Charges</b> means interest on loans, loan notes and leases less interest received, leaving out
        arrangement fees.

        <b>Quarter Date</b> means each of 31 March, 30 June, 30 September and 31 December.

        <b>Relevant Period</b> means each period of twelve months that ends on a Quarter Date.

        <b>SONIA</b> means the Sterling Overnight Index Average, compounded in arrear over an Interest Period with a
        lookback of five Business Days. If it is below zero it is taken to be zero.

        <b>Termination Date</b> means {TERMINATION_DATE}.

        1.2 Headings are for ease of reading only. A reference to a clause or a schedule is to one of this Agreement.
        """,
    ),
    (
        "The Facilities",
        """
        2.1 Subject to the terms of this Agreement, the Lender makes available to the Borrower:

        (a) a term loan facility in an amount of £120,000,000 (<b>Facility A</b>); and

        (b) a revolving credit facility in an amount of £60,000,000 (<b>Facility B</b>).

        2.2 The total of the Facilities is £180,000,000. The Borrower may ask once, before 18 June 2027, that
        Facility B be increased by up to £20,000,000. The Lender is free to refuse.
        """,
    ),
    (
        "Purpose",
        """
        3.1 Facility A shall be used to repay in full the Borrower's loan of £138,000,000 from its earlier lender
        and the costs of doing so. Facility B shall be used for the general corporate purposes of the Group,
        including acquisitions that clause 13.3 permits.

        3.2 The Lender need not watch or verify how an amount borrowed is used.
        """,
    ),
    (
        "Conditions and utilisation",
        """
        4.1 The Borrower may not draw until the Lender has confirmed that it has received everything listed in
        Schedule 1 in a form that satisfies it.

        4.2 A request to draw must reach the Lender by 10.00 a.m. three Business Days before the day proposed. The least
        amount of a loan under Facility B is £1,000,000, and no more than eight loans may be outstanding at once.

        4.3 The Lender must make a loan only if no Event of Default continues or would follow from it, and the
        statements of clause 10 are true in all material respects.
        """,
    ),
    (
        "Interest",
        """
        5.1 The rate of interest on each loan for each Interest Period is the total of SONIA and the Margin.

        5.2 The Margin is 2.35% a year until the first Compliance Certificate has been delivered, and from then on
        the rate that Schedule 3 sets for the Leverage shown in the latest Compliance Certificate. While an Event of
        Default continues the Margin is 2.85% a year.

        5.3 An Interest Period is one, three or six months, as the Borrower chooses. Interest is paid on its last day.

        5.4 An amount not paid when due bears interest at 2.00% a year above the rate that would otherwise apply,
        from the due date until it is paid.
        """,
    ),
    (
        "Fees",
        """
        6.1 The Borrower shall pay an arrangement fee of 1.00% of the total of the Facilities, which is £1,800,000,
        within five Business Days of the date of this Agreement.

        6.2 The Borrower shall pay a commitment fee of 35% of the Margin a year on the undrawn part of Facility B,
        on each Quarter Date in arrear.

        6.3 The Borrower shall pay a utilisation fee on Facility B of 0.15% a year for each day on which more than
        one third of it is drawn, and of 0.30% a year for each day on which more than two thirds of it is drawn.
        """,
    ),
    (
        "Repayment",
        """
        7.1 The Borrower shall repay Facility A in the instalments of Schedule 2: £3,000,000 on each Quarter Date
        from 31 March 2026 to 31 March 2030, and the balance on the Termination Date. Amounts repaid may not be
        drawn again.

        7.2 The Borrower shall repay each loan under Facility B on the last day of its Interest Period. Amounts
        repaid may be drawn again during the Availability Period.
        """,
    ),
    (
        "Prepayment and cancellation",
        """
        8.1 The Borrower may prepay a loan, in whole or in part, on five Business Days' notice. A part must be at least
        £2,500,000. There is no fee for prepayment other than the Lender's break costs.

        8.2 On a Change of Control the Borrower shall tell the Lender at once. The Lender may then, by notice of not
        less than thirty days, cancel the Facilities and declare all loans due.

        8.3 The Borrower shall apply to the prepayment of Facility A the net proceeds of any disposal above
        £10,000,000 that are not reinvested in the business of the Group within twelve months.
        """,
    ),
    (
        "Taxes and costs",
        """
        9.1 The Borrower shall make all payments without deduction for tax unless the law requires one. If it does, the
        payment is increased so that the Lender receives what it would have received without the deduction.

        9.2 The Borrower shall repay the Lender's reasonable costs of this Agreement, including legal fees up to
        £240,000, and all costs of enforcing it.
        """,
    ),
    (
        "Representations",
        """
        10.1 The Borrower states to the Lender, on the date of this Agreement and on the first day of each Interest
        Period, that:

        (a) it is duly incorporated in England and Wales and has power to enter into this Agreement;

        (b) this Agreement binds it and does not conflict with its constitution, with law, or with another agreement;

        (c) its latest audited accounts give a true and fair view of the Group, and there has been no material adverse
        change since 31 December 2024;

        (d) no Event of Default continues; and

        (e) neither it nor any member of the Group, nor to its knowledge any director of one, is subject to sanctions.
        """,
    ),
    (
        "Information",
        """
        11.1 The Borrower shall deliver to the Lender:

        (a) its audited consolidated accounts within 120 days of the end of each financial year;

        (b) its unaudited consolidated accounts within 60 days of the end of each half year;

        (c) its management accounts within 45 days of each Quarter Date; and

        (d) with each of these, a Compliance Certificate in the form of Schedule 4, signed by the Finance Director.

        11.2 The Borrower shall tell the Lender of an Event of Default within two Business Days of becoming aware of
        it, and of any claim against the Group of more than £2,000,000 within ten Business Days.
        """,
    ),
    (
        "Financial covenants",
        """
        12.1 Leverage. The Borrower shall ensure that Leverage does not exceed 3.25 to 1 for any Relevant Period
        ending on or before 30 June 2027, and 3.00 to 1 for any Relevant Period ending after that date.

        12.2 Interest Cover. The Borrower shall ensure that Interest Cover is not less than 4.00 to 1 for any
        Relevant Period.

        12.3 Capital expenditure. The Borrower shall ensure that the capital expenditure of the Group does not exceed
        £60,000,000 in any financial year. Up to £8,000,000 that is not spent in one year may be carried into the next.

        12.4 The covenants are tested on each Quarter Date by reference to the accounts delivered under clause 11.1.
        The first test date is 30 September 2025.

        12.5 A breach of clause 12.1 or 12.2 may be cured by new share capital received within fifteen Business Days
        of the date on which the Compliance Certificate was due. There may be no more than two cures before the
        Termination Date, and none in two Quarter Dates that follow each other.
        """,
    ),
    (
        "General undertakings",
        """
        13.1 Negative pledge. No member of the Group shall create security over its assets, other than the mortgages of
        Schedule 5, liens that arise by law, and security for amounts that do not together exceed £7,500,000.

        13.2 Disposals. No member of the Group shall dispose of assets outside ordinary trading for more than
        £10,000,000 in any financial year.

        13.3 Acquisitions. The Group shall not acquire companies or businesses for more than £25,000,000 in any
        financial year without the consent of the Majority Lenders.

        13.4 Dividends. The Borrower shall not pay a dividend while an Event of Default continues, or if Leverage
        after the payment would exceed 2.75 to 1.

        13.5 Insurance. Each mortgaged ship shall be insured against hull and machinery risks for at least 120% of
        its share of the loans, and the Group shall be insured against pollution for at least £400,000,000 an event.
        """,
    ),
    (
        "Events of Default",
        """
        14.1 Each of the following is an Event of Default:

        (a) Non-payment: the Borrower does not pay an amount when it is due, unless the failure is caused by a
        technical error and payment is made within three Business Days;

        (b) Financial covenants: a requirement of clause 12 is not met, and is not cured under clause 12.5;

        (c) Other obligations: the Borrower does not comply with another term, and does not remedy this within
        twenty Business Days of notice;

        (d) Misrepresentation: a statement made under clause 10 was untrue in a material respect;

        (e) Cross-default: Financial Indebtedness of the Group of more than £5,000,000 is not paid when due or may
        be called early because of default;

        (f) Insolvency: a member of the Group is unable to pay its debts, makes an arrangement with its creditors,
        or enters administration or liquidation;

        (g) Creditors' process: assets of the Group worth more than £2,500,000 are seized and not released within
        thirty days;

        (h) Loss of a licence: a licence needed to run a port or a ship is withdrawn, with a material adverse
        effect; and

        (i) Unlawfulness: it becomes unlawful for the Borrower to perform this Agreement.

        14.2 While an Event of Default continues the Lender may, and if the Majority Lenders so direct shall, by
        notice to the Borrower cancel the Facilities, declare all loans due at once, and enforce the mortgages of
        Schedule 5.
        """,
    ),
    (
        "Assignment",
        """
        15.1 The Borrower may not assign or transfer its rights or obligations under this Agreement.

        15.2 The Lender may assign or transfer a part of its commitment of at least £5,000,000 to another bank. It
        needs the consent of the Borrower, which may not be withheld without reason and is taken as given after ten
        Business Days. No consent is needed while an Event of Default continues.
        """,
    ),
    (
        "Notices",
        f"""
        16.1 A notice under this Agreement shall be in writing and in English, and be sent by letter or by
        electronic mail:

        (a) to the Borrower at {COMPANY_ADDRESS}, for the attention of the Finance Director,
        treasury@haldenmarine.example; and

        (b) to the Lender at {BANK_ADDRESS}, for the attention of the Loan Agency Desk, agency@wexmoorbank.example,
        telephone {AGENT_PHONE}.

        16.2 A letter takes effect two Business Days after it was posted. Electronic mail takes effect when it is
        received in readable form, or at 9.00 a.m. on the next Business Day if that is after 5.00 p.m.
        """,
    ),
    (
        "General",
        """
        17.1 A term of this Agreement may be changed only in writing, by the Borrower and the Majority Lenders. A
        change of an amount, a rate, or a date of payment needs the consent of every Lender that it concerns.

        17.2 The Lender keeps information about the Group confidential, save where law or a regulator requires
        otherwise.

        17.3 If a term is or becomes invalid, the others are not affected. This Agreement may be signed in counterparts.
        """,
    ),
    (
        "Governing law and jurisdiction",
        """
        18.1 This Agreement, and any obligation outside contract that arises from it, is governed by the law of
        England and Wales.

        18.2 The courts of England and Wales have exclusive jurisdiction over any dispute that arises from this
        Agreement. The Lender may nevertheless bring proceedings in the courts of a port where a mortgaged ship
        lies.
        """,
    ),
)
