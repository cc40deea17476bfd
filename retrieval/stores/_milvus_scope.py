"""How a permission is said to Milvus: as an expression of digests, evaluated inside its search.

A row carries the digests of its label and its collection, not their names, and an expression names digests alone. So
there is nothing to escape: whatever a label is called (`x" or true or "`), what reaches Milvus is 32 hexadecimal
digits, and Milvus's operator does not learn the names. A row that nobody may see yet carries empty strings, which no
digest equals.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from retrieval.types import EVERYTHING, Scope
from retrieval.visibility import Ids

__all__ = ["NOBODY", "Place", "among", "expression", "place_of"]

Place = tuple[str, str]
"""What a row carries: the digests of its label and its collection."""

NOBODY: Final[Place] = ("", "")

_DIGITS: Final = 32
"""128 of SHA-256's bits: no two names that anybody can find share them."""


def place_of(label: str, collection: str) -> Place:
    """Return what a row of this label and collection carries."""
    return _digest("label", label), _digest("collection", collection)


def expression(scope: Scope) -> str | None:
    """Return Milvus's filter for what a scope may see, or None where that is nothing."""
    if not scope.labels or not scope.collections:
        return None
    return f"{_held('label', scope.labels)} and {_held('collection', scope.collections)}"


def among(ids: Ids) -> str:
    """Return Milvus's filter for rows with these ids."""
    return f"id in [{', '.join(map(str, ids.tolist()))}]"


def _held(field: str, granted: Iterable[str]) -> str:
    names = sorted(granted)
    if EVERYTHING in names:
        return f'{field} != ""'
    return f"{field} in [{', '.join(_quoted(_digest(field, name)) for name in names)}]"


def _quoted(digits: str) -> str:
    return f'"{digits}"'


def _digest(field: str, name: str) -> str:
    return hashlib.sha256(f"{field}\x00{name}".encode()).hexdigest()[:_DIGITS]
