"""Shows a reader the page that a passage stands on, with the passage marked."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Final

from retrieval.errors import DamagedFile, UnsupportedFormat
from retrieval.parsing.parse import check_size
from retrieval.parsing.sandbox import Sandbox
from retrieval.parsing.sniff import sniff
from retrieval.parsing.types import PDF, Limits
from retrieval.types import Box

__all__ = ["render_page"]

_BOXES: Final = 500  # of one picture; a passage has a few dozen lines
_SCALES: Final = (0.1, 8.0)


def render_page(
    path: Path,
    page: int,
    *,
    boxes: Sequence[Box] = (),
    scale: float = 1.5,
    limits: Limits,
    sandbox: Sandbox | None = None,
) -> bytes:
    """Return a PNG of one page of a PDF, drawn in a limited child process.

    Args:
        path: The PDF.
        page: Its page, counted from 1.
        boxes: What to mark in yellow; points, origin top left, as in a `Locator`. At most 500 are marked.
        scale: Pixels a point, held between 0.1 and 8. A picture never has more than 8 million pixels.
        limits: Bytes, seconds and memory.
        sandbox: Where children come from; one of its own by default, which costs the start of an interpreter.

    Raises:
        DocumentNotFound: The document has no such page.
        UnsupportedFormat: The file is no PDF: other formats have no pages to show.
        DocumentRefused: Another of its subclasses, as for `parse`.
    """
    check_size(path, limits=limits)
    if sniff(path) != PDF:
        raise UnsupportedFormat("Only a PDF has pages that can be shown.", remedy="Read the passage as text instead.")
    job = {
        "do": "render",
        "path": str(path.absolute()),
        "page": page,
        "boxes": [box.model_dump() for box in boxes[:_BOXES]],
        "scale": min(max(scale, _SCALES[0]), _SCALES[1]),
    }
    with nullcontext(sandbox) if sandbox else Sandbox() as runner, closing(runner.run(job, limits=limits)) as events:
        for event in events:
            return _picture(str(event.get("png", "")))
    raise _undrawn()


def _picture(encoded: str) -> bytes:
    try:
        picture = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise _undrawn() from error
    if not picture.startswith(b"\x89PNG\r\n\x1a\n"):
        raise _undrawn()
    return picture


def _undrawn() -> DamagedFile:
    return DamagedFile("The page cannot be drawn.", remedy="Open it in a PDF program and save it anew.")
