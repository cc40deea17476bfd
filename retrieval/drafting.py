"""From a parsed document to what is stored: pages, passages with vectors, facts and remarks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from retrieval.catalog import IndexEntry
from retrieval.chunking import Chunk, chunk
from retrieval.context import in_context
from retrieval.embedding import TextEmbedder
from retrieval.errors import NoText
from retrieval.facts.document import facts_of
from retrieval.packing import pack
from retrieval.parsing.types import ParsedDocument
from retrieval.queue import Outcome
from retrieval.rows import PageText, PassageDraft
from retrieval.screen import screen
from retrieval.types import Remark

__all__ = ["Draft", "embed"]


class Draft:
    """A document that is cut and screened, and lacks some or all of its vectors. Of the parse it keeps the text alone.

    Its passages are numbered from 0.
    """

    def __init__(self, parsed: ParsedDocument, *, name: str) -> None:
        """Cut a document; `name` is what its owner calls it, which is part of what is embedded.

        Raises:
            NoText: there is not one passage in it.
        """
        chunks = chunk(parsed)
        if not chunks:
            raise NoText("The document holds no text.", remedy="Run text recognition (OCR) on it and add the result.")
        self._name = name
        self._media_type = parsed.media_type
        self._facts = facts_of(parsed, name)
        self._sheets = [PageText(number=p.number, text=p.text, width=p.width, height=p.height) for p in parsed.pages]
        self._chunks = chunks
        self._reasons = [screen(piece.text) for piece in chunks]
        self._remarks = _remarks(parsed, chunks, self._reasons)
        self._vectors: list[dict[str, bytes]] = [{} for _ in chunks]

    @property
    def pages(self) -> int:
        """How many there are."""
        return len(self._sheets)

    def reuse(self, earlier: Iterable[IndexEntry]) -> None:
        """Take the vectors of an earlier version for the passages that are as they were, with name and headings."""
        places: dict[str, list[int]] = {}
        for place, text in enumerate(self.texts(range(len(self._chunks)))):
            places.setdefault(text, []).append(place)
        for entry in earlier:
            text = in_context(entry.text, document=entry.document, headings=entry.headings)
            for place in places.get(text, ()):
                self._vectors[place] |= entry.vectors

    def wanted(self, embedder: TextEmbedder) -> list[int]:
        """Return the passages that this model is to embed: those in a language that it knows which may be found."""
        parts = zip(self._chunks, self._vectors, self._reasons, strict=True)
        return [
            place
            for place, (piece, vectors, reason) in enumerate(parts)
            if reason is None and piece.language in embedder.languages and embedder.identity not in vectors
        ]

    def texts(self, places: Iterable[int]) -> list[str]:
        """Return what is embedded for these passages."""
        pieces = (self._chunks[place] for place in places)
        return [in_context(piece.text, document=self._name, headings=piece.headings) for piece in pieces]

    def take(self, embedder: str, vectors: Iterable[tuple[int, bytes]]) -> None:
        """Take packed vectors of a model, by passage."""
        for place, vector in vectors:
            self._vectors[place][embedder] = vector

    def outcome(self) -> Outcome:
        """Return what is stored."""
        parts = zip(self._chunks, self._vectors, self._reasons, strict=True)
        return Outcome(
            media_type=self._media_type,
            pages=self._sheets,
            passages=[_passage(piece, vectors, withheld=reason) for piece, vectors, reason in parts],
            facts=self._facts,
            remarks=self._remarks,
        )


def embed(drafts: Sequence[Draft], embedder: TextEmbedder) -> None:
    """Embed what several documents want of a model, together, which lets the model sort all their texts by length."""
    wanted = [(draft, place) for draft in drafts for place in draft.wanted(embedder)]
    if not wanted:
        return
    rows = embedder.embed([text for draft, place in wanted for text in draft.texts([place])])
    for (draft, place), row in zip(wanted, rows, strict=True):
        draft.take(embedder.identity, [(place, pack(row))])


def _remarks(parsed: ParsedDocument, chunks: Sequence[Chunk], reasons: Sequence[str | None]) -> list[Remark]:
    """Return what the parser remarked, then each page on which a passage is withheld, once a reason."""
    remarks = [remark for page in parsed.pages for remark in page.remarks]
    withheld = {(reason, piece.page): None for piece, reason in zip(chunks, reasons, strict=True) if reason}
    return [*remarks, *(Remark(code=reason, page=page) for reason, page in withheld)]


def _passage(piece: Chunk, vectors: dict[str, bytes], *, withheld: str | None) -> PassageDraft:
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
