"""Which passages a scope may see, as arrays in memory, so that permission can be part of the search itself.

Ids are kept in runs of 16,384, each an array that says what group (label and collection) each id belongs to. A run is
never changed, only replaced: what follows a change of the catalog shares all runs that the change did not touch, so
that it costs as much as the change, and whoever remembers something of a run (see `stores._sight`) tells by the run
itself whether it still holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from retrieval.types import Scope

__all__ = ["RUN", "Flags", "Group", "Ids", "Run", "Visibility", "stretches"]

Ids = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Run = npt.NDArray[np.int32]
"""Shape (RUN,): the number of the group of each id of a run, 0 for an id that nobody sees."""

RUN: Final = 1 << 14
"""Ids a run: 64 KiB of group numbers, the least that one new passage costs."""


@dataclass(frozen=True, slots=True)
class Group:
    """Passages that share a label and a collection: those of one document."""

    label: str
    collection: str
    ids: Sequence[int] | Ids


@dataclass(frozen=True, slots=True)
class Visibility:
    """The group of every id. Never changed, only replaced. An id that it does not hold is seen by nobody.

    Not covered: ids far apart. An id alone in its run costs 64 KiB; passages are numbered by the catalog, closely.
    """

    _runs: Mapping[int, Run] = field(default_factory=dict)  # by id // RUN
    _groups: tuple[tuple[str, str], ...] = ()  # label and collection of group 1, 2, …

    @classmethod
    def of(cls, groups: Iterable[Group]) -> Self:
        """Build the arrays."""
        return cls().changed(groups)

    def changed(self, added: Iterable[Group] = (), gone: Sequence[int] | Ids = ()) -> Self:
        """Return what holds after these ids went and those groups came; an id that comes again changes its group."""
        numbers = {group: number for number, group in enumerate(self._groups, start=1)}
        runs: dict[int, Run] = dict(self._runs)
        mine: set[int] = set()
        _set(runs, mine, np.asarray(gone, dtype=np.int64), 0)
        for group in added:
            number = numbers.setdefault((group.label, group.collection), len(numbers) + 1)
            _set(runs, mine, np.asarray(group.ids, dtype=np.int64), number)
        for at in mine:
            if not runs[at].any():
                del runs[at]
        return type(self)(dict(sorted(runs.items())), tuple(numbers))

    @property
    def groups(self) -> tuple[tuple[str, str], ...]:
        """Label and collection of group 1, 2 and so on."""
        return self._groups

    @property
    def ids(self) -> Ids:
        """All ids, ascending."""
        return self._where(lambda run: run > 0)

    def allowed(self, scope: Scope) -> Ids:
        """Return the ids that the scope may see, ascending."""
        granted = self.granted(scope)
        return self._where(lambda run: granted[run])

    def flags(self, ids: Ids, scope: Scope) -> Flags:
        """Return one flag an id: true where the scope may see it."""
        granted = self.granted(scope)
        ordered = bool(np.all(ids[:-1] <= ids[1:]))
        order = None if ordered else np.argsort(ids, kind="stable")
        ascending = ids if order is None else ids[order]
        seen = np.zeros(len(ids), dtype=np.bool_)
        for at, start, stop in stretches(ascending):
            if (run := self._runs.get(at)) is not None:
                seen[start:stop] = granted[run[ascending[start:stop] - at * RUN]]
        if order is not None:
            back = np.empty_like(seen)
            back[order] = seen
            return back
        return seen

    def granted(self, scope: Scope) -> Flags:
        """Return one flag a group number: true where the scope may see the group."""
        allowed = [scope.allows(label=label, collection=collection) for label, collection in self._groups]
        return np.array([False, *allowed], dtype=np.bool_)

    def run(self, number: int) -> Run | None:
        """Return the groups of the ids from ``number * RUN`` on, or None where nobody sees any of them."""
        return self._runs.get(number)

    def _where(self, chosen: Callable[[Run], Flags]) -> Ids:
        found = [np.flatnonzero(chosen(run)) + at * RUN for at, run in self._runs.items()]
        return np.concatenate([np.empty(0, dtype=np.int64), *found])


def stretches(ascending: Ids) -> Iterator[tuple[int, int, int]]:
    """Yield the number of each run that ascending ids touch, and where its ids start and stop among them."""
    if len(ascending):
        of = ascending // RUN
        starts = np.flatnonzero(np.r_[True, of[1:] != of[:-1]])
        for start, stop in zip(starts, np.r_[starts[1:], len(of)], strict=True):
            yield int(of[start]), int(start), int(stop)


def _set(runs: dict[int, Run], mine: set[int], ids: Ids, group: int) -> None:
    """Give ids a group, in runs of our own."""
    ascending = np.sort(ids)
    for at, start, stop in stretches(ascending):
        if at not in mine:
            mine.add(at)
            runs[at] = runs[at].copy() if at in runs else np.zeros(RUN, dtype=np.int32)
        runs[at][ascending[start:stop] - at * RUN] = group
