"""Values of formulas by the library's own engine, for rules that name formulas, with the factor that each one is.

A rule's formula that the library has as a factor is computed as that factor, so that what the factor does not apply to
(a bank, a quarter) is said in its words; any other formula is computed as it stands.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from domains.finance.statements.compute import compute
from domains.finance.statements.definitions import parsed
from domains.finance.statements.factors import FACTORS
from domains.finance.statements.formula import show
from domains.finance.statements.types import Applicability, Computed, Factor, Period, Statements
from retrieval.language import Language

__all__ = ["Measures", "factor_of", "library_version"]

_ANYWHERE: Final = Applicability()


@lru_cache(maxsize=4096)
def _shown(formula: str) -> str:
    return show(parsed(formula))


@lru_cache(maxsize=1)
def _by_formula() -> Mapping[str, Factor]:
    found: dict[str, Factor] = {}
    for factor in FACTORS.values():
        found.setdefault(_shown(factor.formula), factor)
    return MappingProxyType(found)


@lru_cache(maxsize=1)
def library_version() -> str:
    """Return the number of factors and the digest of all their definitions: what an auditor compares."""
    lines = "\n".join(f"{factor.id}\t{factor.unit}\t{_shown(factor.formula)}" for factor in FACTORS.values())
    return f"{len(FACTORS)}+{hashlib.sha256(lines.encode('utf-8')).hexdigest()[:12]}"


def factor_of(formula: str) -> Factor:
    """Return the library's factor of this formula, or one that stands for the formula alone."""
    known = _by_formula().get(_shown(formula))
    if known is not None:
        return known
    titles: Mapping[Language, str] = {"en": formula, "zh": formula}
    return Factor(formula, titles, "rule", formula, "ratio", "neutral", "rule", _ANYWHERE)


class Measures:
    """The results of some formulas for one company, for every period."""

    def __init__(self, statements: Statements, formulas: Iterable[str]) -> None:
        self.statements = statements
        self._factors = {formula: factor_of(formula) for formula in dict.fromkeys(formulas)}
        wanted = {factor.id: factor for factor in self._factors.values()}
        self._found = compute(statements, factors=tuple(wanted.values()))

    def computed(self, formula: str, period: Period) -> Computed:
        """Return what came of a formula in a period."""
        return self._found[self._factors[formula].id][self.statements.periods.index(period)]

    def value(self, formula: str, period: Period) -> Decimal | None:
        """Return the value of a formula in a period."""
        return self.computed(formula, period).value
