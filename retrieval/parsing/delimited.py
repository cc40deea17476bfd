"""Reads CSV and its kin: rows of cells between commas, semicolons, tabs or bars, as tables with their header.

The delimiter is the one that cuts the first rows into the most equal numbers of cells, quotes considered. Rows may
differ in length; rows with a single cell above the table are its caption, as in a sheet.

Not covered: other quotes than ", comments, columns of fixed width, numbers and dates in the form of another country
(they stay as they are written).
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from retrieval.parsing.cells import tables
from retrieval.parsing.clean import clean
from retrieval.parsing.decode import decode
from retrieval.parsing.flow import PAGE_CHARS, Piece, paginate, too_many_pages
from retrieval.parsing.types import ParsedPage

__all__ = ["read"]

_DELIMITERS: Final = ",;\t|"
_SAMPLE: Final = 1 << 16  # characters by which the delimiter is told
_SAMPLED: Final = 50  # rows
_SEPARATOR: Final = "sep="  # how a spreadsheet program is told the delimiter


def read(path: Path, *, max_pages: int) -> tuple[int, Iterator[ParsedPage]]:
    """Return the number of pages and the pages, which are cut as `retrieval.parsing.flow` says.

    Raises:
        DamagedFile: The text is in no known encoding.
        TooManyPages: There are more than `max_pages` pages of 3,000 characters.
    """
    text = clean(decode(path.read_bytes()))
    delimiter = None
    if text[: len(_SEPARATOR)].lower() == _SEPARATOR:
        line, _, text = text.partition("\n")
        delimiter = line[len(_SEPARATOR) :].strip("\r\n \"'") or "\t"
    if delimiter is None or len(delimiter) != 1:
        delimiter = _delimiter(text[:_SAMPLE])
    csv.field_size_limit(max(len(text), 1))  # the text is in memory already
    return paginate(_pieces(text, delimiter, max_pages=max_pages), max_pages=max_pages)


def _pieces(text: str, delimiter: str, *, max_pages: int) -> Iterator[Piece]:
    rows, size = list[list[str]](), 0
    for row in csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True):
        rows.append(row)
        size += sum(map(len, row)) + 1
        if size > max_pages * PAGE_CHARS:
            raise too_many_pages(max_pages)
    yield from tables(rows, level=1)


def _delimiter(sample: str) -> str:
    """Return the delimiter that makes the rows of a sample most alike; a comma if none makes any."""
    return max(_DELIMITERS, key=lambda delimiter: (_fit(sample, delimiter), delimiter == ","))


def _fit(sample: str, delimiter: str) -> float:
    """Return the share of rows that have the commonest number of cells, weighed by that number; 0 if it is one."""
    csv.field_size_limit(len(sample) + 1)
    rows = csv.reader(io.StringIO(sample), delimiter=delimiter, skipinitialspace=True)
    lengths = [len(row) for _, row in zip(range(_SAMPLED), rows, strict=False) if row]
    if not lengths:
        return 0.0
    ((width, count),) = Counter(lengths).most_common(1)
    return 0.0 if width < 2 else count / len(lengths) * (2 - 1 / width)
