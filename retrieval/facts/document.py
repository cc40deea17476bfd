"""What a document says of itself: title, company, period, date, language and kind.

The cover knows best, then the file name. A cover may lack the company's name (it is often a picture) and a name may
call a company otherwise than the cover ("BLOCK_2016_10K" is of Square, Inc.): then both are kept, the second among
`names`, by which a question may call it too. `origins` says of each fact where it came from.

Not covered: facts that only the body of a document tells, companies that a document is merely about, and the parties of
a contract, each of which would claim the whole document for itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from retrieval.facts.cover import company_of, day_of, kind_of, names_of, period_of, title_of
from retrieval.facts.dates import Period
from retrieval.facts.file import FileFacts, facts_of_name
from retrieval.facts.kinds import FAMILY, ISSUED
from retrieval.facts.names import core_of, joined, short_forms_in
from retrieval.language import language_of
from retrieval.parsing.types import BlockKind, ParsedDocument
from retrieval.titles import lines_of
from retrieval.types import DocumentFacts

__all__ = ["facts_of"]

_OPENING: Final = 12  # pages in which a document says what it calls itself
_OPENING_LENGTH: Final = 60_000  # characters of them
_PAGE_LENGTH: Final = 20_000
_COVER_LENGTH: Final = 12_000
_LANGUAGE_LENGTH: Final = 4_000
_SPARSE: Final = 200  # characters below which a first page is a picture with a line, and the second counts as well
_NAMES: Final = 12
_CURRENT: Final = frozenset({"8-K", "6-K"})
_OF_A_PERIOD: Final = frozenset(FAMILY) - _CURRENT
"""Kinds whose cover has the end of a period on it and not a day of their own."""


def facts_of(parsed: ParsedDocument, name: str) -> DocumentFacts:
    """Return what is recognised; a fact that is not stays None, and nothing raises.

    Args:
        parsed: the document.
        name: its file's name, as its owner gave it.
    """
    pages = [lines_of(page, length=_PAGE_LENGTH) for page in parsed.pages[:_OPENING]]
    first, filed, heading = _first(pages)[:_COVER_LENGTH], facts_of_name(name), _heading(parsed)
    stated = kind_of(first)
    kind = stated or filed.kind
    company, period = company_of(first, kind=kind), period_of(first, pages, kind=kind)
    day = None if kind in _OF_A_PERIOD else day_of(first)
    language = language_of(first[:_LANGUAGE_LENGTH]) if first.strip() else None
    said = (  # fact, what the document says, where, and what the file name says
        ("title", heading or title_of(first), "heading" if heading else "cover", None),
        ("company", company, "cover", filed.company),
        ("period", _written(period), "cover", _written(_fiscal(filed, kind))),
        ("date", day.isoformat() if day else None, "cover", filed.day),
        ("language", language, "cover", None),
        ("kind", stated, "cover", filed.kind),
    )
    found = {fact: own or by_name for fact, own, _, by_name in said}
    origins = tuple((fact, where if own else "file name") for fact, own, where, by_name in said if own or by_name)
    names = _names(parsed, first, pages, company=company, filed=filed)
    return DocumentFacts(**found, names=names, origins=origins)


def _written(period: Period | None) -> str | None:
    return None if period is None else str(period)


def _first(pages: list[str]) -> str:
    """Return the text of the cover: the first page with words, and the next where that is little but a picture."""
    spoken = [text for text in pages[:4] if text.strip()]
    if len(spoken) > 1 and len(spoken[0]) < _SPARSE:
        return f"{spoken[0]}\n{spoken[1]}"
    return spoken[0] if spoken else ""


def _fiscal(filed: FileFacts, kind: str | None) -> Period | None:
    """Return the period of a file name, whose bare year is a fiscal one when the document is a report on it."""
    period = filed.period
    if period is None or period.part or kind not in ISSUED or kind in _CURRENT:
        return period
    return Period(period.year, fiscal=True)


def _heading(parsed: ParsedDocument) -> str | None:
    """Return the first heading of the first page with words that could be a title."""
    for page in parsed.pages:
        if page.text.strip():
            headings = (block for block in page.blocks if block.kind is BlockKind.HEADING)
            titles = (title_of(" ".join(page.text[block.start : block.end].split())) for block in headings)
            return next((title for title in titles if title), None)
    return None


def _names(
    parsed: ParsedDocument, first: str, pages: list[str], *, company: str | None, filed: FileFacts
) -> tuple[str, ...]:
    """Return the other names of the company, each once however it is spelt, without the company's own."""
    own = company or filed.company
    if own is None:
        return ()
    opening = "\n".join(pages)[:_OPENING_LENGTH]
    known = {joined(core_of(own)): own}
    for name in _candidates(parsed, first, opening, company=company, own=own, filed=filed):
        known.setdefault(joined(core_of(name)), name)
    return tuple(known.values())[1 : _NAMES + 1]


def _candidates(
    parsed: ParsedDocument, first: str, opening: str, *, company: str | None, own: str, filed: FileFacts
) -> Iterator[str]:
    if filed.company:
        yield filed.company
    yield from names_of(first, opening, own)
    if company:
        yield from short_forms_in("\n".join(page.text for page in parsed.pages), company)
