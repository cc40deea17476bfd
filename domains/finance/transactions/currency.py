"""Amounts: exact in their own currency, and one reference value for features that compare currencies.

`reference(amount, currency)` = amount × rate, in euro. The rates are fixed, rounded, and serve only to put amounts of
different currencies on one scale for features and thresholds; they are no valuation, and a transaction always keeps
its exact amount. Minor units after ISO 4217 (currency code list, column "Mnr unt").

Errors: an unknown currency, more digits than the currency has, a value that is no finite number, a negative amount,
or one above `LARGEST` is refused with `TransactionRefused`.

Not covered: historical rates (a month-old amount is converted like today's); currencies beyond the table.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from domains.finance.transactions.errors import TransactionRefused

__all__ = ["LARGEST", "RATES", "THRESHOLD", "check", "reference"]

RATES: Final[dict[str, tuple[int, float]]] = {
    "EUR": (2, 1.0),
    "USD": (2, 0.9),
    "GBP": (2, 1.15),
    "CHF": (2, 1.05),
    "CNY": (2, 0.125),
    "HKD": (2, 0.115),
    "SGD": (2, 0.68),
    "JPY": (0, 0.006),
    "KRW": (0, 0.00065),
    "INR": (2, 0.0105),
    "AUD": (2, 0.6),
    "CAD": (2, 0.66),
    "SEK": (2, 0.09),
    "NOK": (2, 0.086),
    "DKK": (2, 0.134),
    "PLN": (2, 0.23),
    "CZK": (2, 0.04),
    "TRY": (2, 0.025),
    "BRL": (2, 0.16),
    "ZAR": (2, 0.05),
    "AED": (2, 0.245),
    "KWD": (3, 2.95),
}
"""Currency -> (digits after the point, euro for one unit). Rounded on purpose; see the module's text."""

LARGEST: Final = 1e12
"""Euro. A thousand times the largest payments that banks settle singly; above it, squares of sums lose digits."""

THRESHOLD: Final = 10_000.0
"""Euro. Cash payments from this value on are to be reported or watched: EU Regulation 2024/1624 Art. 80 (cash limit)
and, in dollars, 31 CFR 1010.311. Structuring means staying just below it."""


def check(amount: Decimal, currency: str) -> float:
    """Return the reference value of an amount, in euro.

    Raises:
        TransactionRefused: see the module's text.
    """
    found = RATES.get(currency)
    if found is None:
        raise TransactionRefused(
            f"The currency {currency!r} is not known.", remedy=f"Use one of: {', '.join(sorted(RATES))}."
        )
    digits, rate = found
    if not amount.is_finite():
        raise TransactionRefused("The amount is no finite number.", remedy="Give a decimal number such as 12.50.")
    if amount < 0:
        raise TransactionRefused(
            "The amount is negative.", remedy='Give it without a sign; `direction` says "in" or "out".'
        )
    if amount.adjusted() > 40 or float(amount) * rate > LARGEST:
        raise TransactionRefused(
            f"The amount is larger than {LARGEST:,.0f} euro.", remedy="Check the amount and its decimal point."
        )
    if amount != round(amount, digits):
        raise TransactionRefused(
            f"The amount has more than {digits} digits after the point, which {currency} does not have.",
            remedy="Give the exact amount as it was booked, as a string.",
        )
    return reference(amount, currency)


def reference(amount: Decimal, currency: str) -> float:
    """Return the euro value at the fixed rate; `check` has accepted amount and currency."""
    return float(amount) * RATES[currency][1]
