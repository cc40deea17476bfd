"""ConvFinQA: conversations about a page of a financial report, whose last question wants a computed figure.

Chen et al., "ConvFinQA: Exploring the Chain of Numerical Reasoning in Conversational Finance Question Answering" (EMNLP
2022).

A folder of the set has ``dev.jsonl`` with ``questions`` (the turns), ``text``, ``table`` and ``answer`` (of the last
turn). The earlier turns are the conversation's history, as questions without answers: their reference answers are not
given away. The table is one piece of evidence; of the text those pieces are kept that fit the turns, within `BUDGET`.

    accuracy    the bare answer's figure is the reference's, within 0.1 % or as it is printed; a per cent and its
                fraction are the same, since the reference writes 0.174 where a question asks for a per cent

The naive pipeline gets the same passages and all turns as one text; the last number of its reply counts.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from app.answering.checking.support import coverage, informative
from app.answering.checking.values import Value, ValueKind
from app.answering.evaluation.assistant import Assistant, each
from app.answering.evaluation.figures import Row, drawn, result
from app.answering.evaluation.numbers_agree import agree, figures
from app.answering.evaluation.told import told_of
from app.answering.prompt import estimate_tokens
from app.errors import BadRequest
from domains.contract import Style
from retrieval.metrics import mean
from retrieval.sentences import split_sentences
from retrieval.types import Evidence, EvidenceKind, Locator

__all__ = ["BUDGET", "Item", "convfinqa", "items_of"]

BUDGET: Final = 700
"""Tokens of the text beside the table."""

_NAIVE: Final = 6
_PIECE: Final = 400
_TWICE: Final = re.compile(r"^(-?\s?\$?\s?-?[\d.,]+\s?%?)\s*\(.*\)$")
"""A cell of the set writes a negative or a per cent twice: "-12 ( 12 )", "14.3% ( 14.3 % )"."""


@dataclass(frozen=True, slots=True)
class Item:
    """A conversation: its turns, the figure that the last one wants, and the page."""

    id: str
    turns: tuple[str, ...]
    answer: Decimal
    evidence: tuple[Evidence, ...]


def items_of(data: Path) -> list[Item]:
    """Read all conversations of a folder.

    Raises:
        BadRequest: there is no ``dev.jsonl``, or it is none of the set.
    """
    try:
        lines = (data / "dev.jsonl").read_text(encoding="utf-8").splitlines()
        return [_item(json.loads(line)) for line in lines if line.strip()]
    except (OSError, ValueError, KeyError, TypeError, ArithmeticError) as error:
        raise BadRequest(f"{data} holds no ConvFinQA dev.jsonl.", remedy="Give the folder of the set.") from error


def convfinqa(
    data: Path, *, assistant: Assistant, limit: int | None, seed: int, report: Callable[[str], None]
) -> Mapping[str, Any]:
    """Measure the answers to the last turns."""
    started = time.monotonic()
    items = drawn(items_of(data), limit=limit, seed=seed)

    async def ask(item: Item) -> Row:
        history = [(turn, "") for turn in item.turns[:-1]]
        answer = await assistant.answer(
            item.turns[-1], item.evidence, language="en", history=history, style=Style.SHORT
        )
        told = told_of(answer) | {"question": " / ".join(item.turns), "gold": str(item.answer)}
        return Row(item.id, {"accuracy": _right(item, answer.short or "")}, item.evidence[0].locator.document_id, told)

    async def naive(item: Item) -> float:
        return _right(item, await assistant.naive(" ".join(item.turns), [one.text for one in item.evidence]))

    rows = each(items, ask, report=report)
    plain = each(drawn(items, limit=_NAIVE, seed=seed), naive, report=report)
    return result(
        "convfinqa",
        data.name,
        rows,
        started=started,
        seed=seed,
        settings={"history": "earlier questions, without answers", "passage_tokens": BUDGET},
        naive={"n": len(plain), "accuracy": round(mean(plain), 4)},
    )


def _right(item: Item, text: str) -> float:
    """Say whether the last figure of a text is the wanted one; the reference has five decimals."""
    found = figures(text)[-1:]
    wanted = Value(ValueKind.NUMBER, str(item.answer), amount=item.answer)
    return float(any(_same(value, wanted) for value in found))


def _same(found: Value, wanted: Value) -> bool:
    if agree(found, wanted):
        return True
    bare = Value(ValueKind.NUMBER, found.text, amount=found.amount / _scale(found), unit=found.unit)
    return agree(bare, wanted)  # the reference counts in the page's scale: 35.8 for 35.8 million


def _scale(value: Value) -> Decimal:
    printed = re.search(r"\d[\d,]*(?:\.\d+)?", value.text)
    number = Decimal(printed[0].replace(",", "")) if printed else Decimal(0)
    return abs(value.amount) / number if value.scaled and number else Decimal(1)


def _item(line: Mapping[str, Any]) -> Item:
    identity = str(line["id"])
    turns = tuple(str(turn) for turn in line["questions"])
    page = identity.split("_", 1)[-1].split(".pdf")[0]
    place = Locator(document_id=page, document=page.replace("/", " "), page=1)
    table = "\n".join(" | ".join(_cell(cell) for cell in row.split("|")) for row in str(line["table"]).split("\n"))
    evidence = [Evidence.of("1", table, place, kind=EvidenceKind.TABLE, passage_id=1, score=1.0)]
    for number, piece in enumerate(_fitting(" ".join(turns), str(line["text"])), 2):
        evidence.append(Evidence.of(str(number), piece, place, passage_id=number, score=1.0 / number))
    return Item(identity, turns, Decimal(str(line["answer"])), tuple(evidence))


def _cell(text: str) -> str:
    match = _TWICE.match(text.strip())
    return match[1].strip() if match else text.strip()


def _fitting(asked: str, text: str) -> list[str]:
    """Return the pieces of a text that fit a question best, in the order of the text."""
    pieces: list[str] = []
    for start, end in split_sentences(text):
        if pieces and len(pieces[-1]) + end - start <= _PIECE:
            pieces[-1] += text[start:end]
        else:
            pieces.append(text[start:end])
    terms = informative(asked)
    ranked = sorted(range(len(pieces)), key=lambda at: -coverage(terms, [pieces[at]]))
    kept: list[int] = []
    left = BUDGET
    for at in ranked:
        left -= estimate_tokens(pieces[at])
        if left < 0:
            break
        kept.append(at)
    return [pieces[at].strip() for at in sorted(kept) if pieces[at].strip()]
