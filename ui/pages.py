"""Adds the pages to the application: the viewer, the static files, and Gradio under ``/ui``.

Loaded through the entry-point group ``vouch.pages``, so that the service runs the same without any page.
"""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import gradio as gr
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from app.api.guard import authenticate
from app.errors import NotFound, VouchError
from app.service import Service
from ui import audit, viewer
from ui.chat import CSS, HEAD, I18N, THEME, build
from ui.words import CATALOG

__all__ = ["add"]

_STATIC: Final = Path(__file__).parent / "static"
_TYPES: Final = {".js": "text/javascript", ".css": "text/css"}


def add(app: FastAPI, service: Service) -> None:
    """Add all pages to an application.

    Gradio wants a running event loop, and where there is none it makes one that nobody closes; so it gets one here,
    in a thread of its own, since the caller may be in another.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(asyncio.run, _add(app, service)).result()


async def _add(app: FastAPI, service: Service) -> None:
    app.include_router(viewer.router)
    app.include_router(audit.router)
    app.include_router(_static())

    def who(request: Request) -> str:
        try:
            return authenticate(service, request.headers.get("authorization")).subject
        except VouchError as error:  # the browser then asks for the key itself
            raise HTTPException(401, headers={"WWW-Authenticate": 'Basic realm="Vouch", charset="UTF-8"'}) from error

    gr.mount_gradio_app(
        app,
        build(service),
        path="/ui",
        auth_dependency=who,
        allowed_paths=[],
        blocked_paths=[str(service.settings.data_dir.absolute())],
        show_error=False,
        max_file_size=1,  # no file goes through Gradio
        footer_links=[],
        i18n=I18N,
        theme=THEME,
        css_paths=[CSS],
        head=HEAD,
        mcp_server=False,
        ssr_mode=False,
        pwa=False,
        enable_monitoring=False,
    )


def _static() -> APIRouter:
    router = APIRouter(include_in_schema=False)
    files = {path.name: path.read_bytes() for path in _STATIC.iterdir() if path.suffix in _TYPES}
    words = f"window.vouchWords = {json.dumps(CATALOG, ensure_ascii=False)};\n".encode()
    for name in ("page.js", "audit.js"):
        files[name] = words + files[name]

    @router.get("/")
    async def home() -> RedirectResponse:
        return RedirectResponse("/ui/")

    @router.get("/static/{name}")
    async def static(name: str) -> Response:
        if name not in files:
            raise NotFound("There is no such file.", remedy="Reload the page.")
        return Response(files[name], media_type=_TYPES[Path(name).suffix], headers={"Cache-Control": "no-cache"})

    return router
