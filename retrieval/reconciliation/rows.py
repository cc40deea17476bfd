"""What the database's own rows say of each other: documents, pages, passages, vectors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import ColumnElement, Engine, Select, and_, delete, exists, func, select
from sqlalchemy.orm import Session

from retrieval.embedding import TextEmbedder
from retrieval.reconciliation.types import Finding, Kind
from retrieval.statements import advance
from retrieval.tables import DocumentRow, PageRow, PassageRow, VectorRow
from retrieval.types import DocumentState
from retrieval.visibility import Ids

__all__ = ["Kept", "kept_files", "lacking", "passages_by_document", "row_findings", "sweep", "with_vector"]

_READY = DocumentRow.state == DocumentState.READY.value
_FINDABLE = and_(_READY, PassageRow.withheld.is_(None))
_FLOAT16 = 2


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that a document has."""

    document: str
    sha256: str
    size: int


def kept_files(engine: Engine) -> list[Kept]:
    """Return the file of each document, whatever state it is in."""
    with Session(engine) as session:
        return [Kept(*row) for row in session.execute(select(DocumentRow.id, DocumentRow.sha256, DocumentRow.size))]


def passages_by_document(engine: Engine) -> dict[str, Ids]:
    """Return the ids of the passages that may be found, by READY document."""
    wanted = select(PassageRow.document_id, PassageRow.id).join(DocumentRow, DocumentRow.id == PassageRow.document_id)
    return _grouped(engine, wanted.where(_FINDABLE).order_by(PassageRow.id))


def with_vector(engine: Engine, embedder: str) -> dict[str, Ids]:
    """Return the ids of the passages that may be found and have a vector of this model, by READY document."""
    wanted = select(PassageRow.document_id, PassageRow.id).join(DocumentRow, DocumentRow.id == PassageRow.document_id)
    wanted = wanted.join(VectorRow, VectorRow.passage_id == PassageRow.id).where(_FINDABLE)
    return _grouped(engine, wanted.where(VectorRow.embedder == embedder).order_by(PassageRow.id))


def row_findings(engine: Engine, embedders: Sequence[TextEmbedder]) -> Iterator[Finding]:
    """Give what does not fit among the rows."""
    with Session(engine) as session:
        for kind, row, said in (
            (Kind.PASSAGES_LOST, PassageRow, DocumentRow.passages),
            (Kind.PAGES_LOST, PageRow, DocumentRow.pages),
        ):
            there = func.count(row.document_id)
            wanted = select(DocumentRow.id, said, there).outerjoin(row, row.document_id == DocumentRow.id)
            wanted = wanted.where(_READY).group_by(DocumentRow.id, said).having(there != said)
            for document, stored, found in session.execute(wanted).all():
                yield Finding(kind, document, abs(stored - found))
        for table, orphan in _orphans().items():
            number = session.scalars(select(func.count()).select_from(table).where(orphan)).one()
            if number:
                yield Finding(Kind.ROW_ORPHAN, table.__tablename__, number)
        for embedder in embedders:
            damaged = and_(
                VectorRow.embedder == embedder.identity,
                func.length(VectorRow.vector) != _FLOAT16 * embedder.dimension,
            )
            number = session.scalars(select(func.count()).select_from(VectorRow).where(damaged)).one()
            if number:
                yield Finding(Kind.VECTOR_DAMAGED, embedder.identity, number)
    for embedder in embedders:
        if missing := sum(map(len, lacking(engine, embedder).values())):
            yield Finding(Kind.VECTOR_MISSING, embedder.identity, missing)


def lacking(engine: Engine, embedder: TextEmbedder) -> dict[str, Ids]:
    """Return the passages in this model's languages that have no vector of it, by READY document."""
    has = exists().where(VectorRow.passage_id == PassageRow.id, VectorRow.embedder == embedder.identity)
    wanted = select(PassageRow.document_id, PassageRow.id).join(DocumentRow, DocumentRow.id == PassageRow.document_id)
    wanted = wanted.where(_FINDABLE, PassageRow.language.in_(sorted(embedder.languages)), ~has)
    return _grouped(engine, wanted.order_by(PassageRow.id))


def sweep(engine: Engine, embedders: Sequence[TextEmbedder]) -> None:
    """Delete rows that belong to nothing, and vectors that cannot be one."""
    with Session(engine) as session, session.begin():
        advance(session)
        for table, orphan in _orphans().items():
            session.execute(delete(table).where(orphan), execution_options={"synchronize_session": False})
        for embedder in embedders:
            length = func.length(VectorRow.vector) != _FLOAT16 * embedder.dimension
            damaged = and_(VectorRow.embedder == embedder.identity, length)
            session.execute(delete(VectorRow).where(damaged), execution_options={"synchronize_session": False})


def _orphans() -> Mapping[type[PageRow | PassageRow | VectorRow], ColumnElement[bool]]:
    """Return, for each table, what tells a row of nothing; from the leaves up, as it has to be deleted."""
    passage_lives = exists().where(PassageRow.id == VectorRow.passage_id)
    return {
        VectorRow: ~passage_lives,
        PassageRow: ~exists().where(DocumentRow.id == PassageRow.document_id),
        PageRow: ~exists().where(DocumentRow.id == PageRow.document_id),
    }


def _grouped(engine: Engine, wanted: Select[str, int]) -> dict[str, Ids]:
    """Return ids by document, of a statement that gives document and id."""
    found: dict[str, list[int]] = {}
    with Session(engine) as session:
        for document, passage in session.execute(wanted.execution_options(yield_per=10_000)):
            found.setdefault(document, []).append(passage)
    return {document: np.array(ids, dtype=np.int64) for document, ids in found.items()}
