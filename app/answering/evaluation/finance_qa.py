"""FinanceBench: questions about filings, with the pages of their evidence as passages.

Islam et al., "FinanceBench: A New Benchmark for Financial Question Answering" (2023). A folder of the set has
``questions.jsonl`` with ``question``, ``answer`` and ``evidence`` (document, page, text), and, where the filings are in
the snapshot, ``pages.jsonl.gz`` with the pages as they are laid out, whose lines keep a figure beside its name. The
pages of the evidence are the passages here, cut to the lines that fit the question and their headings within `BUDGET`
tokens; finding them is what the suite ``finance-pages`` measures.

    correct    a figure of the shown text is the figure of the reference (1 %, or as printed), or, for an answer in
               words, half of the reference's informative words are in the shown text and its yes or no is not turned
    refused    the answer abstains
    wrong      anything else

The paper's figures were judged by hand; a matcher is no judge of an answer in words, so each item tells question,
reference, claims and cited text for a person to judge.
"""

from __future__ import annotations

import gzip
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from app.answering.checking.support import coverage, informative
from app.answering.evaluation.assistant import Assistant, each
from app.answering.evaluation.figures import Row, drawn, result
from app.answering.evaluation.numbers_agree import agree, figures
from app.answering.evaluation.told import shown_by, told_of
from app.answering.prompt import estimate_tokens
from app.errors import BadRequest
from retrieval.metrics import mean
from retrieval.types import Evidence, Locator

__all__ = ["BUDGET", "Item", "cut", "finance_qa", "items_of", "laid_out", "right"]

BUDGET: Final = 1_000
"""Tokens of all passages of a question."""

_NAIVE: Final = 6
_HEADING: Final = 12
"""Lines of a page that can name its statement, its scale and its periods."""

_SECTION: Final = 80
"""Most characters of a line between rows of figures that is the heading of the rows below it."""

_AROUND: Final = 1
_GAP: Final = re.compile(r"\s*\.{3,}\s*|\s{2,}")
_FIGURE: Final = re.compile(r"^\(?[-$€£]?\s?\(?\d[\d,.]*\)?\s?%?\)?$|^[-—–]$")
_PERIOD: Final = re.compile(r"^(?:FY)?\s?(?:19|20)\d\d$|^[A-Z][a-z]{2,8}\.? \d{1,2}, (?:19|20)\d\d$")
_YES_NO: Final = re.compile(r"^\s*(yes|no)\b", re.IGNORECASE)
_ENOUGH: Final = 0.5
_CLOSE: Final = Decimal("0.01")
_REFUSES: Final = re.compile(r"don't know|do not know|cannot|not provided|no information", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Item:
    """One question with its reference and passages."""

    id: str
    company: str
    kind: str
    question: str
    answer: str
    evidence: tuple[Evidence, ...]


def items_of(data: Path) -> list[Item]:
    """Read all questions of a folder.

    Raises:
        BadRequest: there is no ``questions.jsonl``, or it is none of the set.
    """
    try:
        lines = (data / "questions.jsonl").read_text(encoding="utf-8").splitlines()
        raw = [json.loads(line) for line in lines if line.strip()]
        wanted = {(str(one["doc_name"]), int(one["page"])) for item in raw for one in item["evidence"]}
        pages = _pages(data / "pages.jsonl.gz", wanted)
        return [_item(item, pages) for item in raw]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadRequest(f"{data} holds no FinanceBench questions.", remedy="Give the folder of the set.") from error


def laid_out(page: str) -> str:
    """Return a page whose rows of figures are cells parted by bars: laid out with blanks, they are one line each."""
    rows: list[str] = []
    for line in page.split("\n"):
        if not line.strip():
            continue
        row = _row(line)
        inside = bool(rows) and "|" in rows[-1] and "|" not in row
        rows.append(f"{row} |" if inside and len(row) <= _SECTION and not row.endswith(".") else row)
    return "\n".join(rows)


def cut(question: str, page: str, *, budget: int) -> str:
    """Return the heading of a page and the lines that fit a question best with their neighbours, in their order."""
    lines = page.split("\n")
    terms = informative(question)
    fits = {at: coverage(terms, [line]) for at, line in enumerate(lines)}
    kept: set[int] = set()
    left = budget
    order = [*range(min(_HEADING, len(lines))), *sorted(fits, key=lambda at: (-fits[at], at))]
    for at in order:
        for near in range(max(0, at - _AROUND), min(len(lines), at + _AROUND + 1)):
            need = estimate_tokens(lines[near])
            if near not in kept and need <= left:
                kept.add(near)
                left -= need
    return "\n".join(lines[at] for at in sorted(kept))


def right(shown: str, reference: str) -> bool:
    """Say whether a shown text gives the reference's answer, by its figure or by its words."""
    wanted, found = figures(reference), figures(shown)
    verdicts = [_YES_NO.match(text) for text in (reference, shown)]
    if all(verdicts) and verdicts[0] and verdicts[1] and verdicts[0][1].lower() != verdicts[1][1].lower():
        return False
    if wanted and len(reference) <= 40:
        return any(
            agree(one, wanted[0], tolerance=_CLOSE) or _in_millions(one.amount, wanted[0].amount) for one in found
        )
    words = coverage(informative(reference), [shown])
    return words >= _ENOUGH and (
        not wanted or any(agree(one, other, tolerance=_CLOSE) for one in found for other in wanted)
    )


def finance_qa(
    data: Path, *, assistant: Assistant, limit: int | None, seed: int, report: Callable[[str], None]
) -> Mapping[str, Any]:
    """Measure answers from the evidence's own pages."""
    started = time.monotonic()
    items = drawn(items_of(data), limit=limit, seed=seed)

    async def ask(item: Item) -> Row:
        answer = await assistant.answer(item.question, item.evidence, language="en")
        told = told_of(answer) | {"question": item.question, "gold": item.answer, "kind": item.kind}
        return Row(item.id, _figures(shown_by(answer), item), item.company, told)

    async def naive(item: Item) -> dict[str, float]:
        reply = await assistant.naive(item.question, [one.text for one in item.evidence])
        refused = bool(_REFUSES.search(reply)) and not right(reply, item.answer)
        return _figures("" if refused else reply, item)

    rows = each(items, ask, report=report)
    plain = each(drawn(items, limit=_NAIVE, seed=seed), naive, report=report)
    return result(
        "finance-qa",
        data.name,
        rows,
        started=started,
        seed=seed,
        settings={"passages": "pages of the evidence", "passage_tokens": BUDGET, "judge": "matcher"},
        naive={"n": len(plain)}
        | {name: round(mean([one[name] for one in plain]), 4) for name in ("correct", "wrong", "refused")},
    )


def _figures(shown: str, item: Item) -> dict[str, float]:
    correct = bool(shown) and right(shown, item.answer)
    return {"correct": float(correct), "wrong": float(bool(shown) and not correct), "refused": float(not shown)}


def _in_millions(found: Decimal, wanted: Decimal) -> bool:
    """Say whether two figures are the same where the reference leaves out "million" or "billion"."""
    return any(abs(found / scale - wanted) <= abs(wanted) * _CLOSE for scale in (10**6, 10**9))


def _row(line: str) -> str:
    parts = [part for part in _GAP.split(line.strip()) if part]
    cells: list[str] = []
    for part in parts:
        if cells and (cells[-1] in ("$", "€", "£", "(") or part in (")", "%", ")%")):
            cells[-1] += part
        else:
            cells.append(part)
    if len(cells) > 1 and all(_PERIOD.match(cell) for cell in cells):
        return " | ".join(["", *cells])
    if len(cells) > 1 and all(_FIGURE.match(cell) for cell in cells[1:]):
        return " | ".join(cells)
    return re.sub(r"\s+", " ", line.strip())


def _pages(path: Path, wanted: set[tuple[str, int]]) -> dict[tuple[str, int], str]:
    found: dict[tuple[str, int], str] = {}
    if path.is_file():
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                page = json.loads(line)
                key = (str(page["doc_name"]), int(page["page"]))
                if key in wanted:
                    found[key] = str(page["text"])
    return found


def _item(line: Mapping[str, Any], pages: Mapping[tuple[str, int], str]) -> Item:
    question = str(line["question"])
    places: dict[tuple[str, int], str] = {}
    for one in line["evidence"]:
        key = (str(one["doc_name"]), int(one["page"]))
        places.setdefault(key, pages.get(key) or str(one["text"]))
    evidence: list[Evidence] = []
    for number, ((document, page), text) in enumerate(places.items(), 1):
        body = cut(question, laid_out(text), budget=BUDGET // len(places))
        place = Locator(document_id=document, document=document.replace("_", " "), page=page + 1)
        evidence.append(Evidence.of(str(number), body, place, passage_id=number, score=1.0 / number))
    return Item(str(line["id"]), str(line["company"]), _kind(line), question, str(line["answer"]), tuple(evidence))


def _kind(line: Mapping[str, Any]) -> str:
    return str(line.get("question_type") or "unknown")
