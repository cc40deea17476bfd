"""What surrounds every HTTP exchange: an id, size limits, the origin check, security headers, a log line, a count.

Written as one plain ASGI layer: Starlette's BaseHTTPMiddleware would buffer streams and hide a client's leaving from
the answer that is being made for it.
"""

from __future__ import annotations

import time
import uuid
from typing import Final
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.failures import error_body
from app.errors import BadRequest, Forbidden, TooLarge, describe
from app.metrics import Metrics

__all__ = ["Envelope"]

log = structlog.get_logger()

_SMALL_BODY: Final = 1 << 20
"""1 MiB: far more than the longest question; only uploads may be larger."""

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": (  # Gradio needs inline scripts; nothing may be fetched from or sent to elsewhere
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline';"
        " img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; frame-ancestors 'self'"
    ),
}


class Envelope:
    """The outermost layer of the application.

    Args:
        app: What it surrounds.
        metrics: Where requests are counted.
        allowed_hosts: Host headers (without port) that are answered; "*" allows all.
        upload_bytes: Largest body of a request to one of `upload_paths`.
        upload_paths: Path prefixes that take uploads.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: Metrics,
        allowed_hosts: tuple[str, ...],
        upload_bytes: int,
        upload_paths: tuple[str, ...],
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._hosts = frozenset(allowed_hosts)
        self._upload_bytes = upload_bytes
        self._upload_paths = upload_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = scope["vouch.request_id"] = uuid.uuid4().hex
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started = time.perf_counter()
        status = 0

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        limit = self._upload_bytes if scope["path"].startswith(self._upload_paths) else _SMALL_BODY
        try:
            self._check(scope, limit)
            await self._app(scope, _counted(receive, limit), send_on)
        except Exception as error:
            found = describe(error)
            if found.status >= 500:
                log.error("request.failed", code=found.code, exc_info=error)
            if not status:
                await JSONResponse(error_body(found, request_id), status_code=found.status)(scope, receive, send_on)
        finally:
            self._note(scope, status, time.perf_counter() - started)

    def _check(self, scope: Scope, limit: int) -> None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if "*" not in self._hosts and urlsplit(f"//{host}").hostname not in self._hosts and host not in self._hosts:
            raise BadRequest(
                "This service does not answer under that host name.",
                remedy="Use the address that it printed at start, or add the name to VOUCH_ALLOWED_HOSTS.",
            )
        origin = headers.get("origin")
        if scope["method"] not in _SAFE_METHODS and origin and urlsplit(origin).netloc != host:
            raise Forbidden(
                "A page of another site may not change anything here.",
                remedy="Send the request from Vouch's own page or from a program without an Origin header.",
            )
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit():
            raise BadRequest("Content-Length is not a number.", remedy="Send the body's length in bytes.")
        if int(length) > limit:
            raise _too_large(limit)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = str(
            getattr(scope.get("route"), "path", None) or ("/ui" if scope["path"].startswith("/ui") else "other")
        )
        self._metrics.requests.labels(route=route, method=scope["method"], status=str(status)).inc()
        self._metrics.request_seconds.labels(route=route).observe(seconds)
        if route not in {"/ui", "/healthz", "/readyz", "/metrics", "/v1/status"}:
            log.info("request", route=route, method=scope["method"], status=status, ms=round(seconds * 1000, 1))


def _counted(receive: Receive, limit: int) -> Receive:
    """Count the bytes of a body that came without a length."""
    taken = 0

    async def counting() -> Message:
        nonlocal taken
        message = await receive()
        if message["type"] == "http.request":
            taken += len(message.get("body", b""))
            if taken > limit:
                raise _too_large(limit)
        return message

    return counting


def _too_large(limit: int) -> TooLarge:
    return TooLarge(
        f"The request is larger than {limit // (1 << 20)} MiB.",
        remedy="Send less at once; VOUCH_MAX_FILE_MB sets the limit of a file.",
    )
