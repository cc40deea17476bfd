"""How long a person waits for a checked answer, and what the checking adds to it.

    ./vouch bench answers [--json OUT]
    VOUCH_BENCH_ROUNDS=2 ./vouch bench answers

The questions of examples/questions.json are asked over the example documents, found by the service's own search. Three
contenders are asked in turn, one question at a time, by the same model:

    vouch        the whole pipeline: draft, checks, abstention (nothing is recorded; the ledger has its own benchmark)
    draft        the same prompt, and the model's words as they come: what the pipeline would cost without its checks
    naive        the passages in a tutorial's prompt

Each sees each question's passages for the first time: a mark in the document's name keeps the model's prefix cache
from knowing them, while rules and examples stay cached, as they are in service. Figures are seconds: until the first
token of the draft, until the first claim is checked, until the answer is there.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from langchain_core.messages import BaseMessage, HumanMessage

from app.answering.checking.verify import Verifier
from app.answering.evaluation.assistant import NAIVE, Assistant
from app.answering.prompt import build
from app.embedders import common_words
from app.identity.principal import OPERATOR
from app.service import Service
from app.settings import ROOT, Settings, load
from domains.registry import load as load_domains
from model.client import stream_text
from retrieval.types import DocumentState, Evidence

__all__ = ["lent_service", "run"]

_EXAMPLES: Final = ROOT / "examples"
_LONGEST_WAIT_S: Final = 600.0
_UNDER_WAY: Final = (DocumentState.QUEUED, DocumentState.PARSING, DocumentState.INDEXING)
_CONTENDERS: Final = ("vouch", "draft", "naive")

Report = Callable[[str], None]


@dataclass(slots=True)
class Waits:
    """Seconds of one contender, a figure a question."""

    first_token: list[float] = field(default_factory=list)
    first_claim: list[float] = field(default_factory=list)
    full: list[float] = field(default_factory=list)

    def row(self, name: str) -> dict[str, Any]:
        """Return medians and ninetieth percentiles."""
        kinds = {"first_token": self.first_token, "first_claim": self.first_claim, "full": self.full}
        spread = {
            f"{kind}_{label}_s": round(float(np.quantile(seconds, share)), 2)
            for kind, seconds in kinds.items()
            if seconds
            for label, share in (("p50", 0.5), ("p90", 0.9))
        }
        return {"contender": name, "n": len(self.full), **spread}


def run(*, report: Report) -> Mapping[str, Any]:
    """Measure; see the module's text."""
    rounds = int(os.environ.get("VOUCH_BENCH_ROUNDS", "1"))
    with tempfile.TemporaryDirectory(prefix="vouch-bench-answers-") as folder:
        settings = load().model_copy(update={"data_dir": Path(folder), "database_url": "", "ledger_url": ""})
        with lent_service(settings, report) as service:
            waits = asyncio.run(_measured(service, rounds, report))
    ours, draft = waits["vouch"], waits["draft"]
    pairs = np.asarray(ours.full) / np.asarray(draft.full)
    return {
        "rows": [waits[name].row(name) for name in _CONTENDERS],
        "ratios": {
            "full_vs_draft": round(sum(ours.full) / sum(draft.full), 3),
            "full_vs_draft_median": round(float(np.median(pairs)), 3),
            "full_vs_naive": round(sum(ours.full) / sum(waits["naive"].full), 3),
        },
        "metrics": {name: value for name, value in ours.row("vouch").items() if name.endswith("_s")},
    }


@contextmanager
def lent_service(settings: Settings, report: Report) -> Iterator[Service]:
    """Lend a service with the example documents, searched and served."""
    service = Service(settings)
    service.start()
    try:
        for path in sorted((_EXAMPLES / "documents").iterdir()):
            with path.open("rb") as content:
                service.add(content, path.name, OPERATOR, None, None)
        _wait_for(service, report)
        yield service
    finally:
        service.stop()


def _wait_for(service: Service, report: Report) -> None:
    end, shown = time.monotonic() + _LONGEST_WAIT_S, ""
    while True:
        state, counts = service.engine.state, service.catalog.counts(OPERATOR.scope())
        if state.error is not None:
            raise state.error
        waiting = sum(
            counts.get(one, 0) for one in DocumentState if one not in {DocumentState.READY, DocumentState.FAILED}
        )
        if state.stage == "ready" and not waiting:
            return
        if state.detail != shown:
            shown = state.detail
            report(shown)
        if time.monotonic() > end:
            raise TimeoutError(f"not ready after {_LONGEST_WAIT_S:.0f} s: {state.detail}; {waiting} documents waiting")
        time.sleep(0.2)


async def _measured(service: Service, rounds: int, report: Report) -> dict[str, Waits]:
    settings = service.settings
    chat = service.engine.chat(max_tokens=settings.answer_tokens, timeout_s=settings.model_timeout_s)
    room = service.engine.context_tokens - settings.answer_tokens
    verifier = Verifier(common=common_words(service.index.embedders))
    assistant = Assistant(chat, room, load_domains(only=["general"]), verifier)
    questions = json.loads((_EXAMPLES / "questions.json").read_text("utf-8"))["questions"]
    waits = {name: Waits() for name in _CONTENDERS}
    for number in range(rounds):
        for place, item in enumerate(questions):
            found = service.library.search([item["question"]], OPERATOR.scope(), k=settings.passages)
            order = _CONTENDERS if (place + number) % 2 == 0 else _CONTENDERS[::-1]
            once: dict[str, tuple[float, float | None, float]] = {}
            for name in order:
                passages = _unseen(found, f"{number}.{place}.{name}")
                once[name] = await _ask(name, assistant, item, passages)
            if once["vouch"][0] == 0.0:  # the model was not asked at all: nothing to hold the checks against
                continue
            for name, (first, claim, full) in once.items():
                waits[name].first_token.append(first)
                waits[name].full.append(full)
                if claim is not None:
                    waits[name].first_claim.append(claim)
            report(f"round {number + 1}: {place + 1} of {len(questions)} questions")
    return waits


def _unseen(found: Sequence[Evidence], mark: str) -> list[Evidence]:
    """Return the evidence under a name that no prompt had before."""
    place = found[0].locator.model_copy(update={"document": f"{mark} {found[0].locator.document}"})
    return [found[0].model_copy(update={"locator": place}), *found[1:]]


async def _ask(
    name: str, assistant: Assistant, item: Mapping[str, Any], passages: list[Evidence]
) -> tuple[float, float | None, float]:
    """Return the seconds to the first token (0: the model was not asked), the first checked claim, the whole answer."""
    begin = time.perf_counter()
    if name == "vouch":
        answer = await assistant.answer(item["question"], passages, language=item["language"])
        full = time.perf_counter() - begin
        return answer.seconds.get("first_token", 0.0), answer.seconds.get("first_claim"), full
    if name == "draft":
        evidence = [one.model_copy(update={"id": str(number)}) for number, one in enumerate(passages, 1)]
        prompt = build(item["question"], evidence, language=item["language"], budget=assistant.prompt_tokens)
        first, full = await _streamed(assistant, prompt.messages)
    else:
        texts = "\n\n".join(f"{one.locator.document}\n{one.text}" for one in passages)
        first, full = await _streamed(assistant, [HumanMessage(NAIVE.format(context=texts, question=item["question"]))])
    return first, None, full


async def _streamed(assistant: Assistant, messages: Sequence[BaseMessage]) -> tuple[float, float]:
    begin = time.perf_counter()
    first = 0.0
    async for _ in stream_text(assistant.chat, messages):
        first = first or time.perf_counter() - begin
    return first, time.perf_counter() - begin
