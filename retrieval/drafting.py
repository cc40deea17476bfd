"""From a parsed document to what is stored: pages, passages with vectors, facts and remarks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from retrieval.chunking import Chunk, chunk
from retrieval.context import in_context
from retrieval.embedding import TextEmbedder
from retrieval.errors import NoText
from retrieval.facts import facts_of
from retrieval.index import pack
from retrieval.parsing.types import ParsedDocument
from retrieval.queue import Outcome
from retrieval.rows import PageText, PassageDraft
from retrieval.screen import screen
from retrieval.types import Remark

__all__ = ["draft"]

_TEXTS_A_STEP: Final = 64

Vectors = dict[str, bytes]


def draft(
    parsed: ParsedDocument, *, name: str, embedders: Sequence[TextEmbedder], step: Callable[[], None] = lambda: None
) -> Outcome:
    """Cut a document, screen its passages, embed those that may be found, and say what the document is.

    Args:
        parsed: the document.
        name: what its owner calls it, which is part of what is embedded.
        embedders: the models; each embeds the passages whose language it knows.
        step: called before every 64 texts; what it raises ends the work.

    Raises:
        NoText: there is not one passage in it.
    """
    chunks = chunk(parsed)
    if not chunks:
        raise NoText("The document holds no text.", remedy="Run text recognition (OCR) on it and add the result.")
    reasons = [screen(piece.text) for piece in chunks]
    vectors: list[Vectors] = [{} for _ in chunks]
    for embedder in embedders:
        known = [
            i
            for i, (piece, reason) in enumerate(zip(chunks, reasons, strict=True))
            if reason is None and piece.language in embedder.languages
        ]
        _embed(embedder, chunks, known, vectors, name=name, step=step)
    return Outcome(
        media_type=parsed.media_type,
        pages=[PageText(number=p.number, text=p.text, width=p.width, height=p.height) for p in parsed.pages],
        passages=[
            _passage(piece, own, withheld=reason) for piece, own, reason in zip(chunks, vectors, reasons, strict=True)
        ],
        facts=facts_of(parsed, name),
        remarks=_remarks(parsed, chunks, reasons),
    )


def _embed(
    embedder: TextEmbedder,
    chunks: Sequence[Chunk],
    known: Sequence[int],
    vectors: list[Vectors],
    *,
    name: str,
    step: Callable[[], None],
) -> None:
    for at in range(0, max(len(known), 1), _TEXTS_A_STEP):
        step()
        some = known[at : at + _TEXTS_A_STEP]
        texts = [in_context(chunks[i].text, document=name, headings=chunks[i].headings) for i in some]
        for i, vector in zip(some, embedder.embed(texts), strict=True):
            vectors[i][embedder.identity] = pack(vector)


def _remarks(parsed: ParsedDocument, chunks: Sequence[Chunk], reasons: Sequence[str | None]) -> list[Remark]:
    """Return what the parser remarked, then each page on which a passage is withheld, once a reason."""
    remarks = [remark for page in parsed.pages for remark in page.remarks]
    withheld = {(reason, piece.page): None for piece, reason in zip(chunks, reasons, strict=True) if reason}
    return [*remarks, *(Remark(code=reason, page=page) for reason, page in withheld)]


def _passage(piece: Chunk, vectors: Vectors, *, withheld: str | None) -> PassageDraft:
    return PassageDraft(
        text=piece.text,
        page=piece.page,
        start=piece.start,
        end=piece.end,
        language=piece.language,
        boxes=piece.boxes,
        headings=piece.headings,
        vectors=vectors,
        withheld=withheld,
    )
