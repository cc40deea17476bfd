"""What happens in the process that opens a stranger's file, forked for it by `retrieval.parsing.forkserver`.

The one parser that it needs is imported, it puts limits on itself, and only then opens the file. Its standard output is
JSON lines: `{"total": pages}` first, `{"page": {...}}` for each page as it is read, `{"done": true}` at the end; or
`{"png": base64}` for a picture; or `{"refused": code, "message": ..., "remedy": ...}` in place of the rest.

The limits are of the kernel (setrlimit(2)): address space, processor seconds, open files, and no file may grow. They
are set after the imports, which are trusted, so that a low memory limit refuses the file and not the interpreter.
"""

from __future__ import annotations

import base64
import importlib
import json
import math
import resource
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from retrieval.errors import DamagedFile, DocumentRefused, NoText, ParseLimit, RetrievalError, TooManyPages
from retrieval.parsing import types
from retrieval.parsing.clean import has_words

__all__ = ["main", "prepare"]

_PARSERS: Final = {
    types.PDF: "retrieval.parsing.pdf",
    types.DOCX: "retrieval.parsing.docx",
    types.PPTX: "retrieval.parsing.slides",
    types.XLSX: "retrieval.parsing.workbook",
    types.CSV: "retrieval.parsing.delimited",
    types.HTML: "retrieval.parsing.html",
    types.EML: "retrieval.parsing.mail",
    types.MARKDOWN: "retrieval.parsing.markdown",
    types.TEXT: "retrieval.parsing.text",
    types.JSON: "retrieval.parsing.json_text",
    types.FHIR: "retrieval.parsing.fhir",
    types.CCDA: "retrieval.parsing.ccda",
}
_PAINTER: Final = "retrieval.parsing.paint"

_OPEN_FILES: Final = 64


def prepare(job: Mapping[str, Any]) -> Any:
    """Import and return the module that does a job; once it is imported, the children of later jobs have it."""
    return importlib.import_module(_PAINTER if job["do"] == "render" else _PARSERS[job["media_type"]])


def main(job: Mapping[str, Any]) -> None:
    """Do one job: `{"do": "parse" | "render", "path": ..., ...}`; what goes wrong is told on standard output."""
    module = prepare(job)
    _limit(memory_mb=job["memory_mb"], timeout_s=job["timeout_s"])
    refusal: RetrievalError
    because = ""
    try:
        if job["do"] == "render":
            _render(module, job)
        else:
            _parse(module, job)
        _say({"done": True})
    except RetrievalError as error:
        refusal = error
    except MemoryError:
        refusal = ParseLimit(
            "Reading the document took more memory than is allowed.",
            remedy="Split the document, or ask the operator for a higher limit.",
        )
    except Exception as error:  # noqa: BLE001 - whatever a parser raises on a hostile file, the file cannot be read
        refusal, because = _unreadable(), type(error).__name__
    else:
        return
    _say({"refused": refusal.code, "message": refusal.message, "remedy": refusal.remedy, "because": because})


def _parse(module: Any, job: Mapping[str, Any]) -> None:
    total, pages = module.read(Path(job["path"]), max_pages=job["max_pages"])
    if total > job["max_pages"]:
        raise TooManyPages(
            f"The document has {total} pages; at most {job['max_pages']} are read.", remedy="Split the document."
        )
    _say({"total": total})
    if not _emit(pages):
        raise NoText(
            "The document holds no text.",
            remedy="If its pages are pictures, run text recognition (OCR) on it and add the result.",
        )


def _emit(pages: Iterator[types.ParsedPage]) -> bool:
    words = False
    for page in pages:
        words = words or has_words(page.text)
        _say({"page": page.model_dump(mode="json")})
    return words


def _render(module: Any, job: Mapping[str, Any]) -> None:
    png = module.paint(Path(job["path"]), job["page"], boxes=job["boxes"], scale=job["scale"])
    _say({"png": base64.b64encode(png).decode("ascii")})


def _unreadable() -> DocumentRefused:
    return DamagedFile(
        "The document is damaged and cannot be read.", remedy="Open it in its own program and save it anew."
    )


def _say(event: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(event, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def _limit(*, memory_mb: int, timeout_s: float) -> None:
    seconds = math.ceil(timeout_s) + 1  # the parent's clock is the first to say so
    for what, most in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, memory_mb << 20),
    ):
        resource.setrlimit(what, (most, most))
