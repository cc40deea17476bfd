"""The way for a bare answer (`Style.SHORT`) that is copied: words of the evidence, letter by letter, with their place.

A figure that the question names by row and period is read from its table without a model (`reckoning.reading`). Else
the model quotes; what it "quotes" without its standing in a passage is dropped, and if nothing is left, nothing is
said and the question goes on to the next way. Several answers are a JSON list. The claim beside the bare answer is
the sentence or the cell that the words stand in, so that it can be checked like any other.

A figure of a table gets the scale that its table declares ("2,100 thousand"), since it means nothing without it.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar, Final

from app.answering.drafters.contract import Piece, Short, Task
from app.answering.reckoning.asking import for_words
from app.answering.reckoning.reading import read
from app.answering.reckoning.statement import scaled_text
from app.answering.reckoning.tables import Cell, is_percent, tables_of
from app.answering.reckoning.wanted import Operation, wanted
from domains.contract import Style
from model.client import stream_text
from retrieval.language import Language
from retrieval.sentences import split_sentences
from retrieval.types import Evidence

__all__ = ["Bare"]

_ENOUGH: Final = 1_500
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.){1,600})"|“([^”]{1,600})”')
_CITE: Final = re.compile(r"\]\s*[\[【]\s*(\d{1,2})\s*[\]】]\s*$")
_SPACES: Final = re.compile(r"\s+")
_TAIL: Final = re.compile(r"[\s.,;:。，；：]+$")
_STOPS: Final = re.compile(r"[.!?。！？](?=\s|$)|[\[\]【】\n]")
_MOST: Final = 12
"""Most answers of a list."""
_READ: Final = frozenset({Operation.LOOKUP, Operation.MOST, Operation.LEAST})


@dataclass(frozen=True, slots=True)
class _Words:
    """Words of the evidence: as they are shown, and the sentence or cell that carries them."""

    shown: str
    claim: str
    cite: str


class Bare:
    """Suits questions that want a bare answer and name no choices."""

    name: ClassVar[str] = "bare"

    def suits(self, task: Task) -> bool:
        """Say whether a bare answer is wanted and there is something to copy from."""
        return task.question.style is Style.SHORT and not task.question.choices and bool(task.evidence)

    async def draft(self, task: Task) -> AsyncGenerator[Piece, None]:
        """Yield the bare answer and the claims that carry it, or nothing."""
        found = _read(task) or _located(await _quoted(task), task)
        if not found:
            return
        shown = list(dict.fromkeys(words.shown for words in found if words.shown))
        yield Short(shown[0] if len(shown) == 1 else json.dumps(shown, ensure_ascii=False))
        for claim, cite in dict.fromkeys((words.claim, words.cite) for words in found):
            yield f"{claim} [{cite}]\n"


def _read(task: Task) -> list[_Words]:
    """Return what the question's words and the tables leave no choice about."""
    tables = [table for item in task.evidence for table in tables_of(item, task.evidence)]
    plan = read(wanted(task.asked), tables)
    if plan is None or plan.operation not in _READ:
        return []
    language = task.question.language
    if plan.operation is Operation.LOOKUP:
        return [_Words(_cell_text(cell, language), _cell_claim([cell], language), cell.cite) for cell in plan.cells]
    year = str(min(plan.cells[0].years))
    return [_Words(year, _cell_claim(plan.cells, language), plan.cells[0].cite)]


async def _quoted(task: Task) -> str:
    reply = ""
    async for delta in stream_text(task.chat, for_words(task.asked, task.evidence, task.question.language)):
        reply += delta
        if len(reply) > _ENOUGH:
            break
    return reply


def _located(reply: str, task: Task) -> list[_Words]:
    """Return the quotations of a reply that stand in the evidence; one that does not makes the whole reply useless."""
    cite = _CITE.search(reply.strip())
    first = cite[1] if cite else ""
    ordered = sorted(task.evidence, key=lambda item: item.id != first)
    found: list[_Words] = []
    for match in list(_QUOTED.finditer(reply))[:_MOST]:
        words = _where(_TAIL.sub("", match[1] or match[2]), ordered, task)
        if words is None:
            return []
        found.append(words)
    return found


def _where(text: str, ordered: Sequence[Evidence], task: Task) -> _Words | None:
    wanted_text = _plain(text)
    if not wanted_text:
        return None
    language = task.question.language
    for item in ordered:
        if wanted_text not in _plain(item.text):
            continue
        cells = [
            cell for table in tables_of(item, task.evidence) for cell in table.cells if _plain(cell.text) == wanted_text
        ]
        if cells:
            return _Words(_cell_text(cells[0], language), _cell_claim(cells[:1], language), item.id)
        for start, end in split_sentences(item.text):
            sentence = item.text[start:end]
            if wanted_text in _plain(sentence) and "|" not in sentence:
                return _Words(text, _one_line(sentence), item.id)
        return _Words(text, _heading_claim(text, language), item.id)
    return None


def _cell_text(cell: Cell, language: Language) -> str:
    if is_percent(cell) and "%" not in cell.text:
        return f"{cell.text}%"
    return scaled_text(cell.text, Decimal(1) if is_percent(cell) else cell.scale, language)


def _cell_claim(cells: Sequence[Cell], language: Language) -> str:
    row = _one_line(cells[0].row or cells[0].section)
    figures = [f"{_one_line(cell.column)} = {cell.text}" if cell.column else cell.text for cell in cells]
    return f"{row}: {', '.join(figures)}." if language == "en" else f"{row}：{'，'.join(figures)}。"


def _heading_claim(text: str, language: Language) -> str:
    return f"The table lists {_one_line(text)}." if language == "en" else f"表中列有{_one_line(text)}。"


def _one_line(text: str) -> str:
    """Return a text on one line, without marks that would cut it into several claims, but with its last full stop."""
    body = text.strip()
    last = body[-1:] if body[-1:] in ".!?。！？" else ""
    return _SPACES.sub(" ", _STOPS.sub(" ", body)).strip() + last


def _plain(text: str) -> str:
    return _SPACES.sub("", text).casefold()
