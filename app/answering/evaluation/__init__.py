"""How right, how honest and how safe the answers are, on public sets, through the pipeline that answers everybody."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

__all__ = ["SUITES"]

SUITES: Final[Mapping[str, Callable[..., Mapping[str, Any]]]] = MappingProxyType({})
"""Suites by name. Each is called as ``suite(data, assistant=…, limit=…, seed=…, report=…)``."""
