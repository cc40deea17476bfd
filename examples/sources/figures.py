"""The accounts of the annual report, in thousands of pounds, computed from opening balances and two years of flows.

Nothing that can be added up is typed in: a balance is the one before it plus the year's flows, and cash at the end is
what the cash flow statement leaves. The balance sheet then has to balance by itself; `accounts` raises if it does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["SEGMENTS", "SHARES", "Accounts", "Balance", "DoesNotTie", "Flows", "Year", "accounts", "require_equal"]

SEGMENTS: Final = ("Ports and terminals", "Coastal shipping", "Cold-chain storage")
SHARES: Final = 182_500
"""Ordinary shares of 10 pence in issue throughout, in thousands."""


class DoesNotTie(Exception):
    """Two figures that must be the same are not: a source was changed and another that rests on it was not."""


def require_equal(what: str, left: int, right: int) -> None:
    """Raise `DoesNotTie` unless both amounts are the same."""
    if left != right:
        raise DoesNotTie(f"{what}: {left:,} is not {right:,}")


@dataclass(frozen=True, slots=True)
class Flows:
    """What happened in one year. Amounts are positive; the statements give them their sign."""

    revenue: tuple[int, int, int]
    segment_profit: tuple[int, int, int]
    central_costs: int
    cost_of_sales: int
    administrative: int
    other_income: int
    finance_income: int
    loan_interest: int
    lease_interest: int
    fee_amortisation: int
    current_tax: int
    deferred_tax: int
    depreciation: int
    depreciation_leased: int
    amortisation: int
    share_payments: int
    capital_expenditure: int
    software: int
    leased_additions: int
    disposed_value: int
    disposal_proceeds: int
    provisions_charged: int
    provisions_used: int
    inventories_up: int
    receivables_up: int
    payables_up: int
    loans_drawn: int
    loans_repaid: int
    fees_paid: int
    lease_principal: int
    loan_interest_paid: int
    tax_paid: int
    dividends: int


@dataclass(frozen=True, slots=True)
class Balance:
    """A balance sheet. `payables` leaves out accrued interest; `loans` is the amount owed, before `loan_fees`."""

    plant: int
    leased: int
    goodwill: int
    intangible: int
    inventories: int
    receivables: int
    cash: int
    payables: int
    accrued_interest: int
    loans: int
    loan_fees: int
    leases: int
    tax: int
    deferred_tax: int
    provisions: int
    share_capital: int
    share_premium: int
    retained: int

    @property
    def non_current_assets(self) -> int:
        """Assets held for more than a year."""
        return self.plant + self.leased + self.goodwill + self.intangible

    @property
    def current_assets(self) -> int:
        """Assets that turn into cash within a year, and cash."""
        return self.inventories + self.receivables + self.cash

    @property
    def assets(self) -> int:
        """Total assets."""
        return self.non_current_assets + self.current_assets

    @property
    def borrowings(self) -> int:
        """Loans and notes less the arrangement fees not yet charged."""
        return self.loans - self.loan_fees

    @property
    def trade_payables(self) -> int:
        """Trade and other payables as the balance sheet shows them."""
        return self.payables + self.accrued_interest

    @property
    def liabilities(self) -> int:
        """Total liabilities."""
        return self.trade_payables + self.borrowings + self.leases + self.tax + self.deferred_tax + self.provisions

    @property
    def equity(self) -> int:
        """Total equity."""
        return self.share_capital + self.share_premium + self.retained

    @property
    def net_debt(self) -> int:
        """Loans, notes and lease liabilities less cash: what the credit agreement calls Net Debt."""
        return self.loans + self.leases - self.cash


@dataclass(frozen=True, slots=True)
class Year:
    """One financial year: what happened, where it began and where it ended."""

    name: str
    flows: Flows
    opening: Balance
    closing: Balance
    loans_current: int
    leases_current: int

    @property
    def revenue(self) -> int:
        """Revenue of all segments."""
        return sum(self.flows.revenue)

    @property
    def gross_profit(self) -> int:
        """Revenue less cost of sales."""
        return self.revenue - self.flows.cost_of_sales

    @property
    def operating_profit(self) -> int:
        """Profit before finance items and tax."""
        return self.gross_profit - self.flows.administrative + self.flows.other_income

    @property
    def finance_costs(self) -> int:
        """Interest on loans and leases and the fees charged."""
        return self.flows.loan_interest + self.flows.lease_interest + self.flows.fee_amortisation

    @property
    def profit_before_tax(self) -> int:
        """Operating profit and finance income less finance costs."""
        return self.operating_profit + self.flows.finance_income - self.finance_costs

    @property
    def tax(self) -> int:
        """The charge for current and deferred tax."""
        return self.flows.current_tax + self.flows.deferred_tax

    @property
    def profit(self) -> int:
        """Profit for the year."""
        return self.profit_before_tax - self.tax

    @property
    def depreciation(self) -> int:
        """Depreciation and amortisation of every kind."""
        return self.flows.depreciation + self.flows.depreciation_leased + self.flows.amortisation

    @property
    def ebitda(self) -> int:
        """Operating profit before depreciation and amortisation."""
        return self.operating_profit + self.depreciation

    @property
    def net_finance_charges(self) -> int:
        """Interest on loans and leases less finance income: what the credit agreement calls Net Finance Charges."""
        return self.flows.loan_interest + self.flows.lease_interest - self.flows.finance_income

    @property
    def leverage(self) -> float:
        """Net Debt divided by EBITDA."""
        return self.closing.net_debt / self.ebitda

    @property
    def interest_cover(self) -> float:
        """EBITDA divided by Net Finance Charges."""
        return self.ebitda / self.net_finance_charges

    @property
    def earnings_per_share(self) -> float:
        """Basic earnings a share, in pence."""
        return self.profit / SHARES * 100

    @property
    def operating_cash(self) -> int:
        """Net cash from operating activities."""
        return self.cash_generated - self.flows.tax_paid

    @property
    def disposal_gain(self) -> int:
        """Gain on property, plant and equipment sold."""
        return self.flows.disposal_proceeds - self.flows.disposed_value

    @property
    def provisions_change(self) -> int:
        """Provisions charged less provisions used."""
        return self.flows.provisions_charged - self.flows.provisions_used

    @property
    def cash_before_working_capital(self) -> int:
        """Operating profit with what moved no cash put back."""
        charged = self.depreciation + self.flows.share_payments
        return self.operating_profit + charged + self.provisions_change - self.disposal_gain

    @property
    def cash_generated(self) -> int:
        """Cash generated from operations, before tax."""
        flows = self.flows
        working_capital = flows.payables_up - flows.inventories_up - flows.receivables_up
        return self.cash_before_working_capital + working_capital

    @property
    def investing_cash(self) -> int:
        """Net cash used in investing activities (negative)."""
        flows = self.flows
        return flows.disposal_proceeds + flows.finance_income - flows.capital_expenditure - flows.software

    @property
    def financing_cash(self) -> int:
        """Net cash used in financing activities (negative)."""
        flows = self.flows
        paid = flows.loans_repaid + flows.fees_paid + flows.lease_principal + flows.lease_interest
        return flows.loans_drawn - paid - flows.loan_interest_paid - flows.dividends

    @property
    def cash_change(self) -> int:
        """Net change in cash."""
        return self.operating_cash + self.investing_cash + self.financing_cash


@dataclass(frozen=True, slots=True)
class Accounts:
    """The year reported on and the year before it."""

    this: Year
    last: Year


_OPENING: Final = Balance(
    plant=295_125,
    leased=62_880,
    goodwill=48_600,
    intangible=14_860,
    inventories=9_310,
    receivables=71_220,
    cash=38_900,
    payables=67_880,
    accrued_interest=1_420,
    loans=195_000,
    loan_fees=1_195,
    leases=66_240,
    tax=4_105,
    deferred_tax=22_460,
    provisions=6_180,
    share_capital=18_250,
    share_premium=64_310,
    retained=96_245,
)

_2024: Final = Flows(
    revenue=(198_420, 171_905, 88_270),
    segment_profit=(34_705, 18_340, 12_430),
    central_costs=10_507,
    cost_of_sales=327_460,
    administrative=78_912,
    other_income=2_745,
    finance_income=1_120,
    loan_interest=13_012,
    lease_interest=3_330,
    fee_amortisation=598,
    current_tax=8_742,
    deferred_tax=1_241,
    depreciation=23_025,
    depreciation_leased=9_105,
    amortisation=3_080,
    share_payments=1_190,
    capital_expenditure=38_110,
    software=2_315,
    leased_additions=9_480,
    disposed_value=1_850,
    disposal_proceeds=2_215,
    provisions_charged=1_265,
    provisions_used=820,
    inventories_up=535,
    receivables_up=3_395,
    payables_up=1_511,
    loans_drawn=0,
    loans_repaid=12_000,
    fees_paid=0,
    lease_principal=8_310,
    loan_interest_paid=13_056,
    tax_paid=8_390,
    dividends=10_950,
)

_2025: Final = Flows(
    revenue=(214_860, 168_340, 103_415),
    segment_profit=(38_912, 17_266, 19_884),
    central_costs=11_165,
    cost_of_sales=342_180,
    administrative=82_746,
    other_income=3_208,
    finance_income=1_486,
    loan_interest=11_648,
    lease_interest=3_392,
    fee_amortisation=790,
    current_tax=10_914,
    deferred_tax=1_725,
    depreciation=24_310,
    depreciation_leased=9_640,
    amortisation=3_275,
    share_payments=1_360,
    capital_expenditure=46_820,
    software=2_940,
    leased_additions=11_200,
    disposed_value=1_990,
    disposal_proceeds=2_550,
    provisions_charged=1_480,
    provisions_used=640,
    inventories_up=1_120,
    receivables_up=4_385,
    payables_up=4_646,
    loans_drawn=155_000,
    loans_repaid=153_000,
    fees_paid=1_800,
    lease_principal=8_870,
    loan_interest_paid=11_876,
    tax_paid=10_120,
    dividends=12_045,
)


def accounts() -> Accounts:
    """Compute both years.

    Raises:
        DoesNotTie: a balance sheet does not balance, or the segments do not add up to the group.
    """
    _require_balance("2023", _OPENING)
    last = _year("2024", _2024, _OPENING, loans_current=12_000, leases_current=8_640)
    this = _year("2025", _2025, last.closing, loans_current=12_000, leases_current=9_120)
    return Accounts(this=this, last=last)


def _year(name: str, flows: Flows, opening: Balance, *, loans_current: int, leases_current: int) -> Year:
    # Profit and cash do not depend on the closing balance, so a first Year without one may compute them.
    draft = Year(name, flows, opening, opening, loans_current, leases_current)
    closing = Balance(
        plant=opening.plant + flows.capital_expenditure - flows.disposed_value - flows.depreciation,
        leased=opening.leased + flows.leased_additions - flows.depreciation_leased,
        goodwill=opening.goodwill,
        intangible=opening.intangible + flows.software - flows.amortisation,
        inventories=opening.inventories + flows.inventories_up,
        receivables=opening.receivables + flows.receivables_up,
        cash=opening.cash + draft.cash_change,
        payables=opening.payables + flows.payables_up,
        accrued_interest=opening.accrued_interest + flows.loan_interest - flows.loan_interest_paid,
        loans=opening.loans + flows.loans_drawn - flows.loans_repaid,
        loan_fees=opening.loan_fees + flows.fees_paid - flows.fee_amortisation,
        leases=opening.leases + flows.leased_additions - flows.lease_principal,
        tax=opening.tax + flows.current_tax - flows.tax_paid,
        deferred_tax=opening.deferred_tax + flows.deferred_tax,
        provisions=opening.provisions + draft.provisions_change,
        share_capital=opening.share_capital,
        share_premium=opening.share_premium,
        retained=opening.retained + draft.profit + flows.share_payments - flows.dividends,
    )
    _require_balance(name, closing)
    require_equal(f"segment profit {name}", sum(flows.segment_profit) - flows.central_costs, draft.operating_profit)
    return Year(name, flows, opening, closing, loans_current, leases_current)


def _require_balance(name: str, balance: Balance) -> None:
    require_equal(f"balance sheet {name}", balance.assets, balance.equity + balance.liabilities)
