"""Reads the narrative of a C-CDA section: what its author attested, as paragraphs, lists and tables.

Source: HL7 CDA R2, narrative block (StrucDoc.Text). A cell that spans columns or rows keeps the others in their
columns: its text stands once across, and again in each row below. Text marked as deleted is left out. Beside the
pieces stand the lines, so that an entry can be looked for in the line that it refers to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from retrieval.parsing.clean import clean, one_line
from retrieval.parsing.flow import Piece
from retrieval.parsing.grid import grid
from retrieval.parsing.types import BlockKind

__all__ = ["HL7", "Narrative", "local", "narrative"]

HL7: Final = "{urn:hl7-org:v3}"
_WIDEST: Final = 60  # columns that a cell may span; what claims more is hostile
_TALLEST: Final = 1000
_ROWS: Final = ("thead", "tbody", "tfoot")


@dataclass
class Narrative:
    """What a section says. `by_id` and `by_text` find the line of an ID or a cell."""

    pieces: list[Piece] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    by_id: dict[str, int] = field(default_factory=dict)
    by_text: dict[str, list[int]] = field(default_factory=dict)

    def note(self, text: str, node: Any, cells: list[str]) -> None:
        """Remember a line with the IDs that stand in it."""
        for inner in node.iter():
            if inner.get("ID"):
                self.by_id.setdefault(inner.get("ID"), len(self.lines))
        for cell in cells:
            self.by_text.setdefault(cell.casefold(), []).append(len(self.lines))
        self.lines.append(text)


def local(node: Any) -> str:
    """Return the name of an element without its namespace, and "" for a comment."""
    return node.tag.rpartition("}")[2] if isinstance(node.tag, str) else ""


def narrative(node: Any) -> Narrative:
    """Read the `text` element of a section, or nothing where there is none."""
    found = Narrative()
    if node is not None:
        _blocks(node, found)
    return found


def _blocks(node: Any, found: Narrative) -> None:
    """Add the blocks inside of an element; text between them is a paragraph."""
    loose = [node.text or ""]
    for inner in node:
        kind = local(inner)
        if kind in ("paragraph", "caption", "table", "list", "item", "footnote") or _holds_blocks(inner):
            _paragraph("".join(loose), None, found)
            loose = []
            _block(kind, inner, found)
        else:
            loose.append(" " if kind == "br" else _shown(inner))
            if inner.get("ID"):
                found.by_id.setdefault(inner.get("ID"), len(found.lines))
        loose.append(inner.tail or "")
    _paragraph("".join(loose), None, found)


def _block(kind: str, node: Any, found: Narrative) -> None:
    if kind == "table":
        _table(node, found)
    elif kind == "item" and not _holds_blocks(node):
        text = one_line(_shown(node))
        if text:
            found.pieces.append(Piece(BlockKind.LIST_ITEM, text))
            found.note(text, node, [text])
    elif _holds_blocks(node):
        _blocks(node, found)
    else:
        _paragraph(_shown(node), node, found)


def _holds_blocks(node: Any) -> bool:
    return any(local(inner) in ("paragraph", "table", "list", "item") for inner in node.iterdescendants())


def _paragraph(markup: str, node: Any, found: Narrative) -> None:
    text = one_line(markup)
    if text:
        found.pieces.append(Piece(BlockKind.PARAGRAPH, text))
        if node is not None:
            found.note(text, node, [text])
        else:
            found.lines.append(text)


def _table(table: Any, found: Narrative) -> None:
    caption = table.find(f"{HL7}caption")
    if caption is not None:
        _paragraph(_shown(caption), caption, found)
    rows = list(_rows(table))
    texts = _spread(rows)
    heads = 0
    while heads < len(rows) and _is_header(rows[heads]):
        heads += 1
    width = max(map(len, texts), default=0)
    header = [""] * width
    for column in range(width):
        above = [row[column] for row in texts[:heads] if column < len(row)]
        header[column] = " ".join(dict.fromkeys(filter(None, above)))
    for row, cells in zip(rows[heads:], texts[heads:], strict=True):
        found.note(" | ".join(cells), row, [cell for cell in cells if cell])
    body = texts[heads:] if heads < len(rows) else [header]
    found.pieces.extend(grid(header if heads < len(rows) else [""] * width, body))


def _rows(table: Any) -> Iterator[Any]:
    for child in table:
        if local(child) == "tr":
            yield child
        elif local(child) in _ROWS:
            yield from (row for row in child if local(row) == "tr")


def _is_header(row: Any) -> bool:
    kinds = {local(cell) for cell in row if local(cell)}
    return local(row.getparent()) == "thead" or kinds == {"th"}


def _spread(rows: list[Any]) -> list[list[str]]:
    """Return the cells of each row in their columns."""
    texts, below = list[list[str]](), dict[int, tuple[int, str]]()  # column -> rows still covered, and by what
    for row in rows:
        cells = list[str]()
        for cell in (one for one in row if local(one) in ("td", "th")):
            _fill(cells, below)
            text = one_line(_shown(cell))
            wide, tall = _span(cell, "colspan", _WIDEST), _span(cell, "rowspan", _TALLEST)
            for place in range(wide):
                if tall > 1:
                    below[len(cells)] = (tall, text if place == 0 else "")
                cells.append(text if place == 0 else "")
        _fill(cells, below)
        below = {column: (left - 1, text) for column, (left, text) in below.items() if left > 1}
        texts.append(cells)
    return texts


def _fill(cells: list[str], below: dict[int, tuple[int, str]]) -> None:
    while len(cells) in below:
        cells.append(below[len(cells)][1])


def _span(cell: Any, name: str, most: int) -> int:
    found = cell.get(name, "1").strip()
    return min(max(int(found), 1), most) if found.isascii() and found.isdigit() and len(found) < 6 else 1


def _shown(node: Any) -> str:
    """Return the text of an element as it is read, with spaces where a block or a line ends."""
    if not local(node) or node.get("revised") == "delete":
        return ""
    parts = [node.text or ""]
    for inner in node:
        apart = " " if local(inner) in ("br", "paragraph", "item", "td", "th", "tr", "caption", "table", "list") else ""
        parts.extend((apart, _shown(inner), apart, inner.tail or ""))
    return clean("".join(parts))
