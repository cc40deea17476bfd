"""Reads HTML: headings, paragraphs, lists and tables in the order of the document, without what a reader cannot see.

What `retrieval.parsing.html_hidden` calls hidden is left out and remarked; so is, without a word, what carries
`aria-hidden="true"`. Scripts, styles, templates, forms' controls and pictures have no text of their own. The document
is parsed as HTML, in which entities cannot be defined, so there is no entity bomb; nothing is fetched.

Not covered: text that a script would write.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from enum import Enum, auto
from pathlib import Path
from typing import Final

from bs4 import BeautifulSoup, Tag
from bs4.element import CData, NavigableString, PageElement

from retrieval.parsing.clean import one_line
from retrieval.parsing.decode import decode
from retrieval.parsing.flow import Piece, paginate, remarked
from retrieval.parsing.html_hidden import Hidden
from retrieval.parsing.smuggled import smuggled
from retrieval.parsing.spans import SpannedTable
from retrieval.parsing.types import BlockKind, ParsedPage
from retrieval.types import Remark

__all__ = ["pieces_of", "read"]

_DROPPED: Final = frozenset(
    {"area", "audio", "button", "canvas", "datalist", "embed", "head", "iframe", "input", "map", "math", "noscript"}
    | {"object", "script", "select", "style", "svg", "template", "textarea", "title", "video"}
)
_HEADINGS: Final = {f"h{level}": level for level in range(1, 7)}
_INLINE: Final = frozenset(
    {
        "a",
        "abbr",
        "b",
        "bdi",
        "bdo",
        "br",
        "cite",
        "code",
        "data",
        "del",
        "dfn",
        "em",
        "font",
        "i",
        "ins",
        "kbd",
        "label",
    }
    | {"mark", "q", "rp", "rt", "ruby", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "time", "tt"}
    | {"u", "var", "wbr"}
)
_DIGITS: Final = 6  # a span of more is a mistake
_LISTED: Final = frozenset({"li", "dt", "dd"})
_TEXTS: Final = (NavigableString, CData)  # exactly these; their subclasses are comments, declarations and the like


def read(path: Path, *, max_pages: int) -> tuple[int, Iterator[ParsedPage]]:
    """Return the number of pages and the pages, which are cut as `retrieval.parsing.flow` says."""
    remarks = list[Remark]()
    pieces = pieces_of(decode(path.read_bytes(), declared=True), remarks=remarks)
    total, pages = paginate(pieces, max_pages=max_pages)
    return total, remarked(pages, remarks)


def pieces_of(markup: str, *, remarks: list[Remark] | None = None) -> Iterator[Piece]:
    """Yield the blocks of a document or of a piece of one; at its end, what is said of hidden text joins `remarks`."""
    text, kind, level = list[str](), BlockKind.PARAGRAPH, 0
    outside = list[tuple[BlockKind, int]]()
    soup = BeautifulSoup(markup, "lxml")
    outer = {id(table.find_parent("table")) for table in soup.find_all("table")}  # tables that lay out other tables
    hidden = Hidden(soup)
    for step, node in _walk(soup, hidden, outer=outer):
        if step is _Step.TEXT:
            text.append(str(node))
            continue
        if isinstance(node, Tag) and node.name in _INLINE:
            text.append(" " if node.name == "br" else "")
            continue
        yield from _piece(kind, text, level)
        text = []
        if step is _Step.TABLE and isinstance(node, Tag):
            yield from _table(node, hidden)
        elif step is _Step.OPEN and isinstance(node, Tag):
            outside.append((kind, level))
            kind, level = _kind(node, kind, level)
        elif step is _Step.CLOSE:
            kind, level = outside.pop()
    if remarks is not None:
        remarks.extend([*hidden.remarks(), *smuggled(soup.get_text())])


class _Step(Enum):
    TEXT = auto()
    TABLE = auto()
    OPEN = auto()
    CLOSE = auto()


def _walk(root: Tag, hidden: Hidden, *, outer: Set[int] | None = None) -> Iterator[tuple[_Step, PageElement]]:
    """Walk what can be seen, in order. A stack of its own is used, since hostile markup nests deeper than calls may.

    With `outer`, the ids of the tables that hold others, each innermost table is one step and its inside is left out.
    """
    stack: list[tuple[_Step, PageElement]] = [(_Step.OPEN, root)]
    while stack:
        step, node = stack.pop()
        if isinstance(node, Tag) and step is _Step.OPEN:
            if _dropped(node) or hidden.unseen(node):
                continue
            if outer is not None and node.name == "table" and id(node) not in outer:
                yield _Step.TABLE, node
                continue
            yield _Step.OPEN, node
            stack.append((_Step.CLOSE, node))
            stack.extend((_Step.OPEN, inner) for inner in reversed(node.contents))
        elif step is _Step.CLOSE:
            yield step, node
        elif type(node) in _TEXTS and not (node.parent and hidden.same_as_ground(node.parent, str(node))):
            yield _Step.TEXT, node


def _dropped(node: Tag) -> bool:
    return node.name in _DROPPED or node.get("aria-hidden") == "true"


def _kind(node: Tag, kind: BlockKind, level: int) -> tuple[BlockKind, int]:
    """Return what text inside of a block element is; a plain one hands on what it stands in."""
    if node.name in _HEADINGS:
        return BlockKind.HEADING, _HEADINGS[node.name]
    if node.name in _LISTED:
        return BlockKind.LIST_ITEM, 0
    return kind, level


def _piece(kind: BlockKind, text: list[str], level: int) -> Iterator[Piece]:
    line = one_line("".join(text))
    if line:
        yield Piece(kind, line, level)


def _table(table: Tag, hidden: Hidden) -> Iterator[Piece]:
    caption = table.find("caption")
    if isinstance(caption, Tag):
        yield from _piece(BlockKind.PARAGRAPH, [_seen(caption, hidden)], 0)
    grid = SpannedTable()
    for row in table.find_all("tr"):
        if not (_dropped(row) or hidden.unseen(row)):
            cells = row.find_all(["td", "th"])
            grid.add((_seen(cell, hidden), _span(cell, "colspan"), _span(cell, "rowspan")) for cell in cells)
    if text := grid.text():
        yield Piece(BlockKind.TABLE, text)


def _span(cell: Tag, name: str) -> int:
    written = str(cell.get(name, "1")).strip()
    return int(written) if written.isascii() and written.isdigit() and len(written) < _DIGITS else 1


def _seen(node: Tag, hidden: Hidden) -> str:
    """Return the text of an element on one line."""
    text = list[str]()
    for step, inner in _walk(node, hidden):
        if step is _Step.TEXT:
            text.append(str(inner))
        elif isinstance(inner, Tag) and (inner.name not in _INLINE or inner.name == "br"):
            text.append(" ")
    return one_line("".join(text))
