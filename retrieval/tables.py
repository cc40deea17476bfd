"""The catalog's tables, the same on SQLite and PostgreSQL.

The text, the positions and the embedding of every passage are kept here: the vector and lexical indexes are caches that
can be rebuilt from these rows at any time. Times are RFC 3339 strings in UTC with a fixed width, so that they sort as
text and mean the same in both databases (SQLite has no type for an aware time).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, LargeBinary, String, Text, UniqueConstraint, false
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

__all__ = ["Base", "DocumentRow", "GenerationRow", "PageRow", "PassageRow", "VectorRow", "metadata", "now"]

_PASSAGE_ID: Final = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite numbers rows by itself only in a column whose type is exactly INTEGER."""


def now() -> str:
    """Return the present time as RFC 3339 in UTC, to the microsecond, always 27 characters long."""
    return datetime.now(tz=UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class Base(DeclarativeBase):
    """What the catalog's tables have in common."""


metadata = Base.metadata


class DocumentRow(Base):
    """A document, and at the same time its entry in the queue of the ingestion.

    `claim` is the token of the worker that holds the row; a worker whose token is no longer there has lost the document
    and cannot write. `source` names where the document came from, and `replaces` the earlier version from there that
    goes when this one is READY. `bulk` marks what came with many others, and lets single documents go first.
    """

    __tablename__ = "documents"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(512))
    media_type: Mapped[str] = mapped_column(String(128))
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    collection: Mapped[str] = mapped_column(String(128))
    label: Mapped[str] = mapped_column(String(128))
    state: Mapped[str] = mapped_column(String(16))
    pages: Mapped[int] = mapped_column(default=0)
    pages_done: Mapped[int] = mapped_column(default=0)
    passages: Mapped[int] = mapped_column(default=0)
    claim: Mapped[str | None] = mapped_column(String(32))
    error_code: Mapped[str | None] = mapped_column(String(64))
    error: Mapped[str | None] = mapped_column(Text)
    remedy: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[str] = mapped_column(String(32))
    updated_at: Mapped[str] = mapped_column(String(32))
    withheld: Mapped[int] = mapped_column(default=0, server_default="0")
    facts: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    remarks: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON(none_as_null=True))
    source: Mapped[str | None] = mapped_column(String(512))
    replaces: Mapped[str | None] = mapped_column(String(32))
    bulk: Mapped[bool] = mapped_column(default=False, server_default=false())

    __table_args__ = (
        UniqueConstraint("sha256", "collection", "label", name="uq_documents_content"),
        Index("ix_documents_state", "state", "created_at"),
        Index("ix_documents_turn", "state", "bulk", "created_at"),
        Index("ix_documents_collection", "collection", "created_at"),
        Index("ix_documents_source", "source"),
    )


class PageRow(Base):
    """The text of one page, to which the character spans of its passages refer.

    Width and height are in points, 0 without a page size.
    """

    __tablename__ = "pages"

    document_id: Mapped[str] = mapped_column(
        String(32), ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    text: Mapped[str] = mapped_column(Text)
    width: Mapped[float]
    height: Mapped[float]


class PassageRow(Base):
    """A passage. Its id is never given out twice, since indexes and ledger entries refer to it.

    `boxes` is a list of [x0, top, x1, bottom]; `withheld` says why the passage is in no index, and is NULL for one that
    is searched.
    """

    __tablename__ = "passages"

    id: Mapped[int] = mapped_column(_PASSAGE_ID, primary_key=True)
    document_id: Mapped[str] = mapped_column(String(32), ForeignKey("documents.id", ondelete="CASCADE"), index=True)
    ordinal: Mapped[int]
    page: Mapped[int]
    start: Mapped[int]
    end: Mapped[int]
    text: Mapped[str] = mapped_column(Text)
    boxes: Mapped[list[list[float]]] = mapped_column(JSON)
    headings: Mapped[list[str]] = mapped_column(JSON)
    language: Mapped[str] = mapped_column(String(8))
    withheld: Mapped[str | None] = mapped_column(String(48))

    __table_args__ = (
        UniqueConstraint("document_id", "ordinal", name="uq_passages_place"),
        {"sqlite_autoincrement": True},
    )


class VectorRow(Base):
    """A passage's vector of one embedding model: float16 values, little-endian.

    A passage has one for each model that knows its language. `embedder` is the model's name and the digest of its
    weights, so that vectors of different models never meet.
    """

    __tablename__ = "passage_vectors"

    passage_id: Mapped[int] = mapped_column(
        _PASSAGE_ID, ForeignKey("passages.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    embedder: Mapped[str] = mapped_column(String(128), primary_key=True)
    vector: Mapped[bytes] = mapped_column(LargeBinary)


class GenerationRow(Base):
    """One row: a number that grows with every change to the set of passages; an index tells by it that it is old."""

    __tablename__ = "catalog_generation"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    value: Mapped[int] = mapped_column(BigInteger)
