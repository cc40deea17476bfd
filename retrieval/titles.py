"""What a page is called, by the lines at its top: for pages on which the parser recognised no heading.

"CONSOLIDATED BALANCE SHEETS, (In thousands)" stands once on a page, above a table of sixty rows. A passage from the
middle of that table says neither, so neither words nor meaning lead to it. Such lines are short, capitalised where the
language has capitals, and stand above the first sentence or row of figures; what stands at the top of many pages is the
running header of the document and says nothing about this one.

Not covered: titles in the middle of a page, titles in lower case, and documents of fewer than three pages, where a
running header cannot be told from a title.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from retrieval.language import CJK
from retrieval.parsing.page_text import CELL
from retrieval.parsing.types import BlockKind, ParsedPage

__all__ = ["lines_of", "page_titles"]

_FEWEST: Final = 3  # pages
_TOP: Final = 4  # lines in which a running header stands
_SCANNED: Final = 8  # lines in which titles are looked for
_MOST: Final = 3  # title lines of a page
_RUNNING: Final = 0.05  # share of the pages from which on a line is a running header
_RUNNING_LEAST: Final = 4  # pages: a statement may go on over three
_WORDS: Final = 12
_IDEOGRAPHS: Final = 30
_CAPITAL: Final = 0.7  # share of the words of four letters and more

_NUMBER: Final = re.compile(r"\d[\d,.]*")
_WORD: Final = re.compile(r"[^\W\d_]+")
_UNIT: Final = re.compile(r"[(（].*[)）]")
_RUNS_ON: Final = re.compile(r"[,;:，；：、。]$")


def page_titles(pages: Sequence[ParsedPage]) -> dict[int, tuple[str, ...]]:
    """Return the title lines of the pages that have any, by page number, in the order in which they stand."""
    if len(pages) < _FEWEST:
        return {}
    tops = {page.number: _lines(page, _SCANNED) for page in pages}
    seen = Counter(key for lines in tops.values() for key in {_key(line) for line in lines[:_TOP]})
    border = max(_RUNNING_LEAST, _RUNNING * len(pages))
    running = {key for key, count in seen.items() if count >= border}
    found = {}
    for page in pages:
        titled = any(block.kind is BlockKind.HEADING for block in page.blocks)
        if not titled and (titles := tuple(_titles(tops[page.number], running))):
            found[page.number] = titles
    return found


def lines_of(page: ParsedPage, *, length: int) -> str:
    """Return the text of a page, up to about a length, with the lines that it has on paper.

    A parser joins the lines of a paragraph to running text, and says where each began.
    """
    pieces, at = list[str](), 0
    for block in page.blocks:
        if at >= length:
            break
        for start in (*block.lines, block.end):
            pieces.append(page.text[at:start].rstrip(" "))
            at = start
    pieces.append(page.text[at:length])
    return "\n".join(pieces)


def _lines(page: ParsedPage, most: int) -> list[str]:
    lines = (line.strip() for line in lines_of(page, length=most * 400)[: most * 400].split("\n"))
    return [line for line in lines if line][:most]


def _key(line: str) -> str:
    """Return a line without its numbers, so that a header with the page's number is the same on each page."""
    return " ".join(_WORD.findall(line.lower()))


def _titles(lines: Sequence[str], running: set[str]) -> Iterator[str]:
    count = 0
    for line in lines:
        key = _key(line)
        if not key or key in running:
            continue
        if count == _MOST or not (_is_title(line) or (count and _is_unit(line))):
            return
        count += 1
        yield line.replace(CELL, " ")


def _is_unit(line: str) -> bool:
    return _UNIT.fullmatch(line) is not None and len(line.split()) <= _WORDS


def _is_title(line: str) -> bool:
    if _RUNS_ON.search(line) or len(_NUMBER.findall(line)) > 2:
        return False
    if ideographs := len(CJK.findall(line)):
        return ideographs <= _IDEOGRAPHS and "。" not in line
    words: list[str] = _WORD.findall(line)
    if not words or len(line.split()) > _WORDS or max(map(len, words)) < 4:
        return False
    long = [word for word in words if len(word) > 3]
    return sum(word[0].isupper() for word in long) >= _CAPITAL * len(long)
