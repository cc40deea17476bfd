"""Which passages a scope may see, as arrays in memory, so that permission can be part of the search itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from retrieval.types import EVERYTHING, Scope

__all__ = ["Flags", "Group", "Ids", "Visibility"]

Ids = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Group:
    """Passages that share a label and a collection: those of one document."""

    label: str
    collection: str
    ids: Sequence[int] | Ids


@dataclass(frozen=True, slots=True)
class Visibility:
    """One row a passage: its id, ascending, and the numbers of its label and its collection.

    Never changed, only replaced. An id that is not in `ids` is seen by nobody.
    """

    ids: Ids  # (n,)
    _labels: dict[str, int]
    _collections: dict[str, int]
    _label_of: npt.NDArray[np.int32]  # (n,)
    _collection_of: npt.NDArray[np.int32]  # (n,)

    @classmethod
    def of(cls, groups: Iterable[Group]) -> Self:
        """Build the arrays."""
        labels: dict[str, int] = {}
        collections: dict[str, int] = {}
        parts: list[Ids] = []
        codes: list[npt.NDArray[np.int32]] = []
        for group in groups:
            ids = np.asarray(group.ids, dtype=np.int64)
            code = (
                labels.setdefault(group.label, len(labels)),
                collections.setdefault(group.collection, len(collections)),
            )
            parts.append(ids)
            codes.append(np.tile(np.array(code, dtype=np.int32), (len(ids), 1)))
        all_ids = np.concatenate([np.empty(0, dtype=np.int64), *parts])
        all_codes = np.concatenate([np.empty((0, 2), dtype=np.int32), *codes])
        order = np.argsort(all_ids)
        return cls(all_ids[order], labels, collections, all_codes[order, 0], all_codes[order, 1])

    def allowed(self, scope: Scope) -> Ids:
        """Return the ids that the scope may see, ascending."""
        seen = _granted(self._label_of, self._labels, scope.labels)
        seen &= _granted(self._collection_of, self._collections, scope.collections)
        return self.ids[seen]

    def flags(self, ids: Ids, scope: Scope) -> Flags:
        """Return one flag an id in `ids`, which holds none twice: true where the scope may see it."""
        return np.isin(ids, self.allowed(scope), assume_unique=True)


def _granted(codes: npt.NDArray[np.int32], numbers: dict[str, int], granted: frozenset[str]) -> Flags:
    if EVERYTHING in granted:
        return np.ones(len(codes), dtype=np.bool_)
    lookup = np.zeros(len(numbers), dtype=np.bool_)
    lookup[[numbers[name] for name in granted if name in numbers]] = True
    return lookup[codes]
