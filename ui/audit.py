"""`/audit`: the page on which an auditor searches the ledger, reads one answer's story, and has the whole verified.

The page is a frame; what it shows comes from `/v1/audit`, asked for by `static/audit.js`, so that each look is guarded
and recorded as any other request is. Who lacks the permission gets neither. It is a page of its own beside Gradio's,
because an auditor may not ask questions, and who asks need not audit.
"""

from __future__ import annotations

import html
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from app.api.guard import Caller
from app.identity.principal import Permission
from retrieval.language import Language
from ui.words import preferred, say

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

_CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_VERDICTS: Final = ("supported", "contradicted", "unsupported")
_OUTCOMES: Final = ("ok", "denied", "error", "unknown", "cancelled", "refused")
_ACTIONS: Final = ("answer.outcome", "answer.intent", "document.", "audit.", "content.open", "subject.", "ledger.")


@router.get("/audit", response_class=HTMLResponse)
async def page(request: Request, caller: Caller) -> HTMLResponse:
    """Show the page to someone who may audit."""
    language = preferred(request.headers.get("accept-language"))
    return HTMLResponse(
        _page(language, may_ask=caller.may(Permission.ASK)),
        headers={"Content-Security-Policy": _CSP, "Cache-Control": "private, no-store"},
    )


def _page(language: Language, *, may_ask: bool) -> str:
    def word(key: str) -> str:
        return html.escape(say(f"audit_{key}", language))

    back = f'<a href="/ui/">{html.escape(say("back", language))}</a>' if may_ask else ""
    fields = "".join(
        (
            _field("person", word("person"), '<input id="person" name="person" maxlength="256">'),
            _field("since", word("since"), '<input id="since" name="since" type="date">'),
            _field("until", word("until"), '<input id="until" name="until" type="date">'),
            _field("domain", word("domain"), '<input id="domain" name="domain" maxlength="256">'),
            _field("source", word("source"), '<input id="source" name="source" maxlength="256" spellcheck="false">'),
            _field("verdict", word("verdict"), _choice("verdict", _VERDICTS, language)),
            _field("outcome", word("outcome"), _choice("outcome", _OUTCOMES, language)),
            _field("action", word("action"), _choice("action", _ACTIONS, language)),
        )
    )
    columns = "".join(
        f'<th scope="col">{word(name)}</th>'
        for name in ("entry", "time", "person", "action", "outcome", "domain", "verdicts", "answer")
    )
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>Vouch · {word("title")}</title>'
        '<link rel="icon" href="data:,"><link rel="stylesheet" href="/static/audit.css">'
        '<script src="/static/audit.js" defer></script></head><body>'
        f"<header><h1>{word('title')}</h1><p>{word('tagline')}</p>{back}</header><main>"
        f'<section id="state" aria-label="{word("state")}"><dl></dl>'
        f'<div class="act"><button id="verify" type="button">{word("verify")}</button>'
        '<p id="verified" role="status" aria-live="polite"></p></div></section>'
        f'<form id="search">{fields}<div class="act"><button type="submit">{word("search")}</button>'
        f'<a id="csv" download>CSV</a><a id="json" download>JSON</a></div></form>'
        '<p id="trouble" role="alert"></p>'
        f'<section id="story" hidden aria-label="{word("story")}"></section>'
        f'<table><thead><tr>{columns}</tr></thead><tbody id="rows"></tbody></table>'
        f'<p id="none" hidden>{word("none")}</p>'
        f'<div class="act"><button id="more" type="button" hidden>{word("more")}</button></div>'
        "</main></body></html>"
    )


def _field(name: str, label: str, control: str) -> str:
    return f'<div class="field"><label for="{name}">{label}</label>{control}</div>'


def _choice(name: str, values: tuple[str, ...], language: Language) -> str:
    options = "".join(f"<option>{value}</option>" for value in values)
    return f'<select id="{name}" name="{name}"><option value="">{say("audit_any", language)}</option>{options}</select>'
