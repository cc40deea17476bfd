"""The look of the example PDFs: page furniture, text styles and tables, set in the standard PDF fonts.

Written without compression and with ReportLab's `invariant` switch, so that the same sources give the same bytes on
every machine, whatever its zlib.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from reportlab.lib.colors import Color, HexColor
from reportlab.lib.enums import TA_JUSTIFY, TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Flowable, Frame, PageTemplate, Paragraph, Spacer, Table, TableStyle
from reportlab.platypus.tableofcontents import TableOfContents

__all__ = [
    "INK",
    "NAVY",
    "STYLES",
    "TEXT_WIDTH",
    "Document",
    "Row",
    "contents",
    "figures_table",
    "gap",
    "heading",
    "plain_table",
    "prose",
]

NAVY: Final = HexColor("#14324f")
INK: Final = HexColor("#1d232a")
_GREY: Final = HexColor("#6b7580")
_RULE: Final = HexColor("#b9c3cd")
_TINT: Final = HexColor("#eef3f7")

_WIDTH, _HEIGHT = A4
_LEFT, _TOP, _BOTTOM = 62, 74, 66
TEXT_WIDTH: Final = _WIDTH - 2 * _LEFT


def _style(name: str, font: str, size: float, leading: float, *, colour: Color = INK, **more: Any) -> ParagraphStyle:
    return ParagraphStyle(name, fontName=font, fontSize=size, leading=leading, textColor=colour, **more)


_MARKS: Final = {"bulletFontName": "Times-Roman", "bulletFontSize": 10.5}

STYLES: Final = {
    "body": _style("body", "Times-Roman", 10.5, 14.4, alignment=TA_JUSTIFY, spaceAfter=7),
    "clause": _style(
        "clause", "Times-Roman", 10.5, 14, alignment=TA_JUSTIFY, spaceAfter=5.5, leftIndent=36, bulletIndent=0, **_MARKS
    ),
    "item": _style(
        "item", "Times-Roman", 10.5, 14, alignment=TA_JUSTIFY, spaceAfter=4, leftIndent=62, bulletIndent=36, **_MARKS
    ),
    "note": _style("note", "Times-Italic", 9, 12, colour=_GREY, spaceBefore=3, spaceAfter=8),
    "h1": _style("h1", "Helvetica-Bold", 19, 23, colour=NAVY, spaceAfter=13),
    "h2": _style("h2", "Helvetica-Bold", 11.5, 15, colour=NAVY, spaceBefore=10, spaceAfter=5),
    "title": _style("title", "Helvetica-Bold", 32, 37, colour=NAVY, spaceAfter=12),
    "subtitle": _style("subtitle", "Helvetica", 13, 18, colour=NAVY, spaceAfter=8),
    "cell": _style("cell", "Helvetica", 8.4, 10.6),
    "cell-bold": _style("cell-bold", "Helvetica-Bold", 8.4, 10.6),
    "cell-head": _style("cell-head", "Helvetica-Bold", 8.4, 10.6, colour=NAVY),
    "cell-head-right": _style("cell-head-right", "Helvetica-Bold", 8.4, 10.6, colour=NAVY, alignment=TA_RIGHT),
    "contents-title": _style("contents-title", "Helvetica-Bold", 11.5, 15, colour=NAVY, spaceAfter=4),
    "contents": _style("contents", "Times-Roman", 10.5, 15.5),
    "key-figure": _style("key-figure", "Helvetica", 15, 22),
    "cell-right": _style("cell-right", "Helvetica", 8.4, 10.6, alignment=TA_RIGHT),
}


class Document(BaseDocTemplate):
    """An A4 document with a running head, a page number, and an outline made from its headings."""

    def __init__(
        self,
        path: Path,
        *,
        title: str,
        author: str,
        subject: str,
        head: str,
        foot: str,
        cover: Callable[[Canvas, BaseDocTemplate], None] | None = None,
    ) -> None:
        super().__init__(
            str(path),
            pagesize=A4,
            title=title,
            author=author,
            subject=subject,
            creator="examples/make.py",
            lang="en-GB",
            invariant=1,
            pageCompression=0,
        )
        self._head, self._foot, self._section = head, foot, ""
        frame = Frame(
            _LEFT, _BOTTOM, TEXT_WIDTH, _HEIGHT - _TOP - _BOTTOM, 0, 0, 0, 0, id="text"
        )  # no padding: the margins are the page's own
        inside = PageTemplate("inside", [frame], onPageEnd=self._furnish)
        fronts = [PageTemplate("cover", [frame], onPage=cover)] if cover else []
        self.addPageTemplates([*fronts, inside])

    def afterFlowable(self, flowable: Flowable) -> None:  # noqa: N802 - ReportLab's name
        """Put each heading into the outline and remember the section for the running head."""
        level = getattr(flowable, "outline_level", None)
        if level is None:
            return
        text = flowable.getPlainText()
        key = f"{self.page}-" + "".join(letter if letter.isalnum() else "-" for letter in text)
        self.canv.bookmarkPage(key)
        self.canv.addOutlineEntry(text, key, level, closed=level > 0)
        if level == 0:
            self._section = text
            self.notify("TOCEntry", (0, text, self.page, key))

    def _furnish(self, canvas: Canvas, _document: BaseDocTemplate) -> None:
        canvas.saveState()
        canvas.setFont("Helvetica", 7.8)
        canvas.setFillColor(_GREY)
        canvas.setStrokeColor(_RULE)
        canvas.setLineWidth(0.5)
        canvas.drawString(_LEFT, _HEIGHT - 44, self._head)
        canvas.drawRightString(_WIDTH - _LEFT, _HEIGHT - 44, self._section)
        canvas.line(_LEFT, _HEIGHT - 50, _WIDTH - _LEFT, _HEIGHT - 50)
        canvas.drawString(_LEFT, 36, self._foot)
        canvas.setFont("Helvetica-Bold", 8.5)
        canvas.setFillColor(NAVY)
        canvas.drawRightString(_WIDTH - _LEFT, 36, str(canvas.getPageNumber()))
        canvas.restoreState()


def heading(text: str, *, level: Literal[1, 2] = 1) -> Paragraph:
    """Set a heading that also stands in the PDF's outline. A heading stays with what follows it."""
    paragraph = Paragraph(text.replace("'", "’"), STYLES[f"h{level}"])
    paragraph.keepWithNext = True
    paragraph.outline_level = level - 1
    return paragraph


def prose(text: str, *, style: str = "body") -> list[Flowable]:
    """Set paragraphs that are parted by empty lines."""
    return [Paragraph(" ".join(part.split()).replace("'", "’"), STYLES[style]) for part in text.strip().split("\n\n")]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table of amounts. `rule` draws a line above it; `strong` sets it in bold; None leaves a cell empty."""

    label: str
    amounts: tuple[int | str | None, ...] = ()
    note: str = ""
    rule: bool = False
    strong: bool = False


def _amount(value: int | str | None) -> str:
    """Write thousands with commas and losses in brackets; the space stands where a bracket would, so digits align."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if value == 0:
        return "– "
    return f"({-value:,})" if value < 0 else f"{value:,} "


def figures_table(
    heads: Sequence[str],
    rows: Sequence[Row],
    *,
    notes: bool = False,
    tint: bool = True,
    width: float = 66,
) -> Table:
    """Set a table of amounts: a label, then one column a head, the first of them tinted.

    With `notes` it is set wider, as a primary statement, with a column for the number of the note. A table of up to
    twelve rows is not broken over pages; a longer one repeats its header.
    """
    first = 2 if notes else 1
    lines: list[list[Any]] = [["", *(["Note"] if notes else []), *(f"{head} " for head in heads)]]
    commands: list[tuple[Any, ...]] = [
        ("FONT", (0, 0), (-1, -1), "Helvetica", 8.6),
        ("FONT", (0, 0), (-1, 0), "Helvetica-Bold", 8.4),
        ("TEXTCOLOR", (0, 0), (-1, -1), INK),
        ("TEXTCOLOR", (0, 0), (-1, 0), NAVY),
        ("ALIGN", (first, 0), (-1, -1), "RIGHT"),
        ("VALIGN", (0, 0), (-1, -1), "BOTTOM"),
        ("LINEBELOW", (0, 0), (-1, 0), 0.9, NAVY),
        ("TOPPADDING", (0, 0), (-1, -1), 2.6 if notes else 1.3),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 3 if notes else 2),
        ("LEFTPADDING", (0, 0), (0, -1), 0),
        ("RIGHTPADDING", (-1, 0), (-1, -1), 4),
    ]
    if tint:
        commands.append(("BACKGROUND", (first, 0), (first, -1), _TINT))
    if notes:
        commands += [("ALIGN", (1, 0), (1, -1), "CENTER"), ("TEXTCOLOR", (1, 1), (1, -1), _GREY)]
    for at, row in enumerate(rows, start=1):
        cells = [_amount(value) for value in row.amounts] or [""] * len(heads)
        lines.append([row.label, *([row.note] if notes else []), *cells])
        if row.strong:
            commands.append(("FONT", (0, at), (-1, at), "Helvetica-Bold", 8.6))
        if row.rule:
            commands.append(("LINEABOVE", (first, at), (-1, at), 0.6, INK))
    commands.append(("LINEBELOW", (0, len(rows)), (-1, len(rows)), 0.6, _RULE))
    if len(rows) <= 12:
        commands.append(("NOSPLIT", (0, 0), (-1, -1)))
    note_width = [34.0] if notes else []
    label = TEXT_WIDTH - width * len(heads) - sum(note_width)
    table = Table(lines, [label, *note_width, *[width] * len(heads)], repeatRows=1, hAlign="LEFT")
    table.setStyle(TableStyle(commands))
    table.spaceAfter = 7
    return table


def plain_table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[float], *, right: Sequence[int] = ()
) -> Table:
    """Set a table of words that repeats its header. `widths` are shares of the text's width, `right` are columns."""
    head = [Paragraph(text, STYLES["cell-head-right" if at in right else "cell-head"]) for at, text in enumerate(heads)]
    body = [
        [
            _cell(text, TEXT_WIDTH * widths[at] - 8, style="cell-right" if at in right else "cell")
            for at, text in enumerate(row)
        ]
        for row in rows
    ]
    table = Table([head, *body], [TEXT_WIDTH * share for share in widths], repeatRows=1, hAlign="LEFT")
    table.setStyle(
        TableStyle(
            [
                ("FONT", (0, 1), (-1, -1), STYLES["cell"].fontName, STYLES["cell"].fontSize, STYLES["cell"].leading),
                ("TEXTCOLOR", (0, 1), (-1, -1), INK),
                *[("ALIGN", (at, 1), (at, -1), "RIGHT") for at in right],
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LINEBELOW", (0, 0), (-1, 0), 0.9, NAVY),
                ("LINEBELOW", (0, 1), (-1, -1), 0.35, _RULE),
                ("ROWBACKGROUNDS", (0, 1), (-1, -1), [None, _TINT]),
                ("TOPPADDING", (0, 0), (-1, -1), 2.1),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 2.9),
                ("LEFTPADDING", (0, 0), (-1, -1), 4),
                ("RIGHTPADDING", (0, 0), (-1, -1), 4),
            ]
        )
    )
    table.spaceBefore, table.spaceAfter = 3, 9
    return table


def _cell(text: str, room: float, *, style: str) -> str | Paragraph:
    """Leave a plain text that fits as it is, which takes a third of the bytes of a paragraph."""
    look = STYLES[style]
    plain = "<" not in text and stringWidth(text, look.fontName, look.fontSize) <= room
    return text if plain else Paragraph(text, look)


def contents() -> TableOfContents:
    """Set a list of the headings of the first level with their pages; the document needs `multiBuild`."""
    table = TableOfContents(dotsMinLevel=0)
    table.levelStyles = [STYLES["contents"]]
    return table


def gap(points: float) -> Spacer:
    """Leave white space."""
    return Spacer(1, points)
