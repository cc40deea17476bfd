"""The FastAPI application around one service: routers, the guard, the envelope, and pages that others add."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import metadata
from typing import Final

from fastapi import Depends, FastAPI

from app.api import ask, audit, documents, failures, health, openai, retrieval
from app.api.envelope import Envelope
from app.api.guard import guard
from app.service import Service

__all__ = ["PAGES", "create"]

PAGES: Final = "vouch.pages"
"""Entry-point group of functions ``(FastAPI, Service) -> None`` that add pages; the service itself knows none."""


def create(service: Service, *, pages: bool = True) -> FastAPI:
    """Build the application. The service is started and stopped with it."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        service.start()
        try:
            yield
        finally:
            service.stop()

    app = FastAPI(
        title="Vouch",
        version=metadata.version("vouch"),
        description="Every claim is checked against the passage it cites, and every answer leaves a record.",
        lifespan=lifespan,
        docs_url=None,  # FastAPI's pages load scripts from a network that may not be there
        redoc_url=None,
        openapi_url="/v1/openapi.json",
        dependencies=[Depends(guard)],
    )
    app.state.service = service
    failures.install(app)
    app.add_middleware(
        Envelope,
        metrics=service.metrics,
        allowed_hosts=service.settings.allowed_hosts,
        upload_bytes=(service.settings.max_file_mb + 1) << 20,
        upload_paths=("/v1/documents", "/ui/gradio_api/upload", *_uploads(service)),
    )
    for module in (health, ask, openai, documents, audit, retrieval):
        app.include_router(module.router)
    for name, plugin in sorted(service.registry.plugins.items()):
        router = plugin.router(service)
        if router is not None:
            app.include_router(router, prefix=f"/v1/{name}", tags=[name])
    if pages:
        for entry in metadata.entry_points(group=PAGES):
            entry.load()(app, service)
    return app


def _uploads(service: Service) -> list[str]:
    """Return the addresses of plugins that take files."""
    return [f"/v1/{name}{path}" for name, plugin in service.registry.plugins.items() for path in plugin.uploads]
