"""Between the catalog's rows and the values that the rest of the program sees."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from retrieval.tables import DocumentRow, PassageRow
from retrieval.types import Box, Document, DocumentFacts, DocumentState, Locator, Passage, Remark

__all__ = [
    "NAME_LENGTH",
    "PageText",
    "PassageDraft",
    "document_of",
    "page_values",
    "passage_of",
    "passage_values",
    "storable",
]

_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
"""PostgreSQL refuses NUL, and lone surrogates have no UTF-8. One character for one keeps all offsets right."""

NAME_LENGTH: Final = 512
"""Most characters of a document's name."""


@dataclass(frozen=True, slots=True)
class PageText:
    """One page as it is stored. `number` counts from 1; `width` and `height` are in points, 0 without a size."""

    number: int
    text: str
    width: float = 0.0
    height: float = 0.0


@dataclass(frozen=True, slots=True)
class PassageDraft:
    """A passage before it has an id.

    `vectors` are float16, little-endian, by the identity of the embedding model; `withheld` is the reason why the
    passage is kept out of every index, if it is.
    """

    text: str
    page: int
    start: int
    end: int
    language: str
    boxes: Sequence[Box] = ()
    headings: Sequence[str] = ()
    vectors: Mapping[str, bytes] = field(default_factory=dict)
    withheld: str | None = None


def storable(text: str) -> str:
    """Return the text with what a database cannot hold replaced, character by character."""
    return _UNSTORABLE.sub("\ufffd", text)


def page_values(document_id: str, page: PageText) -> dict[str, Any]:
    """Return the columns of a page."""
    text = storable(page.text)
    return {
        "document_id": document_id,
        "number": page.number,
        "text": text,
        "width": page.width,
        "height": page.height,
    }


def passage_values(document_id: str, ordinal: int, draft: PassageDraft) -> dict[str, Any]:
    """Return the columns of a passage, without its id."""
    return {
        "document_id": document_id,
        "ordinal": ordinal,
        "page": draft.page,
        "start": draft.start,
        "end": draft.end,
        "text": storable(draft.text),
        "boxes": [[box.x0, box.top, box.x1, box.bottom] for box in draft.boxes],
        "headings": [storable(heading) for heading in draft.headings],
        "language": draft.language,
        "withheld": draft.withheld,
    }


def document_of(row: DocumentRow) -> Document:
    """Return a document as callers see it."""
    return Document(
        id=row.id,
        name=row.name,
        media_type=row.media_type,
        size=row.size,
        sha256=row.sha256,
        collection=row.collection,
        label=row.label,
        state=DocumentState(row.state),
        pages=row.pages,
        pages_done=row.pages_done,
        passages=row.passages,
        withheld=row.withheld,
        facts=DocumentFacts.model_validate(row.facts or {}),
        remarks=tuple(Remark.model_validate(remark) for remark in row.remarks or ()),
        source=row.source,
        replaces=row.replaces,
        error_code=row.error_code,
        error=row.error,
        remedy=row.remedy,
        created_at=row.created_at,
    )


def passage_of(row: PassageRow, name: str) -> Passage:
    """Return a passage as callers see it; `name` is its document's."""
    locator = Locator(
        document_id=row.document_id,
        document=name,
        page=row.page,
        boxes=tuple(Box(x0=b[0], top=b[1], x1=b[2], bottom=b[3]) for b in row.boxes),
        start=row.start,
        end=row.end,
        headings=tuple(row.headings),
    )
    return Passage(
        id=row.id,
        document_id=row.document_id,
        ordinal=row.ordinal,
        text=row.text,
        locator=locator,
        language=row.language,
    )
