"""Ports on 127.0.0.1: one that is free, and a clear word about one that is not."""

from __future__ import annotations

import socket

from model.errors import ServingFailed

__all__ = ["free_port", "refuse_taken_port"]


def free_port() -> int:
    """Return a port that nothing listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def refuse_taken_port(port: int) -> None:
    """Raise ServingFailed when something listens on a port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise ServingFailed(
                f"Port {port} of the model server is taken.", remedy="Stop what listens there, or restart Vouch."
            ) from None
