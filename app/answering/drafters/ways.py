"""The ways of drafting that Vouch has, in the order in which they are tried; the last one always writes."""

from __future__ import annotations

from typing import Final

from app.answering.drafters.bare import Bare
from app.answering.drafters.closed import Closed
from app.answering.drafters.computed import Computed
from app.answering.drafters.contract import Drafter
from app.answering.drafters.prose import Prose
from app.answering.drafters.sections import Sections

__all__ = ["WAYS", "ways"]


def ways(*, sections: int = 12) -> tuple[Drafter, ...]:
    """Return all ways, in order; `sections` is the most sections of a long text that are read for one answer."""
    return (Closed(), Computed(), Sections(most=sections), Bare(), Prose())


WAYS: Final = ways()
