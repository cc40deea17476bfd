"""MTRAG-UN: does the last turn of a conversation get an answer when there is one, and none when there is none?

Katsis et al., "MTRAG: A Multi-Turn Conversational Benchmark for Evaluating Retrieval-Augmented Generation Systems"
(2025), and its second edition with unanswerable, partial and underspecified turns. A folder of the set has
``tasks.jsonl`` or ``tasks.jsonl.gz``: ``input`` (turns), ``contexts``, ``answerability``, ``targets``, ``Collection``.

    abstain_unanswerable      turns without an answer, with their contexts as published, which for most is none at all
    answer_answerable         turns with an answer, with their contexts: something is shown
    abstain_searched          the first kind again, now with what a search over all passages of its collection finds:
                              passages on the subject that do not answer, which is what a user would have before them
    clarify_underspecified    turns that leave open what is meant: one question is asked back
    clarify_answerable        turns with an answer: one question is asked back all the same; less is better
    answer_partial, partial_says_missing
                              turns of which a part has an answer: something is shown; what is missing is said
    overlap                   F1 of the words that are shown and those of the target, of answered answerable turns
"""

from __future__ import annotations

import gzip
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import bm25s

from app.answering.abstain import is_refusal
from app.answering.evaluation.assistant import Assistant, each, evidence_of
from app.answering.evaluation.curve import Point, risk_coverage
from app.answering.evaluation.figures import Row, drawn, result
from app.answering.evaluation.naive import says_no
from app.answering.types import Answer
from app.errors import BadRequest
from retrieval.language import language_of
from retrieval.lexical import tokenize
from retrieval.metrics import mean

__all__ = ["Kind", "Task", "mtragun", "searched", "tasks_of"]

_SEARCHED: Final = 3
"""Passages that a search adds to a turn without an answer."""

_NAIVE: Final = 12
"""Turns of each kind that the naive pipeline answers."""


class Kind(StrEnum):
    """What can be done about a turn."""

    ANSWERABLE = "ANSWERABLE"
    PARTIAL = "PARTIAL"
    UNANSWERABLE = "UNANSWERABLE"
    UNDERSPECIFIED = "UNDERSPECIFIED"


@dataclass(frozen=True, slots=True)
class Task:
    """The last turn of a conversation.

    Attributes:
        history: Earlier exchanges, the first one first.
        contexts: Texts of the passages that come with it; may be none.
        searched: Whether these passages are not the set's but what a search found.
    """

    id: str
    conversation: str
    kind: Kind
    collection: str
    question: str
    history: tuple[tuple[str, str], ...]
    contexts: tuple[str, ...]
    target: str
    searched: bool = False


def tasks_of(data: Path) -> list[Task]:
    """Read all turns of a folder.

    Raises:
        BadRequest: the folder holds no file of the set, or one that is none.
    """
    path = next((data / name for name in ("tasks.jsonl", "tasks.jsonl.gz") if (data / name).is_file()), None)
    if path is None:
        raise BadRequest(f"{data} holds no MTRAG-UN file.", remedy="Give a folder with tasks.jsonl or tasks.jsonl.gz.")
    raw = path.read_bytes()
    try:
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
        return [_task(json.loads(line)) for line in text.splitlines() if line.strip()]
    except (OSError, EOFError, ValueError, KeyError, TypeError, IndexError) as error:
        raise BadRequest(
            f"{path} is not in MTRAG-UN's format.", remedy="Each line needs task_id, input, contexts and answerability."
        ) from error


def mtragun(
    data: Path, *, assistant: Assistant, limit: int | None, seed: int, report: Callable[[str], object] = print
) -> dict[str, Any]:
    """Measure who gets an answer, of the pipeline and of the naive one.

    Args:
        data: A folder of the set.
        assistant: Answers.
        limit: Most turns; those that are searched for again come on top.
        seed: Of the draws.
        report: Told of progress.

    Raises:
        BadRequest: the folder is not one of the set.
    """
    started = time.monotonic()
    everything = tasks_of(data)
    tasks = drawn(everything, limit=limit, seed=seed)
    tasks += searched([task for task in tasks if task.kind is Kind.UNANSWERABLE], everything)

    async def ask(task: Task) -> tuple[Row, Point | None]:
        answer = await assistant.answer(
            task.question, evidence_of(task.contexts), language=language_of(task.question), history=task.history
        )
        told = {"shown": answer.text, "reason": answer.reason, "confidence": answer.confidence}
        told["seconds"] = round(sum(answer.seconds.values()), 2)
        row = Row(task.id, _figures(task, answer), group=task.conversation, told=told)
        if task.kind not in (Kind.ANSWERABLE, Kind.UNANSWERABLE) or not task.contexts:
            return row, None
        wrong = task.kind is Kind.UNANSWERABLE
        return row, Point(answer.confidence or 0.0, wrong=wrong, shown=not answer.abstained)

    report(f"{len(tasks)} turns")
    found = each(tasks, ask, report=report)
    return result(
        "mtragun",
        data.name,
        [row for row, _ in found],
        started=started,
        seed=seed,
        settings={"passages_of_a_search": _SEARCHED},
        naive=_naive(tasks, assistant, report),
        risk_coverage=risk_coverage([point for _, point in found if point is not None]),
    )


def searched(tasks: Sequence[Task], everything: Sequence[Task], *, k: int = _SEARCHED) -> list[Task]:
    """Return the turns with the passages of their collection that BM25 finds for their words.

    The passages that come with any turn of the same conversation are left out: one of them may answer.
    """
    found: list[Task] = []
    for collection in dict.fromkeys(task.collection for task in tasks):
        texts = {
            text: task.conversation for task in everything if task.collection == collection for text in task.contexts
        }
        if not texts:
            continue
        index = bm25s.BM25()
        index.index([tokenize(text) for text in texts], show_progress=False)
        names = list(texts)
        for task in tasks:
            terms = tokenize(task.question)
            if task.collection != collection or not terms:
                continue
            order = index.get_scores(terms).argsort(kind="stable")[::-1]
            others = [names[place] for place in order if texts[names[place]] != task.conversation]
            found.append(
                Task(
                    f"{task.id} searched",
                    task.conversation,
                    task.kind,
                    collection,
                    task.question,
                    task.history,
                    tuple(others[:k]),
                    task.target,
                    searched=True,
                )
            )
    return found


def _figures(task: Task, answer: Answer) -> dict[str, float]:
    clarifies = float(answer.reason == "underspecified")
    match task.kind:
        case Kind.UNANSWERABLE:
            return {"abstain_searched" if task.searched else "abstain_unanswerable": float(answer.abstained)}
        case Kind.UNDERSPECIFIED:
            return {"clarify_underspecified": clarifies}
        case Kind.PARTIAL:
            shown = not answer.abstained
            return {"answer_partial": float(shown), "partial_says_missing": float(shown and bool(answer.missing))}
        case Kind.ANSWERABLE:
            figures = {"answer_answerable": float(not answer.abstained), "clarify_answerable": clarifies}
            return figures if answer.abstained else figures | {"overlap": _overlap(answer.text, task.target)}


def _overlap(text: str, target: str) -> float:
    """Return the F1 of the terms of two texts, each term as often as it stands there."""
    one, other = Counter(tokenize(text)), Counter(tokenize(target))
    shared = sum((one & other).values())
    return 2 * shared / (one.total() + other.total()) if shared else 0.0


def _naive(tasks: Sequence[Task], assistant: Assistant, report: Callable[[str], object]) -> dict[str, Any]:
    kinds = {
        "answer_answerable": [task for task in tasks if task.kind is Kind.ANSWERABLE],
        "abstain_unanswerable": [task for task in tasks if task.kind is Kind.UNANSWERABLE and not task.searched],
        "abstain_searched": [task for task in tasks if task.searched],
    }
    asks = [(name, task) for name, group in kinds.items() for task in group[:_NAIVE]]

    async def ask(one: tuple[str, Task]) -> tuple[str, float]:
        name, task = one
        text = await assistant.naive(task.question, task.contexts)
        declined = says_no(text) or is_refusal(text)
        return name, float(declined if name.startswith("abstain") else not declined)

    report(f"{len(asks)} answers of the naive pipeline")
    figures: dict[str, list[float]] = {}
    for name, figure in each(asks, ask, report=report):
        figures.setdefault(name, []).append(figure)
    return {
        "metrics": {name: round(mean(values), 4) for name, values in figures.items()},
        "counts": {name: len(values) for name, values in figures.items()},
    }


def _task(record: Mapping[str, Any]) -> Task:
    turns = record["input"]
    said = record["answerability"]
    history: list[tuple[str, str]] = []
    asked = ""
    for turn in turns[:-1]:
        if turn["speaker"] == "user":
            asked = turn["text"]
        else:
            history.append((asked, turn["text"]))
    return Task(
        id=record["task_id"],
        conversation=record["conversation_id"],
        kind=Kind(said if isinstance(said, str) else said[0]),
        collection=str(record.get("Collection", "")),
        question=turns[-1]["text"],
        history=tuple(history),
        contexts=tuple(context["text"] for context in record["contexts"]),
        target=" ".join(target["text"] for target in record.get("targets") or ()),
    )
