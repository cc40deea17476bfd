"""LegalBench: rules applied to facts, and legal texts told apart, without any document beside the text itself.

Guha et al., "LegalBench: A Collaboratively Built Benchmark for Measuring Legal Reasoning in Large Language Models"
(NeurIPS 2023). A folder of the set has ``items.jsonl`` with ``id``, ``task``, ``text`` and ``answer``.

    mean                        mean over the tasks that have classes of their balanced accuracy
    tasks                       that of each
    free_text_f1                word F1 of replies to tasks in free text (rule_qa), which stands outside the mean

A task has classes when few different answers make up all of its items. What it asks is said in a sentence of ours; a
task that is not known is asked by its name. The classes are chosen by the model (`choices.pick`), calibrated by the
same question without facts. What these tasks ask is judgement, not what a passage says: the assistant shows nothing.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from langchain_core.messages import HumanMessage

from app.answering.evaluation.assistant import Assistant, each
from app.answering.evaluation.choices import balanced_accuracy, bootstrapped, first_named, pick, rows_of
from app.answering.evaluation.figures import Row, drawn, result
from model.client import stream_text
from retrieval.lexical import tokenize

__all__ = ["legalbench", "word_f1"]

_DIVERSITY: Final = (
    "Diversity jurisdiction exists when no plaintiff is a citizen of the same state as any defendant and one"
    " plaintiff's claims against one defendant exceed $75,000. Is there diversity jurisdiction?"
)
ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "abercrombie": "How distinctive is the mark for these goods: generic (their name), descriptive (a quality of"
        " them), suggestive (hints at one), arbitrary (a word of other meaning) or fanciful (made up)?",
        "hearsay": "Hearsay is a statement made out of court, offered to prove that what it says is true. Conduct that"
        " states nothing is no hearsay. Is the evidence hearsay?",
        "overruling": "Does this sentence of a judgment overrule an earlier decision?",
        "personal_jurisdiction": "A court has personal jurisdiction over a defendant who lives in its state, or who has"
        " contacts with it out of which the claim arises. Has the court personal jurisdiction?",
        "proa": "Does this clause of a statute give private persons a right to sue?",
        **{f"diversity_{number}": _DIVERSITY for number in range(1, 7)},
    }
)
"""What a task asks, in our words."""

_MOST_CLASSES: Final = 8
_NAIVE: Final = 2
"""Items a task that are also asked for plainly."""

_WORDS: Final = 48
"""Tokens of a reply in free text."""


def legalbench(
    data: Path, *, assistant: Assistant, limit: int | None, seed: int, report: Callable[[str], object] = print
) -> dict[str, Any]:
    """Measure all tasks of a folder.

    Args:
        data: A folder of the set.
        assistant: Lends the model.
        limit: Most items, as many of each task; at least two of each.
        seed: Of the draw.
        report: Told of progress.

    Raises:
        BadRequest: the folder is not one of the set, or the model tells no probabilities.
        ModelError: from the model.
    """
    started = time.monotonic()
    every = rows_of(data / "items.jsonl", ("id", "task", "text", "answer"))
    tasks = {
        task: [row for row in every if row["task"] == task] for task in dict.fromkeys(row["task"] for row in every)
    }
    classes = {task: _classes(rows) for task, rows in tasks.items()}
    share = None if limit is None else max(2, limit // len(tasks))
    items = [row for rows in tasks.values() for row in drawn(rows, limit=share, seed=seed)]

    async def ask(item: Mapping[str, Any]) -> Row:
        labels = classes[item["task"]]
        told = {"task": item["task"], "gold": item["answer"]}
        if not labels:
            said = await _free(assistant, item["text"])
            return Row(item["id"], {"free_text_f1": word_f1(item["answer"], said)}, told=told | {"said": said})
        said = await pick(
            assistant, _question(item["task"], item["text"]), labels, empty=_question(item["task"], "N/A")
        )
        return Row(item["id"], {"accuracy": float(said == item["answer"])}, told=told | {"said": said})

    rows = each(items, ask, report=report)
    strata = {
        task: [(row.told["gold"], row.told["said"]) for row in rows if row.told["task"] == task]
        for task, labels in classes.items()
        if labels
    }
    figures = {task: balanced_accuracy(*zip(*pairs, strict=True)) for task, pairs in strata.items()}
    return result(
        "legalbench",
        data.name,
        rows,
        started=started,
        seed=seed,
        settings={"limit": limit, "asked": "the model, without documents"},
        metrics={"mean": sum(figures.values()) / len(figures)} if figures else {},
        edges={"mean": bootstrapped(balanced_accuracy, strata, seed=seed)} if figures else {},
        tasks={task: {"n": len(strata[task]), "balanced_accuracy": round(value, 4)} for task, value in figures.items()},
        naive=_naive(items, rows, classes, assistant, report),
    )


def word_f1(gold: str, said: str) -> float:
    """Return the F1 of the stemmed words of two texts, repeats counted."""
    one, other = Counter(tokenize(gold)), Counter(tokenize(said))
    common = sum((one & other).values())
    return 2 * common / (one.total() + other.total()) if common else 0.0


def _question(task: str, text: str) -> str:
    return f"{ASKED.get(task, task.replace('_', ' ') + '?')}\n{text}"


def _classes(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the answers of a task, sorted, or none where they are too many to be classes."""
    labels = sorted({str(row["answer"]) for row in rows})
    return labels if 2 <= len(labels) <= _MOST_CLASSES else []


async def _free(assistant: Assistant, text: str) -> str:
    prompt = HumanMessage(f"Answer in one short sentence.\n{text}")
    return "".join([piece async for piece in stream_text(assistant.chat, [prompt], max_tokens=_WORDS)])


def _naive(
    items: Sequence[Mapping[str, Any]],
    rows: Sequence[Row],
    classes: Mapping[str, Sequence[str]],
    assistant: Assistant,
    report: Callable[[str], object],
) -> dict[str, Any]:
    seen: Counter[str] = Counter()
    some: list[int] = []
    for place, item in enumerate(items):
        if classes[item["task"]] and seen[item["task"]] < _NAIVE:
            seen[item["task"]] += 1
            some.append(place)

    async def ask(place: int) -> float:
        item = items[place]
        labels = classes[item["task"]]
        prompt = f"{_question(item['task'], item['text'])}\nAnswer with one of: {', '.join(labels)}.\nAnswer:"
        reply = "".join([piece async for piece in stream_text(assistant.chat, [HumanMessage(prompt)], max_tokens=12)])
        return float(first_named(reply, labels) == item["answer"])

    report(f"{len(some)} answers as a tutorial asks for them")
    right = each(some, ask, report=report)
    ours = [rows[place].figures["accuracy"] for place in some]
    return {
        "n": len(some),
        "accuracy": round(sum(right) / len(right), 4) if right else 0.0,
        "ours_on_the_same": round(sum(ours) / len(ours), 4) if ours else 0.0,
    }
