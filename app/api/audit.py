"""`/v1/audit`: what an auditor may read of the ledger, and the proof that nobody changed it.

Entries hold digests, ids and verdicts, never documents or questions. Reading them is recorded like everything else.
Content is apart, under `/v1/openings`: a person opens their own, an administrator anyone's, an auditor none.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field

from app.api.guard import Caller, TheService
from app.ledger.examination import Form
from app.ledger.examine import Page
from app.ledger.examine import Query as Search
from app.ledger.reading import Entry

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["audit"])


class Entries(BaseModel):
    """A stretch of the ledger. `root` is the RFC 6962 root over all `size` entries, in hexadecimal."""

    entries: list[dict[str, Any]]
    size: int
    root: str
    minimum: int = Field(description="The first entry that was not pruned under the retention policy.")


class Verification(BaseModel):
    """The result of hashing the whole ledger anew and comparing its searchable copy row by row."""

    size: int
    root: str
    minimum: int
    copy_rows: int
    copy_behind: int
    intact: bool


@router.get("/audit/entries", summary="Read the ledger")
async def entries(
    _caller: Caller,
    service: TheService,
    start: Annotated[int, Query(ge=0, le=2**53)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Entries:
    """Return entries from `start` on, with the tree's size and root as they are now."""
    found = await asyncio.to_thread(service.ledger.entries, start, limit)
    size, root, minimum = await asyncio.to_thread(
        lambda: (service.ledger.size, service.ledger.root, service.ledger.minimum)
    )
    return Entries(entries=[_shown(item) for item in found], size=size, root=root, minimum=minimum)


@router.get("/audit/entries/{entry}", summary="Read one entry")
async def entry_at(entry: int, _caller: Caller, service: TheService) -> dict[str, Any]:
    """Return one entry by its index."""
    return _shown(await asyncio.to_thread(service.ledger.get, entry))


@router.get("/audit/state", summary="How far the ledger is")
async def state(_caller: Caller, service: TheService) -> dict[str, Any]:
    """Return size, root and minimum index of the ledger, and how far its searchable copy is."""
    return await asyncio.to_thread(service.record_state)


@router.get("/audit/search", summary="Search the ledger")
async def search(query: Annotated[Search, Query()], caller: Caller, service: TheService) -> Page:
    """Return entries, newest first, by person, time, domain, document, verdict, outcome, action."""
    return await asyncio.to_thread(service.examination.search, query, caller=caller)


class ExportQuery(Search):
    """A search, and the form of what it gives."""

    form: Form = Field(default="json", alias="format", description="csv or json.")


@router.get("/audit/export", summary="Export a search")
async def export(query: Annotated[ExportQuery, Query()], caller: Caller, service: TheService) -> Response:
    """Return a page of a search as a CSV or JSON file; `X-Next-Before` is the `before` of the next page."""
    wanted = Search(**query.model_dump(exclude={"form"}))
    text, following = await asyncio.to_thread(service.examination.export, wanted, query.form, caller=caller)
    media = "text/csv; charset=utf-8" if query.form == "csv" else "application/json"
    headers = {"Content-Disposition": f'attachment; filename="ledger.{query.form}"', "Cache-Control": "no-store"}
    if following is not None:
        headers["X-Next-Before"] = str(following)
    return Response(text, media_type=media, headers=headers)


@router.get("/audit/answers/{answer_id}", summary="One answer's story")
async def answer(answer_id: str, _caller: Caller, service: TheService) -> dict[str, Any]:
    """Return all entries of an answer, its evidence digests and verdicts, and where its record stands."""
    return await asyncio.to_thread(service.examination.story, answer_id)


@router.post("/audit/verify", summary="Verify the ledger")
async def verify(_caller: Caller, service: TheService) -> Verification:
    """Derive every leaf and the root from the stored entries, and compare the searchable copy with them."""
    return Verification(**await asyncio.to_thread(service.examination.verify))


@router.get("/openings/{record}", summary="Open what an entry commits to")
async def opening(record: int, caller: Caller, service: TheService) -> dict[str, Any]:
    """Return text and salt of each commitment of an entry: of your own questions, or as administrator of anyone's."""
    return await asyncio.to_thread(service.examination.open, record, caller=caller)


def _shown(entry: Entry) -> dict[str, Any]:
    return {"entry": entry.seq, "leaf": entry.leaf, "root": entry.root, **asdict(entry.event)}
