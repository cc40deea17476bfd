"""A transaction as it is sent in: typed, exact, with a zone on its time; and the few numbers that features need.

`Transaction` is what the routes take; `Parsed` is the same event reduced to keys and numbers, made once.

    key        16 bytes: BLAKE2b of kind and name, so that the state tables hold no names and every key has one size
    reference  euro, see `currency`
    seconds    since 1970-01-01T00:00:00Z

Errors: a form that is not met is refused with `TransactionRefused` (or by the model's own validation over HTTP).

Not covered: whether an account exists, or whether the caller may speak for it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from domains.finance.transactions.currency import RATES, THRESHOLD, check
from domains.finance.transactions.errors import TransactionRefused

__all__ = ["ROLES", "Channel", "Direction", "Outcome", "Parsed", "Transaction", "Type", "key_of", "parse", "parse_json"]

ROLES: Final = (
    "account",
    "counterparty",
    "merchant",
    "device",
    "account_counterparty",
    "account_device",
    "account_merchant",
)
"""Whose history a transaction is looked at in. `account` and `counterparty` share one kind of state, `party`: what an
account received from others is known when it spends."""

_OLDEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_BELOW: Final = 0.85
"""From this share of the threshold on an amount counts as just below it."""
_SMALL: Final = 5.0
"""Euro. Card testers try with amounts that their victims overlook."""
_NIGHT: Final = (0, 6)
"""UTC hours; a bank that sends local time with its offset gets local nights, see `Parsed.hour`."""


class Channel(StrEnum):
    """Where it was ordered."""

    BRANCH = "branch"
    ATM = "atm"
    POS = "pos"
    ONLINE = "online"
    MOBILE = "mobile"


class Type(StrEnum):
    """What it is."""

    CARD = "card"
    TRANSFER = "transfer"
    CASH = "cash"
    DEBIT = "debit"


class Direction(StrEnum):
    """Seen from `account`: out pays, in receives."""

    OUT = "out"
    IN = "in"


class Outcome(StrEnum):
    """What became of it where it was ordered."""

    APPROVED = "approved"
    DECLINED = "declined"


def _exact(value: Any) -> Any:
    """Take a JSON number by its shortest decimal form, so that 0.1 is a tenth and not its nearest binary fraction."""
    if isinstance(value, bool):
        raise ValueError("a number is expected")  # noqa: TRY004 - pydantic reports a ValueError with the field
    return repr(value) if isinstance(value, float) else value


_Name = Annotated[str, Field(min_length=1, max_length=128)]


class Transaction(BaseModel):
    """One transaction."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "id": "T-2026-000017",
                    "time": "2026-11-24T08:15:00+01:00",
                    "amount": "129.90",
                    "currency": "EUR",
                    "account": "DE-4471",
                    "merchant": "M-880",
                    "device": "D-19",
                    "channel": "online",
                    "type": "card",
                    "country": "FR",
                    "home_country": "DE",
                }
            ]
        },
    )

    id: _Name = Field(description="The sender's own; the same id is scored once.")
    time: AwareDatetime = Field(description="When it was ordered, with a zone.")
    amount: Annotated[Decimal, BeforeValidator(_exact)] = Field(
        max_digits=30, description="Exact, without a sign; best as a string."
    )
    currency: str = Field(pattern=r"^[A-Z]{3}$", description="ISO 4217.")
    account: _Name
    counterparty: _Name | None = Field(default=None, description="The other account; same names as `account`.")
    merchant: _Name | None = None
    device: _Name | None = Field(default=None, description="Phone, browser, card reader or card.")
    channel: Channel
    type: Type
    direction: Direction = Direction.OUT
    outcome: Outcome = Outcome.APPROVED
    country: str | None = Field(default=None, pattern=r"^[A-Z]{2}$", description="Where; ISO 3166-1 alpha-2.")
    home_country: str | None = Field(default=None, pattern=r"^[A-Z]{2}$", description="The account's own.")


@dataclass(frozen=True, slots=True)
class Parsed:
    """A transaction in keys and numbers. `keys` has one entry a role, None where the transaction names nobody."""

    id: str
    seconds: float
    reference: float
    hour: int
    weekday: int
    keys: tuple[bytes | None, ...]
    bits: tuple[int, int, int, int, int]
    """Bit positions, 0 to 63, of account, counterparty, device, merchant and country; -1 where there is none."""
    night: bool
    round: bool
    whole: bool
    below: bool
    small: bool
    foreign: bool
    channel: Channel
    type: Type
    incoming: bool
    pair_incoming: bool
    """Whether the money flows towards the account whose key is the larger: one row serves both directions of a pair."""
    declined: bool
    cross_currency: bool


def parse_json(data: bytes | str) -> Transaction:
    """Read one transaction from JSON.

    Raises:
        TransactionRefused: it is not JSON, or does not fit the form; the message names the fields.
    """
    try:
        return Transaction.model_validate_json(data)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or 'line'}: {item['msg']}" for item in error.errors()[:5]
        )
        raise TransactionRefused(
            f"The transaction does not fit its form: {wrong}.", remedy="Correct the named fields."
        ) from None


def parse(transaction: Transaction) -> Parsed:
    """Check a transaction and reduce it to keys and numbers.

    Raises:
        TransactionRefused: amount, currency, time or a name cannot be used.
    """
    value = check(transaction.amount, transaction.currency)
    if transaction.time < _OLDEST:
        raise TransactionRefused("The time is before the year 2000.", remedy="Check the clock that stamped it.")
    own, other = transaction.account, transaction.counterparty
    if other == own:
        other = None  # moving money to oneself names no other party
    names = (own, other, transaction.device, transaction.merchant, transaction.country)
    try:
        digests = [None if name is None else key_of("name", name) for name in names]
        keys = _keys(own, other, transaction.merchant, transaction.device)
        transaction.id.encode("utf-8")
    except UnicodeEncodeError:
        raise TransactionRefused("A name holds half of a character.", remedy="Send valid UTF-8.") from None
    if "\x00" in transaction.id:
        raise TransactionRefused("The id holds a zero byte.", remedy="Send an id of printable characters.")
    incoming = transaction.direction is Direction.IN
    bits = [-1 if digest is None else digest[0] & 63 for digest in digests]
    return Parsed(
        id=transaction.id,
        seconds=transaction.time.timestamp(),
        reference=value,
        hour=transaction.time.hour,
        weekday=transaction.time.weekday(),
        keys=keys,
        bits=(bits[0], bits[1], bits[2], bits[3], bits[4]),
        night=_NIGHT[0] <= transaction.time.hour < _NIGHT[1],
        round=transaction.amount >= 100 and transaction.amount % 100 == 0,
        whole=transaction.amount % 1 == 0,
        below=_BELOW * THRESHOLD <= value < THRESHOLD,
        small=value < _SMALL,
        foreign=None not in (transaction.country, transaction.home_country)
        and transaction.country != transaction.home_country,
        channel=transaction.channel,
        type=transaction.type,
        incoming=incoming,
        pair_incoming=incoming == (other is not None and own > other),
        declined=transaction.outcome is Outcome.DECLINED,
        cross_currency=RATES[transaction.currency][1] != 1.0,
    )


@lru_cache(maxsize=65_536)
def key_of(kind: str, *names: str) -> bytes:
    """Return the 16 bytes under which an entity is kept."""
    # a length before each name: ("ab", "c") and ("a", "bc") are different pairs
    text = "".join(f"{len(name)}:{name}" for name in names)
    return hashlib.blake2b(text.encode("utf-8"), digest_size=16, person=kind.encode()).digest()


def _keys(own: str, other: str | None, merchant: str | None, device: str | None) -> tuple[bytes | None, ...]:
    return (
        key_of("party", own),
        None if other is None else key_of("party", other),
        None if merchant is None else key_of("merchant", merchant),
        None if device is None else key_of("device", device),
        None if other is None else key_of("party+party", *sorted((own, other))),
        None if device is None else key_of("party+device", own, device),
        None if merchant is None else key_of("party+merchant", own, merchant),
    )
