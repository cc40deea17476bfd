"""The library: 1,024 documented factors, declared as data and read once.

Each module of this package holds the tables of one subject. A factor's formula is its whole definition; what it needs,
excludes and reaches back to follows from it (`declare`).

Not covered: banks and insurers (their capital, credit and claims ratios need lines that are not in `concepts`), models
that must be fitted to a cross-section first (modified Jones, Dechow-Dichev), cost of capital.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from domains.finance.statements.errors import FormulaError
from domains.finance.statements.factors.benford import BENFORD
from domains.finance.statements.factors.cash_flow import CASH_FLOW
from domains.finance.statements.factors.concentration import CONCENTRATION
from domains.finance.statements.factors.efficiency import EFFICIENCY
from domains.finance.statements.factors.growth import GROWTH
from domains.finance.statements.factors.liquidity import LIQUIDITY
from domains.finance.statements.factors.market import MARKET
from domains.finance.statements.factors.profitability import PROFITABILITY
from domains.finance.statements.factors.scores import SCORES
from domains.finance.statements.factors.solvency import SOLVENCY
from domains.finance.statements.factors.structure import STRUCTURE
from domains.finance.statements.types import Factor

__all__ = ["FACTORS"]


def _collect(*groups: tuple[Factor, ...]) -> dict[str, Factor]:
    found: dict[str, Factor] = {}
    for factor in (factor for group in groups for factor in group):
        if factor.id in found:
            raise FormulaError(f"Two factors are called {factor.id}.", remedy="Give one of them another id.")
        found[factor.id] = factor
    return found


FACTORS: Final[Mapping[str, Factor]] = MappingProxyType(
    _collect(
        LIQUIDITY,
        SOLVENCY,
        PROFITABILITY,
        EFFICIENCY,
        CASH_FLOW,
        MARKET,
        STRUCTURE,
        GROWTH,
        CONCENTRATION,
        SCORES,
        BENFORD,
    )
)
"""Every factor by its id."""
