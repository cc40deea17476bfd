"""Reads JSON and JSON Lines as a reader would write them down: lines "path: value" under headings, and tables.

Members that hold others become headings, down to three levels; what lies deeper is named by its path ("address.city").
An array of objects with the same members is a table with their names as its header. Numbers stay as they are written,
and of two members with one name both are read.

Not covered: what the members mean (a FHIR resource is another format), comments, trailing commas.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from retrieval.errors import DamagedFile, ParseLimit
from retrieval.parsing.cells import table_text
from retrieval.parsing.clean import clean, one_line
from retrieval.parsing.decode import decode
from retrieval.parsing.flow import Piece, paginate
from retrieval.parsing.types import BlockKind, ParsedPage

__all__ = ["read"]

_DEPTH: Final = 64  # levels of nesting; documents that people keep have under ten
_HEADINGS: Final = 3  # levels of headings
_SMALL: Final = 8  # lines up to which a member needs no heading
_LONG: Final = 300  # characters from which a text is a paragraph and no cell
_BLOCK: Final = 600  # characters of lines that are put into one block
_SHARED: Final = 0.5  # share of its columns that each row of a table fills, on the average
_ROWS: Final = 2  # objects that make a table
_COLUMNS: Final = 60
_NAMES: Final = ("title", "name", "id", "标题", "名称", "编号")
_NESTED: Final = "The file is nested more than 64 levels deep."


class _Object(tuple[tuple[str, Any], ...]):
    """An object as its members in order, so that none is lost to another of the same name."""

    __slots__ = ()


class _Literal(str):
    """A number, `true`, `false` or `null`, as it is written."""

    __slots__ = ()


def read(path: Path, *, max_pages: int) -> tuple[int, Iterator[ParsedPage]]:
    """Return the number of pages and the pages, which are cut as `retrieval.parsing.flow` says.

    Raises:
        DamagedFile: It is not JSON.
        ParseLimit: It is nested too deep.
    """
    return paginate(_joined(_of(_values(decode(path.read_bytes())))), max_pages=max_pages)


def _joined(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """Put short lines that follow each other into one block."""
    lines, size = list[str](), 0
    for piece in pieces:
        short = piece.kind is BlockKind.PARAGRAPH and len(piece.text) <= _LONG
        if lines and (not short or size > _BLOCK):
            yield Piece(BlockKind.PARAGRAPH, "\n".join(lines))
            lines, size = [], 0
        if short:
            lines.append(piece.text)
            size += len(piece.text)
        else:
            yield piece
    if lines:
        yield Piece(BlockKind.PARAGRAPH, "\n".join(lines))


def _values(text: str) -> Any:
    """Return the one value of a JSON file, or the values of the lines of a JSON Lines file."""
    try:
        return _value(text)
    except json.JSONDecodeError as error:
        lines = [line for line in text.split("\n") if line.strip()]
        if len(lines) < 2 or error.msg != "Extra data":
            raise _no_json() from error
    try:
        return [_value(line) for line in lines]
    except json.JSONDecodeError as error:
        raise _no_json() from error


def _value(text: str) -> Any:
    try:
        return json.loads(
            text,
            object_pairs_hook=_Object,
            parse_int=_Literal,
            parse_float=_Literal,
            parse_constant=_no_constant,
        )
    except RecursionError as error:
        raise _too_deep() from error


def _no_constant(name: str) -> NoReturn:
    raise json.JSONDecodeError(f"{name} is no JSON", name, 0)


def _of(value: Any, path: tuple[str, ...] = (), level: int = 1, depth: int = 0) -> Iterator[Piece]:
    """Yield what a value says; `path` names it below the last heading."""
    if depth > _DEPTH:
        raise _too_deep()
    if isinstance(value, _Object):
        yield from _object(value, path, level, depth)
    elif isinstance(value, list):
        yield from _array(value, path, level, depth)
    else:
        yield _leaf(path, _written(value))


def _object(value: _Object, path: tuple[str, ...], level: int, depth: int) -> Iterator[Piece]:
    """Yield the plain members first, then those that hold others, so that no plain one falls under their headings."""
    nested = list[tuple[str, Any]]()
    for name, member in value:
        if _is_small(member):
            yield from _of(member, (*path, name), level, depth + 1)
        else:
            nested.append((name, member))
    for name, member in nested:
        if level <= _HEADINGS:
            yield Piece(BlockKind.HEADING, one_line(".".join((*path, name))) or "-", level)
            yield from _of(member, (), level + 1, depth + 1)
        else:
            yield from _of(member, (*path, name), level, depth + 1)


def _array(value: list[Any], path: tuple[str, ...], level: int, depth: int) -> Iterator[Piece]:
    if all(_is_leaf(member) for member in value):
        texts = [_written(member) for member in value]
        if all(len(text) <= _LONG for text in texts):
            yield _leaf(path, ", ".join(filter(None, texts)))
        else:
            yield from (_leaf((*path, f"[{number}]"), text) for number, text in enumerate(texts, 1))
        return
    if _is_table(value):
        yield from _table(value, path)
        return
    for number, member in enumerate(value, 1):
        if level <= _HEADINGS and isinstance(member, _Object) and len(member) > 1:
            yield Piece(BlockKind.HEADING, _title(member) or ".".join((*path, f"[{number}]")), level)
            yield from _of(member, (), level + 1, depth + 1)
        else:
            yield from _of(member, (*path, f"[{number}]"), level, depth + 1)


def _is_table(value: Any) -> bool:
    """Say whether a value is an array of objects that share their members, all of them short and plain."""
    if not isinstance(value, list) or len(value) < _ROWS or not all(isinstance(row, _Object) for row in value):
        return False
    names = Counter[str]()
    for row in value:
        if not all(_is_cell(member) for _, member in row):
            return False
        names.update({name for name, _ in row})
        if len(names) > _COLUMNS:
            return False
    return bool(names) and names.total() >= _SHARED * len(names) * len(value)


def _is_cell(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_leaf(member) for member in value) and sum(len(_written(member)) for member in value) <= _LONG
    return _is_leaf(value) and len(_written(value)) <= _LONG


def _table(rows: Sequence[_Object], path: tuple[str, ...]) -> Iterator[Piece]:
    names = list(dict.fromkeys(name for row in rows for name, _ in row))
    cells = [names]
    for row in rows:
        members = dict[str, str]()
        for name, member in row:
            text = ", ".join(map(_written, member)) if isinstance(member, list) else _written(member)
            members[name] = f"{members[name]}, {text}" if name in members else text
        cells.append([members.get(name, "") for name in names])
    if path:
        yield Piece(BlockKind.PARAGRAPH, one_line(".".join(path)))
    yield Piece(BlockKind.TABLE, table_text(cells))


def _leaf(path: tuple[str, ...], text: str) -> Piece:
    lines = clean(text).strip()
    shown = lines if len(text) > _LONG else one_line(lines)
    name = one_line(".".join(path))
    return Piece(BlockKind.PARAGRAPH, f"{name}: {shown}" if name else shown)


def _is_leaf(value: Any) -> bool:
    return not isinstance(value, _Object | list)


def _is_small(value: Any) -> bool:
    """Say whether a value is read as a few lines: no array of objects is. A stack is used: nesting may be deep."""
    leaves, stack = 0, [value]
    while stack and leaves <= _SMALL:
        one = stack.pop()
        if isinstance(one, _Object):
            stack.extend(member for _, member in one[: _SMALL + 1])
        elif isinstance(one, list) and not all(_is_leaf(member) for member in one):
            return False
        leaves += not isinstance(one, _Object)  # an array of plain values is one line
    return leaves <= _SMALL


def _title(value: _Object) -> str:
    """Return what an object is called by one of its members, if it is short."""
    named = {name.lower(): member for name, member in reversed(value)}
    for name in _NAMES:
        text = one_line(_written(named[name])) if name in named and _is_leaf(named[name]) else ""
        if 0 < len(text) <= _LONG:
            return text
    return ""


def _written(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _no_json() -> DamagedFile:
    return DamagedFile("The file begins like JSON and then breaks its rules.", remedy="Check it with a JSON program.")


def _too_deep() -> ParseLimit:
    return ParseLimit(_NESTED, remedy="Add the part that is to be searched as a file of its own.")
