"""Documents that came with many others, so that single ones can go first."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the mark, and the index that finds the next document by it."""
    op.add_column("documents", sa.Column("bulk", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_index("ix_documents_turn", "documents", ["state", "bulk", "created_at"])


def downgrade() -> None:
    """Take both away."""
    op.drop_index("ix_documents_turn", "documents")
    op.drop_column("documents", "bulk")
