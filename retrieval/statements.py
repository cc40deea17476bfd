"""SQL that the catalog and the queue share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from retrieval.tables import DocumentRow, GenerationRow, PageRow, PassageRow, VectorRow

__all__ = ["advance", "empty", "matched", "portions", "remove"]

_IDS_A_STATEMENT: Final = 500  # SQLite's oldest limit on bound values is 999

_Id = TypeVar("_Id", int, str)


def portions(ids: Sequence[_Id]) -> Iterator[Sequence[_Id]]:
    """Give the ids in portions that one statement may bind."""
    for at in range(0, len(ids), _IDS_A_STATEMENT):
        yield ids[at : at + _IDS_A_STATEMENT]


def matched(session: Session, statement: Any) -> int:
    """Execute an UPDATE and return how many rows it matched; SQLAlchemy types the result too widely to ask it."""
    return int(session.execute(statement, execution_options={"synchronize_session": False}).rowcount)  # type: ignore[attr-defined]


def remove(session: Session, document_id: str) -> None:
    """Delete a document's rows, from the vectors up; one that is not there is no error."""
    empty(session, document_id)
    session.execute(delete(DocumentRow).where(DocumentRow.id == document_id))


def empty(session: Session, document_id: str) -> None:
    """Delete what a document became: vectors, passages, pages. Its own row stays."""
    passages = select(PassageRow.id).where(PassageRow.document_id == document_id)
    session.execute(delete(VectorRow).where(VectorRow.passage_id.in_(passages)))
    session.execute(delete(PassageRow).where(PassageRow.document_id == document_id))
    session.execute(delete(PageRow).where(PageRow.document_id == document_id))


def advance(session: Session) -> None:
    """Count a change to the set of passages, so that indexes know that they are old."""
    grown = update(GenerationRow).where(GenerationRow.id == 1).values(value=GenerationRow.value + 1)
    if matched(session, grown):
        return
    try:
        with session.begin_nested():
            session.execute(insert(GenerationRow).values(id=1, value=1))
    except IntegrityError:  # another worker wrote the first row between the two statements
        matched(session, grown)
