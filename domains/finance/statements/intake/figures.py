"""One figure as a source gives it, before it is known which period and item it belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from domains.finance.statements.intake.periods import Mark
from domains.finance.statements.types import Source

__all__ = ["LIMITS", "Brought", "Figure", "Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may be brought at once. Generous for real statements, small enough that reading them takes seconds.

    A full annual report in inline XBRL has some 3,000 facts and 10 to 30 MB; a company's facts at the SEC some 20,000
    in 2 to 10 MB; a workbook of statements a few hundred rows on five sheets.
    """

    file_bytes: int = 32 << 20
    inflated_bytes: int = 128 << 20
    members: int = 2_000
    sheets: int = 24
    rows: int = 5_000
    columns: int = 200
    cells: int = 200_000
    facts: int = 500_000
    periods: int = 24
    peers: int = 200


LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure and where it stands.

    `label` is what the source calls it; `concept` is set where the source names the item beyond doubt (a tag or an id),
    `part` where the line is one of several that make up the item, `rank` how far its name is from meaning it exactly.
    `amount` is in whole units, `currency` None where the source does not say. `filed` is the day on which the figure
    was published: the newest of two is the restated one.
    """

    label: str
    mark: Mark
    amount: Decimal
    source: Source
    concept: str | None = None
    currency: str | None = None
    member: str | None = None
    filed: date | None = None
    part: bool = False
    rank: int = 0


@dataclass(frozen=True, slots=True)
class Brought:
    """All that one file or request holds of one company."""

    figures: tuple[Figure, ...]
    company: str | None = None
    empty: int = 0
    """Cells of known items that were empty or a dash: not reported, never zero."""

    unread: tuple[str, ...] = ()
    """Places of cells of unknown items whose content is no amount; they are of no use here and are only counted."""
