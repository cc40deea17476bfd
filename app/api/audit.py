"""`/v1/audit`: what an auditor may read of the ledger, and the proof that nobody changed it.

Entries hold digests, ids and verdicts, never documents or questions. Reading them is recorded like everything else.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from app.api.guard import Caller, TheService
from app.ledger.reading import Entry

__all__ = ["router"]

router = APIRouter(prefix="/v1/audit", tags=["audit"])


class Entries(BaseModel):
    """A stretch of the ledger. `root` is the RFC 6962 root over all `size` entries, in hexadecimal."""

    entries: list[dict[str, Any]]
    size: int
    root: str


class Verification(BaseModel):
    """The result of hashing the whole ledger anew."""

    size: int
    root: str
    intact: bool


@router.get("/entries", summary="Read the ledger")
async def entries(
    _caller: Caller,
    service: TheService,
    start: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Entries:
    """Return entries from `start` on, with the tree's size and root as they are now."""
    found = await asyncio.to_thread(service.ledger.entries, start, limit)
    size, root = await asyncio.to_thread(lambda: (service.ledger.size, service.ledger.root))
    return Entries(entries=[_shown(item) for item in found], size=size, root=root)


@router.get("/entries/{entry}", summary="Read one entry")
async def entry_at(entry: int, _caller: Caller, service: TheService) -> dict[str, Any]:
    """Return one entry by its index."""
    return _shown(await asyncio.to_thread(service.ledger.get, entry))


@router.post("/verify", summary="Verify the ledger")
async def verify(_caller: Caller, service: TheService) -> Verification:
    """Derive every leaf and the root from the stored entries and compare with what was recorded."""
    report = await asyncio.to_thread(service.ledger.verify)
    return Verification(size=report.size, root=report.root, intact=True)


def _shown(entry: Entry) -> dict[str, Any]:
    return {"entry": entry.seq, "leaf": entry.leaf, "root": entry.root, **asdict(entry.event)}
