"""What a document says of itself: title, company, period, date, language and kind."""

from __future__ import annotations

from retrieval.parsing.types import ParsedDocument
from retrieval.types import DocumentFacts

__all__ = ["facts_of"]


def facts_of(parsed: ParsedDocument, name: str) -> DocumentFacts:
    """Return what is recognised; a fact that is not stays None, and nothing raises."""
    del parsed, name
    return DocumentFacts()
