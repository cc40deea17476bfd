"""Sealed content beside the ledger with a key for each person, and the ledger's searchable copy."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_row_number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "vault_master",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column(
            "sealed",
            sa.LargeBinary,
            nullable=False,
            comment="A known text; shows whether the secret is the right one.",
        ),
    )
    op.create_table(
        "vault_keys",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("subject", sa.String(512), nullable=False, unique=True),
        sa.Column(
            "wrapped",
            sa.LargeBinary,
            nullable=False,
            comment="The subject's data key under the master key.",
        ),
        sa.Column("created_at", sa.String(32), nullable=False),
    )
    op.create_table(
        "vault_items",
        sa.Column("answer_id", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(32), primary_key=True, comment="question, history, answer, or claim.N"),
        sa.Column("key_id", sa.String(32), sa.ForeignKey("vault_keys.id", ondelete="CASCADE"), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False, comment="Text and salt under the subject's data key."),
    )
    op.create_index("ix_vault_items_key_id", "vault_items", ["key_id"])
    op.create_table(
        "audit_events",
        sa.Column("seq", _row_number, primary_key=True, autoincrement=False),
        sa.Column("time", sa.String(32), nullable=False),
        sa.Column("actor", sa.String(512), nullable=False),
        sa.Column("method", sa.String(512), nullable=False),
        sa.Column("action", sa.String(512), nullable=False),
        sa.Column("outcome", sa.String(64), nullable=False),
        sa.Column("domain", sa.String(512)),
        sa.Column("answer_id", sa.String(512)),
        sa.Column("closes", sa.BigInteger),
        sa.Column("leaf", sa.String(64), nullable=False),
    )
    for column in ("time", "actor", "action", "domain", "answer_id"):
        op.create_index(f"ix_audit_events_{column}", "audit_events", [column, "seq"])
    op.create_table(
        "audit_documents",
        sa.Column("seq", _row_number, primary_key=True, autoincrement=False),
        sa.Column("ordinal", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("document_id", sa.String(512), nullable=False),
        sa.Column(
            "digest",
            sa.String(512),
            nullable=False,
            comment="SHA-256 of the passage, or of the file where it was added.",
        ),
        sa.Column("role", sa.String(16), nullable=False, comment="evidence or added"),
    )
    op.create_index("ix_audit_documents_document_id", "audit_documents", ["document_id", "seq"])
    op.create_index("ix_audit_documents_digest", "audit_documents", ["digest", "seq"])
    op.create_table(
        "audit_verdicts",
        sa.Column("seq", _row_number, primary_key=True, autoincrement=False),
        sa.Column("verdict", sa.String(64), primary_key=True),
        sa.Column("claims", sa.Integer, nullable=False),
    )
    op.create_index("ix_audit_verdicts_verdict", "audit_verdicts", ["verdict", "seq"])
    position = op.create_table(
        "audit_position",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("next", sa.BigInteger, nullable=False, comment="The first entry that the copy does not have yet."),
        sa.Column("root", sa.String(64), nullable=False, comment="The tree's root over the entries before it."),
    )
    op.bulk_insert(position, [{"id": 1, "next": 0, "root": hashlib.sha256().hexdigest()}])


def downgrade() -> None:
    """Drop all of them. The content that they hold is lost; the ledger is not touched."""
    for table in (
        "audit_position",
        "audit_verdicts",
        "audit_documents",
        "audit_events",
        "vault_items",
        "vault_keys",
        "vault_master",
    ):
        op.drop_table(table)
