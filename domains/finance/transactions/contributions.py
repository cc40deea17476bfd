"""What one transaction adds to the state of each entity that it names, and the columns that features are computed from.

Shapes: n events, E roles, M measures, B bitmaps, as in `windows`.

    measures[i, e] = (1, a·x, ln(1+x), ln²(1+x), in, in·a·x, night, round, below, small, declined, foreign,
                      online, cash, novel)

with x the amount in euro and a = 1 if it was approved. `in` is seen from the entity: what leaves an account arrives
at its counterparty. `novel` says that the pair had never met before: account and counterparty, account and merchant,
account and device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from domains.finance.transactions.event import ROLES, Channel, Parsed, Type
from domains.finance.transactions.windows import BITMAPS, MEASURES, Bits, Floats, Ints

__all__ = ["NAMES_COUNTED", "Columns", "columns", "measures", "novelty"]

_ACCOUNT, _COUNTERPARTY, _DEVICE, _MERCHANT, _COUNTRY, _NOBODY = 0, 1, 2, 3, 4, 5

NAMES_COUNTED: Final = {
    "account": ("counterparty", "device", "merchant", "country"),
    "counterparty": ("counterparty", "device", "merchant", "country"),
    "merchant": ("account", "device", "", "country"),
    "device": ("account", "counterparty", "merchant", "country"),
    "account_counterparty": ("", "", "", ""),
    "account_device": ("counterparty", "", "merchant", ""),
    "account_merchant": ("", "", "", ""),
}
"""Role -> whose names its four bitmaps count. The counterparty's counterparty is the account that pays it."""

_CODES: Final = {"account": 0, "counterparty": 1, "device": 2, "merchant": 3, "country": 4, "": _NOBODY}
_SOURCE: Final[Ints] = np.array(
    [
        [_ACCOUNT if (role, name) == ("counterparty", "counterparty") else _CODES[name] for name in NAMES_COUNTED[role]]
        for role in ROLES
    ]
)  # (E, B)

_AC, _AD, _AM = 4, 5, 6
"""Places of the pairs in `ROLES`."""

_FLAGS: Final = (
    "night",
    "round",
    "whole",
    "below",
    "small",
    "declined",
    "foreign",
    "incoming",
    "pair_incoming",
    "cross_currency",
)
_CHANNELS: Final = tuple(Channel)
_TYPES: Final = tuple(Type)


@dataclass(frozen=True, slots=True)
class Columns:
    """Events as columns, (n,) each unless said otherwise."""

    seconds: Floats
    amount: Floats
    hour: Floats
    weekday: Floats
    flags: dict[str, Floats]
    channel: Ints
    type: Ints
    bits: Bits
    """(n, E, B)."""
    named: NDArray[np.bool_]
    """(n, E): whether the event names somebody in this role."""

    def __len__(self) -> int:
        return len(self.seconds)

    def at(self, index: slice | Ints) -> Columns:
        """Return some of the events."""
        return Columns(
            self.seconds[index],
            self.amount[index],
            self.hour[index],
            self.weekday[index],
            {name: flag[index] for name, flag in self.flags.items()},
            self.channel[index],
            self.type[index],
            self.bits[index],
            self.named[index],
        )


def columns(events: Sequence[Parsed]) -> Columns:
    """Lay events out as columns."""
    numbers = np.array(
        [
            (
                e.seconds,
                e.reference,
                e.hour,
                e.weekday,
                e.night,
                e.round,
                e.whole,
                e.below,
                e.small,
                e.declined,
                e.foreign,
                e.incoming,
                e.pair_incoming,
                e.cross_currency,
                _CHANNELS.index(e.channel),
                _TYPES.index(e.type),
            )
            for e in events
        ],
        dtype=np.float64,
    ).reshape(-1, 16)
    places = np.array([(*e.bits, -1) for e in events], dtype=np.int64).reshape(-1, 6)  # (n, 6)
    chosen = places[:, _SOURCE]  # (n, E, B)
    bits: Bits = np.where(
        chosen >= 0, np.left_shift(np.uint64(1), np.maximum(chosen, 0).astype(np.uint64)), np.uint64(0)
    )
    return Columns(
        seconds=numbers[:, 0],
        amount=numbers[:, 1],
        hour=numbers[:, 2],
        weekday=numbers[:, 3],
        flags={name: numbers[:, 4 + place] for place, name in enumerate(_FLAGS)},
        channel=numbers[:, 14].astype(np.int64),
        type=numbers[:, 15].astype(np.int64),
        bits=bits,
        named=np.array([[key is not None for key in e.keys] for e in events], dtype=bool).reshape(-1, len(ROLES)),
    )


def novelty(seen: Floats, named: NDArray[np.bool_]) -> Floats:
    """Say for each role whether the pair that it looks at is new.

    Args:
        seen: (n, E), how many transactions each row has had.
        named: (n, E).

    Returns:
        (n, E) of 0 and 1.
    """
    new: Floats = (named & (seen == 0)).astype(np.float64)
    result: Floats = np.zeros_like(new)
    result[:, 0] = np.maximum(new[:, _AC], new[:, _AM])  # account: a payee or merchant that it never paid
    result[:, 1] = result[:, _AC] = new[:, _AC]
    result[:, 2] = result[:, _AM] = new[:, _AM]
    result[:, 3] = result[:, _AD] = new[:, _AD]
    return result


def measures(events: Columns, novel: Floats) -> Floats:
    """Return what each event adds to each role's row, (n, E, M)."""
    flags = events.flags
    log = np.log1p(events.amount)
    moved = events.amount * (1.0 - flags["declined"])
    base = np.stack(
        [
            np.ones_like(log),
            moved,
            log,
            log * log,
            flags["incoming"],
            flags["incoming"] * moved,
            flags["night"],
            flags["round"],
            flags["below"],
            flags["small"],
            flags["declined"],
            flags["foreign"],
            (events.channel >= _CHANNELS.index(Channel.ONLINE)).astype(np.float64),
            (events.type == _TYPES.index(Type.CASH)).astype(np.float64),
            np.zeros_like(log),
        ],
        axis=-1,
    )  # (n, M)
    added = np.repeat(base[:, None, :], len(ROLES), axis=1)  # (n, E, M)
    for role, incoming in ((1, 1.0 - flags["incoming"]), (_AC, flags["pair_incoming"])):
        added[:, role, 4] = incoming
        added[:, role, 5] = incoming * moved
    added[:, :, len(MEASURES) - 1] = novel
    return added


if len(BITMAPS) != _SOURCE.shape[1]:  # a table that was edited in one place alone
    raise TypeError("NAMES_COUNTED has another number of bitmaps than windows.BITMAPS")
