"""Streams of generated transactions with labels: for tests, the benchmark, the shipped model and the demo.

The same seed gives the same stream, to the cent. A stream of `MONTHS` months of 30 days is split in time, never at
random: what is fitted never sees a later month.

    month 0      warm-up: fills the windows, is not used
    months 1-3   training
    month 4      calibration
    months 5-6   held out

What is honest and how is written in `world`, what is not in `typologies`.

Not covered: a figure measured on a generated stream says how the parts compare on it, not how either would do at a
bank.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

import numpy as np
from numpy.typing import NDArray

from domains.finance.transactions.event import Channel, Direction, Outcome, Transaction, Type
from domains.finance.transactions.typologies import campaigns
from domains.finance.transactions.world import MONTH, Draft, World, honest, name_of

__all__ = ["CALIBRATION", "HELD_OUT", "MONTHS", "START", "TRAINING", "Stream", "generate"]

MONTHS: Final = 7
TRAINING: Final = (1, 2, 3)
CALIBRATION: Final = (4,)
HELD_OUT: Final = (5, 6)
START: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Stream:
    """Transactions in the order of their times, with labels."""

    transactions: Sequence[Transaction]
    typology: Sequence[str]
    """"" where honest."""
    month: NDArray[np.int64]
    """(n,), months of 30 days since the first."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """1 where it belongs to a campaign, (n,)."""
        return np.array([int(bool(name)) for name in self.typology], dtype=np.int64)

    def within(self, months: Sequence[int]) -> NDArray[np.bool_]:
        """Say which transactions are of these months, (n,)."""
        return np.isin(self.month, months)


def generate(*, accounts: int, seed: int, months: int = MONTHS, start: datetime = START) -> Stream:
    """Generate a stream.

    Args:
        accounts: About nine transactions a month each.
        seed: The same seed, the same stream.
        months: Of 30 days.
        start: The first day.
    """
    world = World.draw(accounts, np.random.default_rng(seed))
    days = 30 * months
    drafts = [*honest(world, days=days), *campaigns(world, days=days)]
    drafts = sorted((draft for draft in drafts if draft.seconds < months * MONTH), key=lambda draft: draft.seconds)
    return Stream(
        transactions=[_finished(draft, world, number, start, seed) for number, draft in enumerate(drafts)],
        typology=[draft.typology for draft in drafts],
        month=np.array([int(draft.seconds // MONTH) for draft in drafts], dtype=np.int64),
    )


def _finished(draft: Draft, world: World, number: int, start: datetime, seed: int) -> Transaction:
    return Transaction(
        id=f"G{seed}-{number:07d}",
        time=start + timedelta(milliseconds=int(draft.seconds * 1000)),
        amount=Decimal(draft.cents).scaleb(-2),
        currency="EUR",
        account=name_of(draft.account),
        counterparty=draft.counterparty,
        merchant=draft.merchant,
        device=draft.device,
        channel=Channel(draft.channel),
        type=Type(draft.kind),
        direction=Direction.IN if draft.incoming else Direction.OUT,
        outcome=Outcome.DECLINED if draft.declined else Outcome.APPROVED,
        country=draft.country,
        home_country=world.home[draft.account],
    )
