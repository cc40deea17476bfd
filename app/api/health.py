"""Is it alive, is it ready, how far is the model, what has it done: for load balancers, the page and Prometheus."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from app.api.guard import Caller, TheService
from app.identity.principal import Permission

__all__ = ["router"]

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Liveness")
async def healthz() -> dict[str, str]:
    """Answer as long as the process serves requests."""
    return {"status": "ok"}


@router.get("/readyz", summary="Readiness")
async def readyz(service: TheService) -> JSONResponse:
    """Answer 200 when a question would be answered now, else 503; either way, name each part's state."""
    parts = await asyncio.to_thread(service.readiness)
    ready = all(state == "ready" for state in parts.values())
    return JSONResponse({"ready": ready, "parts": parts}, status_code=200 if ready else 503)


@router.get("/v1/status", summary="How far the model is")
async def status(caller: Caller, service: TheService) -> dict[str, Any]:
    """Return the model's stage, the states of the documents that the caller may see, and what he may do."""
    may = [permission.value for permission in Permission if caller.may(permission)]
    return await asyncio.to_thread(service.status, caller.scope()) | {"may": may}


@router.get("/v1/domains", summary="Domains")
async def domains(_caller: Caller, service: TheService) -> dict[str, Any]:
    """List the domain plugins with their titles."""
    return {
        "domains": [
            {"name": name, "titles": dict(plugin.titles), "notice": dict(plugin.notice)}
            for name, plugin in sorted(service.registry.plugins.items())
        ]
    }


@router.get("/metrics", summary="Prometheus metrics", response_class=Response)
async def metrics(_caller: Caller, service: TheService) -> Response:
    """Return the service's metrics in Prometheus' text format."""
    text = await asyncio.to_thread(service.exposition)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")
