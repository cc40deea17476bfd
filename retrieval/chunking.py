"""Cuts a parsed document into passages that follow its structure.

Whole blocks are packed until a passage has about `words` words. A heading opens a new passage unless the one before is
still small; a table stays whole if it fits and is cut between rows if not; a long paragraph is cut between sentences.
No passage crosses a page, because a citation names one. On a page without headings, the titles at its top take their
place, after those of the pages before.

Length is counted in words of English; Chinese has no spaces, and 1.6 ideographs count as one word.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from retrieval.language import CJK, language_of
from retrieval.parsing.types import Block, BlockKind, ParsedDocument, ParsedPage
from retrieval.sentences import split_sentences
from retrieval.titles import page_titles
from retrieval.types import Box

__all__ = ["Chunk", "chunk"]

_IDEOGRAPHS: Final = 1.6  # that say about as much as one English word
_LETTERS: Final = 10  # a longer word counts as several, so that text without spaces cannot become one huge passage
_STRETCH: Final = 1.25  # a block may pass the wanted length by this much before it is cut
_SMALL: Final = 0.25  # share of the wanted length below which a passage is joined to its neighbour
_MERGED: Final = 1.5  # longest passage that joining may make, as a share of the wanted length
_HEADER: Final = 0.5  # longest header row that is repeated, as a share of the wanted length


class Chunk(BaseModel):
    """A passage before it has an identity.

    `page_text[start:end]` is the passage as it stands on its page, and `text` is equal to it or ends with it: a part of
    a table that was cut is preceded in `text` by the header row of that table and a line feed, since numbers say
    nothing without it. `boxes` are those of the lines of the passage, with that of the repeated header row first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    page: int = Field(ge=1)
    start: int = Field(ge=0)
    end: int = Field(ge=0)
    boxes: tuple[Box, ...]
    headings: tuple[str, ...] = Field(description="Heading path, outermost first, with the passage's own heading.")
    language: str = Field(description="'zh' or 'en'.")


@dataclass(frozen=True, slots=True)
class _Part:
    """A piece of a block that is not cut further; `header` is a table's first row when the part lacks it."""

    start: int
    end: int
    size: float
    block: Block
    headings: tuple[str, ...]
    header: tuple[int, int] | None = None


def chunk(document: ParsedDocument, *, words: int = 160) -> list[Chunk]:
    """Cut a document into passages of about `words` words.

    Every character that is not white space lies in exactly one passage's span. The heading path is carried from page
    to page.

    Raises:
        ValueError: `words` is less than one.
    """
    if words < 1:
        raise ValueError(f"words is {words}, expected at least 1")
    chunks, path = list[Chunk](), list[tuple[int, str]]()
    titles = page_titles(document.pages)
    for page in document.pages:
        groups = _pack(_parts(page, path, words, titles=titles.get(page.number, ())), words)
        chunks.extend(_chunk(page, group) for group in _merge_small(groups, words))
    return chunks


def _size(text: str) -> float:
    """Return the length of a text in words."""
    ideographs = len(CJK.findall(text))
    rest = (CJK.sub(" ", text) if ideographs else text).split()
    return ideographs / _IDEOGRAPHS + len(rest) + sum(len(word) / _LETTERS - 1 for word in rest if len(word) > _LETTERS)


def _parts(page: ParsedPage, path: list[tuple[int, str]], words: int, *, titles: tuple[str, ...]) -> Iterator[_Part]:
    """Yield the parts of a page; `path` is the heading path, changed on the way."""
    for block in page.blocks:
        text = page.text[block.start : block.end]
        if block.kind is BlockKind.HEADING:
            while path and path[-1][0] >= block.level:
                path.pop()
            path.append((block.level, " ".join(text.split())))
        headings = (*(heading for _, heading in path), *titles)
        size = _size(text)
        if size <= words * _STRETCH:
            yield _Part(block.start, block.end, size, block, headings)
        elif block.kind is BlockKind.TABLE:
            yield from _rows(page, block, headings, words)
        else:
            sentences = [(block.start + start, block.start + end) for start, end in split_sentences(text)]
            yield from _balanced(page, block, headings, sentences, words)


def _balanced(
    page: ParsedPage, block: Block, headings: tuple[str, ...], spans: Iterable[tuple[int, int]], words: int
) -> Iterator[_Part]:
    """Join neighbouring spans to parts of about equal size, none over `words` if its spans allow."""
    pieces = [piece for span in spans for piece in _fitting(page.text, span, words)]
    total = sum(size for _, _, size in pieces)
    wanted = total / max(1, math.ceil(total / words))
    start, end, size = -1, -1, 0.0
    for first, last, more in pieces:
        if start >= 0 and (size + more > words or size >= wanted):
            yield _Part(start, end, size, block, headings)
            start, size = -1, 0.0
        start = first if start < 0 else start
        end, size = last, size + more
    if start >= 0:
        yield _Part(start, end, size, block, headings)


def _fitting(text: str, span: tuple[int, int], words: int) -> Iterator[tuple[int, int, float]]:
    """Cut a span that is too long by itself, between words if it has any and anywhere if not."""
    start, end = span
    size = _size(text[start:end])
    if size <= words * _STRETCH:
        yield start, end, size
        return
    at = start
    while at < end:
        cut = _cut(text, at, end, words)
        yield at, cut, _size(text[at:cut])
        at = cut
        while at < end and text[at].isspace():
            at += 1


def _cut(text: str, start: int, end: int, words: int) -> int:
    """Return where a piece of at most `words` words that begins at `start` ends."""
    low, high = start + 1, min(end, start + words * _LETTERS)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _size(text[start:middle]) <= words else (low, middle - 1)
    if low >= end:
        return end
    for mark in range(low, start + (low - start) // 2, -1):
        if text[mark].isspace() or text[mark - 1] in ",;，；、":
            return mark
    return low


def _rows(page: ParsedPage, block: Block, headings: tuple[str, ...], words: int) -> Iterator[_Part]:
    """Cut a table between its rows; every part but the first carries the header row."""
    rows, at = list[tuple[int, int]](), block.start
    for line in page.text[block.start : block.end].split("\n"):
        if line.strip():
            rows.append((at, at + len(line)))
        at += len(line) + 1
    header = rows[0]
    header_size = _size(page.text[slice(*header)])
    if header_size > words * _HEADER or len(rows) == 1:
        yield from _balanced(page, block, headings, rows, words)
        return
    room = max(1, int(words - header_size))
    for part in _balanced(page, block, headings, rows, room):
        repeated = None if part.start == block.start else header
        yield _Part(part.start, part.end, part.size, block, headings, repeated)


def _pack(parts: Iterable[_Part], words: int) -> Iterator[list[_Part]]:
    group, size = list[_Part](), 0.0
    for part in parts:
        opens = part.block.kind is BlockKind.HEADING and size >= words * _SMALL and not _only_headings(group)
        if group and (size + part.size > words or opens or part.header is not None):
            trailing = _trailing_headings(group) if part.header is None else 0
            kept = group[len(group) - trailing :]
            yield group[: len(group) - trailing]
            group, size = kept, sum(one.size for one in kept)
        group.append(part)
        size += part.size
    if group:
        yield group


def _only_headings(group: Sequence[_Part]) -> bool:
    return all(part.block.kind is BlockKind.HEADING for part in group)


def _trailing_headings(group: Sequence[_Part]) -> int:
    """Count the headings at the end of a group, which belong to what follows; 0 if it is nothing else."""
    count = 0
    while count < len(group) and group[-1 - count].block.kind is BlockKind.HEADING:
        count += 1
    return 0 if count == len(group) else count


def _merge_small(groups: Iterable[list[_Part]], words: int) -> list[list[_Part]]:
    """Join a group that is too small to its neighbour on the page, where the two stay short enough."""
    merged = list[list[_Part]]()
    for group in groups:
        if merged and group[0].header is None and _joinable(merged[-1], group, words):
            merged[-1] = [*merged[-1], *group]
        else:
            merged.append(group)
    return merged


def _joinable(above: list[_Part], below: list[_Part], words: int) -> bool:
    sizes = [sum(part.size for part in group) for group in (above, below)]
    return min(sizes) < words * _SMALL and sum(sizes) <= words * _MERGED


def _chunk(page: ParsedPage, group: Sequence[_Part]) -> Chunk:
    start, end = group[0].start, group[-1].end
    text = page.text[start:end]
    boxes = [box for part in group for box in _boxes(part.block, part.start, part.end)]
    if (header := group[0].header) is not None:
        text = f"{page.text[slice(*header)]}\n{text}"
        boxes = [*_boxes(group[0].block, *header), *boxes]
    body = next((part for part in group if part.block.kind is not BlockKind.HEADING), group[0])
    return Chunk(
        text=text,
        page=page.number,
        start=start,
        end=end,
        boxes=tuple(dict.fromkeys(boxes)),  # two parts may share a line
        headings=body.headings,
        language=language_of(text),
    )


def _boxes(block: Block, start: int, end: int) -> Iterator[Box]:
    """Yield the boxes of the lines of a block that reach into a span of its page."""
    if not block.boxes:  # a format without positions
        return
    ends = (*block.lines, block.end)[1:]
    for line, line_end, box in zip(block.lines, ends, block.boxes, strict=True):
        if line < end and line_end > start:
            yield box
