"""Which vector store the settings ask for, and how one is built: the service and the commands ask here."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from pathlib import Path
from typing import Final

from app.errors import BadRequest
from app.settings import Settings
from retrieval.embedding import TextEmbedder
from retrieval.stores.contract import PassageReader, VectorStore
from retrieval.stores.faiss_store import FaissStore
from retrieval.stores.milvus_store import MilvusStore

__all__ = ["INDEX_FOLDER", "builder"]

_OWNER: Final = b"vouch owner of collections in milvus"

INDEX_FOLDER: Final = "index"
"""Folder of the snapshots in the data folder."""


def builder(
    settings: Settings, passages: PassageReader, secret: bytes, *, kind: str | None = None
) -> Callable[[TextEmbedder, Path], VectorStore]:
    """Return what builds the store of one embedding model; nothing is opened, and the network is not used yet.

    Args:
        settings: what was asked for.
        passages: where a store finds texts; the catalog.
        secret: the installation's, under which snapshots are signed.
        kind: ``faiss`` or ``milvus``; None: the one in the settings.

    Raises:
        BadRequest: Milvus is asked for, and no address is set.
    """
    kind = kind or settings.vector_store
    if kind == "milvus" and not settings.milvus_uri:
        raise BadRequest("No address of Milvus is set.", remedy="Set VOUCH_MILVUS_URI, and VOUCH_MILVUS_TOKEN.")

    def faiss(embedder: TextEmbedder, folder: Path) -> VectorStore:
        return FaissStore(folder, embedder=embedder, passages=passages, secret=secret)

    def milvus(embedder: TextEmbedder, folder: Path) -> VectorStore:
        return MilvusStore(
            settings.milvus_uri,
            token=settings.milvus_token,
            name=f"{settings.milvus_collection}_{folder.name}",
            owner=hmac.new(secret, _OWNER, hashlib.sha256).hexdigest()[:32],
            embedder=embedder,
            passages=passages,
        )

    return milvus if kind == "milvus" else faiss
