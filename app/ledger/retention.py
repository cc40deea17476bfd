"""How long entries are kept: the policy that the installation states, and the laws that it answers to.

A policy gives a number of days for a domain's entries, and under ``*`` for all others (reads, documents, starts). It is
stated in the setting `retention_days`; where none is stated, nothing is ever pruned. An answer's entry carries the days
that its domain promised when it was written (`DomainPlugin.retention_days`): the longer of promise and policy counts,
so that a later policy cannot shorten an earlier promise.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from app.errors import SettingsError
from app.ledger.event import LedgerEvent

__all__ = ["OTHERS", "SOURCES", "Policy", "Rule", "expired"]

OTHERS: Final = "*"
"""The name in a policy of everything that belongs to no domain."""

SOURCES: Final[tuple[tuple[int, str], ...]] = (
    (183, "six months: EU AI Act (Regulation 2024/1689) Art. 26(6); Cybersecurity Law of China Art. 21(3)"),
    (1096, "three years: PIPL of China Art. 56"),
    (2192, "six years: HIPAA, 45 CFR 164.316(b)(2)(i)"),
    (7305, "twenty years: Securities Law of China Art. 137"),
)
"""Least days, and the law that asks for them; each number holds the leap days that can fall into its years."""


@dataclass(frozen=True, slots=True)
class Rule:
    """For how many days an entry is kept, and why: `name` is the domain or ``*``."""

    name: str
    days: int
    source: str


class Policy:
    """The stated table, applied to entries."""

    def __init__(self, stated: Mapping[str, int]) -> None:
        """Take the days by domain; an empty table is no policy."""
        self._stated = dict(stated)

    def __bool__(self) -> bool:
        return bool(self._stated)

    def check(self, domains: Collection[str]) -> None:
        """Refuse a name that is no domain: a mistyped one would leave its entries to the rule for all others.

        Raises:
            SettingsError: the table names what is neither loaded nor found in the ledger.
        """
        for name in self._stated:
            if name != OTHERS and name not in domains:
                near = difflib.get_close_matches(name, domains, n=1)
                hint = f" Did you mean {near[0]!r}?" if near else ""
                raise SettingsError(
                    f"retention_days names {name!r}, which is no domain here.{hint}",
                    remedy=f"Domains are: {', '.join(sorted(domains)) or 'none'}; '*' is everything else.",
                )

    def rule_for(self, domain: str | None, promised: int | None) -> Rule | None:
        """Return the rule for an entry of a domain, or None: it is kept for good."""
        name = domain if domain in self._stated else OTHERS
        days = self._stated.get(name)
        if days is None:
            return None
        if promised is not None and promised > days:
            return Rule(domain or name, promised, f"promised when it was written; {_law(promised)}")
        return Rule(domain or name, days, f"retention_days[{name!r}]; {_law(days)}")


def expired(event: LedgerEvent, rule: Rule, *, now: datetime) -> bool:
    """Say whether an entry has been kept as long as its rule asks."""
    return now - datetime.fromisoformat(event.time) >= timedelta(days=rule.days)


def _law(days: int) -> str:
    """Name the longest of the legal terms that this many days fulfil."""
    kept = [text for least, text in SOURCES if days >= least]
    return kept[-1] if kept else "shorter than any of the laws that are named here"
