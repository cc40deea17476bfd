"""How the relay's two ends speak: frames of canonical or other JSON on a Unix socket, each with its length before it.

    frame     4 bytes, big-endian: n     n bytes: one JSON object
    request   {"append": [{"event": {"action", "actor": {"method", "subject"}, "body"}, "outcome", "closes"}, ...]}
    reply     {"done": [{"receipt": {...}} or {"error": {"code", "message", "remedy"}}, ...]}     one for each, in order
              {"refused": {"code", "message", "remedy"}}                        the frame itself was no request

Every limit is checked before memory is taken for what lies beyond it.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import orjson

from app.answering.types import Receipt
from app.errors import LedgerCorrupt, LedgerError, LedgerUnavailable
from app.ledger.event import Draft

__all__ = [
    "MOST_EVENTS",
    "FrameRefused",
    "drafts_of",
    "error_fields",
    "is_ours",
    "outcomes_of",
    "receive",
    "request",
    "send",
    "short_name",
]

MOST_EVENTS: Final = 64
"""In a frame."""
_LARGEST: Final = 8 << 20  # MOST_EVENTS events of 64 KiB, and room
_LENGTH: Final = struct.Struct(">I")
_CREDENTIALS: Final = struct.Struct("3i")  # pid, uid, gid: struct ucred, unix(7)
_ERRORS: Final = {kind.code: kind for kind in (LedgerError, LedgerUnavailable, LedgerCorrupt)}


class FrameRefused(LedgerError):
    """The bytes are no frame, or no message, of this protocol."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"The relay of the ledger was sent what it cannot take: {problem}.",
            remedy="Run the same version of Vouch in every process that uses this ledger.",
        )


def send(connection: socket.socket, payload: bytes) -> None:
    """Send a frame."""
    connection.sendall(_LENGTH.pack(len(payload)) + payload)


def receive(connection: socket.socket) -> bytes | None:
    """Receive a frame; None where the other end has closed between frames.

    Raises:
        FrameRefused: it is too long, or breaks off.
        OSError: the connection failed.
    """
    head = _exactly(connection, _LENGTH.size)
    if not head:
        return None
    (length,) = _LENGTH.unpack(head)
    if length > _LARGEST:
        raise FrameRefused("a frame is too long")
    payload = _exactly(connection, length)
    if len(payload) < length:
        raise FrameRefused("a frame breaks off")
    return payload


def _exactly(connection: socket.socket, length: int) -> bytes:
    """Receive so many bytes; none at an end that comes first, and an error at one that comes in between."""
    data = connection.recv(length)
    while data and len(data) < length:
        more = connection.recv(length - len(data))
        if not more:
            raise FrameRefused("a frame breaks off")
        data += more
    return data


def request(drafts: Sequence[Draft]) -> bytes:
    """Write the request to append drafts; the bytes that each has already are not written anew."""
    return b'{"append":[%b]}' % b",".join(
        b'{"event":%b},"outcome":"%b","closes":%b}'
        % (draft.head, draft.outcome.encode("ascii"), b"null" if draft.closes is None else b"%d" % draft.closes)
        for draft in drafts
    )


def drafts_of(payload: bytes) -> list[Draft | LedgerError]:
    """Read a request; an event that breaks a rule is an error in its place.

    Raises:
        FrameRefused: it is no request.
    """
    items = _object(payload).get("append")
    if not isinstance(items, list) or not 1 <= len(items) <= MOST_EVENTS:
        raise FrameRefused("it is no list of events")
    return [_draft(item) for item in items]


def _draft(item: Any) -> Draft | LedgerError:
    try:
        event, outcome, closes = item["event"], item["outcome"], item["closes"]
        action, actor, body = event["action"], event["actor"], event["body"]
        subject, method = actor["subject"], actor["method"]
    except (TypeError, KeyError, IndexError):
        raise FrameRefused("an event lacks a field") from None
    if (len(item), len(event), len(actor)) != (3, 3, 2):
        raise FrameRefused("an event has a field that is not known")
    try:
        return Draft.of(action, subject=subject, method=method, body=body, outcome=outcome, closes=closes)
    except LedgerError as error:
        return error


def outcomes_of(payload: bytes, *, count: int) -> list[Receipt | LedgerError]:
    """Read the reply to a request of so many events.

    Raises:
        LedgerError: the request was refused as a whole, or the reply is none.
    """
    reply = _object(payload)
    if "refused" in reply:
        raise _error(reply["refused"])
    items = reply.get("done")
    if not isinstance(items, list) or len(items) != count:
        raise FrameRefused("a reply is not one for each event")
    return [_outcome(item) for item in items]


def _outcome(item: Any) -> Receipt | LedgerError:
    if not isinstance(item, dict):
        raise FrameRefused("a reply holds no outcome")
    if "error" in item:
        return _error(item["error"])
    try:
        return Receipt.model_validate(item["receipt"])
    except (ValueError, KeyError):
        raise FrameRefused("a reply holds no receipt") from None


def error_fields(error: LedgerError) -> dict[str, str]:
    """Return an error as it is sent."""
    return {"code": error.code, "message": error.message, "remedy": error.remedy}


def _error(fields: Any) -> LedgerError:
    if not isinstance(fields, Mapping):
        return FrameRefused("a reply holds no error")
    code, message, remedy = (str(fields.get(name)) for name in ("code", "message", "remedy"))
    return _ERRORS.get(code, LedgerUnavailable)(message, remedy=remedy)


def _object(payload: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(payload)
    except ValueError:
        raise FrameRefused("it is not JSON") from None
    if not isinstance(value, dict):
        raise FrameRefused("it is no object")
    return value


def is_ours(connection: socket.socket) -> bool:
    """Say whether the process at the other end runs under this account, or is root; the kernel tells, not the peer."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _pid, uid, _gid = _CREDENTIALS.unpack(raw)
    return uid in (os.geteuid(), 0)


@contextmanager
def short_name(path: Path) -> Iterator[str]:
    """Give a name of the socket that always fits: the kernel takes 107 bytes, and folders may be deeper."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
