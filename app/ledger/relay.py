"""Lets other processes append through the one writer: the writer's end, a Unix socket in the data folder.

    process A: RelayClient --frames--> RelayServer -> Ledger (the one writer) -> store
    process B: RelayClient --frames-/

The promise is that of the ledger itself: a receipt is sent when the event is durable. Events that came in one frame
are committed together, and with those of other threads and processes. The socket has mode 0600, and whoever connects
under another account is sent away (SO_PEERCRED).

Not covered:
    A process of this account says in whose name it appends; it could as well write the store itself. Other machines:
    there is no network here.
"""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path
from typing import Final

import orjson
import structlog

from app.errors import LedgerError, StartFailed
from app.ledger.framing import FrameRefused, drafts_of, error_fields, is_ours, receive, send, short_name
from app.ledger.log import Ledger

__all__ = ["RelayServer"]

_MOST_CONNECTIONS: Final = 64
_FRAME_S: Final = 60.0
"""How long a frame may take from its first byte to its last, and how long a client may take to read a reply."""
_STOP_S: Final = 10.0
_PAUSE_S: Final = 0.1

_log = structlog.get_logger()


class RelayServer:
    """Takes appends from other processes, one thread a connection. Belongs to whoever holds the ledger's lock."""

    def __init__(self, ledger: Ledger, path: Path) -> None:
        """Prepare; nothing is taken before `start`."""
        self._ledger = ledger
        self._path = path
        self._guard = threading.Lock()
        self._listener: socket.socket | None = None
        self._accepting: threading.Thread | None = None
        self._stopping = threading.Event()
        self._serving: dict[socket.socket, threading.Thread] = {}

    def start(self) -> None:
        """Take connections from now on. A socket that a killed process left behind is replaced.

        Raises:
            StartFailed: the socket cannot be made.
        """
        try:
            self._listener = _listen(self._path)
        except OSError as error:
            raise StartFailed(
                f"The ledger's socket {self._path.name} cannot be made: {error.strerror}.",
                remedy="Give VOUCH_DATA_DIR a local folder that this account can write, with space left.",
            ) from None
        self._accepting = threading.Thread(target=self._accept, args=(self._listener,), name="relay", daemon=True)
        self._accepting.start()

    def stop(self) -> None:
        """Take no more connections, let appends under way end, and remove the socket."""
        if self._listener is None or self._accepting is None:
            return
        self._stopping.set()
        self._path.unlink(missing_ok=True)
        _shut(self._listener)
        self._accepting.join(_STOP_S)
        self._listener.close()
        with self._guard:
            serving = list(self._serving.items())
        for connection, _ in serving:
            _shut(connection, socket.SHUT_RD)  # an append under way still gets its answer
        for _, thread in serving:
            thread.join(_STOP_S)
        self._listener = self._accepting = None

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError as error:  # shut by `stop`, or this process has no file descriptor left
                if self._stopping.wait(_PAUSE_S):
                    return
                _log.warning("ledger.relay_cannot_accept", error=error.strerror)
                continue
            self._admit(connection)

    def _admit(self, connection: socket.socket) -> None:
        if not is_ours(connection):
            _log.warning("ledger.relay_stranger")
            connection.close()
            return
        with self._guard:
            if len(self._serving) >= _MOST_CONNECTIONS:
                _log.warning("ledger.relay_full", connections=len(self._serving))
                connection.close()
                return
            thread = threading.Thread(target=self._serve, args=(connection,), name="relay client", daemon=True)
            self._serving[connection] = thread
        thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            while (payload := receive(connection)) is not None:
                connection.settimeout(_FRAME_S)
                send(connection, self._answer(payload))
                connection.settimeout(None)
        except FrameRefused as error:
            _log.warning("ledger.relay_refused", reason=error.message)
            self._say_refused(connection, error)
        except OSError as error:
            _log.info("ledger.relay_lost", error=type(error).__name__)
        finally:
            connection.close()
            with self._guard:
                self._serving.pop(connection, None)

    def _answer(self, payload: bytes) -> bytes:
        drafts = drafts_of(payload)
        requests = iter(self._ledger.append_together([item for item in drafts if not isinstance(item, LedgerError)]))
        done = []
        for item in drafts:
            error = item if isinstance(item, LedgerError) else None
            if error is None:
                request = next(requests)
                if request.receipt is not None:
                    done.append({"receipt": request.receipt.model_dump(mode="json")})
                    continue
                error = request.error
            done.append({"error": error_fields(error or FrameRefused("nothing came of it"))})
        return orjson.dumps({"done": done})

    @staticmethod
    def _say_refused(connection: socket.socket, error: LedgerError) -> None:
        try:
            connection.settimeout(_FRAME_S)
            send(connection, orjson.dumps({"refused": error_fields(error)}))
        except OSError:
            _log.info("ledger.relay_lost", error="while refusing")


def _listen(path: Path) -> socket.socket:
    """Bind under another name first: the socket must not be there with a mode that the umask chose."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with short_name(draft) as name:
            listener.bind(name)
        draft.chmod(0o600)
        listener.listen(_MOST_CONNECTIONS)
        draft.replace(path)
    except BaseException:
        listener.close()
        draft.unlink(missing_ok=True)
        raise
    return listener


def _shut(connection: socket.socket, how: int = socket.SHUT_RDWR) -> None:
    try:
        connection.shutdown(how)
    except OSError:
        return  # the other end was faster
