"""`./vouch eval sql --data DIR` and `sql-zh`: how many questions to databases get the right rows.

The plain way, which everything later has to beat: the whole DDL in the prompt, no examples, one try, no repair. The
model that answers is the one that the settings name, ours or any other by its address, so that two engines answer the
same prompts (docs/sql.md).

The result carries, beside the form that all suites share, ``items``: each question with its reply, its statement and
what became of it. `rescored` makes a result of other rules out of them, without a model.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from langchain_core.language_models import BaseChatModel

from domains.sql.asking import AT_ONCE, Reply, ask
from domains.sql.errors import QuestionsRefused
from domains.sql.prompt import PROMPT, messages
from domains.sql.questions import Item, read_questions
from domains.sql.schema import Schema, read_schema
from domains.sql.scoring import Score, score
from retrieval.language import Language
from retrieval.metrics import interval, mean

__all__ = ["SUITES", "SqlSuite", "rescored"]

_INTERVALS: Final = "95 %, bootstrap of questions; those with the same accepted query are drawn together"

Report = Callable[[str], object]
Schemas = Mapping[Path, Schema]


@dataclass(frozen=True, slots=True)
class SqlSuite:
    """The suite of one language. Call it to run it."""

    name: str
    language: Language

    def __call__(
        self, data: Path, *, chat: BaseChatModel, limit: int | None = None, seed: int = 0, report: Report = print
    ) -> dict[str, Any]:
        """Ask, score and return the result of `./vouch eval`.

        Args:
            data: the set's folder.
            chat: the model.
            limit: most questions, drawn with the seed; None asks all.
            seed: of the draw and the intervals.
            report: hears how far it is.

        Raises:
            QuestionsRefused: the folder is not of the form.
            ModelError: the model fails; a prompt that is too long for it counts as a wrong answer instead.
        """
        started = time.monotonic()
        items = read_questions(data, self.language)
        if limit is not None and limit < len(items):
            items = random.Random(seed).sample(items, limit)  # noqa: S311 - a sample, not a secret
        schemas = _schemas(items)
        prompts = [messages(schemas[item.database], item.text, self.language, notes=item.notes) for item in items]
        groups = [item.database.stem for item in items]
        replies = asyncio.run(ask(chat, prompts, groups=groups, report=report))
        found = {
            "suite": self.name,
            "data": data.name,
            "n": len(items),
            **_scored(items, schemas, replies, seed=seed),
            "settings": {"seed": seed, "limit": limit, "language": self.language, "prompt": PROMPT, "at_once": AT_ONCE},
        }
        return found | {"seconds": round(time.monotonic() - started, 1)}


def rescored(data: Path, result: Mapping[str, Any]) -> dict[str, Any]:
    """Score the replies of an earlier result again, by the rules of today and without a model.

    Raises:
        QuestionsRefused: the folder is not of the form, or lacks a question of the result.
    """
    by_id = {item.id: item for item in read_questions(data, SUITES[result["suite"]].language)}
    rows = result["items"]
    if lacking := [row["id"] for row in rows if row["id"] not in by_id]:
        raise QuestionsRefused(
            f"{data.name} has no question {lacking[0]}.", remedy="Give the folder on which the result was made."
        )
    items = [by_id[row["id"]] for row in rows]
    replies = [Reply(row["reply"], row["seconds"]) for row in rows]
    return {**result, **_scored(items, _schemas(items), replies, seed=result["settings"]["seed"])}


def _schemas(items: Sequence[Item]) -> Schemas:
    return {path: read_schema(path) for path in {item.database for item in items}}


def _scored(items: Sequence[Item], schemas: Schemas, replies: Sequence[Reply], *, seed: int) -> dict[str, Any]:
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:  # each query runs in a process of its own
        scores = list(pool.map(lambda item, reply: score(item, schemas[item.database], reply.text), items, replies))
    metrics, intervals = _figures(items, scores, seed=seed)
    return {
        "metrics": metrics,
        "intervals": intervals,
        "intervals_are": _INTERVALS,
        "outcomes": dict(Counter(one.outcome for one in scores).most_common()),
        "kinds": _by_kind(items, scores),
        "items": [_row(*one) for one in zip(items, replies, scores, strict=True)],
    }


def _figures(
    items: Sequence[Item], scores: Sequence[Score], *, seed: int
) -> tuple[dict[str, float], dict[str, list[float]]]:
    ran = {"correct", "other_rows"}
    everything = list(zip(items, scores, strict=True))
    clear = [pair for pair in everything if pair[0].unambiguous]
    taken = {
        "execution_accuracy": [(item, one.outcome == "correct") for item, one in everything],
        "execution_accuracy_unambiguous": [(item, one.outcome == "correct") for item, one in clear],
        "execution_accuracy_subset": [(item, one.has_answer) for item, one in everything],
        "runs": [(item, one.outcome in ran) for item, one in everything],
    }
    metrics, intervals = {}, {}
    for name, pairs in taken.items():
        values = [float(value) for _, value in pairs]
        metrics[name] = round(mean(values), 4)
        low, high = interval(values, seed=seed, groups=[item.accepted for item, _ in pairs])
        intervals[name] = [round(low, 4), round(high, 4)]
    return metrics, intervals


def _by_kind(items: Sequence[Item], scores: Sequence[Score]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for kind in sorted({item.kind for item in items if item.kind}):
        values = [float(one.outcome == "correct") for item, one in zip(items, scores, strict=True) if item.kind == kind]
        found[kind] = {"n": len(values), "execution_accuracy": round(mean(values), 4)}
    return found


def _row(item: Item, reply: Reply, scored: Score) -> dict[str, Any]:
    return {
        "id": item.id,
        "database": item.database.stem,
        "question": item.text,
        "reply": reply.text,
        "sql": scored.sql,
        "outcome": scored.outcome,
        "detail": scored.detail,
        "has_answer": scored.has_answer,
        "seconds": reply.seconds,
    }


SUITES: Final[Mapping[str, SqlSuite]] = MappingProxyType(
    {suite.name: suite for suite in (SqlSuite("sql", "en"), SqlSuite("sql-zh", "zh"))}
)
"""Suites by name."""
