"""Reads one file into pages: the door through which every document comes in."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from retrieval.errors import DamagedFile, FileTooLarge
from retrieval.parsing.sandbox import Sandbox
from retrieval.parsing.sniff import sniff
from retrieval.parsing.types import Limits, ParsedDocument, ParsedPage

__all__ = ["check_size", "parse"]

_MIB = 1 << 20


def parse(
    path: Path,
    *,
    name: str,
    limits: Limits,
    report: Callable[[int, int], None] | None = None,
    sandbox: Sandbox | None = None,
) -> ParsedDocument:
    """Read a file into pages, in a child process that may cost no more than `limits`.

    Args:
        path: The file. It is not changed.
        name: What its owner calls it. Only tells Markdown from plain text where the content leaves it open.
        limits: Bytes, pages, seconds and memory.
        report: Called after each page with the pages read so far and the pages in all.
        sandbox: Where children come from; one of its own by default, which costs the start of an interpreter.

    Raises:
        DocumentRefused: One of its subclasses; `code` says which rule the file broke. Nothing else comes of a file's
            content.
        RetrievalError: The reader is not installed properly.
    """
    check_size(path, limits=limits)
    media_type = sniff(path, name=name)
    job = {"do": "parse", "path": str(path.absolute()), "media_type": media_type, "max_pages": limits.max_pages}
    total, pages = 0, list[ParsedPage]()
    with nullcontext(sandbox) if sandbox else Sandbox() as runner, closing(runner.run(job, limits=limits)) as events:
        for event in events:
            if "total" in event:
                total = int(event["total"])
                continue
            pages.append(_page(event))
            if report is not None:
                report(len(pages), total)
    return ParsedDocument(media_type=media_type, pages=tuple(pages))


def check_size(path: Path, *, limits: Limits) -> None:
    """Refuse a file with more bytes than the limit, before anything of it is read.

    Raises:
        FileTooLarge: It has.
    """
    size = path.stat().st_size
    if size > limits.max_bytes:
        raise FileTooLarge(
            f"The file has {size / _MIB:.1f} MiB; at most {limits.max_bytes / _MIB:.1f} MiB are read.",
            remedy="Split the file, or ask the operator for a higher limit.",
        )


def _page(event: dict[str, Any]) -> ParsedPage:
    try:
        return ParsedPage.model_validate(event.get("page"))
    except ValidationError as error:
        raise DamagedFile(
            "The document broke its reader.", remedy="Open it in its own program and save it anew."
        ) from error
