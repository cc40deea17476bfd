"""Vectors by embedding model, what documents say of themselves, and which version takes the place of which."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_row_number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables and columns, and move the vectors that are there."""
    op.create_table(
        "passage_vectors",
        sa.Column(
            "passage_id",
            _row_number,
            sa.ForeignKey("passages.id", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("embedder", sa.String(128), primary_key=True),
        sa.Column("vector", sa.LargeBinary, nullable=False),
    )
    op.execute(
        "INSERT INTO passage_vectors (passage_id, embedder, vector)"
        " SELECT passages.id, documents.embedder, passages.embedding"
        " FROM passages JOIN documents ON documents.id = passages.document_id"
        " WHERE passages.embedding IS NOT NULL AND documents.embedder IS NOT NULL"
    )
    # Columns are added and dropped in place: SQLite would otherwise make each table anew, and dropping the old one
    # would take along, by its foreign keys, every row that refers to it.
    op.drop_column("passages", "embedding")
    op.add_column("passages", sa.Column("withheld", sa.String(48)))
    op.drop_column("documents", "embedder")
    op.add_column("documents", sa.Column("withheld", sa.Integer, nullable=False, server_default="0"))
    op.add_column("documents", sa.Column("facts", sa.JSON))
    op.add_column("documents", sa.Column("remarks", sa.JSON))
    op.add_column("documents", sa.Column("source", sa.String(512)))
    op.add_column("documents", sa.Column("replaces", sa.String(32)))
    op.create_index("ix_documents_source", "documents", ["source"])


def downgrade() -> None:
    """Put one vector a passage back where it was; those of a second model are lost and can be computed again."""
    op.drop_index("ix_documents_source", "documents")
    for name in ("withheld", "facts", "remarks", "source", "replaces"):
        op.drop_column("documents", name)
    op.drop_column("passages", "withheld")
    op.add_column("documents", sa.Column("embedder", sa.String(128)))
    op.add_column("passages", sa.Column("embedding", sa.LargeBinary))
    op.execute(
        "UPDATE documents SET embedder = (SELECT MIN(passage_vectors.embedder) FROM passage_vectors"
        " JOIN passages ON passages.id = passage_vectors.passage_id WHERE passages.document_id = documents.id)"
    )
    op.execute(
        "UPDATE passages SET embedding = (SELECT passage_vectors.vector FROM passage_vectors"
        " JOIN documents ON documents.embedder = passage_vectors.embedder"
        " WHERE passage_vectors.passage_id = passages.id AND documents.id = passages.document_id)"
    )
    op.drop_table("passage_vectors")
