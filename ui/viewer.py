"""`/view/{document}/{page}`: the page that a citation opens, with the passage highlighted.

A PDF page is shown as the picture that the service renders; a page of another format as its text. The address is
behind the same permission check as the API, and nothing of the page goes through Gradio's file cache, which every
user can read.
"""

from __future__ import annotations

import asyncio
import html
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from app.api.guard import Caller, TheService
from retrieval.errors import DocumentNotFound
from retrieval.language import Language
from retrieval.types import Document, Locator
from ui.words import preferred, say

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

_CSP: Final = "default-src 'none'; img-src 'self'; style-src 'self'; base-uri 'none'; frame-ancestors 'self'"


@router.get("/view/{document_id}/{page}", response_class=HTMLResponse)
async def view(
    document_id: str, page: int, request: Request, caller: Caller, service: TheService, passage: int | None = None
) -> HTMLResponse:
    """Show a page of a document to someone who may see it."""
    language = preferred(request.headers.get("accept-language"))
    scope = caller.scope()
    document = await asyncio.to_thread(service.catalog.get, document_id, scope)
    text = (await asyncio.to_thread(service.catalog.page_text, document_id, page, scope)).text
    where = None
    if passage is not None:
        where = (await asyncio.to_thread(service.catalog.passage, passage, scope)).locator
        if (where.document_id, where.page) != (document_id, page):
            raise DocumentNotFound("That passage is not on that page.", remedy="Follow the citation's own link.")
    body = _picture(document, page, passage) if document.media_type == "application/pdf" else _text(text, where)
    return HTMLResponse(
        _page(document, page, body, language),
        headers={"Content-Security-Policy": _CSP, "Cache-Control": "private, no-store"},
    )


def _picture(document: Document, page: int, passage: int | None) -> str:
    query = "" if passage is None else f"?passage={passage}"
    source = f"/v1/documents/{document.id}/pages/{page}/image{query}"
    return f'<img class="sheet" src="{source}" alt="{html.escape(document.name)}">'


def _text(text: str, where: Locator | None) -> str:
    start, end = (where.start, where.end) if where else (None, None)
    if start is None or end is None:
        return f'<pre class="sheet">{html.escape(text)}</pre>'
    before, marked, after = text[:start], text[start:end], text[end:]
    marked = f'<mark id="passage">{html.escape(marked)}</mark>'
    return f'<pre class="sheet">{html.escape(before)}{marked}{html.escape(after)}</pre>'


def _page(document: Document, page: int, body: str, language: Language) -> str:
    name = html.escape(document.name)
    steps = []
    if page > 1:
        steps.append(f'<a rel="prev" href="/view/{document.id}/{page - 1}">← {say("previous", language)}</a>')
    steps.append(f"<span>{say('of', language, page=page, pages=document.pages)}</span>")
    if page < document.pages:
        steps.append(f'<a rel="next" href="/view/{document.id}/{page + 1}">{say("next", language)} →</a>')
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{name}, {page}</title>'
        '<link rel="stylesheet" href="/static/viewer.css"></head><body>'
        f'<header><a href="/ui/">{say("back", language)}</a><h1>{name}</h1><nav>{"".join(steps)}</nav></header>'
        f"<main>{body}</main></body></html>"
    )
