"""The rival: a classical rules engine, tuned on the same months and the same features as the model.

What it is. Scenarios as banks write them (a few conditions each, joined by "and"), for the same five typologies and
for plain velocity and amount. Each scenario has a grid of thresholds; all combinations are candidates. They are tuned
the usual way, above and below the line: again and again the candidate is taken that catches most new fraud for each
new false alarm on the training months, until `ENOUGH` of the fraud there is caught or nothing catches more. It sees
everything that the model sees, counts of threshold-near payments as well, and it may use every typology's name: its
author knew how the generator works.

How it ranks. Two ways, both tried, and the better one on the *held-out* months is counted, which favours the rival:

    order    a transaction has the rank of the first rule, in the order of tuning, that holds
    points   each rule that holds adds ln(precision odds / base odds), estimated on the training months

Shapes: n transactions, F features, R rules taken.

Not covered: a team of analysts with a year's time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from domains.finance.transactions.features import NAMES
from domains.finance.transactions.windows import Floats

__all__ = ["ENOUGH", "SCENARIOS", "Engine", "Tuned", "tune"]

ENOUGH: Final = 0.97
_MOST: Final = 150
_PLACE: Final = {name: place for place, name in enumerate(NAMES)}

Column = Callable[[str], Floats]
Flags = NDArray[np.bool_]


def _structuring(of: Column) -> Iterator[tuple[str, Flags]]:
    cash = (of("event.type_cash") == 1) & (of("event.incoming") == 1) & (of("event.of_threshold") < 1)
    for least, window, count in product((0.5, 0.7, 0.8, 0.85), ("3d", "7d", "30d"), (0, 1, 2, 3, 4)):
        near = np.nan_to_num(of(f"account.below.{window}") * of(f"account.count.{window}"))
        yield f"cash ≥ {least}, near {window} ≥ {count}", cash & (of("event.of_threshold") >= least) & (near >= count)
    for least, window, total in product((0.5, 0.7, 0.85), ("3d", "7d"), (10_000, 20_000, 40_000)):
        enough = of(f"account.in_sum.{window}") >= total
        yield f"cash ≥ {least}, in {window} ≥ {total}", cash & (of("event.of_threshold") >= least) & enough


def _card_testing(of: Column) -> Iterator[tuple[str, Flags]]:
    online = (of("event.type_card") == 1) & (of("event.channel_online") == 1)
    for window, count, cards in product(("15m", "1h", "6h", "24h"), (1, 2, 4, 8), (1, 2, 4)):
        many = (of(f"device.count.{window}") >= count) & (of(f"device.distinct_account.{window}") >= cards)
        yield f"device {window} ≥ {count}, accounts ≥ {cards}", online & many
    for window, count, share in product(("1h", "6h"), (2, 4, 8, 16), (0.1, 0.2, 0.3, 0.5)):
        bad = (of(f"merchant.count.{window}") >= count) & (of(f"merchant.declined.{window}") >= share)
        yield f"merchant {window} ≥ {count}, declined ≥ {share}", online & bad
        new = bad & (of("account_device.new") == 1)
        yield f"merchant {window} ≥ {count}, declined ≥ {share}, new device", online & new
    for amount in (100, 200, 400):
        new = (of("account_device.new") == 1) & (of("event.amount") >= amount)
        yield f"card ≥ {amount}, new device", online & new
        yield f"card ≥ {amount}, device never seen", online & new & (of("device.new") == 1)


def _takeover(of: Column) -> Iterator[tuple[str, Flags]]:
    transfer = (of("event.type_transfer") == 1) & (of("event.incoming") == 0)
    payee = of("account_counterparty.new") == 1
    for amount, z, where in product((0, 200, 500, 1000), (-1, 0, 0.5, 1, 1.5, 2), ("device.new", "account_device.new")):
        large = (of("event.amount") >= amount) & (of("account.z_ever") >= z)
        yield f"{where}, new payee, ≥ {amount}, z ≥ {z}", transfer & payee & (of(where) == 1) & large
    for hours, z in product((1, 6, 24), (0, 1, 2)):
        fresh = (of("account_device.age_days") <= hours / 24) & (of("account.z_ever") >= z)
        yield f"device known {hours} h, z ≥ {z}", transfer & fresh
    for amount in (0, 5, 50):
        abroad = (of("account_device.new") == 1) & (of("event.foreign") == 1) & (of("event.amount") >= amount)
        yield f"new device abroad ≥ {amount}", abroad


def _fan_in(of: Column) -> Iterator[tuple[str, Flags]]:
    transfer = (of("event.type_transfer") == 1) & (of("event.incoming") == 0)
    new = of("account_counterparty.new") == 1
    for window, senders, amount in product(("24h", "3d", "7d"), (1, 2, 3, 5, 8), (0, 100, 200, 400, 800)):
        many = of(f"counterparty.distinct_counterparty.{window}") >= senders
        large = (of(f"counterparty.in_sum.{window}") >= senders * amount) & (of("event.amount") >= amount)
        yield f"payee {window}: senders ≥ {senders}, ≥ {amount}", transfer & new & many & large
    for window, senders, total in product(("24h", "3d", "7d"), (2, 4, 8), (1_000, 3_000, 8_000)):
        many = of(f"account.distinct_counterparty.{window}") >= senders
        much = (of(f"account.in_sum.{window}") >= total) & (of("event.amount") >= 0.2 * total)
        yield f"moved on {window}: senders ≥ {senders}, in ≥ {total}", transfer & new & many & much


def _round_trip(of: Column) -> Iterator[tuple[str, Flags]]:
    transfer = (of("event.type_transfer") == 1) & (of("event.incoming") == 0)
    for amount, low in product((1_000, 2_000, 3_000, 5_000, 8_000, 12_000), (0.0, 0.3, 0.8, 0.9)):
        passed = (of("event.of_received_24h") >= low) & (of("event.of_received_24h") <= 1.1) if low else True
        yield f"transfer ≥ {amount}, of received ≥ {low}", transfer & (of("event.amount") >= amount) & passed
        back = of("account.pass_through.7d") >= low
        yield f"transfer ≥ {amount}, in and out ≥ {low}", transfer & (of("event.amount") >= amount) & back
    for amount, z in product((1_000, 3_000, 8_000), (1, 2, 3)):
        large = (of("event.amount") >= amount) & (of("account.z_ever") >= z)
        yield f"transfer ≥ {amount}, z ≥ {z}", transfer & large
        yield f"transfer ≥ {amount}, z ≥ {z}, new payee", transfer & large & (of("account_counterparty.new") == 1)


def _plain(of: Column) -> Iterator[tuple[str, Flags]]:
    for window, count in product(("15m", "1h", "24h"), (3, 5, 8, 12)):
        yield f"account {window} ≥ {count}", of(f"account.count.{window}") >= count
    for z, amount in product((1, 2, 3, 4), (100, 500, 2_000)):
        yield f"z ≥ {z}, ≥ {amount}", (of("account.z_ever") >= z) & (of("event.amount") >= amount)
    for pace in (5, 20, 100):
        yield f"pace ≥ {pace}", of("account.velocity.24h") >= pace


SCENARIOS: Final = (_structuring, _card_testing, _takeover, _fan_in, _round_trip, _plain)


@dataclass(frozen=True, slots=True)
class Tuned:
    """A rule that was taken: its name and what it weighs in points."""

    name: str
    points: float


@dataclass(frozen=True, slots=True)
class Engine:
    """The rules taken, in the order of tuning."""

    rules: Sequence[Tuned]

    def by_order(self, features: NDArray[np.float32]) -> Floats:
        """Score transactions (n, F) by the first rule that holds; higher is more suspicious."""
        held = self._held(features)  # (n, R)
        first = np.where(held.any(axis=1), held.argmax(axis=1), len(self.rules))
        return -first.astype(np.float64)

    def by_points(self, features: NDArray[np.float32]) -> Floats:
        """Score transactions (n, F) by the points of all rules that hold."""
        points: Floats = self._held(features).astype(np.float64) @ np.array([rule.points for rule in self.rules])
        return points

    def _held(self, features: NDArray[np.float32]) -> Flags:
        found = dict(_candidates(features))
        return np.column_stack([found[rule.name] for rule in self.rules])


def tune(features: NDArray[np.float32], labels: NDArray[np.int64], weights: Floats) -> Engine:
    """Tune on the training months.

    Args:
        features: (n, F).
        labels: (n,), 1 for fraud.
        weights: (n,), how many transactions each row stands for.
    """
    candidates = list(_candidates(features))
    fraud, honest = labels == 1, np.where(labels == 0, weights, 0.0)
    caught = np.zeros(len(labels), dtype=bool)
    taken: list[Tuned] = []
    base = np.log(fraud.sum() / honest.sum())
    table = np.column_stack([flags for _, flags in candidates])  # (n, candidates)
    gain_of, cost_of = fraud.astype(np.float64) @ table, honest @ table
    while len(taken) < _MOST and caught[fraud].mean() < ENOUGH:
        free = ~caught
        gain = (fraud & free).astype(np.float64) @ table
        cost = (honest * free) @ table
        worth = np.where(gain > 0, gain / (cost + 1.0), -1.0)
        best = int(worth.argmax())
        if worth[best] <= 0:
            break
        points = float(np.log((gain_of[best] + 0.5) / (cost_of[best] + 0.5)) - base)
        taken.append(Tuned(candidates[best][0], points))
        caught |= table[:, best]
    return Engine(taken)


def _candidates(features: NDArray[np.float32]) -> Iterator[tuple[str, Flags]]:
    """Yield each candidate with the rows where it holds; a condition on what does not apply does not hold."""

    def column(name: str) -> Floats:
        return features[:, _PLACE[name]].astype(np.float64)

    with np.errstate(invalid="ignore"):
        for scenario in SCENARIOS:
            for name, flags in scenario(column):
                yield f"{scenario.__name__.strip('_')}: {name}", flags
