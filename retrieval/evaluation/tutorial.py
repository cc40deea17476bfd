"""The rival that most people have: the retrieval of a tutorial.

Pages are cut into overlapping pieces of 1,000 characters, preferably between paragraphs, lines or words; all pieces are
embedded as they stand, whatever their language; a flat FAISS index returns the nearest. No document name, no headings,
no words, no fusion.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import faiss
import numpy as np

from retrieval.embedding import TextEmbedder
from retrieval.trial import Place, Report, Source
from retrieval.types import EVERYTHING, Scope

__all__ = ["Tutorial", "split"]

_SIZE: Final = 1000
_OVERLAP: Final = 200
_SEPARATORS: Final = ("\n\n", "\n", " ", "")
_TEXTS_A_STEP: Final = 2048

_faiss: Any = faiss  # its types lack what SWIG adds

Span = tuple[int, int]


def split(text: str, *, size: int = _SIZE, overlap: int = _OVERLAP) -> list[Span]:
    """Return the spans of pieces of at most `size` characters, each beginning up to `overlap` before the last one ends.

    The text is parted at the strongest separator that it has (empty line, line end, blank, any character) and the parts
    are joined while they fit; a part that does not fit is parted further.
    """
    return [
        trimmed for span in _split(text, (0, len(text)), _SEPARATORS, size, overlap) if (trimmed := _trim(text, span))
    ]


def _split(text: str, span: Span, separators: Sequence[str], size: int, overlap: int) -> Iterator[Span]:
    own = text[slice(*span)]
    at = next(i for i, separator in enumerate(separators) if separator in own)
    fitting: list[Span] = []
    for part in _parts(text, span, separators[at]):
        if part[1] - part[0] <= size:
            fitting.append(part)
            continue
        yield from _joined(fitting, size, overlap)
        fitting = []
        yield from _split(text, part, separators[at + 1 :], size, overlap)
    yield from _joined(fitting, size, overlap)


def _parts(text: str, span: Span, separator: str) -> Iterator[Span]:
    start, end = span
    if not separator:
        yield from ((i, i + 1) for i in range(start, end))
        return
    at = start
    for match in re.compile(re.escape(separator)).finditer(text, start, end):
        if match.start() > at:
            yield at, match.start()
        at = match.end()
    if at < end:
        yield at, end


def _joined(parts: Sequence[Span], size: int, overlap: int) -> Iterator[Span]:
    held: list[Span] = []
    for part in parts:
        if held and part[1] - held[0][0] > size:
            yield held[0][0], held[-1][1]
            while held and (held[-1][1] - held[0][0] > overlap or part[1] - held[0][0] > size):
                held.pop(0)
        held.append(part)
    if held:
        yield held[0][0], held[-1][1]


def _trim(text: str, span: Span) -> Span | None:
    own = text[slice(*span)]
    start = span[0] + len(own) - len(own.lstrip())
    end = start + len(own.strip())
    return (start, end) if end > start else None


class Tutorial:
    """The pieces of a set in a flat index, searched by one embedding model."""

    def __init__(self, sources: Sequence[Source], embedder: TextEmbedder, report: Report) -> None:
        """Cut, embed and index all sources.

        Args:
            sources: the documents of a set.
            embedder: the model, which is asked about every text, also in languages that it does not know.
            report: hears how far it is.
        """
        self._embedder = embedder
        self._places: list[Place] = []
        self._collections: list[str] = []
        self._index: Any = _faiss.IndexFlatIP(embedder.dimension)
        waiting: list[str] = []
        for at, source in enumerate(sources, start=1):
            for page in source.pages:
                for start, end in split(page.text):
                    waiting.append(page.text[start:end])
                    self._places.append(Place(document=source.id, page=page.number, start=start, end=end))
                    self._collections.append(source.collection)
            if at == len(sources) or len(waiting) >= _TEXTS_A_STEP:
                self._index.add(embedder.embed(waiting))
                waiting = []
                report(f"tutorial pipeline: {at} of {len(sources)} documents are in")

    @property
    def size(self) -> int:
        """Pieces in the index."""
        return len(self._places)

    def ask(self, query: str, scope: Scope, *, k: int) -> list[Place]:
        """Return the `k` nearest pieces of the collections that the scope names, nearest first."""
        vector = self._embedder.embed([query])
        _, rows = self._index.search(vector, min(k, self.size), params=self._within(scope))
        return [self._places[row] for row in rows[0] if row >= 0]

    def _within(self, scope: Scope) -> Any:
        if EVERYTHING in scope.collections:
            return None
        rows = [i for i, collection in enumerate(self._collections) if collection in scope.collections]
        return _faiss.SearchParameters(sel=_faiss.IDSelectorBatch(np.array(rows, dtype=np.int64)))
