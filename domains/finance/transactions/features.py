"""The 1,024 features, declared as data: entity x window x aggregate, each with its formula, unit and words.

All are of the state *before* the transaction, as of its own time; what does not apply (nobody named, no history) is
NaN, which the model treats as its own case and the rules treat as "no".

With n the number of transactions in the window, s the sum of approved amounts, l = ln(1 + amount) of the transaction
at hand, m and d mean and standard deviation of l in the window:

    count, sum, largest            n, s, the largest amount
    mean, ratio                    s / approved, amount / mean
    sd, z                          d (n ≥ 2), (l - m) / max(d, 0.1) within ±10 (n ≥ 3)
    velocity                       (n / length) / (all transactions ever / age), age at least a day
    in_sum, out_sum, pass_through  received, paid, min(in, out) / max(in, out)
    night … novel                  the share of n that is so
    distinct_X                     different X, estimated

115 pairs of role and aggregate x 8 windows = 920; whole life, 7 roles x 7 = 49; share of the account's transactions
that went over this pair, 3 x 8 = 24; the transaction itself, 31: together 1,024. The whole-life features are as known
when the transaction arrives; the windows are as of its own time.

Shapes: n events, E = 7 roles, W = 8 windows, F = 1,024.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from domains.finance.transactions.contributions import NAMES_COUNTED, Columns
from domains.finance.transactions.currency import THRESHOLD
from domains.finance.transactions.event import ROLES, Channel, Type
from domains.finance.transactions.windows import BITMAPS, DISTINCT, LENGTHS, WINDOWS, Floats, Windowed

__all__ = ["AGGREGATES", "EVENT", "FEATURES", "LIFETIME", "NAMES", "Feature", "compute"]


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature. `role` and `window` are empty where they do not apply."""

    name: str
    role: str
    aggregate: str
    window: str


_SHARES: Final = ("night", "round", "below", "small", "declined", "foreign", "online", "cash", "novel")
_SHARE_AT: Final = (6, 7, 8, 9, 10, 11, 12, 13, 14)
AGGREGATES: Final = (
    "count", "sum", "mean", "largest", "sd", "z", "ratio", "velocity", "in_sum", "out_sum", "pass_through",
    *_SHARES, *(f"distinct_{name}" for name in BITMAPS),
)  # fmt: skip

_ANY: Final = ("count", "sum", "mean", "largest", "z", "ratio", "velocity")
_OF_ROLE: Final = {
    "account": AGGREGATES,
    "counterparty": AGGREGATES,
    "merchant": (
        *_ANY, "sd", "night", "round", "declined", "foreign", "small", "online", "novel",
        "distinct_peer", "distinct_device", "distinct_country",
    ),
    "device": (
        *_ANY, "sd", "night", "round", "below", "declined", "foreign", "small", "out_sum", "novel",
        "distinct_peer", "distinct_device", "distinct_merchant", "distinct_country",
    ),
    "account_counterparty": (*_ANY, "pass_through", "round", "below", "night"),
    "account_device": (*_ANY, "declined", "distinct_peer", "distinct_merchant"),
    "account_merchant": (*_ANY, "declined"),
}  # fmt: skip

LIFETIME: Final = ("age_days", "idle_s", "count_ever", "mean_ever", "z_ever", "of_largest", "new")
_PAIRS: Final = ("account_counterparty", "account_device", "account_merchant")
EVENT: Final = (
    "amount", "log_amount", "of_threshold", "hour", "weekday", "weekend", "night", "round", "whole", "below", "small",
    "declined", "incoming", "foreign", "cross_currency",
    *(f"channel_{channel}" for channel in Channel), *(f"type_{kind}" for kind in Type),
    "names_counterparty", "names_merchant", "names_device",
    "new_country", "repeats_last_amount", "of_last_amount", "of_received_24h",
)  # fmt: skip


def _shown(role: str, aggregate: str) -> str:
    if not aggregate.startswith("distinct_"):
        return aggregate
    return f"distinct_{NAMES_COUNTED[role][BITMAPS.index(aggregate.removeprefix('distinct_'))]}"


def _declared() -> tuple[Feature, ...]:
    windowed = [
        Feature(f"{role}.{_shown(role, aggregate)}.{window}", role, _shown(role, aggregate), window)
        for role in ROLES
        for aggregate in _OF_ROLE[role]
        for window in WINDOWS
    ]
    life = [Feature(f"{role}.{aggregate}", role, aggregate, "") for role in ROLES for aggregate in LIFETIME]
    shares = [Feature(f"{role}.share.{window}", role, "share", window) for role in _PAIRS for window in WINDOWS]
    own = [Feature(f"event.{name}", "", name, "") for name in EVENT]
    return (*windowed, *life, *shares, *own)


FEATURES: Final = _declared()
NAMES: Final = tuple(feature.name for feature in FEATURES)

_PICK: Final = np.array(
    [
        (AGGREGATES.index(aggregate) * len(ROLES) + ROLES.index(role)) * len(WINDOWS) + window
        for role in ROLES
        for aggregate in _OF_ROLE[role]
        for window in range(len(WINDOWS))
    ]
)  # (920,), places in the array (A, E, W) laid flat
_DAY: Final = 86_400.0


def compute(events: Columns, seen: Windowed, life: Floats) -> Floats:
    """Compute the features of events.

    Args:
        events: n events as columns.
        seen: Their windows, before the events.
        life: (n, E, 8), the rows' whole lives before the events, see `state.LIFE`.

    Returns:
        (n, F), in the order of `FEATURES`.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        windowed = _windowed(events, seen, life)  # (n, A, E, W)
        lifetime = _lifetime(events, life)  # (n, E, 7)
    absent = ~events.named
    windowed.transpose(0, 2, 1, 3)[absent] = np.nan
    lifetime[absent] = np.nan
    count = windowed[:, 0]  # (n, E, W)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = count[:, 4:7] / np.where(count[:, :1] > 0, count[:, :1], np.nan)  # (n, 3, W)
    n = len(events)
    return np.concatenate(
        [
            windowed.reshape(n, -1)[:, _PICK],
            lifetime.reshape(n, -1),
            shares.reshape(n, -1),
            _own(events, seen, life),
        ],
        axis=1,
    )


def _windowed(events: Columns, seen: Windowed, life: Floats) -> Floats:
    sums = seen.sums  # (n, E, W, M)
    n, roles, windows, _ = sums.shape
    out = np.empty((n, len(AGGREGATES), roles, windows))
    count, amount, log, log2 = (sums[..., place] for place in range(4))
    incoming = sums[..., 5]
    outgoing = amount - incoming
    some = np.where(count > 0, count, np.nan)
    approved = count - sums[..., 10]
    mean = amount / np.where(approved > 0, approved, np.nan)
    middle = log / some
    sd = np.sqrt(np.maximum(log2 / some - middle * middle, 0.0))
    own = np.log1p(events.amount)[:, None, None]
    age = np.maximum(events.seconds[:, None] - life[:, :, 0], _DAY)  # (n, E)
    usual = (life[:, :, 2] / age)[:, :, None]  # transactions a second
    out[:, 0], out[:, 1], out[:, 2], out[:, 3] = count, amount, mean, seen.largest
    out[:, 4] = np.where(count >= 2, sd, np.nan)
    out[:, 5] = np.where(count >= 3, np.clip((own - middle) / np.maximum(sd, 0.1), -10, 10), np.nan)
    out[:, 6] = events.amount[:, None, None] / np.where(mean > 0, mean, np.nan)
    out[:, 7] = (count / LENGTHS) / np.where(usual > 0, usual, np.nan)
    out[:, 8], out[:, 9] = incoming, outgoing
    larger = np.maximum(incoming, outgoing)
    out[:, 10] = np.minimum(incoming, outgoing) / np.where(larger > 0, larger, np.nan)
    out[:, 11:20] = np.moveaxis(sums[..., 6:15] / some[..., None], -1, 1)
    out[:, 20:24] = np.moveaxis(DISTINCT[np.bitwise_count(seen.bits)], -1, 1)
    return out


def _lifetime(events: Columns, life: Floats) -> Floats:
    first, last, count, amount, log, log2, largest, _ = (life[:, :, place] for place in range(8))
    now, own = events.seconds[:, None], np.log1p(events.amount)[:, None]
    some = np.where(count > 0, count, np.nan)
    middle = log / some
    sd = np.sqrt(np.maximum(log2 / some - middle * middle, 0.0))
    return np.stack(
        [
            np.where(count > 0, np.maximum(now - first, 0.0) / _DAY, np.nan),
            np.where(count > 0, np.maximum(now - last, 0.0), np.nan),
            count,
            amount / some,
            np.where(count >= 3, np.clip((own - middle) / np.maximum(sd, 0.1), -10, 10), np.nan),
            events.amount[:, None] / np.where(largest > 0, largest, np.nan),
            (count == 0).astype(np.float64),
        ],
        axis=-1,
    )  # (n, E, 7)


def _own(events: Columns, seen: Windowed, life: Floats) -> Floats:
    amount, flags = events.amount, events.flags
    last = np.where((life[:, 0, 2] > 0) & (life[:, 0, 7] > 0), life[:, 0, 7], np.nan)
    received = seen.sums[:, 0, WINDOWS.index("24h"), 5]
    country = events.bits[:, 0, 3]
    known = seen.bits[:, 0, WINDOWS.index("30d"), 3] & country
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [
            amount,
            np.log1p(amount),
            amount / THRESHOLD,
            events.hour,
            events.weekday,
            (events.weekday >= 5).astype(float),
            *(flags[name] for name in ("night", "round", "whole", "below", "small", "declined", "incoming", "foreign")),
            flags["cross_currency"],
            *((events.channel == place).astype(float) for place in range(len(Channel))),
            *((events.type == place).astype(float) for place in range(len(Type))),
            *(events.named[:, role].astype(float) for role in (1, 2, 3)),
            np.where(country > 0, (known == 0).astype(float), np.nan),
            np.where(np.isnan(last), np.nan, (amount == last).astype(float)),
            amount / last,
            amount / np.where(received > 0, received, np.nan),
        ]
    return np.stack(parts, axis=-1)  # (n, 31)
