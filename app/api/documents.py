"""`/v1/documents`: put documents in, watch them being read, look at their pages, take them out.

Every route works within the caller's scope: a document that the caller may not see does not exist for him.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Query, Response, UploadFile
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from app.api.failures import error_body
from app.api.guard import Caller, TheService
from app.errors import Forbidden, describe
from app.identity.principal import Principal
from app.service import Service
from retrieval.errors import RetrievalError
from retrieval.types import Document

__all__ = ["router"]

router = APIRouter(prefix="/v1/documents", tags=["documents"])


class DocumentList(BaseModel):
    """A page of the list of documents."""

    documents: list[Document]
    total: int


class Wanted(BaseModel):
    """Documents by id, or by the SHA-256 of their bytes in one collection under one label."""

    model_config = ConfigDict(extra="forbid")

    ids: list[str] = Field(default=[], max_length=500)
    sha256: list[str] = Field(default=[], max_length=500)
    collection: str | None = Field(default=None, description="For `sha256`; the service's default when left out.")
    label: str | None = Field(default=None, description="For `sha256`; the service's default when left out.")


class DocumentStates(BaseModel):
    """Those of the wanted documents that are there for the caller, in no order."""

    documents: list[Document]


class PageView(BaseModel):
    """The text of one page, and where a passage stands in it."""

    document: Document
    page: int
    text: str
    start: int | None = None
    end: int | None = None


@router.get("", summary="List documents")
async def list_documents(
    caller: Caller,
    service: TheService,
    collection: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> DocumentList:
    """Return the documents that the caller may see, newest first."""
    scope = caller.scope()
    found, total = await asyncio.gather(
        asyncio.to_thread(service.catalog.list, scope, collection=collection, limit=limit, offset=offset),
        asyncio.to_thread(service.catalog.count, scope, collection=collection),
    )
    return DocumentList(documents=found, total=total)


@router.post("", status_code=202, summary="Add documents")
async def add(
    caller: Caller,
    service: TheService,
    files: Annotated[list[UploadFile], File(description="One or more documents.")],
    collection: Annotated[str | None, Form()] = None,
    label: Annotated[str | None, Form()] = None,
    source: Annotated[
        str | None,
        Form(max_length=512, description="Where it came from; other bytes from there replace the earlier ones."),
    ] = None,
    bulk: Annotated[bool, Form(description="They come with many others: single documents go first.")] = False,
) -> JSONResponse:
    """Take documents in; each is read in the background, and its state can be watched.

    The reply lists the documents taken and, apart, the files refused with the reason; when none was taken, the first
    reason is the reply.
    """
    taken: list[Document] = []
    refused: list[tuple[str, RetrievalError]] = []
    for file in files:
        name = file.filename or "document"
        try:
            adding = partial(service.add, file.file, name, caller, collection, label, source, bulk=bulk)
            taken.append(await asyncio.to_thread(adding))
        except RetrievalError as error:
            refused.append((name, error))
    if refused and not taken:
        raise refused[0][1]
    return JSONResponse(
        {
            "documents": [document.model_dump(mode="json") for document in taken],
            "refused": [{"name": name, **error_body(describe(error), "")} for name, error in refused],
        },
        status_code=202,
    )


@router.post("/lookup", summary="State of many documents")
async def look_up(wanted: Wanted, caller: Caller, service: TheService) -> DocumentStates:
    """Return the documents with these ids or bytes; what the caller may not see is left out.

    A client that adds many files asks here how far they are, and beforehand which of them are known.
    """
    found = await asyncio.to_thread(
        service.catalog.find,
        caller.scope(),
        ids=wanted.ids,
        sha256=wanted.sha256,
        collection=wanted.collection or service.settings.default_collection,
        label=wanted.label or service.settings.default_label,
    )
    return DocumentStates(documents=found)


@router.get("/{document_id}", summary="State of a document")
async def show(document_id: str, caller: Caller, service: TheService) -> Document:
    """Return one document with its state and progress."""
    return await asyncio.to_thread(service.catalog.get, document_id, caller.scope())


@router.delete("/{document_id}", status_code=204, summary="Delete a document")
async def delete(document_id: str, caller: Caller, service: TheService) -> None:
    """Remove a document from search, from the catalog and from the disk."""
    await asyncio.to_thread(service.ingestor.delete, document_id, caller.scope())


@router.get("/{document_id}/file", summary="The file itself", response_class=FileResponse)
async def original(document_id: str, caller: Caller, service: TheService) -> FileResponse:
    """Return the bytes as they were added, to be saved and never to be shown: the file is a stranger's."""
    document = await asyncio.to_thread(service.catalog.get, document_id, caller.scope())
    return FileResponse(
        service.ingestor.path_of(document),
        media_type="application/octet-stream",
        filename=document.name,
        headers={"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"},
    )


@router.get("/{document_id}/pages/{page}", summary="Text of a page")
async def page_text(
    document_id: str, page: int, caller: Caller, service: TheService, passage: int | None = None
) -> PageView:
    """Return a page's text; with a passage's number, also where the passage stands in it."""
    return await asyncio.to_thread(_page_view, service, caller, document_id, page, passage)


@router.get("/{document_id}/pages/{page}/image", summary="Picture of a page", response_class=Response)
async def page_image(
    document_id: str, page: int, caller: Caller, service: TheService, passage: int | None = None
) -> Response:
    """Return a page of a PDF as PNG; with a passage's number, the passage is highlighted."""
    picture = await asyncio.to_thread(service.library.page_image, document_id, page, caller.scope(), passage)
    return Response(picture, media_type="image/png", headers={"Cache-Control": "private, no-store"})


def _page_view(service: Service, caller: Principal, document_id: str, page: int, passage: int | None) -> PageView:
    scope = caller.scope()
    document = service.catalog.get(document_id, scope)
    text = service.catalog.page_text(document_id, page, scope).text
    view: dict[str, Any] = {}
    if passage is not None:
        where = service.catalog.passage(passage, scope).locator
        if (where.document_id, where.page) != (document_id, page):
            raise Forbidden("That passage is not on that page.", remedy="Follow the citation's own link.")
        view = {"start": where.start, "end": where.end}
    return PageView(document=document, page=page, text=text, **view)
