"""The tables that the service itself keeps in the database; the documents' tables belong to `retrieval.tables`.

Times are RFC 3339 strings in UTC with a fixed width, so that they sort as text and mean the same in both databases.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import JSON, Column, LargeBinary, MetaData, String, Table

__all__ = ["api_keys", "metadata"]

metadata: Final = MetaData()

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
