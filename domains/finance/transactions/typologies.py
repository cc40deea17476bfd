"""Five ways of crime, as campaigns that are laid over the honest transactions; each event of a campaign is labelled.

- structuring: one account brings in cash, 3 to 9 times within 3 to 20 days, each between 70 and 99.9 % of the
  threshold, then moves most of it on (the FATF's "smurfing")
- card testing: a script tries 5 to 40 stolen cards at one to three merchants within minutes to a day, 0.50 to 30 euro,
  half declined; with one card in five that works it buys for 150 to 900 euro within two days
- account takeover: from a device new to the account, sometimes abroad, sometimes at night: up to two probes, then 1 to
  4 payments to a payee that the account may never have had, 1 to 8 times its usual amounts
- mule fan-in: 3 to 15 transfers of deceived people to one account within 6 days, 80 to 98 % of it moved on within
  hours
- round-tripping: 3 to 5 accounts pass 800 to 40,000 euro around in a circle, less 1 to 3 % at each hop, 1 to 3 times

Each campaign draws how careful it is, from 0 to 1: the careful ones are slower, smaller and closer to what is honest.
The rate of campaigns is given a month for a thousand accounts (`RATE`) and is higher than in life (about one
transaction in a hundred here; one in a thousand to ten thousand there), so that a month has enough of each kind to
count. Payees of the criminals are drawn like those of everybody.

Not covered: crime that reacts to being caught; collusion of merchants; everything else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from domains.finance.transactions.world import DAY, HOUR, Draft, World, name_of, settle, stranger

__all__ = ["RATE", "TYPOLOGIES", "campaigns"]


def _structuring(world: World, start: float, care: float) -> list[Draft]:
    rng = world.rng
    account = int(rng.integers(world.accounts))
    span = (3 + 17 * care) * DAY
    made, total = [], 0
    for _ in range(int(rng.integers(3, 10))):
        cents = settle(rng.uniform(7_000 if care > 0.5 else 8_500, 9_990))
        total += cents
        when = start + rng.uniform(0, span)
        made.append(Draft(when, cents, account, "branch", "cash", incoming=True, country=world.home[account]))
    made.append(
        Draft(
            start + span + rng.uniform(1, 30) * HOUR,
            int(total * rng.uniform(0.6, 0.98)),
            account,
            "online",
            "transfer",
            counterparty=stranger(world),
            device=world.phone(account),
            country=world.home[account],
        )
    )
    return made


def _card_testing(world: World, start: float, care: float) -> list[Draft]:
    rng = world.rng
    device = f"B-{int(rng.integers(10**9))}"
    shops = [int(place) for place in rng.integers(0, world.merchants, int(rng.integers(1, 4)))]
    span = (0.3 + 24 * care) * HOUR
    made = []
    for account in (int(place) for place in rng.integers(0, world.accounts, int(rng.integers(5, 41)))):
        # the careful one shows another browser with every few cards
        seen = device if care < 0.6 else f"{device}-{int(rng.integers(6))}"
        cents = int(rng.integers(50, 500)) if care < 0.5 else int(rng.integers(200, 3_000))
        declined = bool(rng.random() < 0.5)
        when = start + rng.uniform(0, span)
        shop = f"M-{world.one_of(shops):05d}"
        country = world.home[account]
        made.append(
            Draft(
                when, cents, account, "online", "card", merchant=shop, device=seen, declined=declined, country=country
            )
        )
        if not declined and rng.random() < 0.2:
            bought = f"M-{int(rng.integers(world.merchants)):05d}"
            later = when + rng.uniform(1, 48) * HOUR
            made.append(
                Draft(
                    later,
                    int(rng.integers(15_000, 90_000)),
                    account,
                    "online",
                    "card",
                    merchant=bought,
                    device=f"B-{int(rng.integers(10**9))}",
                    country=country,
                )
            )
    return made


def _takeover(world: World, start: float, care: float) -> list[Draft]:
    rng = world.rng
    account = int(rng.integers(world.accounts))
    device = f"N-{int(rng.integers(10**9))}"
    country = world.home[account] if rng.random() < 0.4 + 0.6 * care else world.one_of(("RO", "GB", "NG", "US"))
    when = start + (rng.uniform(0, 5) * HOUR if rng.random() > care else world.hour())
    made = []
    for _ in range(int(rng.integers(0, 3))):
        made.append(
            Draft(
                when,
                int(rng.integers(100, 2_000)),
                account,
                "online",
                "card",
                merchant=f"M-{int(rng.integers(world.merchants)):05d}",
                device=device,
                country=country,
            )
        )
        when += rng.uniform(2, 40) * 60
    payee = stranger(world)
    for _ in range(int(rng.integers(1, 5))):
        times = rng.uniform(1, 3) if care > 0.5 else rng.uniform(2, 8)
        cents = int(world.cents(account, 180.0, 0.4) * times)
        made.append(
            Draft(when, cents, account, "mobile", "transfer", counterparty=payee, device=device, country=country)
        )
        when += rng.uniform(2, 60 + 600 * care) * 60
    return made


def _mule(world: World, start: float, care: float) -> list[Draft]:
    rng = world.rng
    mule = int(rng.integers(world.accounts))
    made, total, last = [], 0, start
    for _ in range(int(rng.integers(3, 16))):
        victim = int(rng.integers(world.accounts))
        cents = int(rng.uniform(150, 2_500 - 1_500 * care) * 100)
        when = start + rng.uniform(0, 0.5 + 5.5 * care) * DAY
        total, last = total + cents, max(last, when)
        made.append(
            Draft(
                when,
                cents,
                victim,
                "mobile",
                "transfer",
                counterparty=name_of(mule),
                device=world.phone(victim),
                country=world.home[victim],
            )
        )
    parts = int(rng.integers(1, 4))
    for _ in range(parts):
        made.append(
            Draft(
                last + rng.uniform(0.2, 3 + 20 * care) * HOUR,
                int(total * rng.uniform(0.8, 0.98) / parts),
                mule,
                "mobile",
                "transfer",
                counterparty=stranger(world),
                device=world.phone(mule),
                country=world.home[mule],
            )
        )
    return made


def _round_trip(world: World, start: float, care: float) -> list[Draft]:
    rng = world.rng
    ring = [int(place) for place in rng.choice(world.accounts, int(rng.integers(3, 6)), replace=False)]
    cents, when, made = int(rng.uniform(800, 40_000 - 35_000 * care) * 100), start, []
    for _ in range(int(rng.integers(1, 4))):
        for place, account in enumerate(ring):
            payee = ring[(place + 1) % len(ring)]
            made.append(
                Draft(
                    when,
                    cents,
                    account,
                    "online",
                    "transfer",
                    counterparty=name_of(payee),
                    device=world.phone(account),
                    country=world.home[account],
                )
            )
            cents = int(cents * rng.uniform(0.97, 0.99))
            when += rng.uniform(1, 20 + 40 * care) * HOUR
    return made


_Make = Callable[[World, float, float], list[Draft]]
TYPOLOGIES: Final[dict[str, _Make]] = {
    "structuring": _structuring,
    "card_testing": _card_testing,
    "account_takeover": _takeover,
    "mule_fan_in": _mule,
    "round_tripping": _round_trip,
}
RATE: Final = {
    "structuring": 1.6,
    "card_testing": 0.9,
    "account_takeover": 4.4,
    "mule_fan_in": 1.0,
    "round_tripping": 1.4,
}
"""Campaigns a month for a thousand accounts."""


def campaigns(world: World, *, days: int) -> list[Draft]:
    """Draw the campaigns of so many days, each event labelled with its typology."""
    made: list[Draft] = []
    for name, make in TYPOLOGIES.items():
        for _ in range(world.rng.poisson(RATE[name] * world.accounts / 1000 * days / 30)):
            start = float(world.rng.uniform(0, days) * DAY)
            for draft in make(world, start, float(world.rng.random())):
                draft.typology = name
                made.append(draft)
    return made
