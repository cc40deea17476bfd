"""The ways of drafting that Vouch has, in the order in which they are tried; the last one always writes."""

from __future__ import annotations

from typing import Final

from app.answering.drafters.bare import Bare
from app.answering.drafters.computed import Computed
from app.answering.drafters.contract import Drafter
from app.answering.drafters.prose import Prose

__all__ = ["WAYS"]

WAYS: Final[tuple[Drafter, ...]] = (Computed(), Bare(), Prose())
