"""Reads the notes of a FHIR record: documents, reports and compositions that hold text of their own.

Each note has a heading with its title and day. Its text is plain or HTML, in the resource itself (base64) or in a
Binary of the same bundle; headings inside of a note stand below the note's own.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from retrieval.errors import DamagedFile
from retrieval.parsing import html
from retrieval.parsing import text as plain
from retrieval.parsing.clean import clean
from retrieval.parsing.decode import decode
from retrieval.parsing.fhir_bundle import Bundle
from retrieval.parsing.fhir_values import Json, concept, items, moment, text, value
from retrieval.parsing.flow import Piece
from retrieval.parsing.types import BlockKind
from retrieval.types import Remark

__all__ = ["notes_of"]

_NOTE_LEVEL: Final = 3


def notes_of(resources: list[Json], bundle: Bundle, remarks: list[Remark]) -> Iterator[Piece]:
    """Yield a heading "Notes" and the notes; attachments that are not text are remarked, by their media type."""
    unread = Counter[str]()
    begun = False
    for one in resources:
        parts = list(_parts(one, bundle, unread))
        if not parts:
            continue
        if not begun:
            yield Piece(BlockKind.HEADING, "Notes", _NOTE_LEVEL - 1)
            begun = True
        yield Piece(BlockKind.HEADING, _title(one), _NOTE_LEVEL)
        yield from parts
    for kind, count in sorted(unread.items()):
        remarks.append(Remark(code="attachment_unread", detail=f"{count} of type {kind}"[:200]))


def _title(one: Json) -> str:
    shown = (
        text(one.get("title")) or concept(one.get("type")) or concept(one.get("code")) or text(one.get("description"))
    )
    day = moment(one.get("date")) or value(one, "effective") or moment(one.get("issued"))
    return " ".join(filter(None, (shown, day, f"({text(one['status'])})" if text(one.get("status")) else "")))


def _parts(one: Json, bundle: Bundle, unread: Counter[str]) -> Iterator[Piece]:
    if one["resourceType"] == "Composition":
        yield from _composed(one)
        return
    held = [part.get("attachment") for part in items(one, "content") if isinstance(part, dict)]
    for attachment in (*held, *items(one, "presentedForm")):
        if isinstance(attachment, dict):
            yield from _attached(attachment, bundle, unread)


def _composed(one: Json) -> Iterator[Piece]:
    """Yield the narrative of a composition's sections, which is what its author signed."""
    stack = [(section, _NOTE_LEVEL + 1) for section in reversed(items(one, "section"))]
    while stack:
        section, level = stack.pop()
        if not isinstance(section, dict):
            continue
        narrative = section.get("text")
        body = list(_html(narrative.get("div"), level)) if isinstance(narrative, dict) else []
        if body:
            yield Piece(BlockKind.HEADING, text(section.get("title")) or concept(section.get("code")), level)
            yield from body
        stack.extend((inner, level + 1) for inner in reversed(items(section, "section")))


def _attached(attachment: Json, bundle: Bundle, unread: Counter[str]) -> Iterator[Piece]:
    kind = text(attachment.get("contentType")).split(";")[0].strip().lower() or "unknown"
    data: Any = attachment.get("data")
    binary = bundle.find(text(attachment.get("url"))) if data is None and attachment.get("url") else None
    if binary is not None:
        kind, data = text(binary.get("contentType")).split(";")[0].lower() or kind, binary.get("data")
    if not isinstance(data, str) or not kind.startswith(("text/", "application/xhtml")):
        unread[kind if re.fullmatch(r"[a-z0-9.+-]+/[a-z0-9.+-]+", kind) else "unknown"] += 1
        return
    try:
        markup = decode(base64.b64decode(data, validate=False), declared=True)
    except (binascii.Error, ValueError, DamagedFile):
        unread["text that is damaged"] += 1
        return
    yield from _html(markup, _NOTE_LEVEL) if "html" in kind else plain.pieces_of(clean(markup))


def _html(markup: Any, level: int) -> Iterator[Piece]:
    if isinstance(markup, str):
        for piece in html.pieces_of(markup):
            yield Piece(piece.kind, piece.text, piece.level + level) if piece.level else piece
