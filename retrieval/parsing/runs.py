"""Reads the characters of a PDF page and joins them to runs: pieces of one line without a gap.

PDFium gives characters in the order of the content stream with boxes in the page's own space: origin bottom left,
before the page is turned, and with the crop box anywhere. Here they come to lie as a reader sees them: origin top
left, turned, cropped. Characters that no reader sees are dropped and counted, since nobody can check them: those
outside of the shown page, and those that `retrieval.parsing.ink` finds hidden.

Not covered: vertical Chinese and right-to-left lines (read as PDFium orders them), values of form fields.
"""

from __future__ import annotations

import ctypes
import itertools
import math
import re
import statistics
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from retrieval.parsing.clean import clean
from retrieval.parsing.ink import LAYER, OFF_PAGE, Ink
from retrieval.parsing.smuggled import count_smuggled
from retrieval.types import Box

__all__ = ["Run", "read_runs"]

_CELL_GAP: Final = 0.7
"""A gap of this many line heights parts two cells or columns: above any space between justified words, below the
usual padding of two table cells."""

_SHARED: Final = 0.5  # share of their height that two characters of one line have in common
_WIDEST: Final = 2.5  # line heights that one character may be wide

_HYPHENS: Final = {0x02: "-", 0xFFFE: "-"}  # how PDFium marks a hyphen at the end of a line
_PAIR: Final = re.compile("[\ud800-\udbff][\udc00-\udfff]")  # PDFium counts both halves of a rare ideograph
_SECOND: Final = "\u200b"  # stands in the place of the second half, and shows nothing
_TOKEN: Final = re.compile(r"[^\s\x02\ufffe]+[\x02\ufffe]?|[\x02\ufffe]|[\r\n]+")
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
class _Word:
    """Characters without white space between them, with the indices of the first and last; `spaced`: after a space."""

    text: str
    x0: float
    top: float
    x1: float
    bottom: float
    first: int
    last: int
    spaced: bool


_Placed = tuple[float, float, float, float]
_Turn = Callable[[float, float, float, float], _Placed]


def read_runs(page: pdfium.PdfPage) -> tuple[list[Run], Counter[str]]:
    """Return the runs of a page in the order of its content stream, and how many characters were dropped, by reason.

    Runs lie where the page shows them when it is turned and cropped. Under `LAYER` stand the characters that were kept
    as the text layer of a scan.
    """
    textpage = page.get_textpage()
    try:
        place = _Place(textpage, page)
        runs = list[Run]()
        text = _text(textpage)
        place.dropped["nothing"] = count_smuggled(text)
        for line in _lines(text, place):
            runs.extend(_split(textpage, line, rotation=page.get_rotation()))
        place.dropped[LAYER] = place.ink.layered
        return runs, place.dropped
    finally:
        textpage.close()


class _Place:
    """Says where a character lies on the page as it is shown."""

    def __init__(self, textpage: Any, page: pdfium.PdfPage) -> None:
        self._textpage = textpage
        self.ink = Ink(page, textpage)
        self.dropped = Counter[str]()
        self.reason = ""
        self._turn = _turn(page)
        self._width, self._height = page.get_size()
        self._rect = pdfium_c.FS_RECTF()

    def __call__(self, index: int) -> _Placed | None:
        """Return (x0, top, x1, bottom), cut to the page, or None for what is not seen, with the `reason`."""
        rect = self._rect
        if not pdfium_c.FPDFText_GetLooseCharBox(self._textpage, index, rect):
            return None
        x0, top, x1, bottom = self._turn(rect.left, rect.bottom, rect.right, rect.top)
        if not (0 <= x0 <= x1 <= self._width and 0 <= top <= bottom <= self._height):
            # Written so that a NaN is dropped as well.
            if not (x1 > 0 and x0 < self._width and bottom > 0 and top < self._height and x1 >= x0 and bottom >= top):
                self.reason = OFF_PAGE
                return None
            x0, top, x1, bottom = max(x0, 0.0), max(top, 0.0), min(x1, self._width), min(bottom, self._height)
        shown = (x0, top, x1, bottom)
        self.reason = self.ink.unseen(index, shown, (rect.left, rect.bottom, rect.right, rect.top)) or ""
        return None if self.reason else shown


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


def _text(textpage: Any) -> str:
    """Return one code point for each of PDFium's characters."""
    count = textpage.count_chars()
    text = str(textpage.get_text_range()) if count else ""
    if len(text) == count and max(text, default="") <= "\uffff":  # one call in place of one a character
        return text
    codes = (pdfium_c.FPDFText_GetUnicode(textpage, index) for index in range(count))
    units = "".join(chr(code) if 0 < code <= 0x10FFFF else "\ufffd" for code in codes)
    return _PAIR.sub(lambda pair: _whole(pair.group()) + _SECOND, units)


def _whole(pair: str) -> str:
    return pair.encode("utf-16-le", "surrogatepass").decode("utf-16-le")


def _lines(text: str, place: _Place) -> Iterator[list[_Word]]:
    """Yield the words of each line that PDFium saw."""
    line, end = list[_Word](), 0
    for match in _TOKEN.finditer(text):
        if match.group()[0] in "\r\n":
            if line:
                yield line
            line = []
        else:
            line.extend(_words(match.group(), match.start(), place, spaced=match.start() > end))
        end = match.end()
    if line:
        yield line


def _words(token: str, first: int, place: _Place, *, spaced: bool) -> Iterator[_Word]:
    """Place a word by its first and last character, or, where these do not look like one word, character by character.

    Asking for two boxes a word in place of one a character makes reading three times as fast.
    """
    plain = token if token.isascii() and token.isprintable() else clean(token.translate(_HYPHENS))
    last = first + len(token) - 1
    begin, end = place(first), place(last)
    whole = len(plain) >= len(token) and begin is not None and end is not None and place.ink.together(first, last)
    if whole and begin is not None and end is not None and _one_word(begin, end, len(token)):
        yield _Word(plain, begin[0], min(begin[1], end[1]), end[2], max(begin[3], end[3]), first, last, spaced)
        return
    for index, char in enumerate(token, first):
        shown, box = clean(char.translate(_HYPHENS)), place(index)
        if box is None and place.reason:
            place.dropped[place.reason] += 1
        elif shown and box is not None:
            yield _Word(shown, *box, index, index, spaced)
            spaced = False


def _one_word(begin: _Placed, end: _Placed, length: int) -> bool:
    height = min(begin[3] - begin[1], end[3] - end[1])
    shared = min(begin[3], end[3]) - max(begin[1], end[1])
    return height > 0 and shared >= _SHARED * height and 0 <= end[2] - begin[0] <= _WIDEST * height * length


def _split(textpage: Any, line: list[_Word], *, rotation: int) -> Iterator[Run]:
    """Cut one line of PDFium's at gaps, jumps and changes of height."""
    if not _upright(textpage, line[0].first, rotation=rotation):
        yield _run(textpage, line, upright=False)
        return
    piece = [line[0]]
    for last, word in itertools.pairwise(line):
        if _apart(last, word):
            yield _run(textpage, piece)
            piece = []
        piece.append(word)
    yield _run(textpage, piece)


def _apart(last: _Word, word: _Word) -> bool:
    height = max(min(last.bottom - last.top, word.bottom - word.top), 0.1)
    shared = min(last.bottom, word.bottom) - max(last.top, word.top)
    gap = word.x0 - last.x1
    return shared < _SHARED * height or gap > _CELL_GAP * height or gap < -height


def _run(textpage: Any, words: list[_Word], *, upright: bool = True) -> Run:
    text = "".join(f" {word.text}" if word.spaced else word.text for word in words).strip()
    # A word in another font may begin or end a line, so three characters are asked and not one.
    asked = (words[0].first, words[len(words) // 2].first, words[-1].last)
    return Run(
        text=text,
        x0=min(word.x0 for word in words),
        top=min(word.top for word in words),
        x1=max(word.x1 for word in words),
        bottom=max(word.bottom for word in words),
        size=statistics.median(_size(textpage, index) for index in asked),
        bold=all(_bold(textpage, index) for index in asked),
        upright=upright,
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
