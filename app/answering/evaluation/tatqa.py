"""TAT-QA: questions over a table of a financial report and the paragraphs around it, with bare answers.

A folder of the set has files ``*.jsonl`` with one document a line: ``table``, ``paragraphs`` and ``questions``. The
table is one piece of evidence (Markdown), each paragraph another, all of one document. Documents are drawn whole, so
that the questions about one share its passages in the model's prefix cache; ``limit`` counts questions.

    em, f1    as `tatqa_metric` says; an answer that abstains is wrong
    em_TYPE   by type of answer: span, multi-span, arithmetic, count

The naive pipeline gets the same passages and writes sentences, so its reply counts by the kindest reading: the last
number or the whole reply.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.answering.evaluation.assistant import Assistant, each
from app.answering.evaluation.figures import Row, result
from app.answering.evaluation.tatqa_metric import exact, f1, predicted, reference
from app.answering.evaluation.told import told_of
from app.errors import BadRequest
from domains.contract import Style
from retrieval.metrics import mean
from retrieval.types import Evidence, EvidenceKind, Locator

__all__ = ["Item", "items_of", "markdown", "tatqa"]

_NAIVE: Final = 12
"""Questions that the naive pipeline answers too."""

_FIGURE: Final = re.compile(r"[-(]?\s?[$€£]?\d[\d,]*(?:\.\d+)?\)?\s?%?(?:\s(?:thousand|million|billion))?")


@dataclass(frozen=True, slots=True)
class Item:
    """One question with the evidence of its document."""

    id: str
    document: str
    question: str
    answer: object
    kind: str
    scale: str
    evidence: tuple[Evidence, ...]


def items_of(data: Path, *, limit: int | None, seed: int) -> list[Item]:
    """Read the questions of documents drawn with the seed, `limit` of them at most.

    Raises:
        BadRequest: the folder holds no file of the set, or one that is none.
    """
    try:
        documents = [
            json.loads(line)
            for path in sorted(data.glob("*.jsonl"))
            for line in path.read_text(encoding="utf-8").splitlines()
            if line.strip()
        ]
        random.Random(seed).shuffle(documents)  # noqa: S311 - a sample, not a secret
        items = [item for document in documents for item in _items(document)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadRequest(
            f"{data} holds a file that is none of TAT-QA.", remedy="Give a folder as data/README says."
        ) from error
    if not items:
        raise BadRequest(f"{data} holds no TAT-QA file.", remedy="Give a folder with dev.jsonl or test_gold.jsonl.")
    return items[:limit]


def markdown(rows: Sequence[Sequence[object]]) -> str:
    """Return a table as Markdown; its first row is the heading."""
    lines = ["| " + " | ".join(str(cell).replace("|", "/").strip() for cell in row) + " |" for row in rows]
    return "\n".join([*lines[:1], "|" + "---|" * (len(rows[0]) if rows else 0), *lines[1:]])


def tatqa(
    data: Path, *, assistant: Assistant, limit: int | None, seed: int, report: Callable[[str], None]
) -> Mapping[str, Any]:
    """Measure bare answers."""
    started = time.monotonic()
    items = items_of(data, limit=limit, seed=seed)

    async def ask(item: Item) -> Row:
        answer = await assistant.answer(item.question, item.evidence, language="en", style=Style.SHORT)
        figures = _figures(item, answer.short)
        told = told_of(answer) | {
            "question": item.question,
            "kind": item.kind,
            "gold": item.answer,
            "scale": item.scale,
        }
        return Row(item.id, figures | {f"em_{item.kind}": figures["em"]}, item.document, told)

    async def naive(item: Item) -> dict[str, float]:
        reply = await assistant.naive(item.question, [one.text for one in item.evidence])
        numbers = _FIGURE.findall(reply)
        readings = [_figures(item, reading) for reading in (reply, *(numbers[-1:] if numbers else ()))]
        return max(readings, key=lambda one: (one["em"], one["f1"]))

    rows = each(items, ask, report=report)
    plain = each(items[:_NAIVE], naive, report=report)
    return result(
        "tatqa",
        data.name,
        rows,
        started=started,
        seed=seed,
        settings={"drawn": "documents whole", "style": "short"},
        naive={"n": len(plain), **{name: round(mean([one[name] for one in plain]), 4) for name in ("em", "f1")}},
    )


def _figures(item: Item, short: str | None) -> dict[str, float]:
    found, wanted = predicted(short), reference(item.answer, item.scale)
    em = exact(found, wanted)
    return {"em": em, "f1": em if item.kind in ("arithmetic", "count") else max(em, f1(found, wanted))}


def _items(document: Mapping[str, Any]) -> list[Item]:
    uid = str(document["table"]["uid"])
    place = Locator(document_id=uid, document="report", page=1)
    paragraphs = sorted(document["paragraphs"], key=lambda one: int(one["order"]))
    evidence = (
        Evidence.of("1", markdown(document["table"]["table"]), place, kind=EvidenceKind.TABLE, passage_id=1, score=1.0),
        *(
            Evidence.of(str(number), str(one["text"]), place, passage_id=number, score=1.0 / number)
            for number, one in enumerate(paragraphs, 2)
        ),
    )
    return [
        Item(
            str(one["uid"]),
            uid,
            str(one["question"]),
            one["answer"],
            str(one["answer_type"]),
            str(one["scale"]),
            evidence,
        )
        for one in document["questions"]
    ]
