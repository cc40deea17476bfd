"""The words that retrieval and everything above it share: where a text stands, what it says, who may see it.

All types are frozen pydantic models, so that they can be hashed, compared, sent over HTTP and written into the ledger
without a second definition. Positions follow one rule throughout:

* pages are counted from 1;
* boxes are in PDF points (1/72 inch) with the origin at the **top left** of the page;
* character spans are half-open ``[start, end)`` offsets into the text of their page, in Unicode code points.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "EVERYTHING",
    "Box",
    "Document",
    "DocumentFacts",
    "DocumentState",
    "Evidence",
    "EvidenceKind",
    "Locator",
    "Passage",
    "Remark",
    "Scope",
]

EVERYTHING: Final = "*"
"""The wildcard of a `Scope`. Only the identity layer hands it out."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Box(_Value):
    """A rectangle on a page, in points from the page's top left corner."""

    x0: float
    top: float
    x1: float
    bottom: float


class Locator(_Value):
    """Where a piece of evidence stands, precisely enough that a reader can be shown it."""

    document_id: str
    document: str = Field(description="Name of the document as its owner knows it.")
    page: int | None = Field(default=None, ge=1)
    boxes: tuple[Box, ...] = ()
    start: int | None = Field(default=None, ge=0)
    end: int | None = Field(default=None, ge=0)
    headings: tuple[str, ...] = Field(default=(), description="Heading path, outermost first.")
    cell: str | None = Field(default=None, description="Cell or row of a table, as its source names it.")


class EvidenceKind(StrEnum):
    """What sort of thing a claim may rest on."""

    PASSAGE = "passage"
    TABLE = "table"
    QUERY_RESULT = "query_result"
    COMPUTATION = "computation"
    RECORD = "record"


def digest_of(text: str) -> str:
    """SHA-256 of the UTF-8 bytes of a text, in lower-case hexadecimal."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


class Evidence(_Value):
    """One thing that an answer may cite.

    `id` is unique inside an answer and is what the model writes ("1", "2", …); `digest` is the SHA-256 of `text`, so
    that a ledger entry pins the words without holding them; `score` is the fused search score, higher is better, and
    comparable only within one search.
    """

    id: str
    kind: EvidenceKind
    text: str
    locator: Locator
    digest: str
    passage_id: int | None = None
    score: float = 0.0

    @classmethod
    def of(
        cls,
        id: str,  # noqa: A002 - the name of the field
        text: str,
        locator: Locator,
        *,
        kind: EvidenceKind = EvidenceKind.PASSAGE,
        passage_id: int | None = None,
        score: float = 0.0,
    ) -> Self:
        """Build evidence with its digest computed."""
        return cls(
            id=id,
            kind=kind,
            text=text,
            locator=locator,
            digest=digest_of(text),
            passage_id=passage_id,
            score=score,
        )


class DocumentState(StrEnum):
    """The life of a document. A row that is not READY or FAILED is its own queue entry."""

    QUEUED = "queued"
    PARSING = "parsing"
    INDEXING = "indexing"
    READY = "ready"
    FAILED = "failed"


class DocumentFacts(_Value):
    """What a document says of itself, as far as it was recognised; a question that names these looks there first."""

    title: str | None = None
    company: str | None = Field(default=None, description="Who issued it, or whom it is about.")
    period: str | None = Field(default=None, description="'FY2022', '2023-Q2', '2023-H1', or a year alone.")
    date: str | None = Field(default=None, description="Day that it bears, ISO 8601.")
    language: str | None = Field(default=None, description="'zh' or 'en'.")
    kind: str | None = Field(default=None, description="'10-K', 'annual_report', 'contract', 'statute', …")
    names: tuple[str, ...] = Field(default=(), description="Other names of the company, as the document states them.")
    origins: tuple[tuple[str, str], ...] = Field(
        default=(), description="Where each fact came from: (its name, 'heading', 'cover' or 'file name')."
    )


class Remark(_Value):
    """Something about a document that whoever relies on it should know: hidden text, a page that was not read.

    `detail` completes the code (a name, a number) and never holds text of the document.
    """

    code: str = Field(pattern=r"^[a-z_]{1,48}$")
    page: int | None = Field(default=None, ge=1)
    detail: str = Field(default="", max_length=200)


class Document(_Value):
    """A document as the catalog knows it. `sha256` is of the bytes; `error` and `remedy` are set when it failed."""

    id: str
    name: str
    media_type: str
    size: int = Field(description="Bytes.")
    sha256: str
    collection: str
    label: str = Field(description="Who may see it: a label that a Scope must hold.")
    state: DocumentState
    pages: int = 0
    pages_done: int = 0
    passages: int = 0
    withheld: int = Field(default=0, description="Passages that the screen keeps out of every search.")
    facts: DocumentFacts = DocumentFacts()
    remarks: tuple[Remark, ...] = ()
    source: str | None = Field(default=None, description="Where it came from, as its owner names it.")
    replaces: str | None = Field(default=None, description="Id of the earlier version that it takes the place of.")
    error_code: str | None = None
    error: str | None = None
    remedy: str | None = None
    created_at: str = Field(description="RFC 3339, UTC.")


class Passage(_Value):
    """A retrievable piece of one page of one document."""

    id: int
    document_id: str
    ordinal: int = Field(description="Place in the document, from 0.")
    text: str
    locator: Locator
    language: str = Field(description="'zh' or 'en'.")


class Scope(_Value):
    """What a caller may see. Every search takes one; there is no default.

    A document is visible when its label is in `labels` and its collection in `collections`; `EVERYTHING` in either
    set means all of them. Unknown permission means nobody: `Scope.nobody()` sees nothing.
    """

    subject: str
    labels: frozenset[str]
    collections: frozenset[str]

    @classmethod
    def nobody(cls) -> Self:
        """Build the scope that sees no document at all."""
        return cls(subject="nobody", labels=frozenset(), collections=frozenset())

    def allows(self, *, label: str, collection: str) -> bool:
        """Say whether a document with this label, in this collection, may be seen."""
        return _holds(self.labels, label) and _holds(self.collections, collection)

    def within(self, collection: str) -> Self:
        """Narrow this scope to one collection; a collection that it does not hold leaves nothing."""
        kept = frozenset({collection}) if _holds(self.collections, collection) else frozenset()
        return self.model_copy(update={"collections": kept})


def _holds(granted: frozenset[str], wanted: str) -> bool:
    return EVERYTHING in granted or wanted in granted
