"""The rows of one embedding model in Milvus, and a row that says what they are; nothing else calls its client.

Everything is asked for with strong consistency: what was written is in the next read, on every node. pymilvus is
imported at the first use, since it is installed for the scale-out alone. All that it raises becomes `StoreUnavailable`;
its own words may name addresses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

from retrieval.embedding import Vectors
from retrieval.errors import StoreUnavailable
from retrieval.stores._milvus_scope import Place
from retrieval.visibility import Ids

__all__ = ["MOST_HITS", "MilvusRows"]

MOST_HITS: Final = 16_384
"""Most results that Milvus gives to one search; also the most ids in one expression."""

_ROWS_A_CALL: Final = 2_000  # 384 dimensions are 3 MB; a call may have 64
_NAME_LENGTH: Final = 64
_TEXT_LENGTH: Final = 4_096
_MANIFESTS: Final = "vouch_manifests"
_STRONG: Final = "Strong"
_INDEX: Final[Mapping[str, Mapping[str, int]]] = {
    "HNSW": {"M": 16, "efConstruction": 200},  # Milvus's middle values; a filter that leaves little makes it exact
    "FLAT": {},
}
_LEAST_EF: Final = 128  # places that HNSW keeps while it searches: recall@10 above 0.95 on 384 dimensions


class MilvusRows:
    """One collection of Milvus. Safe to share between threads, as its client is."""

    def __init__(self, uri: str, token: str, *, name: str, index: str, timeout_s: float) -> None:
        if index not in _INDEX:
            raise ValueError(f"index is one of {', '.join(_INDEX)}")
        self._uri, self._token, self._timeout_s = uri, token, timeout_s
        self._name = name
        self._kind = index
        self._client: Any = None

    def make(self, dimension: int) -> None:
        """Drop the collection if it is there, with its manifest, and make it empty."""
        with self._reached() as client:
            if client.has_collection(self._name):
                client.drop_collection(self._name)
            self._create(client, self._name, dimension)
        self.disown()

    def exists(self) -> bool:
        """Say whether the collection is there; then also see that it is loaded, which a restart may have undone."""
        with self._reached() as client:
            if not client.has_collection(self._name):
                return False
            client.load_collection(self._name)
            return True

    def put(self, ids: Sequence[int], vectors: Vectors, places: Sequence[Place]) -> None:
        """Write whole rows; an id that is there is replaced. `vectors` is (n, dimension)."""
        rows = [
            {"id": int(i), "vector": vector, "label": place[0], "collection": place[1]}
            for i, vector, place in zip(ids, vectors, places, strict=True)
        ]
        self._upsert(rows)

    def place(self, ids: Sequence[int] | Ids, place: Place) -> None:
        """Say of rows that are there where they belong; their vectors stay."""
        self._upsert([{"id": int(i), "label": place[0], "collection": place[1]} for i in ids], partial_update=True)

    def remove(self, ids: Ids) -> None:
        """Delete rows; ids that are not there are ignored."""
        with self._reached() as client:
            for at in range(0, len(ids), MOST_HITS):
                client.delete(self._name, ids=ids[at : at + MOST_HITS].tolist())

    def search(self, vector: Vectors, k: int, expression: str) -> list[tuple[int, float]]:
        """Return up to `k` (id, inner product) pairs among the rows that the expression lets through, best first."""
        parameters = {"ef": max(_LEAST_EF, 2 * k)} if self._kind == "HNSW" else {}
        with self._reached() as client:
            found = client.search(
                self._name,
                data=[vector],
                limit=min(k, MOST_HITS),
                filter=expression,
                search_params={"metric_type": "IP", "params": parameters},
                consistency_level=_STRONG,
            )
        return [(int(hit["id"]), float(hit["distance"])) for hit in found[0]]

    def read(self) -> Iterator[tuple[int, Place]]:
        """Give id and place of every row, in no order."""
        with self._reached() as client:
            rows = client.query_iterator(
                self._name,
                batch_size=MOST_HITS,
                output_fields=["id", "label", "collection"],
                consistency_level=_STRONG,
            )
            try:
                while batch := rows.next():
                    yield from ((int(row["id"]), (row["label"], row["collection"])) for row in batch)
            finally:
                rows.close()

    def count(self) -> int:
        """Return how many rows there are."""
        with self._reached() as client:
            found = client.query(self._name, filter="", output_fields=["count(*)"], consistency_level=_STRONG)
        return int(found[0]["count(*)"])

    # the manifest: a row in a collection of its own, since not every Milvus keeps properties that it does not know

    def manifest(self) -> str | None:
        """Return what was last said of the rows, or None."""
        with self._reached() as client:
            if not client.has_collection(_MANIFESTS):
                return None
            found = client.get(_MANIFESTS, ids=[self._name], output_fields=["text"], consistency_level=_STRONG)
        return str(found[0]["text"]) if found else None

    def vouch(self, text: str) -> None:
        """Say of the rows what they are."""
        with self._reached() as client:
            if not client.has_collection(_MANIFESTS):
                self._create_manifests(client)
            row = {"name": self._name, "text": text, "vector": np.zeros(2, dtype=np.float32)}
            client.upsert(_MANIFESTS, [row])

    def disown(self) -> None:
        """Take back what was said of the rows, before they change."""
        with self._reached() as client:
            if client.has_collection(_MANIFESTS):
                client.delete(_MANIFESTS, ids=[self._name])

    def close(self) -> None:
        """Close the connection; the next use opens it again."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _upsert(self, rows: list[dict[str, Any]], **options: Any) -> None:
        with self._reached() as client:
            for at in range(0, len(rows), _ROWS_A_CALL):
                client.upsert(self._name, rows[at : at + _ROWS_A_CALL], **options)

    def _create(self, client: Any, name: str, dimension: int) -> None:
        from pymilvus import DataType

        schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dimension)
        indexes = client.prepare_index_params()
        indexes.add_index("vector", index_type=self._kind, metric_type="IP", params=dict(_INDEX[self._kind]))
        for field in ("label", "collection"):
            schema.add_field(field, DataType.VARCHAR, max_length=_NAME_LENGTH)
            indexes.add_index(field, index_type="INVERTED")
        _establish(client, name, schema, indexes)

    def _create_manifests(self, client: Any) -> None:
        from pymilvus import DataType

        schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("name", DataType.VARCHAR, is_primary=True, max_length=_NAME_LENGTH)
        schema.add_field("text", DataType.VARCHAR, max_length=_TEXT_LENGTH)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=2)  # Milvus has no collection without one
        indexes = client.prepare_index_params()
        indexes.add_index("vector", index_type="FLAT", metric_type="IP")
        _establish(client, _MANIFESTS, schema, indexes)

    @contextmanager
    def _reached(self) -> Iterator[Any]:
        try:
            from grpc import RpcError
            from pymilvus import MilvusClient, MilvusException
        except ImportError as missing:
            raise StoreUnavailable(
                "The client of Milvus is not installed.",
                remedy="In Vouch's folder run `.venv/bin/pip install '.[scale]'`, or set VOUCH_VECTOR_STORE=faiss.",
            ) from missing
        try:
            if self._client is None:
                self._client = MilvusClient(uri=self._uri, token=self._token, timeout=self._timeout_s)
            yield self._client
        except (MilvusException, RpcError, OSError) as error:
            raise StoreUnavailable(
                "The vector store cannot be reached, or refused the call.",
                remedy="Check that Milvus runs at VOUCH_MILVUS_URI and takes VOUCH_MILVUS_TOKEN; its log says more.",
            ) from error


def _establish(client: Any, name: str, schema: Any, indexes: Any) -> None:
    """Create an empty collection, with its indexes, loaded: there is nothing that could be waited for."""
    client.create_collection(name, schema=schema, consistency_level=_STRONG)
    client.create_index(name, indexes, sync=False)
    client.load_collection(name)
