"""FinEval-rigor: Chinese questions about money with the passages that a real search found for them.

A folder of the set has ``items.jsonl``. The passages stand in a prompt (``prompt_with_passages``) of up to 10,000
characters; they are cut out of it, one after each "检索N:", cut again at sentences into pieces as our own search would
give them, and those that hold most of the question's words are kept, as many as fit into `BUDGET` tokens: reading
the rest would take a processor without accelerator minutes and helps nobody.

    accuracy             mean over all items of the two kinds below
    accuracy_calculate   the bare answer is the reference's number, unit and scale taken into account (0.1 % or half a
                         unit of the last place; 3.65 % = 0.0365; 0.68万元 = 6800元)
    accuracy_extract     faithful x recalled
    faithful_extract     share of the numbers and dates of the shown text that stand in the list of facts; 0 without any
    recalled_extract     1 when the shown text holds a number of the fact that fits the question best, else 0

An answer that abstains is wrong. The naive pipeline gets the same passages; where it calculates, any of its numbers
may be the right one.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.answering.checking.support import coverage, informative
from app.answering.checking.values import ValueKind, extract, missing
from app.answering.evaluation.assistant import Assistant, each
from app.answering.evaluation.figures import Row, drawn, result
from app.answering.evaluation.numbers_agree import agree, figures
from app.answering.evaluation.told import shown_by, told_of
from app.answering.prompt import estimate_tokens
from app.errors import BadRequest
from domains.contract import Style
from retrieval.metrics import mean
from retrieval.sentences import split_sentences
from retrieval.types import Evidence, Locator

__all__ = ["BUDGET", "Item", "chosen", "fineval", "items_of", "passages_of"]

BUDGET: Final = 900
"""Tokens of the passages that are kept."""

PIECE: Final = 350
"""Characters of a piece of a passage, about."""

_NAIVE: Final = 8
_START: Final = re.compile(r"检索内容是[：:]")
_EACH: Final = re.compile(r"(?:^|\n)\s*\S{0,16}?检索\s*\d+\s*[:：]")
_TITLE: Final = re.compile(r"文章标题[：:]\s*(?P<title>[^\n]{0,120}?)\s*(?=发布时间|文章内容|\n|$)")
_DATE: Final = re.compile(r"发布时间[：:]\s*(?P<date>\S{4,16})")
_CONTENT: Final = re.compile(r"(?:文章内容|内容)[：:]")
_INSTRUCTION: Final = re.compile(r"(?:当前时间是[：:][^\n]*\s*)?请根据检索内容[，,]?回答用户问题.*$", re.DOTALL)
_KINDS: Final = ("calculate", "extract")


@dataclass(frozen=True, slots=True)
class Item:
    """One question with its passages, and what it wants: a number, or a list of facts."""

    id: str
    kind: str
    question: str
    answer: str
    facts: tuple[str, ...]
    evidence: tuple[Evidence, ...]


def items_of(data: Path) -> list[Item]:
    """Read all items of a folder.

    Raises:
        BadRequest: there is no ``items.jsonl``, or it is none of the set.
    """
    try:
        lines = (data / "items.jsonl").read_text(encoding="utf-8").splitlines()
        return [_item(json.loads(line)) for line in lines if line.strip()]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadRequest(f"{data} holds no FinEval items.jsonl.", remedy="Give the folder of the set.") from error


def passages_of(prompt: str) -> list[tuple[str, str]]:
    """Return (title and date, text) of each passage in a prompt."""
    start = _START.search(prompt)
    body = _INSTRUCTION.sub("", prompt[start.end() :] if start else prompt)
    found: list[tuple[str, str]] = []
    for part in _EACH.split(body):
        title, date, content = _TITLE.search(part), _DATE.search(part), _CONTENT.search(part)
        text = part[content.end() :] if content else part
        name = " ".join(match[1].strip("。 ") for match in (title, date) if match and match[1].strip())
        if text.strip():
            found.append((name, text.strip()))
    return found


def chosen(question: str, passages: Sequence[tuple[str, str]], *, budget: int = BUDGET) -> list[Evidence]:
    """Return the pieces that hold most of the question's words, best first, within a budget of tokens."""
    terms = informative(question)
    pieces: list[tuple[float, int, str, str]] = []
    for name, text in passages:
        for piece in _pieces(text):
            fit = coverage(terms, [piece]) + 0.5 * coverage(terms, [name])
            pieces.append((-fit, len(pieces), name, piece))
    kept: list[Evidence] = []
    left = budget
    for fit, order, name, piece in sorted(pieces):
        need = estimate_tokens(f"{name}{piece}")
        if need > left and kept:
            continue
        left -= need
        place = Locator(document_id=f"d{order}", document=name or "资料", page=1, start=0, end=len(piece))
        kept.append(Evidence.of(str(len(kept) + 1), piece, place, passage_id=order + 1, score=-fit))
        if left <= 0:
            break
    return kept


def fineval(
    data: Path, *, assistant: Assistant, limit: int | None, seed: int, report: Callable[[str], None]
) -> Mapping[str, Any]:
    """Measure both kinds of questions. A limited draw takes half of each kind where there are enough."""
    started = time.monotonic()
    items = _drawn(items_of(data), limit=limit, seed=seed)

    async def ask(item: Item) -> Row:
        style = Style.SHORT if item.kind == "calculate" else Style.FULL
        answer = await assistant.answer(item.question, item.evidence, language="zh", style=style)
        told = told_of(answer) | {"question": item.question, "kind": item.kind, "gold": item.answer[:600]}
        return Row(item.id, _figures(item, answer.short or "", shown_by(answer)), None, told)

    async def naive(item: Item) -> Row:
        reply = await assistant.naive(item.question, [one.text for one in item.evidence])
        return Row(item.id, _figures(item, reply, reply))

    rows = each(items, ask, report=report)
    plain = each(_drawn(items, limit=_NAIVE, seed=seed), naive, report=report)
    names = dict.fromkeys(name for row in plain for name in row.figures)
    return result(
        "fineval",
        data.name,
        rows,
        started=started,
        seed=seed,
        settings={"passage_tokens": BUDGET},
        naive={"n": len(plain)}
        | {name: round(mean([row.figures[name] for row in plain if name in row.figures]), 4) for name in names},
    )


def _drawn(items: Sequence[Item], *, limit: int | None, seed: int) -> list[Item]:
    if limit is None or limit >= len(items):
        return list(items)
    calculate, extracts = ([item for item in items if item.kind == kind] for kind in _KINDS)
    first = drawn(calculate, limit=min(len(calculate), limit // 2), seed=seed)
    return [*first, *drawn(extracts, limit=limit - len(first), seed=seed)]


def _figures(item: Item, short: str, shown: str) -> dict[str, float]:
    if item.kind == "calculate":
        wanted = figures(item.answer)
        right = float(bool(wanted) and any(agree(found, wanted[0]) for found in figures(short)))
        return {"accuracy": right, "accuracy_calculate": right}
    claimed = [value for value in extract(shown) if value.kind is not ValueKind.CODE]
    facts = "\n".join(item.facts)
    faithful = 1 - len(missing(claimed, facts)) / len(claimed) if claimed else 0.0
    recalled = float(_recalled(item, shown))
    return {
        "accuracy": faithful * recalled,
        "accuracy_extract": faithful * recalled,
        "faithful_extract": faithful,
        "recalled_extract": recalled,
    }


def _recalled(item: Item, shown: str) -> bool:
    """Say whether a text holds a number of a fact that fits the question as well as any."""
    terms = informative(item.question)
    fits = {fact: round(coverage(terms, [fact]), 3) for fact in item.facts}
    best = [fact for fact, fit in fits.items() if fit == max(fits.values())]
    return any(any(agree(value, one) for value in figures(shown)) for fact in best for one in figures(fact))


def _pieces(text: str) -> list[str]:
    pieces: list[str] = []
    for start, end in split_sentences(text):
        sentence = text[start:end]
        if pieces and len(pieces[-1]) + len(sentence) <= PIECE:
            pieces[-1] += sentence
        else:
            pieces.append(sentence)
    return [piece.strip() for piece in pieces if piece.strip()]


def _item(line: Mapping[str, Any]) -> Item:
    kind, answer, question = str(line["kind"]), line["answer"], str(line["question"])
    if kind not in _KINDS:
        raise ValueError(f"kind {kind}")
    facts: tuple[str, ...] = ()
    if kind == "extract":
        read = json.loads(answer) if isinstance(answer, str) else answer
        facts = tuple(map(str, read))
    evidence = chosen(question, passages_of(str(line["prompt_with_passages"])))
    return Item(str(line["id"]), kind, question, str(answer), facts, tuple(evidence))
