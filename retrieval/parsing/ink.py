"""Says of a character of a PDF whether a reader sees it, so that what nobody sees does not reach a model.

Text is hidden by a drawing mode without ink (ISO 32000-1, 9.3.6), by full transparency, by a size below 1.5 points, by
the colour of its ground, or by a shape drawn over it. The first three stand in the page's objects. For the last two
the page is drawn, and only where there is a suspicion: the colour is near white or near that of a filled shape of the
page, or a filled shape comes later and covers the place. White letters on a dark bar are seen, and stay.

The text layer of a scanned page is drawn without ink on purpose. It is kept where a picture lies beneath and shows ink
in that place; a line without ink written over the blank part of a scan is hidden text all the same.

Not covered: text below a picture (the layer of some scanners), letters cut away by a clipping path, text in the colour
of a picture or pattern beneath it where it is not near white, optional content that is switched off.
"""

from __future__ import annotations

import ctypes
import math
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from retrieval.parsing.colours import WHITE, Colour, near
from retrieval.types import Remark

__all__ = ["HIDDEN", "LAYER", "OFF_PAGE", "Ink", "remarks_on"]

HIDDEN: Final = {
    "no_ink": "drawn without ink",
    "clear": "transparent",
    "tiny": "smaller than 1.5 points",
    "ground": "in the colour of its ground",
    "covered": "covered by a shape",
    "nothing": "that show nothing",
}
"""Why a character is not seen, and how that is said."""

LAYER: Final = "layer"
"""Counts characters that are drawn without ink and kept, since they are the text layer of a scan."""

OFF_PAGE: Final = "off_page"
"""The reason of a character outside of the shown page."""

_TINY: Final = 1.5  # points; the smallest print that a law asks for is 5, a raised mark in it 3
_LOW: Final = 2.5  # points: a box that is this low or narrow may be that of a tiny character
_NO_INK: Final = frozenset({pdfium_c.FPDF_TEXTRENDERMODE_INVISIBLE, pdfium_c.FPDF_TEXTRENDERMODE_CLIP})
_STROKED: Final = frozenset({pdfium_c.FPDF_TEXTRENDERMODE_STROKE, pdfium_c.FPDF_TEXTRENDERMODE_STROKE_CLIP})
_GROUNDS: Final = frozenset({pdfium_c.FPDF_PAGEOBJ_PATH, pdfium_c.FPDF_PAGEOBJ_IMAGE})
_CLEAR: Final = 20  # of 255
_FLAT: Final = 24  # of 255: letters stand out from their ground by more in one channel at least
_PLATE: Final = 3.0  # points that a shape measures both ways, to be a ground; rules are thinner
_TOUCH: Final = 1.0  # points that a shape reaches into a text without covering any of it
_PLATES: Final = 400  # shapes that are held against each character; a drawing has more, and is looked at in pixels
_OBJECTS: Final = 20_000  # objects of a page that are walked
_DEEPEST: Final = 8  # forms inside of forms
_SCALE: Final = 2.0  # pixels a point
_PIXELS: Final = 8_000_000
_INK: Final = 40  # of 255 between the lightest and the darkest pixel where a scan shows letters

_Box = tuple[float, float, float, float]
_Matrix = tuple[float, float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class _Plate:
    """A filled shape, or a picture (`colour` None): its place in the drawing order and its box in the page's space."""

    order: int
    box: _Box
    colour: Colour | None


class Ink:
    """Judges the characters of one page.

    The page's objects are walked once. On a page where no text is drawn in a way that could hide it, which is most of
    them, no character costs more than a look at its height.
    """

    def __init__(self, page: pdfium.PdfPage, textpage: Any) -> None:
        self.layered = 0
        self._page = page
        self._textpage = textpage
        self._texts = dict[int, tuple[int, Colour | None, str | None]]()  # number -> order, colour, reason
        self._plates = list[_Plate]()
        self._outs = tuple(ctypes.c_uint() for _ in range(4))
        self._objects = 0
        self._drawn_texts = list[tuple[int, Any, _Matrix | None]]()
        self._whole = self._walk(page.raw, pdfium_c.FPDFPage_CountObjects, pdfium_c.FPDFPage_GetObject, None, 0)
        grounds = {WHITE, *(plate.colour for plate in self._plates if plate.colour is not None)}
        colours = {colour for _, colour, _ in self._texts.values() if colour is not None}
        self._suspects = {colour for colour in colours if any(near(colour, ground) for ground in grounds)}
        first = min((order for order, _, _ in self._texts.values()), default=0)
        self._later = [plate for plate in self._plates if plate.colour is not None and plate.order > first]
        if self._later and self._whole:
            self._later = self._covering(self._later)
        marked = any(reason is not None for _, _, reason in self._texts.values())
        self._crowded = not self._whole or len(self._plates) >= _PLATES
        self._plain = not (self._crowded or marked or self._suspects or self._later)
        self._drawn: _Picture | None = None

    def together(self, first: int, last: int) -> bool:
        """Say whether two characters are drawn by one operation, so that those between share how they are drawn."""
        return self._plain or first == last or self._number(first) == self._number(last)

    def unseen(self, index: int, shown: _Box, box: _Box) -> str | None:
        """Return why a character is not seen, a key of `HIDDEN`, or None.

        Args:
            index: the character.
            shown: its box on the page as shown, origin top left.
            box: its box in the page's own space (left, bottom, right, top).
        """
        if min(shown[3] - shown[1], shown[2] - shown[0]) < _LOW and self._size(index) < _TINY:
            return "tiny"
        if self._plain:
            return None
        number = self._number(index)
        if number and not self._whole and number not in self._texts:
            self._note_text(pdfium_c.FPDFText_GetTextObject(self._textpage, index))
        found = self._texts.get(number)
        if found is None:
            return None  # a space that PDFium made up
        order, colour, reason = found
        if reason == "no_ink":
            on_scan = self._on_scan(shown, box)
            self.layered += on_scan
            return None if on_scan else reason
        return reason or self._look(order, colour, shown, box)

    def _number(self, index: int) -> int:
        found = pdfium_c.FPDFText_GetTextObject(self._textpage, index)
        return ctypes.addressof(found.contents) if found else 0

    def _size(self, index: int) -> float:
        matrix = pdfium_c.FS_MATRIX()
        if not pdfium_c.FPDFText_GetMatrix(self._textpage, index, matrix):
            return _TINY
        scale = math.hypot(matrix.c, matrix.d) or math.hypot(matrix.a, matrix.b) or 1.0
        return float(pdfium_c.FPDFText_GetFontSize(self._textpage, index)) * scale

    def _look(self, order: int, colour: Colour | None, shown: _Box, box: _Box) -> str | None:
        suspect = self._crowded or colour in self._suspects
        covered = self._crowded or any(plate.order > order and _covers(plate.box, box, 0.9) for plate in self._later)
        if colour is None or not (covered or suspect):
            return None
        ground, around, contrast = self._picture().look(shown)
        if suspect and near(colour, ground) and near(colour, around):
            return "ground"
        return "covered" if covered and contrast <= _FLAT else None

    def _on_scan(self, shown: _Box, box: _Box) -> bool:
        if not any(plate.colour is None and _covers(plate.box, box, 0.5) for plate in self._plates):
            return False
        return self._picture().look(shown)[2] >= _INK

    def _picture(self) -> _Picture:
        if self._drawn is None:
            self._drawn = _Picture(self._page)
        return self._drawn

    def _walk(self, holder: Any, count: Any, get: Any, matrix: _Matrix | None, depth: int) -> bool:
        """Note texts, shapes and pictures in the order in which they are drawn; say whether all was walked."""
        for place in range(count(holder)):
            self._objects += 1
            if self._objects > _OBJECTS:
                return False
            one = get(holder, place)
            kind = pdfium_c.FPDFPageObj_GetType(one)
            if kind == pdfium_c.FPDF_PAGEOBJ_TEXT:
                self._note_text(one)
                self._drawn_texts.append((self._objects, one, matrix))
            elif kind == pdfium_c.FPDF_PAGEOBJ_FORM and depth < _DEEPEST:
                inner = _times(_matrix(one), matrix)
                forms = (pdfium_c.FPDFFormObj_CountObjects, pdfium_c.FPDFFormObj_GetObject)
                if not self._walk(one, *forms, inner, depth + 1):
                    return False
            elif kind in _GROUNDS and len(self._plates) < _PLATES:
                self._note_plate(one, kind, matrix)
        return True

    def _note_text(self, one: Any) -> None:
        mode = pdfium_c.FPDFTextObj_GetTextRenderMode(one)
        colour, alpha = self._colour(one, stroked=mode in _STROKED)
        reason = "no_ink" if mode in _NO_INK else "clear" if alpha <= _CLEAR else None
        self._texts[ctypes.addressof(one.contents)] = (self._objects, colour, reason)

    def _covering(self, plates: list[_Plate]) -> list[_Plate]:
        """Return the shapes that are drawn over a text, in full or in part; most stand behind the texts after them."""
        boxes = [(order, box) for order, one, matrix in self._drawn_texts if (box := _bounds(one, matrix)) is not None]
        return [plate for plate in plates if any(order < plate.order and _meet(plate.box, box) for order, box in boxes)]

    def _note_plate(self, one: Any, kind: int, matrix: _Matrix | None) -> None:
        colour: Colour | None = None
        if kind == pdfium_c.FPDF_PAGEOBJ_PATH:
            fill, stroke = ctypes.c_int(), ctypes.c_int()
            if not pdfium_c.FPDFPath_GetDrawMode(one, fill, stroke) or not fill.value:
                return
            colour, alpha = self._colour(one, stroked=False)
            if colour is None or alpha <= _CLEAR:
                return
        box = _bounds(one, matrix)
        if box is not None and min(box[2] - box[0], box[3] - box[1]) >= _PLATE:
            self._plates.append(_Plate(self._objects, box, colour))

    def _colour(self, one: Any, *, stroked: bool) -> tuple[Colour | None, int]:
        """Return the colour and the opacity of an object; None for a pattern."""
        ask = pdfium_c.FPDFPageObj_GetStrokeColor if stroked else pdfium_c.FPDFPageObj_GetFillColor
        if not ask(one, *self._outs):
            return None, 255
        red, green, blue, alpha = (out.value for out in self._outs)
        return (red, green, blue), alpha


def remarks_on(dropped: Counter[str], *, page: int) -> tuple[Remark, ...]:
    """Return what is said of the characters of a page that are not seen: how many, and why, never which."""
    hidden = [f"{dropped[reason]} characters {said}" for reason, said in HIDDEN.items() if dropped[reason]]
    found = [Remark(code="hidden_text", page=page, detail=", ".join(hidden))] if hidden else []
    if dropped[OFF_PAGE]:
        found.append(Remark(code="off_page_text", page=page, detail=f"{dropped[OFF_PAGE]} characters"))
    return tuple(found)


class _Picture:
    """The page as it is drawn."""

    def __init__(self, page: pdfium.PdfPage) -> None:
        width, height = page.get_size()
        self._scale = min(_SCALE, math.sqrt(_PIXELS / max(width * height, 1.0)))
        bitmap = page.render(scale=self._scale, rev_byteorder=True, prefer_bgrx=False)
        self._data = bytes(memoryview(bitmap.buffer).cast("B"))
        self._stride, self._channels = bitmap.stride, bitmap.n_channels
        self._width, self._height = bitmap.width, bitmap.height
        bitmap.close()

    def look(self, box: _Box) -> tuple[Colour, Colour, int]:
        """Return the commonest colour in a box and around it, and the widest range of a channel in it."""
        x0, top, x1, bottom = (edge * self._scale for edge in box)
        left, right = max(0, math.floor(x0)), min(self._width, math.ceil(x1) + 1)
        upper, lower = max(0, math.floor(top)), min(self._height, math.ceil(bottom) + 1)
        inside, around = Counter[bytes](), Counter[bytes]()
        for y in range(max(0, upper - 2), min(self._height, lower + 2)):
            outer = self._row(y, max(0, left - 2), min(self._width, right + 2))
            if upper <= y < lower:
                inside.update(self._row(y, left, right))
                outer = outer[:2] + outer[-2:]
            around.update(outer)
        if not inside:
            return WHITE, WHITE, 0
        contrast = max(max(values) - min(values) for values in zip(*inside, strict=True))
        return _rgb(inside.most_common(1)[0][0]), _rgb(around.most_common(1)[0][0]), contrast

    def _row(self, y: int, left: int, right: int) -> list[bytes]:
        start, step = y * self._stride, self._channels
        return [self._data[start + x * step : start + x * step + step] for x in range(left, right)]


def _rgb(pixel: bytes) -> Colour:
    return (pixel[0], pixel[1], pixel[2]) if len(pixel) >= 3 else (pixel[0],) * 3


def _bounds(one: Any, matrix: _Matrix | None) -> _Box | None:
    """Return the box of an object in the page's space."""
    edges = [ctypes.c_float() for _ in range(4)]
    if not pdfium_c.FPDFPageObj_GetBounds(one, *edges):
        return None
    return _moved((edges[0].value, edges[1].value, edges[2].value, edges[3].value), matrix)


def _meet(one: _Box, other: _Box) -> bool:
    wide, high = min(one[2], other[2]) - max(one[0], other[0]), min(one[3], other[3]) - max(one[1], other[1])
    return wide > _TOUCH and high > _TOUCH


def _covers(plate: _Box, box: _Box, share: float) -> bool:
    wide = min(plate[2], box[2]) - max(plate[0], box[0])
    high = min(plate[3], box[3]) - max(plate[1], box[1])
    if wide < 0 or high < 0:
        return False
    area = (box[2] - box[0]) * (box[3] - box[1])
    return wide * high >= share * area


def _matrix(one: Any) -> _Matrix:
    found = pdfium_c.FS_MATRIX()
    if not pdfium_c.FPDFPageObj_GetMatrix(one, found):
        return 1.0, 0.0, 0.0, 1.0, 0.0, 0.0
    return found.a, found.b, found.c, found.d, found.e, found.f


def _times(inner: _Matrix, outer: _Matrix | None) -> _Matrix:
    if outer is None:
        return inner
    a, b, c, d, e, f = inner
    g, h, i, j, k, m = outer
    return a * g + b * i, a * h + b * j, c * g + d * i, c * h + d * j, e * g + f * i + k, e * h + f * j + m


def _moved(box: _Box, matrix: _Matrix | None) -> _Box:
    if matrix is None:
        return box
    a, b, c, d, e, f = matrix
    corners = [(a * x + c * y + e, b * x + d * y + f) for x in (box[0], box[2]) for y in (box[1], box[3])]
    across, up = [x for x, _ in corners], [y for _, y in corners]
    return min(across), min(up), max(across), max(up)
