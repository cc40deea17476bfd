"""The tables that the service itself keeps in the database; the documents' tables belong to `retrieval.tables`.

Times are RFC 3339 strings in UTC with a fixed width, so that they sort as text and mean the same in both databases.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, MetaData, String, Table

__all__ = [
    "api_keys",
    "audit_documents",
    "audit_events",
    "audit_position",
    "audit_verdicts",
    "metadata",
    "vault_items",
    "vault_keys",
    "vault_master",
]

metadata: Final = MetaData()

_SEQ: Final = BigInteger().with_variant(Integer(), "sqlite")

api_keys: Final = Table(
    "api_keys",
    metadata,
    Column("id", String(16), primary_key=True, comment="Part of the key itself, and not secret."),
    Column("digest", LargeBinary, nullable=False, comment="HMAC-SHA-256 of the key under the installation's secret."),
    Column("subject", String(256), nullable=False),
    Column("role", String(32), nullable=False),
    Column("labels", JSON, nullable=False),
    Column("collections", JSON, nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("expires_at", String(32)),
    Column("revoked_at", String(32)),
    Column("last_used_at", String(32)),
)

# Content beside the ledger: `app.ledger.vault`.

vault_master: Final = Table(
    "vault_master",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("sealed", LargeBinary, nullable=False, comment="A known text; shows whether the secret is the right one."),
)

vault_keys: Final = Table(
    "vault_keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("subject", String(512), nullable=False, unique=True),
    Column("wrapped", LargeBinary, nullable=False, comment="The subject's data key under the master key."),
    Column("created_at", String(32), nullable=False),
)

vault_items: Final = Table(
    "vault_items",
    metadata,
    Column("answer_id", String(32), primary_key=True),
    Column("name", String(32), primary_key=True, comment="question, history, answer, or claim.N"),
    Column("key_id", String(32), ForeignKey("vault_keys.id", ondelete="CASCADE"), nullable=False),
    Column("sealed", LargeBinary, nullable=False, comment="Text and salt under the subject's data key."),
    Index("ix_vault_items_key_id", "key_id"),
)

# The searchable copy of the ledger: `app.ledger.copying`. Every row follows from one entry.

audit_events: Final = Table(
    "audit_events",
    metadata,
    Column("seq", _SEQ, primary_key=True, autoincrement=False),
    Column("time", String(32), nullable=False),
    Column("actor", String(512), nullable=False),
    Column("method", String(512), nullable=False),
    Column("action", String(512), nullable=False),
    Column("outcome", String(64), nullable=False),
    Column("domain", String(512)),
    Column("answer_id", String(512)),
    Column("closes", BigInteger),
    Column("leaf", String(64), nullable=False),
    *(Index(f"ix_audit_events_{name}", name, "seq") for name in ("time", "actor", "action", "domain", "answer_id")),
)

audit_documents: Final = Table(
    "audit_documents",
    metadata,
    Column("seq", _SEQ, primary_key=True, autoincrement=False),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("document_id", String(512), nullable=False),
    Column("digest", String(512), nullable=False, comment="SHA-256 of the passage, or of the file where it was added."),
    Column("role", String(16), nullable=False, comment="evidence or added"),
    Index("ix_audit_documents_document_id", "document_id", "seq"),
    Index("ix_audit_documents_digest", "digest", "seq"),
)

audit_verdicts: Final = Table(
    "audit_verdicts",
    metadata,
    Column("seq", _SEQ, primary_key=True, autoincrement=False),
    Column("verdict", String(64), primary_key=True),
    Column("claims", Integer, nullable=False),
    Index("ix_audit_verdicts_verdict", "verdict", "seq"),
)

audit_position: Final = Table(
    "audit_position",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("next", BigInteger, nullable=False, comment="The first entry that the copy does not have yet."),
    Column("root", String(64), nullable=False, comment="The tree's root over the entries before it."),
)
