"""Retrieval quality on public sets, measured through the catalog, the index and the search that answer questions.

Only parsing is left out, since the sets come as text: their pages are cut, embedded, stored and searched as any
upload's. A suite takes a folder and works on any other folder of the same format. The sets are not part of this
project.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from retrieval.evaluation.contracts import CUAD
from retrieval.evaluation.filings import FINANCE_PAGES
from retrieval.evaluation.ranked import MEDQUAD, SCIFACT, STARD
from retrieval.evaluation.suite import Suite

__all__ = ["SUITES"]

SUITES: Final[Mapping[str, Suite]] = MappingProxyType(
    {suite.name: suite for suite in (SCIFACT, STARD, MEDQUAD, FINANCE_PAGES, CUAD)}
)
"""Suites by name. Each is called as ``suite(data, limit=…, seed=…, embedders=…, workdir=…, report=…)``."""
