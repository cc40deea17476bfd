"""RGB: is the answer in what is shown when most passages are noise, and is nothing shown when all of them are?

Chen et al., "Benchmarking Large Language Models in Retrieval-Augmented Generation" (AAAI 2024). A folder of the set has
files ``<language>_<kind>.jsonl`` with ``query``, ``answer``, ``positive`` and ``negative`` passages.

    accuracy_en, accuracy_zh     five passages, three of them noise where there are enough: the answer's strings are in
                                 the text that is shown
    rejection_en, rejection_zh   five passages, all noise: the answer abstains

Passages are drawn with the seed, each item by itself, so that a subset sees what the whole set sees. A noise passage
that holds a string of the answer is left out of the second kind, and an item without any other is left out as well.
Figures are comparable with those of the naive pipeline that stand beside them, on the first items of the draw, not with
those of the paper: a third of the set's files are too large for the shared format, and noise is drawn anew.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.answering.abstain import is_refusal
from app.answering.evaluation.assistant import Assistant, each, evidence_of
from app.answering.evaluation.curve import Point, risk_coverage
from app.answering.evaluation.figures import Row, drawn, result
from app.answering.evaluation.naive import says_no
from app.errors import BadRequest
from retrieval.language import Language
from retrieval.metrics import mean

__all__ = ["Item", "holds", "items_of", "rgb"]

PASSAGES: Final = 5
NOISE: Final = 0.6
"""Share of noise among the passages of an answerable item."""

_NAIVE: Final = 16
"""Items of each language that the naive pipeline answers, both with and without right passages."""

_BLANKS: Final = re.compile(r"\s+")
_LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh")


@dataclass(frozen=True, slots=True)
class Item:
    """One question with its two draws of passages.

    Attributes:
        id: File and id.
        wanted: What an answer has to hold: of each group at least one string.
        mixed: Passages of which some answer.
        noise: Passages of which none holds a string of the answer; may be empty.
    """

    id: str
    language: Language
    query: str
    wanted: tuple[tuple[str, ...], ...]
    mixed: tuple[str, ...]
    noise: tuple[str, ...]


def items_of(data: Path, *, seed: int) -> list[Item]:
    """Read all items of a folder.

    Raises:
        BadRequest: the folder holds no file of the set, or one that is none.
    """
    files = [path for path in sorted(data.glob("*.jsonl")) if path.name[:2] in _LANGUAGES]
    if not files:
        raise BadRequest(f"{data} holds no RGB file.", remedy="Give a folder with files such as en_fact.jsonl.")
    try:
        return [
            _item(path.stem, json.loads(line), seed)
            for path in files
            for line in path.read_text("utf-8").splitlines()
            if line.strip()
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadRequest(
            f"{data} holds a file that is not in RGB's format.",
            remedy="Each line needs query, answer, positive, negative.",
        ) from error


def rgb(
    data: Path, *, assistant: Assistant, limit: int | None, seed: int, report: Callable[[str], object] = print
) -> dict[str, Any]:
    """Measure accuracy under noise and rejection, of the pipeline and of the naive one.

    Args:
        data: A folder of the set.
        assistant: Answers.
        limit: Most items; half of them of each language where there are enough.
        seed: Of the draws.
        report: Told of progress.

    Raises:
        BadRequest: the folder is not one of the set.
    """
    started = time.monotonic()
    items = _balanced(items_of(data, seed=seed), limit=limit, seed=seed)
    asks = [(item, noisy) for item in items for noisy in (False, True) if item.noise or not noisy]

    async def ask(one: tuple[Item, bool]) -> tuple[Row, Point]:
        item, noisy = one
        passages = evidence_of(item.noise if noisy else item.mixed)
        answer = await assistant.answer(item.query, passages, language=item.language)
        right = answer.abstained if noisy else not answer.abstained and holds(answer.text, item.wanted)
        name = f"{'rejection' if noisy else 'accuracy'}_{item.language}"
        told = {"shown": answer.text, "reason": answer.reason, "confidence": answer.confidence}
        told["seconds"] = round(sum(answer.seconds.values()), 2)
        row = Row(f"{item.id}{' noise' if noisy else ''}", {name: float(right)}, group=item.id, told=told)
        return row, Point(answer.confidence or 0.0, wrong=noisy or not right, shown=not answer.abstained)

    report(f"{len(asks)} answers over {len(items)} questions")
    found = each(asks, ask, report=report)
    rows = [row for row, _ in found]
    naive = _naive(items, assistant, report)
    return result(
        "rgb",
        data.name,
        rows,
        started=started,
        seed=seed,
        settings={"passages": PASSAGES, "noise": NOISE},
        naive=naive | {"ours_on_the_same": _means(rows, set(naive["ids"]))},
        risk_coverage=risk_coverage([point for _, point in found]),
    )


def holds(text: str, wanted: Sequence[Sequence[str]]) -> bool:
    """Say whether a text has, of each group, at least one string; case and blanks do not count."""
    held = _plain(text)
    return all(any(_plain(one) in held for one in group) for group in wanted)


def _naive(items: Sequence[Item], assistant: Assistant, report: Callable[[str], object]) -> dict[str, Any]:
    some = [
        item for language in _LANGUAGES for item in [i for i in items if i.language == language and i.noise][:_NAIVE]
    ]
    asks = [(item, noisy) for item in some for noisy in (False, True)]

    async def ask(one: tuple[Item, bool]) -> tuple[str, float]:
        item, noisy = one
        text = await assistant.naive(item.query, item.noise if noisy else item.mixed)
        right = says_no(text) or is_refusal(text) if noisy else holds(text, item.wanted)
        return f"{'rejection' if noisy else 'accuracy'}_{item.language}", float(right)

    report(f"{len(asks)} answers of the naive pipeline")
    figures: dict[str, list[float]] = {}
    for name, figure in each(asks, ask, report=report):
        figures.setdefault(name, []).append(figure)
    return {
        "metrics": {name: round(mean(values), 4) for name, values in figures.items()},
        "counts": {name: len(values) for name, values in figures.items()},
        "ids": [item.id for item in some],
    }


def _means(rows: Sequence[Row], ids: set[str]) -> dict[str, float]:
    same = [row for row in rows if row.group in ids]
    names = dict.fromkeys(name for row in same for name in row.figures)
    return {name: round(mean([row.figures[name] for row in same if name in row.figures]), 4) for name in names}


def _balanced(items: Sequence[Item], *, limit: int | None, seed: int) -> list[Item]:
    """Draw as many items of each language as there may be, in the order of the set."""
    if limit is None or limit >= len(items):
        return list(items)
    groups = sorted(([item for item in items if item.language == language] for language in _LANGUAGES), key=len)
    chosen: list[Item] = []
    for number, group in enumerate(groups):  # the smaller first: what it leaves is the other's
        chosen += drawn(group, limit=(limit - len(chosen)) // (len(groups) - number), seed=seed + number)
    return [item for item in items if item in chosen]


def _item(stem: str, record: Mapping[str, Any], seed: int) -> Item:
    random_ = random.Random(f"{seed}/{stem}/{record['id']}")  # noqa: S311 - a sample, not a secret
    wanted = tuple(_groups(record["answer"]))
    groups = (
        record["positive"] if record["positive"] and isinstance(record["positive"][0], list) else [record["positive"]]
    )
    groups = [random_.sample(group, len(group)) for group in groups]
    negative = random_.sample(record["negative"], len(record["negative"]))
    noisy = min(len(negative), int(PASSAGES * NOISE))
    right = _one_of_each(groups, PASSAGES - noisy)
    mixed = right + negative[: PASSAGES - len(right)]
    random_.shuffle(mixed)
    strings = [[one] for group in wanted for one in group]
    noise = [text for text in negative if not any(holds(text, [one]) for one in strings)]
    return Item(
        f"{stem}/{record['id']}",
        "zh" if stem.startswith("zh") else "en",
        str(record["query"]),
        wanted,
        tuple(mixed),
        tuple(noise[:PASSAGES]),
    )


def _one_of_each(groups: Sequence[Sequence[str]], count: int) -> list[str]:
    """Take passages of each group in turn: an answer that is put together needs one of each."""
    longest = max((len(group) for group in groups), default=0)
    turns = [group[place] for place in range(longest) for group in groups if place < len(group)]
    return turns[: max(count, len(groups) if len(groups) > 1 else 0)][:PASSAGES]


def _groups(answer: Any) -> Iterator[tuple[str, ...]]:
    for one in answer if isinstance(answer, list) else [answer]:
        yield tuple(map(str, one)) if isinstance(one, list) else (str(one),)


def _plain(text: str) -> str:
    return _BLANKS.sub("", text).casefold()
