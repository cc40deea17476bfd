"""Reads the characters of a PDF page and joins them to runs: pieces of one line without a gap.

PDFium gives characters in the order of the content stream with boxes in the page's own space: origin bottom left,
before the page is turned, and with the crop box anywhere. Here they come to lie as a reader sees them: origin top
left, turned, cropped. Characters that fall outside of the shown page are dropped, since no reader can check them.

Not covered: vertical Chinese and right-to-left lines (read as PDFium orders them), values of form fields.
"""

from __future__ import annotations

import ctypes
import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from retrieval.parsing.clean import clean
from retrieval.types import Box

__all__ = ["Run", "read_runs"]

_CELL_GAP: Final = 0.7
"""A gap of this many line heights parts two cells or columns: above any space between justified words, below the
usual padding of two table cells."""

_HYPHENS: Final = ("\x02", "\ufffe")  # how PDFium marks a hyphen at the end of a line
_BOLD_NAMES: Final = ("bold", "black", "heavy", "semibd")
_FORCE_BOLD: Final = 1 << 18  # a font descriptor's flag, ISO 32000-1, table 123


@dataclass(slots=True)
class Run:
    """Characters of one line without a wide gap. Points, origin top left; `size` is the type size as shown."""

    text: str
    x0: float
    top: float
    x1: float
    bottom: float
    size: float
    bold: bool
    upright: bool = True

    @property
    def height(self) -> float:
        """Height of the line box, in points."""
        return self.bottom - self.top

    @property
    def box(self) -> Box:
        """The box, rounded to a hundredth of a point."""
        return Box(x0=round(self.x0, 2), top=round(self.top, 2), x1=round(self.x1, 2), bottom=round(self.bottom, 2))


@dataclass(frozen=True, slots=True)
class _Glyph:
    char: str
    x0: float
    top: float
    x1: float
    bottom: float
    index: int


_Placed = tuple[float, float, float, float]
_Turn = Callable[[float, float, float, float], _Placed]


def read_runs(page: pdfium.PdfPage) -> list[Run]:
    """Return the runs of a page in the order of its content stream, as they lie on the page when it is shown."""
    width, height = page.get_size()
    textpage = page.get_textpage()
    try:
        runs = list[Run]()
        for line in _lines(textpage, turn=_turn(page), width=width, height=height):
            runs.extend(_split(textpage, line, rotation=page.get_rotation()))
        return runs
    finally:
        textpage.close()


def _turn(page: pdfium.PdfPage) -> _Turn:
    """Return the map from (left, bottom, right, top) in the page's space to (x0, top, x1, bottom) as shown."""
    left, bottom, right, top = page.get_bbox()
    turns: dict[int, _Turn] = {
        0: lambda x0, y0, x1, y1: (x0 - left, top - y1, x1 - left, top - y0),
        90: lambda x0, y0, x1, y1: (y0 - bottom, x0 - left, y1 - bottom, x1 - left),
        180: lambda x0, y0, x1, y1: (right - x1, y0 - bottom, right - x0, y1 - bottom),
        270: lambda x0, y0, x1, y1: (top - y1, right - x1, top - y0, right - x0),
    }
    return turns[page.get_rotation()]


def _lines(textpage: Any, *, turn: _Turn, width: float, height: float) -> list[list[_Glyph]]:
    """Read all characters, cut where PDFium saw a line end."""
    rect = pdfium_c.FS_RECTF()
    lines, line = list[list[_Glyph]](), list[_Glyph]()
    characters = _characters(textpage)
    plain = {char: "-" if char in _HYPHENS else clean(char) for char in set(characters)}
    for index, char in enumerate(plain[char] for char in characters):
        if not char:
            continue  # shows nothing; its box would part a word
        if char == "\n":
            lines.append(line)
            line = []
            continue
        if not pdfium_c.FPDFText_GetLooseCharBox(textpage, index, rect):
            continue
        x0, top, x1, bottom = turn(rect.left, rect.bottom, rect.right, rect.top)
        # Written so that a NaN is dropped as well.
        if not (x1 > 0 and x0 < width and bottom > 0 and top < height and x1 >= x0 and bottom >= top):
            continue
        line.append(_Glyph(char, max(x0, 0.0), max(top, 0.0), min(x1, width), min(bottom, height), index))
    lines.append(line)
    return [line for line in lines if line]


def _characters(textpage: Any) -> list[str]:
    count = textpage.count_chars()
    text = textpage.get_text_range() if count else ""
    if len(text) == count and max(text, default="") <= "\uffff":  # one call, where the indices must agree
        return list(text)
    codes = (pdfium_c.FPDFText_GetUnicode(textpage, index) for index in range(count))
    return [chr(code) if 0 < code <= 0x10FFFF else "\ufffd" for code in codes]


def _split(textpage: Any, line: list[_Glyph], *, rotation: int) -> list[Run]:
    """Cut one line of PDFium's at gaps, jumps and changes of height."""
    solid = [glyph for glyph in line if not glyph.char.isspace()]
    if not solid:
        return []
    if not _upright(textpage, solid[0].index, rotation=rotation):
        run = _run(textpage, line)
        return [run] if run else []
    pieces, piece = list[list[_Glyph]](), list[_Glyph]()
    last: _Glyph | None = None
    for glyph in line:
        if not glyph.char.isspace():
            if last is not None and _apart(last, glyph):
                pieces.append(piece)
                piece = []
            last = glyph
        piece.append(glyph)
    pieces.append(piece)
    return [run for piece in pieces if (run := _run(textpage, piece)) is not None]


def _apart(last: _Glyph, glyph: _Glyph) -> bool:
    height = max(min(last.bottom - last.top, glyph.bottom - glyph.top), 0.1)
    shared = min(last.bottom, glyph.bottom) - max(last.top, glyph.top)
    gap = glyph.x0 - last.x1
    return shared < 0.5 * height or gap > _CELL_GAP * height or gap < -height


def _run(textpage: Any, glyphs: list[_Glyph]) -> Run | None:
    text = " ".join("".join(glyph.char for glyph in glyphs).split())
    solid = [glyph for glyph in glyphs if not glyph.char.isspace()]
    if not text or not solid:
        return None
    # A word in another font may begin or end a line, so three characters are asked and not one.
    asked = [glyph.index for glyph in (solid[0], solid[len(solid) // 2], solid[-1])]
    return Run(
        text=text,
        x0=min(glyph.x0 for glyph in solid),
        top=min(glyph.top for glyph in solid),
        x1=max(glyph.x1 for glyph in solid),
        bottom=max(glyph.bottom for glyph in solid),
        size=statistics.median(_size(textpage, index) for index in asked),
        bold=all(_bold(textpage, index) for index in asked),
    )


def _size(textpage: Any, index: int) -> float:
    """Return the type size as shown: a font is often set at size 1 and scaled."""
    a, b, c, d = _matrix(textpage, index)
    scale = math.hypot(c, d) or math.hypot(a, b) or 1.0
    return round(float(pdfium_c.FPDFText_GetFontSize(textpage, index)) * scale, 1)


def _matrix(textpage: Any, index: int) -> tuple[float, float, float, float]:
    matrix = pdfium_c.FS_MATRIX()
    if not pdfium_c.FPDFText_GetMatrix(textpage, index, matrix):
        return 1.0, 0.0, 0.0, 1.0
    return matrix.a, matrix.b, matrix.c, matrix.d


def _upright(textpage: Any, index: int, *, rotation: int) -> bool:
    """Say whether a character stands upright on the page as shown: its baseline runs from left to right."""
    a, b, _, _ = _matrix(textpage, index)
    angle = math.atan2(b, a) - math.radians(rotation)
    return math.cos(angle) > 0.9


def _bold(textpage: Any, index: int) -> bool:
    name, flags = ctypes.create_string_buffer(128), ctypes.c_int()
    size = pdfium_c.FPDFText_GetFontInfo(textpage, index, name, len(name), flags)
    lowered = name.raw[: max(0, min(size, len(name)) - 1)].decode("utf-8", "replace").lower()
    return bool(flags.value & _FORCE_BOLD) or any(mark in lowered for mark in _BOLD_NAMES)
