"""The routes of vLLM that are open, as ASGI middleware inside vLLM's server; all others do not exist.

vLLM's key guards ``/v1`` alone, while other routes of the same server, such as ``/invocations``, reach the model
without one. So whatever is not on the list below is answered with 404 before vLLM sees it; the key is vLLM's to check.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

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


class AllowList:
    """Answers 404 to every HTTP request whose method and path are not listed, and closes every WebSocket.

    Not covered: what a listed route does with its request; vLLM validates that.
    """

    def __init__(self, app: Callable[[_Scope, _Receive, _Send], Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """Pass on what is listed; refuse the rest."""
        kind = scope["type"]
        if kind == "lifespan" or (kind == "http" and (scope["method"], scope["path"]) in ALLOWED):
            await self._app(scope, receive, send)
        elif kind == "http":
            headers = [(b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": 404, "headers": headers})
            await send({"type": "http.response.body", "body": b'{"error": "no such route"}'})
        else:
            await send({"type": "websocket.close", "code": 1008})
