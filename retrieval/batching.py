"""Which passages are embedded next: those of several documents together, so that a short document need not wait.

An embedding model is quickest on many texts at once, sorted by length, and a short document has few. A batch is filled
from the document with the least left to do upwards, so that a page that somebody waits for is done with the next batch
whatever else is under way; a quarter of each batch is kept for the document that waits longest, so that a long one
goes on under a stream of short ones.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

__all__ = ["Batch", "Batches", "Part"]

_OLDEST: Final = 4  # one part in so many is kept for the document that waits longest

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Part(Generic[K]):
    """The texts `[start, end)` of those that one document has for one model."""

    key: K
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Batch(Generic[K]):
    """Texts for one model. `last` holds the documents that have no text left for any model after this batch."""

    model: str
    parts: tuple[Part[K], ...]
    last: tuple[K, ...]


class Batches(Generic[K]):
    """The texts that wait, as numbers. Not for use by several threads at once."""

    def __init__(self, size: int) -> None:
        """Make batches of up to so many texts."""
        if size < _OLDEST:
            raise ValueError(f"size is {size}, expected at least {_OLDEST}")
        self._size = size
        self._left: dict[K, dict[str, tuple[int, int]]] = {}  # oldest first: texts given out, texts in all
        self._models: deque[str] = deque()  # the one that comes next first

    def add(self, key: K, texts: Mapping[str, int]) -> bool:
        """Take up a document with so many texts a model. False when there are none: it is done.

        Raises:
            ValueError: it is there already.
        """
        if key in self._left:
            raise ValueError("the document is there already")
        wanted = {model: (0, count) for model, count in texts.items() if count}
        if wanted:
            self._left[key] = wanted
            self._models.extend(model for model in wanted if model not in self._models)
        return bool(wanted)

    def drop(self, key: K) -> None:
        """Forget a document; one that is not there is no error."""
        self._left.pop(key, None)

    def next(self) -> Batch[K] | None:
        """Return the next batch, or None when nothing waits. The models take turns."""
        for _ in range(len(self._models)):
            model = self._models[0]
            self._models.rotate(-1)
            waiting = [key for key, texts in self._left.items() if model in texts]
            if waiting:
                return self._filled(model, waiting)
        return None

    def _filled(self, model: str, waiting: list[K]) -> Batch[K]:
        counts = {key: self._open(key, model) for key in waiting}
        oldest = waiting[0]
        given = {oldest: min(counts[oldest], self._size // _OLDEST)}
        room = self._size - given[oldest]
        for key in sorted(waiting, key=counts.__getitem__):  # stable: of two equal ones the older is first
            more = min(counts[key] - given.get(key, 0), room)
            given[key] = given.get(key, 0) + more
            room -= more
            if not room:
                break
        parts = tuple(self._part(key, model, count) for key, count in given.items() if count)
        last = tuple(part.key for part in parts if not self._left[part.key])
        for key in last:
            del self._left[key]
        return Batch(model=model, parts=parts, last=last)

    def _open(self, key: K, model: str) -> int:
        given, count = self._left[key][model]
        return count - given

    def _part(self, key: K, model: str, count: int) -> Part[K]:
        start, whole = self._left[key][model]
        if start + count == whole:
            del self._left[key][model]
        else:
            self._left[key][model] = (start + count, whole)
        return Part(key=key, start=start, end=start + count)
