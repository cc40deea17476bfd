"""What a reconciliation says: findings, each of a kind, and the report that they make."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

__all__ = ["MENDABLE", "Finding", "Kind", "Report"]

_SHOWN: Final = 1000
"""Findings that a report lists one by one; all are counted."""


class Kind(StrEnum):
    """What can be wrong. `subject` of a finding is what the comment names."""

    FILE_MISSING = "file_missing"  # document: its bytes are not there
    FILE_SIZE = "file_size"  # document: its file has another size
    FILE_DIGEST = "file_digest"  # document: its file has other bytes (`deep`)
    FILE_ORPHAN = "file_orphan"  # SHA-256: a file that no document has
    FILE_STRANGE = "file_strange"  # number: files that are none of ours
    PASSAGES_LOST = "passages_lost"  # document: it has fewer or more passages than it was stored with
    PAGES_LOST = "pages_lost"  # document: likewise its pages
    ROW_ORPHAN = "row_orphan"  # table: rows whose document or passage is gone
    VECTOR_MISSING = "vector_missing"  # model: passages in its language without its vector
    VECTOR_DAMAGED = "vector_damaged"  # model: vectors of the wrong length
    WORDS_MISSING = "words_missing"  # document: passages that the lexical index lacks
    WORDS_EXTRA = "words_extra"  # "lexical": passages that only the lexical index has
    INDEX_MISSING = "index_missing"  # document: vectors that the vector store lacks
    INDEX_EXTRA = "index_extra"  # model: vectors that only the vector store has
    PERMISSION_STALE = "permission_stale"  # document: the index still has another label or collection
    SNAPSHOT_DAMAGED = "snapshot_damaged"  # model: does not fit its manifest
    SNAPSHOT_STALE = "snapshot_stale"  # model: of an older catalog


MENDABLE: Final = frozenset(Kind) - {Kind.FILE_MISSING, Kind.FILE_SIZE, Kind.FILE_DIGEST, Kind.FILE_STRANGE}
"""What can be made anew from what is left. A lost file has to be added again; a strange one is not ours to remove."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not agree. `number` counts what is affected; no path and no text is in it."""

    kind: Kind
    subject: str
    number: int = 1


@dataclass(frozen=True, slots=True)
class Report:
    """What was looked at, and what was found.

    `counts` says how many documents, files, passages and, by model, vectors were held against each other; `deep`
    whether every file was hashed.
    """

    generation: int
    deep: bool
    counts: Mapping[str, int]
    findings: Sequence[Finding]

    @property
    def agrees(self) -> bool:
        """Whether everything fits."""
        return not self.findings

    @property
    def kinds(self) -> dict[str, int]:
        """How often each kind was found."""
        found: Counter[str] = Counter()
        for finding in self.findings:
            found[finding.kind.value] += finding.number
        return dict(sorted(found.items()))

    def body(self) -> dict[str, Any]:
        """Return the report as plain JSON."""
        return {
            "agrees": self.agrees,
            "generation": self.generation,
            "deep": self.deep,
            "counts": dict(self.counts),
            "kinds": self.kinds,
            "findings": [
                {"kind": f.kind.value, "subject": f.subject, "number": f.number, "mendable": f.kind in MENDABLE}
                for f in self.findings[:_SHOWN]
            ],
        }
