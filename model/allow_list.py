"""The gate inside vLLM's server, as ASGI middleware: routes that are not listed do not exist, requests have limits.

vLLM's key guards ``/v1`` alone, while other routes of the same server, such as ``/invocations``, reach the model
without one. So whatever is not on the list below is answered with 404 before vLLM sees it; the key is vLLM's to check.
The body of what is listed is read first, at most `limits.BODY_BYTES` of it, and held against `model.limits`.

A refusal has OpenAI's shape: ``{"error": {"message", "type", "param", "code"}}``, with what to do in the message.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from model.limits import BODY_BYTES, LimitExceeded, check_request

__all__ = ["ALLOWED", "AllowList"]

_Scope = MutableMapping[str, Any]
_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]

ALLOWED: Final = frozenset(
    {
        ("GET", "/health"),
        ("GET", "/metrics"),
        ("GET", "/v1/models"),
        ("POST", "/v1/chat/completions"),
        ("POST", "/v1/completions"),
    }
)

_NO_ROUTE: Final = "There is no such route here. Use " + ", ".join(
    f"{method} {path}" for method, path in sorted(ALLOWED)
)


class AllowList:
    """Answers 404 to every HTTP request whose method and path are not listed, and closes every WebSocket.

    A body that is too large is answered with 413, one that asks for too much with 400; vLLM sees neither.

    Not covered: whether the values make sense together; vLLM validates what is within the limits.
    """

    def __init__(self, app: Callable[[_Scope, _Receive, _Send], Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """Pass on what is listed and within the limits; refuse the rest."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
        elif (scope["method"], scope["path"]) not in ALLOWED:
            await _refuse(send, 404, _NO_ROUTE, param=None, code="no_such_route")
        elif scope["method"] == "POST":
            await self._limited(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _limited(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        try:
            body = await _body(receive)
            if body is None:  # the caller has left
                return
            check_request(scope["path"], body)
        except LimitExceeded as error:
            await _refuse(send, error.status, f"{error.message} {error.remedy}", param=error.param, code=error.code)
            return
        await self._app(scope, _replay(body, receive), send)


async def _body(receive: _Receive) -> bytes | None:
    """Read the whole body; None when the caller leaves before its end."""
    pieces: list[bytes] = []
    left = BODY_BYTES
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        piece = message.get("body", b"")
        left -= len(piece)
        if left < 0:
            raise LimitExceeded(
                "body", f"The body has more than {BODY_BYTES} bytes.", "Send a shorter prompt.", status=413
            )
        pieces.append(piece)
        if not message.get("more_body", False):
            return b"".join(pieces)


def _replay(body: bytes, receive: _Receive) -> _Receive:
    """Return a `receive` that gives the body once more, then what really comes (the caller leaving)."""
    waiting = [body]

    async def again() -> _Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return again


async def _refuse(send: _Send, status: int, message: str, *, param: str | None, code: str) -> None:
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    content = json.dumps({"error": error}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
