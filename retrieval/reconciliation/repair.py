"""Makes anew what can be made from what is left. Nothing that only one place holds is thrown away.

    a file that no document has             removed, when still no document has it
    rows of nothing, vectors of no length   deleted
    a document that lost rows               queued again, to be read from its file; until then it is not found
    a passage without a vector              embedded
    what the indexes lack or have too much  taken over anew from the catalog
    a snapshot that is damaged or old       written anew

Not covered: a lost or changed file. Its document stays as it is, and has to be added again by somebody who has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import structlog
from sqlalchemy import Engine, and_, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from retrieval.catalog import Catalog
from retrieval.context import in_context
from retrieval.embedding import TextEmbedder
from retrieval.files import FileStore
from retrieval.index import PassageIndex
from retrieval.packing import pack
from retrieval.queue import waiting_again
from retrieval.reconciliation.rows import lacking, passages_by_document, sweep, with_vector
from retrieval.reconciliation.types import Finding, Kind, Report
from retrieval.statements import advance, empty, matched, portions
from retrieval.tables import DocumentRow, PassageRow, VectorRow
from retrieval.types import DocumentState
from retrieval.visibility import Ids

__all__ = ["repair"]

_TEXTS_A_STEP: Final = 256  # embedded and stored together; a step is some seconds of a small model

_log = structlog.get_logger()


def repair(report: Report, engine: Engine, index: PassageIndex, files: Path) -> None:
    """Mend what a check found, in the order of the table above. Check again to see what is left.

    Raises:
        RetrievalError: a step could not be done; those before it are.
    """
    by_kind: dict[Kind, list[Finding]] = {}
    for finding in report.findings:
        by_kind.setdefault(finding.kind, []).append(finding)
    broken = {f.subject for f in report.findings if f.kind in (Kind.FILE_MISSING, Kind.FILE_SIZE, Kind.FILE_DIGEST)}
    _remove_orphans(engine, FileStore(files), [f.subject for f in by_kind.get(Kind.FILE_ORPHAN, ())])
    if by_kind.keys() & {Kind.ROW_ORPHAN, Kind.VECTOR_DAMAGED}:
        sweep(engine, index.embedders)
    lost = {f.subject for kind in (Kind.PASSAGES_LOST, Kind.PAGES_LOST) for f in by_kind.get(kind, ())}
    for document in sorted(lost - broken):
        _read_again(engine, document)
    changed: set[str] = set()
    for embedder in index.embedders:
        changed |= _embed_missing(engine, embedder)
    if by_kind.keys() & _OF_THE_INDEX or changed:
        changed |= {f.subject for kind in _BY_DOCUMENT for f in by_kind.get(kind, ())}
        extra, theirs = _extra(engine, index)
        index.mend(changed | theirs, extra=extra)
    index.refresh()
    index.save()
    _log.info("retrieval.repaired", **report.kinds)


_BY_DOCUMENT: Final = (Kind.WORDS_MISSING, Kind.INDEX_MISSING, Kind.PERMISSION_STALE)
_OF_THE_INDEX: Final = {
    *_BY_DOCUMENT,
    Kind.WORDS_EXTRA,
    Kind.INDEX_EXTRA,
    Kind.SNAPSHOT_DAMAGED,
    Kind.SNAPSHOT_STALE,
}


def _remove_orphans(engine: Engine, store: FileStore, digests: Iterable[str]) -> None:
    catalog = Catalog(engine)
    for sha256 in digests:
        if not catalog.holds(sha256):
            store.remove(sha256)


def _read_again(engine: Engine, document: str) -> None:
    """Queue a READY document as if it had just been added; what it became goes."""
    with Session(engine) as session, session.begin():
        ready = and_(DocumentRow.id == document, DocumentRow.state == DocumentState.READY.value)
        if matched(session, update(DocumentRow).where(ready).values(**waiting_again(), passages=0)) == 0:
            return
        empty(session, document)
        advance(session)


def _embed_missing(engine: Engine, embedder: TextEmbedder) -> set[str]:
    """Embed the passages that have no vector of a model; return their documents."""
    missing = lacking(engine, embedder)
    if missing:
        ids = np.concatenate(list(missing.values())).tolist()
        for at in range(0, len(ids), _TEXTS_A_STEP):
            _embed(engine, embedder, ids[at : at + _TEXTS_A_STEP])
    return set(missing)


def _embed(engine: Engine, embedder: TextEmbedder, ids: Sequence[int]) -> None:
    texts: dict[int, str] = {}
    with Session(engine) as session:
        for some in portions(ids):
            columns = (PassageRow.id, PassageRow.text, PassageRow.headings, DocumentRow.name)
            wanted = select(*columns).join(DocumentRow, DocumentRow.id == PassageRow.document_id)
            for passage, text, headings, name in session.execute(wanted.where(PassageRow.id.in_(some))):
                texts[passage] = in_context(text, document=name, headings=headings)
    vectors = embedder.embed(list(texts.values()))
    rows = [
        {"passage_id": passage, "embedder": embedder.identity, "vector": pack(vector)}
        for passage, vector in zip(texts, vectors, strict=True)
    ]
    try:
        with Session(engine) as session, session.begin():
            advance(session)
            session.execute(insert(VectorRow), rows)
    except IntegrityError:  # a document went, or another process was quicker: the next check says what is left
        _log.warning("retrieval.vectors_not_stored", passages=len(rows))


def _extra(engine: Engine, index: PassageIndex) -> tuple[list[int], set[str]]:
    """Return what an index holds and the catalog does not, and the documents that some of it is nevertheless of."""
    held, passages = index.held(), passages_by_document(engine)
    extra = np.setdiff1d(held.words, _ids(passages.values()))
    for embedder in index.embedders:
        mine = _ids(with_vector(engine, embedder.identity).values())
        extra = np.union1d(extra, np.setdiff1d(held.vectors[embedder.identity], mine))
    return extra.tolist(), {document for document, ids in passages.items() if np.isin(ids, extra).any()}


def _ids(parts: Iterable[Ids]) -> Ids:
    return np.concatenate([np.empty(0, dtype=np.int64), *parts])
