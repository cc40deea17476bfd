"""Rates the figures of the newest period: against the borders of the rules, and against peers.

A figure is weak, fair, good or strong. A group has the middle level of its figures, the company the middle level of its
groups; an even number goes to the weaker one. That is as much as borders of custom can carry: there is no score, no
decimals, and no view of the whole where fewer than half of the figures could be computed.

Among peers a figure has a quarter: the share of peers that do worse, cut at a quarter, a half and three quarters. Fewer
than three peers with the figure give none.

Not covered: weights; a rating agency's scale; probabilities of default (see the credit part and the scores).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, get_args

from domains.finance.statements.measures import Measures
from domains.finance.statements.narrative.recompute import median
from domains.finance.statements.rules import RatingRule, Rules
from domains.finance.statements.types import Computed, Period, Statements

__all__ = ["FEWEST_PEERS", "LEVELS", "GroupRating", "Level", "PeerPlace", "Rated", "Rating", "rate"]

Level = Literal["weak", "fair", "good", "strong"]
Quarter = Literal["lowest", "below_middle", "above_middle", "highest"]

LEVELS: Final[tuple[Level, ...]] = get_args(Level)
FEWEST_PEERS: Final = 3
"""As many as `evaluation.PEERS`, for the same reason."""

_QUARTERS: Final[tuple[Quarter, ...]] = get_args(Quarter)


@dataclass(frozen=True, slots=True)
class PeerPlace:
    """Where a figure stands among peers: how many have it, their middle, and the quarter, the best being highest."""

    peers: int
    middle: Decimal
    quarter: Quarter


@dataclass(frozen=True, slots=True)
class Rated:
    """One figure: what came of it, its level against the borders, its place among peers."""

    rule: RatingRule
    computed: Computed
    level: Level | None
    peers: PeerPlace | None


@dataclass(frozen=True, slots=True)
class GroupRating:
    """A group: its level, and its figures."""

    group: str
    level: Level | None
    figures: tuple[Rated, ...]


@dataclass(frozen=True, slots=True)
class Rating:
    """The company in one period. `overall` is None where too little could be computed."""

    period: Period
    overall: Level | None
    computed: int
    asked: int
    groups: tuple[GroupRating, ...]


def rate(statements: Statements, rules: Rules, period: Period) -> Rating:
    """Rate one period."""
    formulas = [rule.formula for rule in rules.ratings]
    own = Measures(statements, formulas)
    peers = [Measures(peer, formulas) for peer in statements.peers or ()]
    rated = [_rated(rule, own, peers, statements.industry, period) for rule in rules.ratings]
    groups = tuple(
        GroupRating(group, _middle([item.level for item in found if item.level]), tuple(found))
        for group in rules.groups
        if (found := [item for item in rated if item.rule.group == group])
    )
    count = sum(item.level is not None for item in rated)
    levels = [group.level for group in groups if group.level]
    overall = _middle(levels) if 2 * count >= len(rated) else None
    return Rating(period, overall, count, len(rated), groups)


def _rated(rule: RatingRule, own: Measures, peers: Sequence[Measures], industry: str | None, period: Period) -> Rated:
    computed = own.computed(rule.formula, period)
    if computed.value is None:
        return Rated(rule, computed, None, None)
    return Rated(rule, computed, _level(computed.value, rule, industry), _place(computed.value, rule, peers, period))


def _level(value: Decimal, rule: RatingRule, industry: str | None) -> Level:
    borders = rule.borders(industry)
    passed = sum(value >= border if rule.better == "higher" else value <= border for border in borders)
    return LEVELS[passed]


def _place(value: Decimal, rule: RatingRule, peers: Sequence[Measures], period: Period) -> PeerPlace | None:
    others = [
        found
        for peer in peers
        if (near := _nearest(peer.statements, period)) is not None
        and (found := peer.value(rule.formula, near)) is not None
    ]
    middle = median(others)
    if len(others) < FEWEST_PEERS or middle is None:
        return None
    sign = 1 if rule.better == "higher" else -1
    worse = sum(sign * other < sign * value for other in others) + Decimal(sum(other == value for other in others)) / 2
    share = worse / len(others)
    return PeerPlace(len(others), middle, _QUARTERS[min(3, int(share * 4))])


def _nearest(peer: Statements, own: Period) -> Period | None:
    near = [(abs((other.end - own.end).days), other) for other in peer.periods if other.months == own.months]
    distance, period = min(near, default=(184, own))
    return period if distance <= 183 else None


def _middle(levels: Sequence[Level]) -> Level | None:
    """Return the middle level; of an even number the weaker of the two in the middle."""
    ordered = sorted(levels, key=LEVELS.index)
    return ordered[(len(ordered) - 1) // 2] if ordered else None
