"""The whole way of an assessment: gathered figures in, checks, factors, rating and proved risk points out.

One function for the route, for the chat's tools and for tests. It keeps nothing and asks nobody; the search for
disclosures and the record in the ledger are the caller's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from domains.finance.statements.checks import Finding, check, refuse_scale_break
from domains.finance.statements.compute import compute
from domains.finance.statements.intake.assembly import Gathered
from domains.finance.statements.rating import Rating, rate
from domains.finance.statements.risk_points import RiskPoint, Struck, find_risks, proved
from domains.finance.statements.rules import RULES, Rules
from domains.finance.statements.types import Computed, Period, Statements

__all__ = ["Assessment", "assess", "digest_of"]


@dataclass(frozen=True, slots=True)
class Assessment:
    """What came of one company's statements."""

    gathered: Gathered
    period: Period
    findings: tuple[Finding, ...]
    factors: Mapping[str, tuple[Computed, ...]]
    rating: Rating
    risks: tuple[RiskPoint, ...]
    struck: tuple[Struck, ...]
    digest: str


def assess(gathered: Gathered, *, rules: Rules = RULES, accept_scale_break: bool = False) -> Assessment:
    """Assess the newest period.

    Raises:
        InputRefused: one period is in another unit than the one before, and it was not said that it is so.
    """
    statements = gathered.statements
    if not accept_scale_break:
        refuse_scale_break(statements)
    period = statements.periods[-1]
    risks, struck = find_risks(statements, rules, period)
    findings: list[Finding] = []
    for found in check(statements):
        kept, lost = proved(found.sentences, statements, found.code)
        struck.extend(lost)
        findings.append(Finding(found.code, found.gravity, found.period, kept, found.concepts))
    return Assessment(
        gathered,
        period,
        tuple(findings),
        compute(statements),
        rate(statements, rules, period),
        tuple(risks),
        tuple(struck),
        digest_of(statements),
    )


def digest_of(statements: Statements) -> str:
    """Return the SHA-256 of a company's cells in a fixed order: what the ledger keeps instead of the figures."""
    lines = sorted(
        f"{cell.concept}\t{cell.member or ''}\t{cell.period}\t{cell.value.normalize():f}\t{cell.unit}"
        for cell in statements.cells
    )
    peers = sorted(digest_of(peer) for peer in statements.peers or ())
    whole = "\n".join((statements.currency, statements.industry or "", *lines, *peers))
    return hashlib.sha256(whole.encode("utf-8")).hexdigest()
