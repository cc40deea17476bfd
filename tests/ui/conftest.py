"""The service of the application's tests, for the pages."""

from tests.app.conftest import make_service

__all__ = ["make_service"]
