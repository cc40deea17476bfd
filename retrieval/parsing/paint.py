"""Draws a PDF page as a picture and marks boxes on it; runs in the child process.

A mark multiplies the colour below it with yellow, as a highlighter does: paper turns yellow, black letters stay black.
The picture is written as PNG (W3C, Portable Network Graphics, 3rd edition) with the standard library alone.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pypdfium2 as pdfium

from retrieval.errors import DamagedFile, DocumentNotFound
from retrieval.parsing.pdf import open_pdf

__all__ = ["MAX_PIXELS", "paint"]

MAX_PIXELS: Final = 8_000_000
"""Of one picture: an A4 page at 200 dots an inch has 3.9 million. A larger page is drawn smaller."""

_YELLOW: Final = (255, 238, 96)
_MULTIPLIED: Final = tuple(bytes(below * part // 255 for below in range(256)) for part in _YELLOW)
_CHANNELS: Final = 3
_COMPRESSION: Final = 6


def paint(path: Path, number: int, *, boxes: Sequence[Mapping[str, float]], scale: float) -> bytes:
    """Return a PNG of page `number`, counted from 1, with the boxes (points, origin top left) marked.

    Raises:
        DocumentNotFound: There is no such page.
        EncryptedFile: The PDF asks for a password.
        DamagedFile: The PDF or the page cannot be read.
    """
    document = open_pdf(path)
    if not 1 <= number <= len(document):
        raise DocumentNotFound(
            f"The document has no page {number}; its pages are 1 to {len(document)}.", remedy="Ask for one of these."
        )
    try:
        page = document[number - 1]
        width, height = page.get_size()
        shown = min(scale, math.sqrt(MAX_PIXELS / max(width * height, 1.0)))
        bitmap = page.render(scale=shown, rev_byteorder=True, prefer_bgrx=False)
    except (pdfium.PdfiumError, ValueError) as error:
        raise DamagedFile("The page cannot be drawn.", remedy="Open it in a PDF program and save it anew.") from error
    pixels = bytearray(_rows(bitmap))
    for y, spans in _marked(boxes, scale=shown, width=bitmap.width, height=bitmap.height).items():
        for x0, x1 in spans:
            _mark(pixels, y * bitmap.width, x0, x1)
    return _png(pixels, width=bitmap.width, height=bitmap.height)


def _rows(bitmap: Any) -> bytes:
    """Return the pixels as RGB without the padding at the end of each row."""
    if bitmap.n_channels != _CHANNELS:
        raise DamagedFile("The page cannot be drawn.", remedy="Open it in a PDF program and save it anew.")
    line, data = bitmap.width * _CHANNELS, memoryview(bitmap.buffer).cast("B")
    return b"".join(data[y * bitmap.stride : y * bitmap.stride + line] for y in range(bitmap.height))


def _marked(
    boxes: Sequence[Mapping[str, float]], *, scale: float, width: int, height: int
) -> dict[int, list[tuple[int, int]]]:
    """Return the marked spans of each pixel row, joined where boxes overlap, so that no pixel is marked twice."""
    spans = dict[int, list[tuple[int, int]]]()
    for box in boxes:
        x0, x1 = max(0, math.floor(box["x0"] * scale)), min(width, math.ceil(box["x1"] * scale))
        top, bottom = max(0, math.floor(box["top"] * scale)), min(height, math.ceil(box["bottom"] * scale))
        for y in range(top, bottom if x1 > x0 else top):
            spans.setdefault(y, []).append((x0, x1))
    return {y: _joined(row) for y, row in spans.items()}


def _joined(row: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined = list[tuple[int, int]]()
    for x0, x1 in sorted(row):
        if joined and x0 <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], x1))
        else:
            joined.append((x0, x1))
    return joined


def _mark(pixels: bytearray, row: int, x0: int, x1: int) -> None:
    for channel, table in enumerate(_MULTIPLIED):
        part = slice((row + x0) * _CHANNELS + channel, (row + x1) * _CHANNELS, _CHANNELS)
        pixels[part] = pixels[part].translate(table)


def _png(pixels: bytearray, *, width: int, height: int) -> bytes:
    line = width * _CHANNELS
    filtered = b"".join(b"\x00" + pixels[y * line : (y + 1) * line] for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits a channel, RGB
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(filtered, _COMPRESSION)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )
