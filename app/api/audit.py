"""`/v1/audit`: what an auditor may read of the ledger, and the proof that nobody changed it.

Entries hold digests, ids and verdicts, never documents or questions. Reading them is recorded like everything else.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from app.api.guard import Caller, TheService

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
    found = await asyncio.to_thread(lambda: list(service.ledger.entries(start=start, limit=limit)))
    return Entries(
        entries=[event.model_dump(mode="json") for event in found],
        size=service.ledger.size,
        root=service.ledger.root.hex(),
    )


@router.get("/entries/{entry}", summary="Read one entry")
async def entry_at(entry: int, _caller: Caller, service: TheService) -> dict[str, Any]:
    """Return one entry by its index."""
    event = await asyncio.to_thread(service.ledger.get, entry)
    return event.model_dump(mode="json")


@router.post("/verify", summary="Verify the ledger")
async def verify(_caller: Caller, service: TheService) -> Verification:
    """Derive every leaf and the root from the stored entries and compare with what was recorded."""
    report = await asyncio.to_thread(service.ledger.verify)
    return Verification(size=report.size, root=report.root.hex(), intact=True)
