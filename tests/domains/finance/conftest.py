"""A whole service on real storage behind a real HTTP server, as the service's own tests have it."""

from __future__ import annotations

from tests.app.conftest import make_service

__all__ = ["make_service"]
