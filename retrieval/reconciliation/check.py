"""Holds catalog, files, lexical index, vector stores and snapshots against each other, and says what does not agree.

It runs in the process that owns the indexes, beside searches and ingestion: what it compares in memory is what answers.
Where the catalog changes meanwhile, the comparison is made again.

Not covered: whether a vector is the right one for its text (its model would have to compute all of them anew), and
whether the words of the lexical index are those of its passages; both are made from the rows when the index is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import numpy as np
from sqlalchemy import Engine

from retrieval.catalog import Catalog, Searchable
from retrieval.errors import RetrievalError
from retrieval.index import Held, PassageIndex
from retrieval.reconciliation.disk import file_findings
from retrieval.reconciliation.rows import kept_files, passages_by_document, row_findings, with_vector
from retrieval.reconciliation.types import Finding, Kind, Report
from retrieval.visibility import Ids

__all__ = ["check"]

_TRIES: Final = 5


class _Busy(RetrievalError):
    """The catalog changed during each comparison."""

    code = "retrieval_busy"


def check(engine: Engine, index: PassageIndex, files: Path, *, deep: bool = False) -> Report:
    """Compare everything, and return what was found.

    Args:
        engine: the catalog's database.
        index: what is searched; it is brought up to date first.
        files: folder of the documents' files.
        deep: hash every file as well; reads all of them.

    Raises:
        RetrievalError: documents come in so fast that no comparison was of one moment (code ``retrieval_busy``).
        StoreUnavailable: a vector store cannot be asked.
    """
    kept = kept_files(engine)
    findings = [*file_findings(files, kept, deep=deep), *row_findings(engine, index.embedders)]
    generation, counts, found = _indexes(engine, index)
    counts = {"documents": len(kept), "files": len({item.sha256 for item in kept}), **counts}
    return Report(generation=generation, deep=deep, counts=counts, findings=(*findings, *found))


def _indexes(engine: Engine, index: PassageIndex) -> tuple[int, dict[str, int], list[Finding]]:
    """Compare the indexes with the catalog of one moment."""
    catalog = Catalog(engine)
    for _ in range(_TRIES):
        index.refresh()
        held = index.held()
        generation, documents = catalog.searchable()
        passages = passages_by_document(engine)
        vectors = {e.identity: with_vector(engine, e.identity) for e in index.embedders}
        snapshots = index.snapshots()
        if held.generation == generation == catalog.generation():
            found = [
                *_words(held, passages),
                *_vectors(held, vectors),
                *_permissions(held, documents),
                *_snapshots(snapshots, generation),
            ]
            made = {f"vectors of {name}": sum(map(len, ids.values())) for name, ids in vectors.items()}
            return generation, {"passages": sum(map(len, passages.values())), **made}, found
    raise _Busy("Documents come in so fast that nothing can be compared.", remedy="Try again when fewer are read in.")


def _words(held: Held, passages: Mapping[str, Ids]) -> Iterator[Finding]:
    yield from _missing(Kind.WORDS_MISSING, held.words, passages)
    yield from _extra(Kind.WORDS_EXTRA, "lexical", held.words, passages)


def _vectors(held: Held, vectors: Mapping[str, Mapping[str, Ids]]) -> Iterator[Finding]:
    for name, expected in vectors.items():
        yield from _missing(Kind.INDEX_MISSING, held.vectors[name], expected)
        yield from _extra(Kind.INDEX_EXTRA, name, held.vectors[name], expected)


def _missing(kind: Kind, there: Ids, expected: Mapping[str, Ids]) -> Iterator[Finding]:
    for document, ids in expected.items():
        if absent := int(np.isin(ids, there, invert=True).sum()):
            yield Finding(kind, document, absent)


def _extra(kind: Kind, subject: str, there: Ids, expected: Mapping[str, Ids]) -> Iterator[Finding]:
    known = np.concatenate([np.empty(0, dtype=np.int64), *expected.values()])
    if number := len(np.setdiff1d(there, known)):
        yield Finding(kind, subject, number)


def _permissions(held: Held, documents: list[Searchable]) -> Iterator[Finding]:
    for document in documents:
        known = held.documents.get(document.id)
        if known is not None and (known.label, known.collection) != (document.label, document.collection):
            yield Finding(Kind.PERMISSION_STALE, document.id)


def _snapshots(snapshots: Mapping[str, int | None], generation: int) -> Iterator[Finding]:
    for name, taken in snapshots.items():
        if taken is None:
            yield Finding(Kind.SNAPSHOT_DAMAGED, name)
        elif taken != generation:
            yield Finding(Kind.SNAPSHOT_STALE, name)
