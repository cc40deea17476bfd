"""From a parsed document to passages with vectors, ready to be stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from retrieval.chunking import Chunk, chunk
from retrieval.context import in_context
from retrieval.embedding import TextEmbedder
from retrieval.errors import NoText
from retrieval.index import pack
from retrieval.parsing.types import ParsedDocument
from retrieval.rows import PageText, PassageDraft

__all__ = ["draft_pages", "draft_passages"]

_TEXTS_A_STEP: Final = 64


def draft_passages(
    parsed: ParsedDocument, *, name: str, embedder: TextEmbedder, step: Callable[[], None] = lambda: None
) -> list[PassageDraft]:
    """Cut a document and embed the passages whose language the model knows.

    Args:
        parsed: the document.
        name: what its owner calls it, which is part of what is embedded.
        embedder: the model.
        step: called before every 64 texts; what it raises ends the work.

    Raises:
        NoText: there is not one passage in it.
    """
    chunks = chunk(parsed)
    if not chunks:
        raise NoText("The document holds no text.", remedy="Run text recognition (OCR) on it and add the result.")
    embeddings: list[bytes | None] = [None] * len(chunks)
    known = [i for i, piece in enumerate(chunks) if piece.language in embedder.languages]
    for at in range(0, max(len(known), 1), _TEXTS_A_STEP):
        step()
        some = known[at : at + _TEXTS_A_STEP]
        texts = [in_context(chunks[i].text, document=name, headings=chunks[i].headings) for i in some]
        for i, vector in zip(some, embedder.embed(texts), strict=True):
            embeddings[i] = pack(vector)
    return [_draft(piece, embedding) for piece, embedding in zip(chunks, embeddings, strict=True)]


def draft_pages(parsed: ParsedDocument) -> list[PageText]:
    """Return the pages as they are stored."""
    return [PageText(number=p.number, text=p.text, width=p.width, height=p.height) for p in parsed.pages]


def _draft(piece: Chunk, embedding: bytes | None) -> PassageDraft:
    return PassageDraft(
        text=piece.text,
        page=piece.page,
        start=piece.start,
        end=piece.end,
        language=piece.language,
        boxes=piece.boxes,
        headings=piece.headings,
        embedding=embedding,
    )
