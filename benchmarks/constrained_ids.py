"""Whether a grammar should make citations valid by construction: what it gains, and what it costs.

    ./vouch bench constrained_ids [--json OUT]

The questions of examples/questions.json that have an answer are asked over the example documents, twice each, with the
same prompt: once free, and once under a grammar that knows only sentences which end with the id of a passage in the
prompt, or the word that says that nothing was found. Counted are ids that do not exist, sentences that cite nothing,
and answers that hold, after the checks, one of the expected forms.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from langchain_core.messages import BaseMessage

from app.answering.checking.verify import Verifier
from app.answering.claims import MARK, split
from app.answering.prompt import SENTINEL, build
from app.answering.types import Verdict
from app.embedders import common_words
from app.identity.principal import OPERATOR
from app.service import Service
from app.settings import ROOT, load
from benchmarks.answers import lent_service
from model.client import stream_text
from retrieval.types import Evidence

__all__ = ["grammar", "run"]

_QUESTIONS: Final = ROOT / "examples" / "questions.json"
_MOST_SENTENCES: Final = 3

Report = Callable[[str], None]


def grammar(ids: Sequence[str]) -> str:
    """Return the regular expression of a draft: one to three sentences with ids of these, or the word for none."""
    mark = rf"\[({'|'.join(ids)})\]"
    sentence = rf"[^\[\]\n]+( ?{mark})+[.。]?"
    return rf"{SENTINEL}|{sentence}([ \n]{sentence}){{0,{_MOST_SENTENCES - 1}}}"


@dataclass(frozen=True, slots=True)
class Draft:
    """One draft, counted."""

    unknown_ids: int
    claims: int
    uncited: int
    supported: int
    right: bool
    seconds: float


def run(*, report: Report) -> Mapping[str, Any]:
    """Measure; see the module's text."""
    with tempfile.TemporaryDirectory(prefix="vouch-bench-ids-") as folder:
        settings = load().model_copy(update={"data_dir": Path(folder), "database_url": "", "ledger_url": ""})
        with lent_service(settings, report) as service:
            drafts = asyncio.run(_measured(service, report))
    rows = [_row(name, found) for name, found in drafts.items()]
    free, bound = rows
    return {
        "rows": rows,
        "ratios": {"seconds_bound_vs_free": round(bound["seconds"] / free["seconds"], 3)},
        "metrics": {f"right_{row['contender']}": row["right"] for row in rows},
    }


async def _measured(service: Service, report: Report) -> dict[str, list[Draft]]:
    settings = service.settings
    chat = service.engine.chat(max_tokens=settings.answer_tokens, timeout_s=settings.model_timeout_s)
    verifier = Verifier(common=common_words(service.index.embedders))
    items = [item for item in json.loads(_QUESTIONS.read_text("utf-8"))["questions"] if item["answerable"]]
    drafts: dict[str, list[Draft]] = {"free": [], "bound": []}
    for place, item in enumerate(items):
        found = service.library.search([item["question"]], OPERATOR.scope(), k=settings.passages)
        evidence = [one.model_copy(update={"id": str(number)}) for number, one in enumerate(found, 1)]
        prompt = build(item["question"], evidence, language=item["language"], budget=3000)
        known = {one.id: one for one in prompt.evidence}
        bounds: dict[str, dict[str, Any]] = {
            "free": {},
            "bound": {"extra_body": {"structured_outputs": {"regex": grammar(list(known))}}},
        }
        await _draft(chat, prompt.messages, {})  # both are measured with the prompt in the model's cache
        for name in ("free", "bound") if place % 2 == 0 else ("bound", "free"):
            begin = time.perf_counter()
            text = await _draft(chat, prompt.messages, bounds[name])
            drafts[name].append(_counted(text, known, item, verifier, time.perf_counter() - begin))
        report(f"{place + 1} of {len(items)} questions")
    return drafts


async def _draft(chat: Any, messages: Sequence[BaseMessage], bounds: Mapping[str, Any]) -> str:
    return "".join([piece async for piece in stream_text(chat, messages, **bounds)])


def _counted(
    text: str, known: Mapping[str, Evidence], item: Mapping[str, Any], verifier: Verifier, seconds: float
) -> Draft:
    written = [mark for found in MARK.finditer(text) for mark in found["ids"].replace("，", ",").split(",")]
    claims = [claim for claim in split(text, known=known.keys()) if SENTINEL not in claim.text]
    checked = [verifier.check(claim, known, question=item["question"]) for claim in claims]
    shown = " ".join(claim.text for claim in checked if claim.verdict is Verdict.SUPPORTED)
    return Draft(
        unknown_ids=sum(mark.strip() not in known for mark in written),
        claims=len(claims),
        uncited=sum(not claim.cites for claim in claims),
        supported=sum(claim.verdict is Verdict.SUPPORTED for claim in checked),
        right=all(any(form in shown for form in forms) for forms in item["expected"]),
        seconds=seconds,
    )


def _row(name: str, drafts: Sequence[Draft]) -> dict[str, Any]:
    return {
        "contender": name,
        "n": len(drafts),
        "unknown_ids": sum(draft.unknown_ids for draft in drafts),
        "claims": sum(draft.claims for draft in drafts),
        "uncited": sum(draft.uncited for draft in drafts),
        "supported": sum(draft.supported for draft in drafts),
        "right": round(sum(draft.right for draft in drafts) / len(drafts), 3),
        "seconds": round(sum(draft.seconds for draft in drafts), 1),
    }
