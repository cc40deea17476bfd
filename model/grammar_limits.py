"""How large a grammar may be that constrains a reply: regular expression, EBNF grammar, JSON schema, list of choices.

A grammar is compiled before the first token, in the engine's process and for every token of the vocabulary; what is
small to write can be large to compile (``((a{1000}){1000}){1000}``) or never end, and the whole engine waits
(CVE-2025-48956, CVE-2026-105757). So besides the length, what multiplies is bounded: repetitions, one inside the other,
and nesting.

Not covered: a grammar within all bounds that still compiles slowly. Each bound is far below what hurt where it was
tried, and far above what a table's schema or an answer's form needs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from model.request_checks import Check, LimitExceeded, boolean, in_list, text

__all__ = ["REPETITIONS", "response_format", "structured_outputs"]

REGEX_CHARACTERS: Final = 2_000
GRAMMAR_CHARACTERS: Final = 65_536
"""A grammar of SQL with the names of a hundred tables has some 30,000."""
SCHEMA_CHARACTERS: Final = 32_768
DEPTH: Final = 16
"""Levels of a JSON schema, and of brackets in a regular expression or grammar."""
REPETITIONS: Final = 4_096
"""Most copies that the bounds of repetitions may ask for, those inside each other multiplied."""
CHOICES: Final = 1_000
_BOUNDS: Final = re.compile(r"\{\s*+(\d*+)\s*+(?:,\s*+(\d*+)\s*+)?\}")
_LITERAL: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"')
"""Quoted text of a grammar; its brackets are no brackets."""
_COUNTS: Final = frozenset(
    {"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains", "maxContains"}
)


def structured_outputs(name: str, value: Any) -> None:
    """Check vLLM's ``structured_outputs``: one constraint and how to read it."""
    checks: Mapping[str, Check] = {
        "json": _schema,
        "regex": _regex,
        "choice": in_list(CHOICES, text(1_024)),
        "grammar": _grammar,
        "json_object": boolean,
        "disable_any_whitespace": boolean,
        "disable_additional_properties": boolean,
        "whitespace_pattern": text(64),
    }
    _fields(name, value, checks)


def response_format(name: str, value: Any) -> None:
    """Check OpenAI's ``response_format``: text, a JSON object, or one of a schema."""
    kind = value.get("type") if isinstance(value, Mapping) else None
    if kind not in ("text", "json_object", "json_schema"):
        raise LimitExceeded(
            name, f"{name}.type is not taken here.", "Use text, json_object, json_schema, or structured_outputs."
        )
    described: Mapping[str, Check] = {
        "name": text(64),
        "description": text(1_024),
        "schema": _schema,
        "strict": boolean,
    }

    def inner(where: str, given: Any) -> None:
        _fields(where, given, described)

    _fields(name, value, {"type": text(16), "json_schema": inner})


def _fields(name: str, value: Any, checks: Mapping[str, Check]) -> None:
    if not isinstance(value, Mapping):
        raise LimitExceeded(name, f"{name} is no object.", "Give an object.")
    for key, item in value.items():
        if key not in checks:
            raise LimitExceeded(f"{name}.{key}", f"This part of {name} is not taken here.", f"Use {', '.join(checks)}.")
        if item is not None:
            checks[key](f"{name}.{key}", item)


def _regex(name: str, value: Any) -> None:
    text(REGEX_CHARACTERS)(name, value)
    _nesting(name, value)


def _grammar(name: str, value: Any) -> None:
    text(GRAMMAR_CHARACTERS)(name, value)
    _nesting(name, _LITERAL.sub("''", value))


def _nesting(name: str, value: str) -> None:
    """Refuse brackets too deep, and bounds of repetitions whose product, over groups inside each other, is too large.

    A group may be repeated after it is closed, so the copies of what is inside are known only there: the largest
    product within each open group is kept, and multiplied when the group's own bound is read.
    """
    opened: list[int] = [1]
    closed = 1  # copies within what has just been read: an atom, or the group that has just been closed
    at = 0
    while at < len(value):
        bound = _BOUNDS.match(value, at) if value[at] == "{" else None
        if bound:
            closed *= max([1, *(int(number[:9]) for number in bound.groups() if number)])
            at = bound.end()
        elif value[at] == "(":
            opened.append(1)
            closed, at = 1, at + 1
        elif value[at] == ")" and len(opened) > 1:
            closed, at = opened.pop(), at + 1
        else:
            closed, at = 1, at + (2 if value[at] == "\\" else 1)
        opened[-1] = max(opened[-1], closed)
        if len(opened) > DEPTH or closed > REPETITIONS:
            raise LimitExceeded(
                name,
                f"{name} is nested deeper than {DEPTH} brackets, or repeats more than {REPETITIONS} times.",
                "Write smaller bounds, or check the reply afterwards.",
            )


def _schema(name: str, value: Any) -> None:
    if isinstance(value, str):
        text(SCHEMA_CHARACTERS)(name, value)
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise LimitExceeded(name, f"{name} is no JSON.", "Give a JSON schema.") from None
    if not isinstance(value, Mapping):
        raise LimitExceeded(name, f"{name} is no JSON schema.", "Give an object.")
    for depth, key, item in _walk(value):
        if depth > DEPTH:
            raise LimitExceeded(name, f"{name} is nested deeper than {DEPTH} levels.", "Make the schema flatter.")
        if key == "pattern" and isinstance(item, str):
            _regex(f"{name}.pattern", item)
        elif key in _COUNTS and isinstance(item, int | float) and item > REPETITIONS:
            raise LimitExceeded(name, f"{name}.{key} is {item}; at most {REPETITIONS}.", "Ask for less.")
        elif key == "$ref" and not (isinstance(item, str) and item.startswith("#")):
            raise LimitExceeded(name, f"{name} refers to something outside itself.", "Put it under $defs.")
    if len(json.dumps(value, ensure_ascii=False)) > SCHEMA_CHARACTERS:
        raise LimitExceeded(
            name, f"{name} has more than {SCHEMA_CHARACTERS} characters.", "Describe less of the reply."
        )


def _walk(value: Any, depth: int = 1) -> Iterator[tuple[int, str, Any]]:
    """Yield depth, key and value of everything in a schema; the depth is bounded by whoever stops."""
    for key, item in value.items() if isinstance(value, Mapping) else (("", item) for item in value):
        yield depth, key, item
        if isinstance(item, Mapping | list):
            yield from _walk(item, depth + 1)
