"""Reads a set of questions to databases: a folder with ``questions.jsonl`` and ``databases/NAME.sqlite``.

Each line is a JSON object: ``id``, ``db_id``, ``question`` (or ``question_zh``), ``gold_sql``, one accepted query or a
list of them. It may have ``instructions`` (what words mean in this database), ``unambiguous``, ``hardness`` or
``category`` (to report apart), and ``reference_now`` (the time at which the accepted queries hold).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from domains.sql.errors import QuestionsRefused
from retrieval.language import Language

__all__ = ["FILE", "Item", "read_questions"]

FILE: Final = "questions.jsonl"
_FIELD: Final[Mapping[Language, str]] = {"en": "question", "zh": "question_zh"}
_KINDS: Final = ("hardness", "category")
_REMEDY: Final = "Give the folder of a set of questions to databases; docs/sql.md has its form."


@dataclass(frozen=True, slots=True)
class Item:
    """A question with its database and the queries that answer it. `kind` is "" where the set names none."""

    id: str
    database: Path
    text: str
    accepted: tuple[str, ...]
    notes: str = ""
    kind: str = ""
    unambiguous: bool = True
    now: datetime | None = None


def read_questions(data: Path, language: Language) -> list[Item]:
    """Read all questions of a folder in one language.

    Raises:
        QuestionsRefused: there is no such file, a line breaks the form, a database is missing, or there is no question.
    """
    try:
        lines = (data / FILE).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise QuestionsRefused(f"{data.name} has no readable {FILE}.", remedy=_REMEDY) from error
    items = [_item(line, number, data / "databases", language) for number, line in enumerate(lines, start=1) if line]
    if not items:
        raise QuestionsRefused(f"{FILE} holds no question.", remedy=_REMEDY)
    return items


def _item(line: str, number: int, databases: Path, language: Language) -> Item:
    try:
        row: dict[str, Any] = json.loads(line)
        gold = row["gold_sql"]
        now = row.get("reference_now")
        item = Item(
            id=str(row["id"]),
            database=databases / f"{row['db_id']}.sqlite",
            text=str(row[_FIELD[language]]),
            accepted=(gold,) if isinstance(gold, str) else tuple(gold),
            notes=str(row.get("instructions") or ""),
            kind=next((str(row[name]) for name in _KINDS if row.get(name)), ""),
            unambiguous=bool(row.get("unambiguous", True)),
            now=datetime.fromisoformat(now) if now else None,
        )
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        lacking = f" (no {error})" if isinstance(error, KeyError) else ""
        raise QuestionsRefused(f"Line {number} of {FILE} is not of the form{lacking}.", remedy=_REMEDY) from error
    if not item.accepted or not all(isinstance(sql, str) for sql in item.accepted):
        raise QuestionsRefused(f"Line {number} of {FILE} has no accepted query.", remedy=_REMEDY)
    if not item.database.is_file():
        raise QuestionsRefused(f"Line {number} of {FILE}: there is no {item.database.name}.", remedy=_REMEDY)
    return item
