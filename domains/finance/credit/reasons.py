"""Why an applicant lost points: the principal reasons that a lender must be able to give.

Under 12 CFR 1002.9(b)(2) a notice of adverse action names the specific principal reasons; its official commentary
takes as one sound method the characteristics whose points fell furthest below the average of all applicants, and says
that more than four reasons are not likely to help. That is what is computed here: exactly, since the score is a sum.

    shortfall_j = mean points of j among the loans that the card was fitted on - points of j of this applicant

Only shortfalls above half a point are reasons. An applicant may have none, and then no reason is made up.

Not covered: a notice itself, which also names the creditor and the applicant's rights; and whether a reason can be
acted upon. A characteristic that a person cannot change is still the true reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from domains.finance.credit.characteristics import CHARACTERISTICS
from domains.finance.credit.scorecard import Scorecard, Scored

__all__ = ["MOST", "Reason", "reasons"]

MOST: Final = 4

_KNOWN: Final = {item.name: item for item in CHARACTERISTICS}


@dataclass(frozen=True, slots=True)
class Reason:
    """One principal reason: the characteristic, its bin, the points lost against the average, and it in words."""

    code: str
    bin: str
    points: int
    shortfall: float
    en: str
    zh: str


def reasons(card: Scorecard, scored: Scored, applicant: Mapping[str, float | str]) -> tuple[Reason, ...]:
    """Return at most `MOST` reasons, the weightiest first; equal ones in the order of the card."""
    found = []
    for name, points in scored.points.items():
        shortfall = card.means[name] - points
        if shortfall <= 0.5:
            continue
        place = card.bins[name].find(applicant[name])
        label = "(not seen)" if place is None else card.bins[name].bins[place].label
        known = _KNOWN[name]
        found.append(
            Reason(
                name,
                label,
                points,
                round(shortfall, 1),
                f"{known.reason_en} ({label}): {shortfall:.0f} points below the average applicant",
                f"{known.reason_zh}（{label}）：比平均申请人低 {shortfall:.0f} 分",
            )
        )
    return tuple(sorted(found, key=lambda item: -item.shortfall)[:MOST])
