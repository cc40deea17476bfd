"""The people, shops, merchants and devices of the generated bank, and how they behave when they are honest.

Assumptions, all invented and all here; nothing was fitted to a real bank:

- accounts: 80 % persons, 9 % traders (receive from many, pay suppliers), 6 % cash businesses, 5 % travellers
- activity: log-normal, median 0.2 transactions a day; traders three times as many
- kinds, for a person: card in shops 40 %, card online 22 %, transfers to known payees 14 %, to new ones 3 %, cash
  machine 8 %, debit 8 %, received transfers 5 %
- amounts: log-normal around 25 euro by card and 180 by transfer, times the account's own scale; one transfer in 400
  is 20 to 100 times as large (a car, a house)
- hours: two humps at noon and in the early evening, about 6 % at night
- devices: the account's own, replaced about once a year; 8 % of online card payments and 3 % of transfers come from a
  device that nobody saw before; in shops the shop's terminal, shared by its customers
- failures: 2.5 % of card payments are declined; one account in thirty has a burst of them each month

Honest behaviour that looks like crime, so that thresholds have something to hit: cash businesses bank 3,000 to 12,000
euro, some of it just below the threshold; merchants have market days with dozens of payments in three hours;
collections for a present bring 8 to 40 transfers to a person, who pays them out at once; flatmates pay each other back
and forth; travellers pay abroad.

Not covered: families and employers as networks, seasons, inflation, chargebacks, merchant categories, people who
change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import numpy as np

__all__ = ["DAY", "HOUR", "MONTH", "Draft", "World", "honest", "name_of", "settle", "stranger"]

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR
MONTH: Final = 30 * DAY

_COUNTRIES: Final = ("DE", "FR", "NL", "IT", "ES", "AT", "BE", "PL")
_KINDS: Final = ("shop", "online", "known", "new", "atm", "debit", "received")
_ODDS: Final = {
    "person": (0.40, 0.22, 0.14, 0.03, 0.08, 0.08, 0.05),
    "trader": (0.10, 0.12, 0.26, 0.06, 0.02, 0.06, 0.38),
    "cash": (0.14, 0.10, 0.22, 0.03, 0.28, 0.08, 0.15),
    "traveller": (0.44, 0.28, 0.09, 0.03, 0.10, 0.04, 0.02),
}
_BY_HOUR: Final = np.array(
    [1, 0.6, 0.4, 0.3, 0.4, 0.8, 2, 4, 5, 6, 7, 8, 9, 8, 6, 6, 7, 8, 9, 9, 7, 5, 3, 2], dtype=float
)
_BY_HOUR_SUM: Final = np.cumsum(_BY_HOUR) / _BY_HOUR.sum()
_ABROAD: Final = ("US", "GB", "TH", "TR", "CN", *_COUNTRIES)
_Thing = TypeVar("_Thing")


@dataclass(slots=True)
class Draft:
    """A transaction before it has an id.

    Seconds from the start, cents, names, and the typology that it is part of, "" if it is honest.
    """

    seconds: float
    cents: int
    account: int
    channel: str
    kind: str
    counterparty: str | None = None
    merchant: str | None = None
    device: str | None = None
    incoming: bool = False
    declined: bool = False
    country: str = ""
    typology: str = ""


@dataclass(slots=True)
class World:
    """Everybody, by index; drawn once from a seed."""

    rng: np.random.Generator
    profile: list[str]
    home: list[str]
    scale: np.ndarray[tuple[int], np.dtype[np.float64]]
    rate: np.ndarray[tuple[int], np.dtype[np.float64]]
    favourites: list[list[int]]
    payees: list[list[str]]
    merchants: int
    phones: list[int] = field(default_factory=list)

    @classmethod
    def draw(cls, accounts: int, rng: np.random.Generator) -> World:
        """Draw a world of so many accounts."""
        merchants = max(accounts // 8, 20)
        popular = 1.0 / np.arange(1, merchants + 1) ** 0.8
        popular /= popular.sum()
        profile = [str(kind) for kind in rng.choice(list(_ODDS), size=accounts, p=[0.80, 0.09, 0.06, 0.05])]
        rate = rng.lognormal(np.log(0.2), 0.7, accounts) * np.where(np.array(profile) == "trader", 3.0, 1.0)
        payees = [
            [name_of(int(other)) if other < accounts else f"X-{other}" for other in rng.integers(0, 2 * accounts, 5)]
            for _ in range(accounts)
        ]
        return cls(
            rng=rng,
            profile=profile,
            home=[_COUNTRIES[place] for place in rng.choice(len(_COUNTRIES), accounts)],
            scale=rng.lognormal(0.0, 0.5, accounts),
            rate=rate,
            favourites=rng.choice(merchants, (accounts, 8), p=popular).tolist(),
            payees=payees,
            merchants=merchants,
            phones=[0] * accounts,
        )

    @property
    def accounts(self) -> int:
        """Return how many accounts there are."""
        return len(self.profile)

    def hour(self) -> float:
        """Draw a time of the day, in seconds."""
        return float((np.searchsorted(_BY_HOUR_SUM, self.rng.random()) + self.rng.random()) * HOUR)

    def one_of(self, things: Sequence[_Thing]) -> _Thing:
        """Draw one of several; numpy's own `choice` takes ten times as long for one draw."""
        return things[int(self.rng.random() * len(things))]

    def cents(self, account: int, median: float, spread: float = 0.8) -> int:
        """Draw an amount around a median in euro, on the account's own scale."""
        return max(1, int(100 * self.scale[account] * self.rng.lognormal(np.log(median), spread)))

    def phone(self, account: int) -> str:
        """Return the account's own device."""
        return f"P-{account}-{self.phones[account]}"


def name_of(account: int) -> str:
    """Return the name of an account."""
    return f"A-{account:06d}"


def honest(world: World, *, days: int) -> list[Draft]:
    """Draw the honest transactions of so many days."""
    drafts: list[Draft] = []
    counts = world.rng.poisson(world.rate * days)
    for account, count in enumerate(counts):
        odds = _ODDS[world.profile[account]]
        trips = _trips(world, account, days)
        kinds = world.rng.choice(len(_KINDS), size=count, p=odds)
        dayed = np.sort(world.rng.uniform(0, days, count))
        for day, kind in zip(dayed, kinds, strict=True):
            if world.rng.random() < 1 / max(world.rate[account] * 365, 1):
                world.phones[account] += 1
            when = float(np.floor(day) * DAY + world.hour())
            abroad = next((country for start, end, country in trips if start <= day < end), world.home[account])
            drafts.append(_one(world, account, _KINDS[kind], when, abroad))
    _collections(world, drafts, days)
    _market_days(world, drafts, days)
    _flatmates(world, drafts, days)
    _declined_bursts(world, drafts, days)
    return drafts


def _trips(world: World, account: int, days: int) -> list[tuple[float, float, str]]:
    often = 4.0 if world.profile[account] == "traveller" else 0.12
    number = world.rng.poisson(often * days / 30)
    starts = world.rng.uniform(0, days, number)
    return [
        (
            float(start),
            float(start + world.rng.uniform(2, 9)),
            world.one_of(_ABROAD),
        )
        for start in starts
    ]


def _one(world: World, account: int, kind: str, when: float, country: str) -> Draft:
    rng = world.rng
    draft = Draft(when, 0, account, "mobile", "transfer", country=country)
    if kind in ("shop", "online"):
        usual = rng.random() < 0.7
        shop = world.one_of(world.favourites[account]) if usual else int(rng.integers(world.merchants))
        draft.kind, draft.merchant = "card", f"M-{shop:05d}"
        draft.cents = world.cents(account, 25.0, 1.0) if rng.random() > 0.06 else int(rng.integers(50, 500))
        draft.channel = "pos" if kind == "shop" else "online"
        draft.device = f"T-{shop}-{int(rng.integers(3))}" if kind == "shop" else _own_or_new(world, account, 0.08)
        draft.declined = bool(rng.random() < 0.025)
    elif kind in ("known", "new"):
        draft.counterparty = world.one_of(world.payees[account]) if kind == "known" else stranger(world)
        draft.cents = world.cents(account, 180.0, 1.0)
        if rng.random() < 1 / 400:
            draft.cents *= int(rng.integers(20, 100))
        draft.channel, draft.device = world.one_of(("mobile", "online")), _own_or_new(world, account, 0.03)
        if rng.random() < 0.25:
            draft.cents = max(draft.cents // 10_000, 1) * 10_000
    elif kind == "atm":
        deposit = world.profile[account] == "cash"
        draft.kind, draft.channel, draft.incoming = "cash", "branch" if deposit else "atm", deposit
        draft.cents = settle(rng.uniform(3_000, 12_000)) if deposit else int(rng.integers(1, 30)) * 2_000
        draft.device = None if deposit else f"ATM-{int(rng.integers(60))}"
    elif kind == "debit":
        draft.kind, draft.channel, draft.counterparty = "debit", "online", world.payees[account][0]
        draft.cents = world.cents(account, 60.0, 0.4)
    else:
        draft.incoming, draft.channel = True, "online"
        draft.counterparty = world.payees[account][1] if rng.random() < 0.6 else stranger(world)
        draft.cents = world.cents(account, 400.0, 0.9)
    return draft


def _own_or_new(world: World, account: int, often: float) -> str:
    """Return the account's own device, or now and then one that nobody has seen: a guest's browser, a work computer."""
    return f"G-{int(world.rng.integers(10**9))}" if world.rng.random() < often else world.phone(account)


def settle(euro: float) -> int:
    """Round a cash amount to ten euro, in cents."""
    return int(euro // 10) * 1_000


def stranger(world: World) -> str:
    """Return somebody, at this bank or at another."""
    other = int(world.rng.integers(2 * world.accounts))
    return name_of(other) if other < world.accounts else f"X-{other}"


def _collections(world: World, drafts: list[Draft], days: int) -> None:
    for _ in range(world.rng.poisson(world.accounts * days / 30 / 150)):
        account = int(world.rng.integers(world.accounts))
        start = world.rng.uniform(0, max(days - 4, 1)) * DAY
        total = 0
        for _ in range(int(world.rng.integers(8, 40))):
            cents = int(world.rng.integers(5, 60)) * 100 * (1 + 4 * int(world.rng.random() < 0.2))
            total += cents
            giver = int(world.rng.integers(world.accounts))
            when = start + world.rng.uniform(0, 2.5) * DAY
            drafts.append(
                Draft(
                    when,
                    cents,
                    giver,
                    "mobile",
                    "transfer",
                    counterparty=name_of(account),
                    device=world.phone(giver),
                    country=world.home[giver],
                )
            )
        drafts.append(
            Draft(
                start + world.rng.uniform(2.5, 3.5) * DAY,
                int(total * world.rng.uniform(0.7, 1.0)),
                account,
                "mobile",
                "transfer",
                counterparty=stranger(world),
                device=world.phone(account),
                country=world.home[account],
            )
        )


def _market_days(world: World, drafts: list[Draft], days: int) -> None:
    for _ in range(world.rng.poisson(world.accounts * days / 30 / 250)):
        shop, start = int(world.rng.integers(world.merchants)), world.rng.uniform(0, days) * DAY
        for _ in range(int(world.rng.integers(15, 60))):
            buyer = int(world.rng.integers(world.accounts))
            drafts.append(
                Draft(
                    start + world.rng.uniform(0, 3) * HOUR,
                    int(world.rng.integers(100, 1500)),
                    buyer,
                    "pos",
                    "card",
                    merchant=f"M-{shop:05d}",
                    device=f"T-{shop}-0",
                    country=world.home[buyer],
                    declined=bool(world.rng.random() < 0.05),
                )
            )


def _flatmates(world: World, drafts: list[Draft], days: int) -> None:
    for _ in range(world.accounts // 60):
        one, two = (int(place) for place in world.rng.integers(0, world.accounts, 2))
        for _ in range(world.rng.poisson(days / 8)):
            payer, payee = (one, two) if world.rng.random() < 0.5 else (two, one)
            when = float(np.floor(world.rng.uniform(0, days)) * DAY + world.hour())
            drafts.append(
                Draft(
                    when,
                    world.cents(payer, 60.0, 0.9),
                    payer,
                    "mobile",
                    "transfer",
                    counterparty=name_of(payee),
                    device=world.phone(payer),
                    country=world.home[payer],
                )
            )


def _declined_bursts(world: World, drafts: list[Draft], days: int) -> None:
    for _ in range(world.rng.poisson(world.accounts * days / 30 / 30)):
        account, start = int(world.rng.integers(world.accounts)), world.rng.uniform(0, days) * DAY
        shop, cents = world.one_of(world.favourites[account]), world.cents(account, 20.0, 1.0)
        for attempt in range(int(world.rng.integers(2, 7))):
            drafts.append(
                Draft(
                    start + attempt * world.rng.uniform(10, 120),
                    cents,
                    account,
                    "online",
                    "card",
                    merchant=f"M-{shop:05d}",
                    device=world.phone(account),
                    country=world.home[account],
                    declined=True,
                )
            )
