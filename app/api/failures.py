"""Every failure that leaves over HTTP, in the one shape that `app.errors` describes.

Errors that are not ours are answered by `app.api.envelope`. What FastAPI and Starlette raise themselves (a body that
does not fit its model, an unknown path, a wrong method) is put into the same shape. Validation errors name the field
and what was expected; they never repeat the value, which may be private.
"""

from __future__ import annotations

from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from app.errors import Description, VouchError, describe
from domains.contract import DomainError
from model.errors import ModelError
from retrieval.errors import RetrievalError

__all__ = ["error_body", "install"]

log = structlog.get_logger()

_HTTP_REMEDY: Final = {
    404: ("not_found", "There is nothing at this address.", "See /v1/openapi.json for the routes of this service."),
    405: ("method_not_allowed", "This address does not take that method.", "See /v1/openapi.json for its methods."),
    400: ("bad_request", "The request could not be read.", "Check that the body is valid and complete."),
}


def error_body(found: Description, request_id: str) -> dict[str, Any]:
    """Return the JSON of an error."""
    return {"error": {"code": found.code, "message": found.message, "remedy": found.remedy, "request_id": request_id}}


def install(app: FastAPI) -> None:
    """Make the application answer all failures in the one shape."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    for root in (VouchError, RetrievalError, DomainError, ModelError):
        app.add_exception_handler(root, _ours)


def respond(request: Request, found: Description) -> JSONResponse:
    """Build the response for a described error."""
    headers = {"WWW-Authenticate": 'Basic realm="Vouch", charset="UTF-8"'} if found.status == 401 else None
    return JSONResponse(error_body(found, _request_id(request)), status_code=found.status, headers=headers)


async def _ours(request: Request, error: Exception) -> JSONResponse:
    found = describe(error)
    if found.status >= 500:
        log.error("request.failed", code=found.code, exc_info=error)
    return respond(request, found)


async def _http(request: Request, error: Exception) -> JSONResponse:
    if isinstance(error.__cause__, VouchError):  # raised while FastAPI read the body, which it reports as a 400
        return respond(request, describe(error.__cause__))
    status = error.status_code if isinstance(error, HTTPException) else 500
    code, message, remedy = _HTTP_REMEDY.get(
        status, ("http_error", "The request was refused.", "See the documentation.")
    )
    return respond(request, Description(status, code, message, remedy))


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    items = error.errors() if isinstance(error, RequestValidationError) else []
    wrong = "; ".join(f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in items[:5])
    return respond(
        request,
        Description(422, "invalid_request", f"The request does not fit: {wrong}.", "Correct the named fields."),
    )


def _request_id(request: Request) -> str:
    return str(request.scope.get("vouch.request_id", ""))
