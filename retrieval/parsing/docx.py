"""Reads DOCX: headings, paragraphs, lists and tables in the order of the document.

A DOCX file has no pages, only a printer does; `retrieval.parsing.flow` cuts it into pages of about 3,000 characters.
The body is walked as XML and not through python-docx's paragraphs, which leave out inserted text of tracked changes
and content controls without a word. Deleted and hidden text is left out; what `retrieval.parsing.docx_hidden` calls
hidden is remarked.

Not covered: headers, footers, footnotes, comments, text boxes, and the numbers that Word computes for lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import docx
from docx.oxml.ns import qn

from retrieval.parsing.cells import Merge, table_text
from retrieval.parsing.clean import clean, one_line
from retrieval.parsing.docx_hidden import Hidden
from retrieval.parsing.flow import Piece, paginate, remarked
from retrieval.parsing.package import check_package, reading
from retrieval.parsing.smuggled import smuggled
from retrieval.parsing.types import BlockKind, ParsedPage

__all__ = ["read"]

_COLUMNS: Final = 63  # of a table, as Word has it
_DIGITS: Final = 4  # a span of more is a mistake
_HEADING: Final = re.compile(r"(?:heading|标题)\s*(\d)", re.IGNORECASE)
_TITLES: Final = frozenset({"title", "标题"})

_SKIPPED: Final = frozenset(
    {qn("w:del"), qn("w:moveFrom"), qn("w:pPr"), qn("w:txbxContent"), qn("w:instrText"), qn("w:delText")}
)


def read(path: Path, *, max_pages: int) -> tuple[int, Iterator[ParsedPage]]:
    """Return the number of pages and the pages.

    Raises:
        DamagedFile: The package or its XML is broken, or defines entities.
        EncryptedFile: It asks for a password.
        ParseLimit: It unpacks to more than 512 MiB.
    """
    check_package(path)
    with reading():
        document = docx.Document(str(path))
    hidden = Hidden(document)
    written = "".join(node.text or "" for node in document.element.body.iter(qn("w:t")))
    total, pages = paginate(_pieces(document.element.body, _headings(document), hidden), max_pages=max_pages)
    return total, remarked(pages, [*hidden.remarks(), *smuggled(written)])


def _headings(document: Any) -> dict[str, int]:
    """Return the heading level of each paragraph style that has one, by the style's id."""
    levels = dict[str, int]()
    for style in document.styles:
        name = str(style.name or "")
        outline = style.element.find(f"{qn('w:pPr')}/{qn('w:outlineLvl')}")
        if name.lower() in _TITLES:
            levels[style.style_id] = 1
        elif found := _HEADING.fullmatch(name.strip()):
            levels[style.style_id] = int(found.group(1))
        elif outline is not None and (level := int(outline.get(qn("w:val"), "9"))) < 9:
            levels[style.style_id] = level + 1
    return levels


def _pieces(body: Any, headings: dict[str, int], hidden: Hidden) -> Iterator[Piece]:
    stack = list(reversed(body))
    while stack:
        node = stack.pop()
        if node.tag == qn("w:p"):
            yield _paragraph(node, headings, hidden)
        elif node.tag == qn("w:tbl"):
            yield Piece(BlockKind.TABLE, _table(node, hidden))
        elif node.tag not in _SKIPPED:  # content controls and tracked changes hold blocks of their own
            stack.extend(reversed(node))


def _paragraph(node: Any, headings: dict[str, int], hidden: Hidden) -> Piece:
    text = _text(node, hidden)
    style = node.find(f"{qn('w:pPr')}/{qn('w:pStyle')}")
    name = style.get(qn("w:val"), "") if style is not None else ""
    if name in headings:
        return Piece(BlockKind.HEADING, text, headings[name])
    listed = node.find(f"{qn('w:pPr')}/{qn('w:numPr')}") is not None or name.lower().startswith("list")
    return Piece(BlockKind.LIST_ITEM if listed else BlockKind.PARAGRAPH, text)


def _table(table: Any, hidden: Hidden) -> str:
    """Write a table as lines; a table inside of a cell becomes part of the cell's text."""
    rows, merges, open_from = list[list[str]](), dict[tuple[int, int], Merge](), dict[int, int]()
    for row in _children(table, qn("w:tr")):
        texts = list[str]()
        for cell in _children(row, qn("w:tc")):
            left, wide = len(texts), _span(cell)
            texts += [_cell(cell, hidden), *[""] * (wide - 1)]
            goes_on = cell.find(f"{qn('w:tcPr')}/{qn('w:vMerge')}")
            if goes_on is None or goes_on.get(qn("w:val")) == "restart" or left not in open_from:
                open_from[left] = len(rows)
            top = open_from[left] if goes_on is not None else len(rows)
            if wide > 1 or top < len(rows):
                merges[top, left] = Merge(top, left, len(rows), left + wide - 1)
        rows.append(texts)
    return table_text(rows, list(merges.values()))


def _cell(cell: Any, hidden: Hidden) -> str:
    return " ".join(_text(part, hidden) for part in cell.iter(qn("w:p")))


def _span(cell: Any) -> int:
    """Return over how many columns a cell reaches."""
    span = cell.find(f"{qn('w:tcPr')}/{qn('w:gridSpan')}")
    written = "" if span is None else str(span.get(qn("w:val"), ""))
    return min(int(written), _COLUMNS) if written.isascii() and written.isdigit() and len(written) < _DIGITS else 1


def _children(node: Any, tag: str) -> Iterator[Any]:
    """Yield the children of a table or row, also those that stand in a content control."""
    for child in node:
        if child.tag == tag:
            yield child
        elif child.tag == qn("w:sdt"):
            yield from child.iterfind(f"{qn('w:sdtContent')}/{tag}")


def _text(paragraph: Any, hidden: Hidden) -> str:
    """Return the text of one paragraph as Word shows it, on one line."""
    text = list[str]()
    stack = [paragraph]
    while stack:
        node = stack.pop()
        if node.tag == qn("w:t"):
            text.append(node.text or "")
        elif node.tag in (qn("w:tab"), qn("w:br"), qn("w:cr")):
            text.append(" ")
        elif node.tag == qn("w:noBreakHyphen"):
            text.append("-")
        elif node.tag not in _SKIPPED and not (node.tag == qn("w:r") and hidden.unseen(node)):
            stack.extend(reversed(node))
    return one_line(clean("".join(text)))
