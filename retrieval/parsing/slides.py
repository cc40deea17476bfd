"""Reads PPTX: a slide is a page, its title the heading of what stands on it, its shapes in the order of the slide.

That order is the one in which PowerPoint reads a slide aloud, with the title first. Tables are whole, a chart is the
table behind it, the notes of the speaker stand under a heading that says so. Each block has the box of its shape.

Left out, and remarked, is what the audience does not see: hidden slides, hidden shapes, shapes off the slide, and text
in the colour of its own shape or too small to be read.

Not covered: comments, pictures and what is written in them, masters and layouts, text in the colour of the slide's
background, animations (everything is read as if shown at once).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pptx.enum.shapes import MSO_SHAPE_TYPE, PP_PLACEHOLDER
from pptx.oxml import parse_xml
from pptx.oxml.ns import qn
from pptx.package import Package

from retrieval.parsing.cells import Merge, table_text
from retrieval.parsing.charts import chart_caption, chart_table
from retrieval.parsing.clean import one_line
from retrieval.parsing.colours import Colour, colour_of, near
from retrieval.parsing.marks import begins_item
from retrieval.parsing.package import check_package, damaged, reading
from retrieval.parsing.page_text import PageText
from retrieval.parsing.types import BlockKind, ParsedPage
from retrieval.types import Box, Remark

__all__ = ["read"]

_EMU: Final = 12_700.0  # of these make a point
_FAR: Final = 1e7  # points; nothing stands farther away
_TINY: Final = 200  # hundredths of a point: up to this size no eye reads a letter
_TITLES: Final = frozenset({PP_PLACEHOLDER.TITLE, PP_PLACEHOLDER.CENTER_TITLE, PP_PLACEHOLDER.VERTICAL_TITLE})
_FURNITURE: Final = frozenset({PP_PLACEHOLDER.SLIDE_NUMBER, PP_PLACEHOLDER.DATE, PP_PLACEHOLDER.FOOTER})
_LISTS: Final = frozenset({PP_PLACEHOLDER.BODY, PP_PLACEHOLDER.OBJECT, PP_PLACEHOLDER.VERTICAL_BODY})
_HIDDEN_SLIDE: Final = "hidden slide"
_OFF: Final = "shapes off the slide"
_PICTURE: Final = "slide that is a picture"
_NO_VALUES: Final = "charts without values"
_CODES: Final = {_OFF: "off_page_text", _PICTURE: "picture_unread", _NO_VALUES: "chart_unread"}
_NOTES: Final = "Speaker notes"
_DIAGRAM: Final = "http://schemas.openxmlformats.org/drawingml/2006/diagram"
_RELATED: Final = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_MOST_CELLS: Final = 100_000


def read(path: Path, *, max_pages: int) -> tuple[int, Iterator[ParsedPage]]:
    """Return the number of slides and their pages; a hidden slide keeps its number and has no text.

    Raises:
        DamagedFile: The package or its XML is broken, or defines entities.
        EncryptedFile: It asks for a password.
        ParseLimit: It unpacks to more than 512 MiB.
    """
    check_package(path)
    with reading():
        presentation = Package.open(str(path)).main_document_part.presentation
        slides = presentation.slides
        size = (_points(presentation.slide_width), _points(presentation.slide_height))
        return len(slides), _pages(slides, size)


def _pages(slides: Any, size: tuple[float, float]) -> Iterator[ParsedPage]:
    with reading():
        for number, slide in enumerate(slides, 1):
            yield _page(slide, number, size)


def _page(slide: Any, number: int, size: tuple[float, float]) -> ParsedPage:
    page, left_out = PageText(), Counter[str]()
    if slide._element.get("show") in ("0", "false"):
        left_out[_HIDDEN_SLIDE] = 1
    else:
        _fill(page, slide, number, size, left_out)
    remarks = tuple(
        Remark(code=_CODES.get(what, "hidden_text"), page=number, detail=f"{what}: {count}")
        for what, count in sorted(left_out.items())
    )
    return page.page(number, width=size[0], height=size[1]).model_copy(update={"remarks": remarks})


def _fill(page: PageText, slide: Any, number: int, size: tuple[float, float], left_out: Counter[str]) -> None:
    shapes = list(_placed(slide.shapes, size, left_out))
    title = next((one for one in shapes if one.place in _TITLES and _frame(one.shape, Counter())), None)
    shown = [one for one in shapes if one is not title and one.place not in _FURNITURE]
    blocks = [block for one in shown for block in _blocks(one, left_out)] + _notes(slide)
    if title is not None:
        page.add(BlockKind.HEADING, " ".join(_frame(title.shape, left_out)), level=1, **_boxed(title))
    elif blocks:  # else its text would stand under the title of the slide before
        page.add(BlockKind.HEADING, f"Slide {number}", level=1)
    for block in blocks:
        page.add(block.kind, block.text, level=block.level, **_boxed(block.placed))
    if not len(page) and any(one.shape.shape_type == MSO_SHAPE_TYPE.PICTURE for one in shapes):
        left_out[_PICTURE] = 1


@dataclass(frozen=True, slots=True)
class _Placed:
    """A shape, where it stands on its slide, and what it is a placeholder of."""

    shape: Any
    box: Box | None
    place: Any


@dataclass(frozen=True, slots=True)
class _Block:
    kind: BlockKind
    text: str
    placed: _Placed | None = None
    level: int = 0


@dataclass(frozen=True, slots=True)
class _Frame:
    """How the positions inside of a group become positions on the slide: times `scale`, plus `shift`."""

    scale: tuple[float, float] = (1.0, 1.0)
    shift: tuple[float, float] = (0.0, 0.0)

    def box(self, shape: Any) -> Box | None:
        if shape.left is None or shape.top is None:
            return None
        x0, y0 = (at * scale + shift for at, scale, shift in zip(_origin(shape), self.scale, self.shift, strict=True))
        width, height = _points(shape.width) * self.scale[0], _points(shape.height) * self.scale[1]
        if not all(-_FAR < at < _FAR for at in (x0, y0, width, height)):
            raise damaged()
        return Box(x0=x0, top=y0, x1=x0 + width, bottom=y0 + height)

    def inside(self, group: Any) -> _Frame:
        """Return the frame of a group's own shapes."""
        transform = group._element.find(f"{qn('p:grpSpPr')}/{qn('a:xfrm')}")
        outer = self.box(group)
        if transform is None or outer is None:
            return self
        offset, extent = transform.find(qn("a:chOff")), transform.find(qn("a:chExt"))
        if offset is None or extent is None:
            return self
        wide, high = (_points(int(extent.get(name, "0"))) for name in ("cx", "cy"))
        left, top = (_points(int(offset.get(name, "0"))) for name in ("x", "y"))
        scale = ((outer.x1 - outer.x0) / wide if wide else 1.0, (outer.bottom - outer.top) / high if high else 1.0)
        return _Frame(scale, (outer.x0 - left * scale[0], outer.top - top * scale[1]))


def _placed(shapes: Any, size: tuple[float, float], left_out: Counter[str]) -> Iterator[_Placed]:
    """Yield the shapes that can be seen, those of groups in the place of their group."""
    stack = [(shape, _Frame()) for shape in reversed(list(shapes))]
    while stack:
        shape, frame = stack.pop()
        if _hidden(shape):
            left_out["hidden shapes"] += 1
            continue
        if shape.shape_type == MSO_SHAPE_TYPE.GROUP:
            inner = frame.inside(shape)
            stack.extend((one, inner) for one in reversed(list(shape.shapes)))
            continue
        box = frame.box(shape)
        if box is not None and (box.x1 < 0 or box.bottom < 0 or box.x0 > size[0] or box.top > size[1]):
            left_out[_OFF] += 1
            continue
        yield _Placed(shape, box, shape.placeholder_format.type if shape.is_placeholder else None)


def _hidden(shape: Any) -> bool:
    return any(named.get("hidden") in ("1", "true") for named in shape._element.xpath("./*[1]/p:cNvPr"))


def _blocks(one: _Placed, left_out: Counter[str]) -> Iterator[_Block]:
    """Yield what a shape says; blocks without text are none."""
    found = list[tuple[BlockKind, str]]()
    if getattr(one.shape, "has_table", False):
        found.append((BlockKind.TABLE, _table(one.shape.table)))
    elif getattr(one.shape, "has_chart", False):
        space = one.shape.chart.part._element
        values = chart_table(space)
        left_out.update({} if values else {_NO_VALUES: 1})
        found += [(BlockKind.PARAGRAPH, chart_caption(space)), (BlockKind.TABLE, values)]
    elif getattr(one.shape, "has_text_frame", False):
        lines = _frame(one.shape, left_out)
        listed = one.place in _LISTS and len(lines) > 1
        found += [(BlockKind.LIST_ITEM if listed or begins_item(x) else BlockKind.PARAGRAPH, x) for x in lines]
    else:
        found += [(BlockKind.LIST_ITEM, line) for line in _diagram(one.shape)]
        left_out.update({_NO_VALUES: 1} if _is_new_chart(one.shape) else {})
    yield from (_Block(kind, text, one) for kind, text in found if text)


def _notes(slide: Any) -> list[_Block]:
    frame = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
    lines = [_line(paragraph._p, Counter()) for paragraph in frame.paragraphs] if frame is not None else []
    blocks = [_Block(BlockKind.PARAGRAPH, line) for line in lines if line]
    return [_Block(BlockKind.HEADING, _NOTES, level=2), *blocks] if blocks else []


def _frame(shape: Any, left_out: Counter[str]) -> list[str]:
    """Return the paragraphs of a shape that can be read."""
    ground = _plain_colour(shape._element.find(qn("p:spPr")))
    lines = (_line(paragraph._p, left_out, ground) for paragraph in shape.text_frame.paragraphs)
    return [line for line in lines if line]


def _line(paragraph: Any, left_out: Counter[str], ground: Colour | None = None) -> str:
    text = list[str]()
    for node in paragraph:
        if node.tag == qn("a:br"):
            text.append(" ")
        elif node.tag in (qn("a:r"), qn("a:fld")):
            words, looks = node.findtext(qn("a:t")) or "", node.find(qn("a:rPr"))
            if looks is not None and words.strip() and _unseen(looks, ground):
                left_out["pieces of text that cannot be seen"] += 1
            else:
                text.append(words)
    return one_line("".join(text))


def _unseen(looks: Any, ground: Colour | None) -> bool:
    if 0 < int(looks.get("sz", "0")) <= _TINY:
        return True
    if looks.find(f"{qn('a:solidFill')}/*/{qn('a:alpha')}[@val='0']") is not None:
        return True
    ink = _plain_colour(looks)
    return ground is not None and ink is not None and near(ink, ground)


def _plain_colour(holder: Any) -> Colour | None:
    """Return the colour that fills an element, if it is given outright."""
    colour = None if holder is None else holder.find(f"{qn('a:solidFill')}/{qn('a:srgbClr')}")
    return None if colour is None or len(colour) else colour_of(str(colour.get("val", "")))


def _table(table: Any) -> str:
    rows, merges, count = list[list[str]](), list[Merge](), 0
    for top, row in enumerate(table._tbl.tr_lst):
        texts = list[str]()
        for left, cell in enumerate(row.tc_lst):
            count += 1
            if count > _MOST_CELLS:
                raise damaged()
            texts.append(" ".join(_line(paragraph, Counter()) for paragraph in cell.iter(qn("a:p"))))
            if cell.rowSpan > 1 or cell.gridSpan > 1:
                merges.append(Merge(top, left, top + cell.rowSpan - 1, left + cell.gridSpan - 1))
        rows.append(texts)
    return table_text(rows, merges)


def _diagram(shape: Any) -> Iterator[str]:
    """Yield the texts of a diagram (SmartArt), which stand in a part of their own."""
    for named in shape._element.iter(f"{{{_DIAGRAM}}}relIds"):
        data = parse_xml(shape.part.related_part(named.get(f"{_RELATED}dm", "")).blob)
        for text in data.iter(f"{{{_DIAGRAM}}}t"):
            yield " ".join(filter(None, (_line(paragraph, Counter()) for paragraph in text.iter(qn("a:p")))))


def _is_new_chart(shape: Any) -> bool:
    data = next(shape._element.iter(qn("a:graphicData")), None)
    return data is not None and "/chartex" in str(data.get("uri", ""))


def _boxed(one: _Placed | None) -> dict[str, Any]:
    return {"boxes": (one.box,), "lines": (0,)} if one is not None and one.box is not None else {}


def _origin(shape: Any) -> tuple[float, float]:
    return _points(shape.left), _points(shape.top)


def _points(emu: int | None) -> float:
    return (emu or 0) / _EMU
