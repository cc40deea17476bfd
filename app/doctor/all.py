"""All examinations, in the order in which a start needs their parts."""

from __future__ import annotations

from typing import Final

from app.doctor import machine, stores, weights
from app.doctor.finding import Examination

__all__ = ["DEEP", "QUICK"]

QUICK: Final[tuple[tuple[str, Examination], ...]] = (
    ("processor", machine.processor),
    ("graphics card", machine.driver),
    ("memory", machine.with_memory),
    ("disk", machine.disk),
    ("port", machine.port),
    ("secrets", stores.secrets),
    ("database", stores.database),
    ("ledger", stores.ledger),
    ("index", stores.index),
    ("embedders", weights.embedders),
    ("checkpoint", weights.checkpoint),
    ("model server", weights.server),
)

DEEP: Final[tuple[tuple[str, Examination], ...]] = (*QUICK, ("checkpoint", weights.checkpoint_deep))
"""With every byte of the checkpoint hashed anew, which reads all of it."""
