"""Reads a PDF: text with the place of every line, in reading order.

Positions are points from the top left corner of the page as it is shown: turned by its /Rotate entry and cut to its
crop box. Pages without text stay in the document, so that page numbers are those a reader sees. A page that is a
picture is handed to `retrieval.parsing.ocr`; what a stamp or a page number over it says is kept.

Not covered: values of form fields, annotations, vertical Chinese, pictures on a page that has text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from retrieval.errors import DamagedFile, EncryptedFile
from retrieval.parsing.blocks import add_region
from retrieval.parsing.columns import Carry
from retrieval.parsing.ink import LAYER, remarks_on
from retrieval.parsing.layout import regions
from retrieval.parsing.lines import words_of
from retrieval.parsing.ocr import Recognizer
from retrieval.parsing.page_text import PageText
from retrieval.parsing.runs import Run, read_runs
from retrieval.parsing.types import BlockKind, ParsedPage

__all__ = ["open_pdf", "read"]

_TAIL: Final = 8192
"""Bytes at the end in which the file's closing mark must stand. PDFium would rebuild a file that was cut off and read
what is left; here a document is read whole or refused."""

_FEW: Final = 30  # words up to which a page may be a scan with a stamp, a number or a signature over it
_PICTURE: Final = 0.4  # share of such a page that a picture covers
_DRAWN: Final = 100  # shapes of a page without a word that may be letters turned into outlines

_ENCRYPTED: Final = frozenset({pdfium_c.FPDF_ERR_PASSWORD, pdfium_c.FPDF_ERR_SECURITY})


def read(path: Path, *, max_pages: int) -> tuple[int, Iterator[ParsedPage]]:
    """Return the number of pages, known before any is read, and the pages.

    Raises:
        EncryptedFile: It asks for a password.
        DamagedFile: It is cut off, or PDFium cannot read it or one of its pages.
    """
    document = open_pdf(path)
    return len(document), _pages(document)


def open_pdf(path: Path) -> pdfium.PdfDocument:
    """Open a whole PDF; errors as for `read`."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _TAIL))
        if b"%%EOF" not in file.read():
            raise DamagedFile("The PDF is cut off: its end is missing.", remedy="Copy or download the file again.")
    try:
        return pdfium.PdfDocument(path)
    except pdfium.PdfiumError as error:
        if error.err_code in _ENCRYPTED:
            raise EncryptedFile(
                "The PDF asks for a password.", remedy="Save it without a password and add it again."
            ) from error
        raise _damaged() from error


def _pages(document: pdfium.PdfDocument) -> Iterator[ParsedPage]:
    sizes, recognizer, carry = Counter[float](), Recognizer(), Carry()
    for index in range(len(document)):
        try:
            page = document[index]
        except pdfium.PdfiumError as error:
            raise _damaged() from error
        try:
            runs, dropped = read_runs(page)
            remarks = remarks_on(dropped, page=index + 1)
            if not dropped[LAYER] and _scanned(page, runs):
                recognized, remark = recognizer.read(page, number=index + 1)
                runs, remarks = [*runs, *_beside(recognized, runs)], (*remarks, remark)
            for run in runs:
                sizes[run.size] += len(run.text)
            body = sizes.most_common(1)[0][0] if sizes else 0.0
            width, height = page.get_size()
            text = _text(runs, body=body, carry=carry)
            read = text.page(index + 1, width=round(width, 2), height=round(height, 2))
            yield read.model_copy(update={"remarks": remarks})
        except pdfium.PdfiumError as error:
            raise _damaged() from error
        finally:
            page.close()


def _scanned(page: pdfium.PdfPage, runs: list[Run]) -> bool:
    """Say whether what a page shows is a picture: hardly a word, and a picture over most of it or many shapes."""
    words = sum(len(run.text.split()) for run in runs)
    if words > _FEW:
        return False
    width, height = page.get_size()
    area, shapes = 0.0, 0
    for one in page.get_objects(max_depth=3):
        shapes += 1
        if one.type == pdfium_c.FPDF_PAGEOBJ_IMAGE:
            left, bottom, right, top = one.get_bounds()
            area += (right - left) * (top - bottom)
    return area >= _PICTURE * width * height or (not words and shapes >= _DRAWN)


def _beside(recognized: list[Run], runs: list[Run]) -> list[Run]:
    """Return what was recognized where the page has no text of its own."""
    return [
        one
        for one in recognized
        if not any(
            run.x0 < one.x1 and one.x0 < run.x1 and run.top < one.bottom and one.top < run.bottom for run in runs
        )
    ]


def _text(runs: list[Run], *, body: float, carry: Carry) -> PageText:
    vocabulary = words_of("\n".join(run.text for run in runs))
    text = PageText()
    for rows in regions([run for run in runs if run.upright]):
        add_region(text, rows, body=body, vocabulary=vocabulary, carry=carry)
    for run in runs:
        if not run.upright:
            text.add(BlockKind.PARAGRAPH, run.text, boxes=[run.box], lines=[0])
    carry.turn(blocks=text.count)
    return text


def _damaged() -> DamagedFile:
    return DamagedFile("The PDF is damaged and cannot be read.", remedy="Open it in a PDF program and save it anew.")
