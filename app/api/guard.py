"""The door of every route: who is calling, may they, and the record that they did.

The guard is a dependency of the whole application, so a new route is behind it without asking; a route that the
permission table does not list is refused. The record is durable before the route runs: no record, no service.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from typing import Annotated, Any

from fastapi import Depends, Request

from app.errors import Forbidden, Unauthenticated
from app.identity.permissions import Access, access_to
from app.identity.principal import ANYONE, OPERATOR, Principal
from app.service import Service

__all__ = ["Caller", "TheService", "authenticate", "guard"]


def service_of(request: Request) -> Service:
    """Return the service that the application was built around."""
    service: Service = request.app.state.service
    return service


TheService = Annotated[Service, Depends(service_of)]


def authenticate(service: Service, authorization: str | None) -> Principal:
    """Tell who is calling from the Authorization header.

    With `auth = local` everyone at this machine is the operator. With keys, ``Bearer KEY`` is for programs and
    ``Basic`` with the key as password is for browsers, which ask for it themselves.

    Raises:
        Unauthenticated: no credential, or one that does not hold.
    """
    if service.settings.auth == "local":
        return OPERATOR
    scheme, _, value = (authorization or "").partition(" ")
    key = value.strip()
    if scheme.lower() == "basic":
        try:
            key = base64.b64decode(key, validate=True).decode("utf-8").partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            key = ""
    elif scheme.lower() != "bearer":
        key = ""
    if not key:
        raise Unauthenticated(
            "This service asks for an API key.",
            remedy="Send `Authorization: Bearer KEY`; `./vouch users add NAME` makes a key.",
        )
    return service.keys.authenticate(key)


async def guard(request: Request, service: TheService) -> Principal:
    """Let the caller through, or raise; write the record that the permission table asks for."""
    path = str(getattr(request.scope.get("route"), "path", ""))
    rule = access_to(request.method, path, domains=service.restricted)
    if rule is None:
        raise Forbidden("This route is closed.", remedy="It is missing in the permission table; tell the maintainers.")
    if rule.permission is None:
        return ANYONE
    principal = await asyncio.to_thread(authenticate, service, request.headers.get("authorization"))
    allowed = principal.may(rule.permission)
    if rule.record is not None or not allowed:
        await asyncio.to_thread(_record, service, principal, rule, request, allowed)
    if not allowed:
        raise Forbidden(
            f"Your role, {principal.role}, does not include '{rule.permission}'.",
            remedy="Ask an administrator for a key with another role.",
        )
    request.state.principal = principal  # for the routes of domain plugins, which know no guard
    return principal


Caller = Annotated[Principal, Depends(guard)]


def _record(service: Service, principal: Principal, rule: Access, request: Request, allowed: bool) -> None:
    action = rule.record or f"{rule.permission}.attempt"
    body: dict[str, Any] = {
        "route": str(getattr(request.scope.get("route"), "path", "")),
        "method": request.method,
        "request_id": request.scope.get("vouch.request_id", ""),
        "ids": {name: str(value) for name, value in request.path_params.items()},
    }
    service.ledger.append(action, actor=principal, body=body, outcome="ok" if allowed else "denied")
