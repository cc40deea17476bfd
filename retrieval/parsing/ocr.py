"""Reads scanned pages through Tesseract, where it is installed: words with their boxes, as lines of a page.

The page is drawn at 300 dots an inch and handed over through a pipe, and the words come back through another, because
this process may write no file. Each page has a minute, and all of them together most of the time that the process has
left; what is not read is said, page by page. English and simplified Chinese are read, as far as their models are
installed.

Source: Tesseract's manual page (tesseract(1)), output format tsv.

Not covered: scans that lie on their side, handwriting, other languages. A word that Tesseract is less than 30 percent
sure of is left out.
"""

from __future__ import annotations

import csv
import io
import itertools
import math
import resource
import shutil
import statistics
import subprocess
import time
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pypdfium2 as pdfium

from retrieval.parsing.clean import one_line
from retrieval.parsing.runs import Run
from retrieval.types import Remark

__all__ = ["Recognizer"]

_PATH: Final = "/usr/local/bin:/usr/bin:/bin"  # where a program is looked for; the process has no environment
_LANGUAGES: Final = ("eng", "chi_sim")
_DOTS: Final = 300  # an inch, as Tesseract's documentation advises
_PIXELS: Final = 16_000_000  # an A4 page has 8.7 million; a larger one is drawn coarser
_PAGE_S: Final = 60.0
_SHARE: Final = 0.7  # of the processor seconds that this process may use; the rest is for the pages with text
_WITHOUT_LIMIT_S: Final = 3600.0
_SURE: Final = 30.0  # percent
_CELL_GAP: Final = 1.2  # line heights between two words beyond which they are two cells
_STEP: Final = 1.35  # type sizes are told apart in steps of a third, since the height of a scanned line varies


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    x0: float
    top: float
    x1: float
    bottom: float
    sure: float


class Recognizer:
    """Reads the scanned pages of one document. Nothing is started before the first of them."""

    def __init__(self, *, program: str | None = None) -> None:
        """Make a recognizer; `program` is the path of Tesseract, looked for in the usual places if not given."""
        self._program = program or shutil.which("tesseract", path=_PATH)
        limit = resource.getrlimit(resource.RLIMIT_CPU)[0]
        self._until = time.monotonic() + (_WITHOUT_LIMIT_S if limit == resource.RLIM_INFINITY else limit * _SHARE)
        self._languages: str | None = None

    def read(self, page: pdfium.PdfPage, *, number: int) -> tuple[list[Run], Remark]:
        """Return the lines of a page that is a picture, and what is to be said of it."""
        if self._program is None:
            return [], _unread(number, "Tesseract is not installed")
        seconds = min(_PAGE_S, self._until - time.monotonic())
        if seconds <= 0:
            return [], _unread(number, "the time for reading ran out")
        try:
            if self._languages is None:
                self._languages = self._installed(seconds)
            if not self._languages:
                return [], _unread(number, "Tesseract has no model of English or Chinese")
            picture, scale = _picture(page)
            found = self._run(["stdin", "stdout", "-l", self._languages, "--dpi", str(_DOTS), "tsv"], picture, seconds)
            lines = list(_lines(found.decode("utf-8", "replace"), scale=scale))
        except subprocess.TimeoutExpired:
            return [], _unread(number, f"recognition took longer than {seconds:.0f} seconds")
        except (OSError, subprocess.CalledProcessError, ValueError, KeyError, pdfium.PdfiumError):
            return [], _unread(number, "recognition failed")
        sure = [word.sure for line in lines for word in line]
        said = f"mean confidence {statistics.fmean(sure):.0f} percent" if sure else "no words found"
        return [run for line in lines for run in _runs(line)], Remark(code="scanned_read", page=number, detail=said)

    def _installed(self, seconds: float) -> str:
        listed = self._run(["--list-langs"], b"", seconds).decode("utf-8", "replace").split()
        return "+".join(language for language in _LANGUAGES if language in listed)

    def _run(self, options: list[str], given: bytes, seconds: float) -> bytes:
        done = subprocess.run(  # noqa: S603 - a program of the installation; nothing of the document is in its arguments
            [str(self._program), *options],
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"OMP_THREAD_LIMIT": "1", "LC_ALL": "C"},
            timeout=seconds,
            check=True,
        )
        return done.stdout


def _unread(number: int, why: str) -> Remark:
    return Remark(code="scanned_unread", page=number, detail=why)


def _picture(page: pdfium.PdfPage) -> tuple[bytes, float]:
    """Return the page as a grey picture (PGM, binary), and its pixels a point."""
    width, height = page.get_size()
    scale = min(_DOTS / 72, math.sqrt(_PIXELS / max(width * height, 1.0)))
    bitmap = page.render(scale=scale, grayscale=True)
    data: Any = memoryview(bitmap.buffer).cast("B")
    step = bitmap.n_channels
    rows = (data[y * bitmap.stride : y * bitmap.stride + bitmap.width * step : step] for y in range(bitmap.height))
    pixels = b"".join(map(bytes, rows))
    head = f"P5\n{bitmap.width} {bitmap.height}\n255\n".encode("ascii")
    bitmap.close()
    return head + pixels, scale


def _lines(table: str, *, scale: float) -> Iterator[list[_Word]]:
    """Yield the words of each line, in points."""
    if not table.startswith("level\t"):
        raise ValueError("this is no table of words")
    rows = csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE)
    for _, line in itertools.groupby(
        rows, key=lambda row: [row.get(f"{part}_num") for part in ("block", "par", "line")]
    ):
        words = [word for row in line if row.get("level") == "5" and (word := _word(row, scale)) is not None]
        if words:
            yield words


def _word(row: dict[str, str], scale: float) -> _Word | None:
    text, sure = one_line(row.get("text") or ""), float(row["conf"])
    left, top, width, height = (int(row[name]) / scale for name in ("left", "top", "width", "height"))
    return _Word(text, left, top, left + width, top + height, sure) if text and sure >= _SURE else None


def _runs(line: list[_Word]) -> Iterator[Run]:
    """Cut a line at wide gaps, which part cells."""
    height = statistics.median(word.bottom - word.top for word in line)
    size = round(_STEP ** round(math.log(max(height, 1.0), _STEP)), 1)
    piece = [line[0]]
    for last, word in itertools.pairwise(line):
        if word.x0 - last.x1 > _CELL_GAP * height:
            yield _run(piece, size)
            piece = []
        piece.append(word)
    yield _run(piece, size)


def _wide(char: str) -> bool:
    """Say whether a character is an ideograph or a mark of Chinese type, beside which no space stands."""
    return unicodedata.east_asian_width(char) in ("W", "F")


def _run(words: list[_Word], size: float) -> Run:
    text = words[0].text
    for word in words[1:]:
        text += word.text if _wide(text[-1]) and _wide(word.text[0]) else f" {word.text}"
    return Run(
        text=text,
        x0=min(word.x0 for word in words),
        top=min(word.top for word in words),
        x1=max(word.x1 for word in words),
        bottom=max(word.bottom for word in words),
        size=size,
        bold=False,
    )
