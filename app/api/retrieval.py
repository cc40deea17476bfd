"""`/v1/retrieval`: looking after what is searched."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query

from app.api.guard import Caller, TheService

__all__ = ["router"]

router = APIRouter(prefix="/v1/retrieval", tags=["retrieval"])


@router.post("/check", summary="Reconcile catalog, files and indexes")
async def check(
    caller: Caller,
    service: TheService,
    deep: Annotated[bool, Query(description="Hash every file as well.")] = False,
    repair: Annotated[bool, Query(description="Make anew what can be made anew.")] = False,
) -> dict[str, Any]:
    """Hold files, rows, lexical index, vector stores and snapshots against the catalog; say what does not agree."""
    return await asyncio.to_thread(service.reconcile, caller, deep=deep, mend=repair)
