"""LawBench: Chinese law recited, articles and charges named from facts, zero-shot and without documents.

Fei et al., "LawBench: Benchmarking Legal Knowledge of Large Language Models" (2023). A folder of the set has
``task_<number>.jsonl`` files with ``id``, ``instruction``, ``question`` and ``answer``.

    recite (1-1)       ROUGE-L by characters of the article's text
    articles (3-1)     F1 over the set of article numbers of the criminal code
    charges (3-3)      F1 over the set of charges
    mean               mean of the tasks that the folder has

The published scorer cuts words with a segmenter before ROUGE-L; characters need none and give somewhat higher figures.
A task that is not known is scored as 1-1 is. The model alone is asked, in the words of the set: the assistant would
show nothing without a passage. So the naive way and ours are the same here, and there is one figure.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Final

from langchain_core.messages import HumanMessage

from app.answering.evaluation.assistant import Assistant, each
from app.answering.evaluation.choices import rows_of
from app.answering.evaluation.figures import Row, drawn, result
from app.errors import BadRequest
from model.client import stream_text
from retrieval.metrics import interval, mean

__all__ = ["articles", "charges", "lawbench", "rouge_l", "set_f1"]

_NAMES: Final = {"1-1": "recite", "3-1": "articles", "3-3": "charges"}
_TOKENS: Final = {"1-1": 240, "3-1": 48, "3-3": 32}
_MARKS: Final = re.compile(r"<eoa>.*|\[(?:法条|罪名)\]", re.DOTALL)
_ARTICLE: Final = re.compile(r"第?\s*([0-9]+|[零〇一二三四五六七八九十百千两]+)\s*条")
_CHARGE_ENDS: Final = re.compile(r"[;；、,，。\s\n]+")
_LEAD: Final = re.compile(r"^(?:答案|法条|罪名)\s*[:：]\s*")
_DIGITS: Final = {sign: value for value, sign in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_PLACES: Final = {"十": 10, "百": 100, "千": 1000}
_BLANKS: Final = re.compile(r"\s+")


def lawbench(
    data: Path, *, assistant: Assistant, limit: int | None, seed: int, report: Callable[[str], object] = print
) -> dict[str, Any]:
    """Measure the tasks of a folder.

    Args:
        data: A folder of the set.
        assistant: Lends the model.
        limit: Most items, as many of each task.
        seed: Of the draw.
        report: Told of progress.

    Raises:
        BadRequest: the folder is not one of the set.
        ModelError: from the model; a prompt that is too long for it fails the run.
    """
    started = time.monotonic()
    files = sorted(data.glob("task_*.jsonl"))
    if not files:
        raise BadRequest(
            f"{data} holds no task of LawBench.", remedy="Give a folder with files such as task_3-1.jsonl."
        )
    share = None if limit is None else max(1, limit // len(files))
    items = [
        {**row, "task": path.stem.removeprefix("task_")}
        for path in files
        for row in drawn(rows_of(path, ("id", "instruction", "question", "answer")), limit=share, seed=seed)
    ]

    async def ask(item: Mapping[str, Any]) -> Row:
        prompt = HumanMessage(f"{item['instruction']}\n{item['question']}")
        pieces = stream_text(assistant.chat, [prompt], max_tokens=_TOKENS.get(item["task"], 240))
        reply = "".join([piece async for piece in pieces])
        name = _NAMES.get(item["task"], item["task"])
        figure = _score(item["task"], item["answer"], reply)
        return Row(item["id"], {name: figure}, told={"task": item["task"], "gold": item["answer"], "said": reply})

    rows = each(items, ask, report=report)
    names = list(dict.fromkeys(name for row in rows for name in row.figures))
    tasks = [[row.figures[name] for row in rows if name in row.figures] for name in names]
    centre = mean([mean(values) for values in tasks])
    weighted = [value * len(rows) / (len(tasks) * len(values)) for values in tasks for value in values]
    return result(
        "lawbench",
        data.name,
        rows,
        started=started,
        seed=seed,
        settings={"limit": limit, "asked": "the model, without documents"},
        metrics={"mean": centre},
        edges={"mean": interval(weighted, seed=seed)},
        naive={"mean": round(centre, 4), "why": "the model alone, in the words of the set: there is nothing to add"},
    )


def articles(text: str) -> frozenset[int]:
    """Return the numbers of the articles that a text names, in figures or in Chinese."""
    return frozenset(_number(found) for found in _ARTICLE.findall(_MARKS.sub("", text)))


def charges(text: str) -> frozenset[str]:
    """Return the charges that a text lists, without a closing 罪 ("crime")."""
    plain = _LEAD.sub("", _MARKS.sub("", text).strip())
    return frozenset(part.removesuffix("罪") for part in _CHARGE_ENDS.split(plain) if part.removesuffix("罪"))


def set_f1(gold: Collection[object], said: Collection[object]) -> float:
    """Return the F1 of two sets; 0 when either is empty."""
    common = len(set(gold) & set(said))
    return 2 * common / (len(set(gold)) + len(set(said))) if common else 0.0


def rouge_l(gold: str, said: str) -> float:
    """Return the F1 of the longest common subsequence of characters, blanks left out (Lin 2004, with beta = 1)."""
    one, other = _BLANKS.sub("", gold), _BLANKS.sub("", said)
    if not one or not other:
        return 0.0
    row = [0] * (len(other) + 1)
    for sign in one:
        before = 0
        for place, held in enumerate(other, 1):
            before, row[place] = row[place], before + 1 if sign == held else max(row[place], row[place - 1])
    return 2 * row[-1] / (len(one) + len(other))


def _score(task: str, gold: str, reply: str) -> float:
    if task == "3-1":
        return set_f1(articles(gold), articles(reply))
    if task == "3-3":
        return set_f1(charges(gold), charges(reply))
    return rouge_l(_LEAD.sub("", gold), _LEAD.sub("", reply.strip()))


def _number(text: str) -> int:
    if text.isdigit():
        return int(text)
    total = digit = 0
    for sign in text:
        if sign in _PLACES:
            total += (digit or 1) * _PLACES[sign]
            digit = 0
        else:
            digit = _DIGITS[sign]
    return total + digit
