"""What stands around the passages that were found: the passages beside them, and the rest of their section.

A passage ends where its length says, not where the thought does: a table's note, an exception, a definition may stand
in the next one. Each neighbour comes as evidence of its own, with its own text, digest and locator, and never joined to
the passage that was found: a claim still cites one passage, and is checked against that alone.

Not covered: neighbours in other documents, such as a definition that a contract takes from its annex.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np

from retrieval.catalog import Catalog
from retrieval.index import PassageIndex
from retrieval.types import Evidence, Passage, Scope

__all__ = ["Neighbours"]

_REACH: Final = 3
"""Passages on each side that a section may bring in; its rest is too far to belong to the same thought."""

_CHARACTERS_A_TOKEN: Final = 3


class Neighbours:
    """Adds neighbours to evidence. Safe to share between threads."""

    def __init__(self, catalog: Catalog, index: PassageIndex, *, reach: int = _REACH) -> None:
        """Wire the parts.

        Args:
            catalog: the truth about passages and who may see them.
            index: knows which passages a document has, less those that are withheld.
            reach: most passages on each side.

        Raises:
            ValueError: `reach` is less than one.
        """
        if reach < 1:
            raise ValueError(f"reach is {reach}, expected at least 1")
        self._catalog = catalog
        self._index = index
        self._reach = reach

    def expand(
        self, evidence: Sequence[Evidence], scope: Scope, *, budget: int, count: Callable[[str], int] | None = None
    ) -> list[Evidence]:
        """Return the evidence, unchanged and first, and after it neighbours that fit into the budget.

        Those of the best passage come first, the nearest before the farther, and what follows before what precedes. The
        passage on either side is always taken; farther ones only while they stand under the same headings. Neighbours
        have the score 0 and ids that go on counting.

        Args:
            evidence: what a search found, best first.
            scope: the asker's: a neighbour that it does not allow is not there.
            budget: most tokens of all neighbours together.
            count: counts the tokens of a text; by default one for three characters, which is rather too many.
        """
        tokens = count or _estimate
        known = {item.passage_id for item in evidence}
        added: list[Evidence] = []
        left = budget
        for item in evidence:
            if left <= 0:
                break
            for passage in self._around(item, scope):
                cost = tokens(passage.text)
                if passage.id in known or cost > left:
                    continue
                known.add(passage.id)
                left -= cost
                name = str(len(evidence) + len(added) + 1)
                added.append(Evidence.of(name, passage.text, passage.locator, passage_id=passage.id))
        return [*evidence, *added]

    def _around(self, item: Evidence, scope: Scope) -> Iterator[Passage]:
        """Yield the neighbours of one piece of evidence, the nearest first."""
        if item.passage_id is None:
            return
        row = np.sort(self._index.passages_of([item.locator.document_id]))
        at = int(np.searchsorted(row, item.passage_id))
        if at == len(row) or row[at] != item.passage_id:  # not searchable any more
            return
        window = row[max(0, at - self._reach) : at + self._reach + 1].tolist()
        shown = {passage.id: passage for passage in self._catalog.passages(window, scope)}
        after, before = window[window.index(item.passage_id) + 1 :], window[: window.index(item.passage_id)][::-1]
        ends = {1: False, -1: False}
        for distance in range(self._reach):
            for side, ids in ((1, after), (-1, before)):
                passage = shown.get(ids[distance]) if distance < len(ids) else None
                if passage is None or ends[side]:
                    continue
                same = passage.locator.headings == item.locator.headings
                ends[side] = not same
                if same or distance == 0:
                    yield passage


def _estimate(text: str) -> int:
    return len(text) // _CHARACTERS_A_TOKEN + 1
