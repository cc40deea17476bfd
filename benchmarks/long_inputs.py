"""Whether facts are found as well in a long text as in a short one, read by sections and in one prompt.

    ./vouch bench long_inputs [--json OUT]
    VOUCH_BENCH_LENGTHS=2000,8000 ./vouch bench long_inputs

Five invented facts stand at the same fifths of a text of 2,000, 8,000 and 16,000 tokens, which is otherwise that of the
example documents, passage by passage. Each is asked for by itself. Two contenders get the same passages in the order of
the text, from the same model, with the same checks:

    sections     what does not fit into one prompt of `SECTION_TOKENS` is read section by section
    one_prompt   as much as the model's context takes, in one prompt; the rest is not read

Found means that the fact's figure stands in the checked answer; figures are shares of five. The five are asked one
after another, so that the model's prefix cache has what they share. Tokens are counted as four characters.

Not covered: facts that several sections make together, and other kinds of question than one for a figure.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pypdfium2

from app.answering.checking.verify import Verifier
from app.answering.drafters.contract import Drafter
from app.answering.drafters.prose import Prose
from app.answering.drafters.sections import SECTION_TOKENS, Sections
from app.answering.evaluation.assistant import evidence_of
from app.answering.evaluation.unrecorded import Unrecorded
from app.answering.pipeline import Pipeline
from app.answering.types import Answer
from app.engines import engine_for
from app.identity.principal import OPERATOR
from app.settings import ROOT, load
from domains.contract import Question
from domains.registry import load as load_domains
from retrieval.types import Evidence, Scope

__all__ = ["FACTS", "padded", "run"]

_LENGTHS: Final = (2000, 8000, 16000)
_CHARS_A_TOKEN: Final = 4
_PASSAGE: Final = 800
"""Characters of a passage, about what documents are cut into."""

FACTS: Final = (
    (
        "What is the yearly rent of the Marlow warehouse?",
        "The yearly rent of the Marlow warehouse is £48,350.",
        "48,350",
    ),
    ("How many cranes stand at the Tolland quay?", "At the Tolland quay stand 17 cranes.", "17"),
    ("When was the Bexley depot opened?", "The Bexley depot was opened on 4 March 2019.", "4 March 2019"),
    ("What deposit did Orwin Freight pay?", "Orwin Freight paid a deposit of £9,275.", "9,275"),
    ("How long is the Calder siding?", "The Calder siding is 640 metres long.", "640"),
)
"""A question, the sentence that answers it, and what must stand in the answer."""

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Given:
    evidence: Sequence[Evidence]

    def search(self, _queries: Sequence[str], _scope: Scope, *, k: int) -> list[Evidence]:
        return list(self.evidence)


def run(*, report: Report) -> Mapping[str, Any]:
    """Measure; see the module's text."""
    lengths = tuple(int(part) for part in os.environ.get("VOUCH_BENCH_LENGTHS", "").split(",") if part) or _LENGTHS
    settings = load()
    engine = engine_for(settings)
    engine.start()
    try:
        engine.wait_ready(600)
        chat = engine.chat(max_tokens=settings.answer_tokens, timeout_s=settings.model_timeout_s)
        room = engine.context_tokens - settings.answer_tokens
        rows = asyncio.run(_measured(chat, room, lengths, report))
    finally:
        engine.stop()
    found = {(row["contender"], row["tokens"]): row["found"] for row in rows}
    longest, shortest = max(lengths), min(lengths)
    return {
        "rows": rows,
        "ratios": {
            f"{name}_found_{longest}_vs_{shortest}": round(found[name, longest] / found[name, shortest], 2)
            for name in ("sections", "one_prompt")
            if found[name, shortest]
        },
        "metrics": {f"found_{name}_{tokens}": value for (name, tokens), value in found.items()},
        "settings": {"section_tokens": SECTION_TOKENS, "prompt_tokens": room, "facts": len(FACTS)},
    }


def padded(texts: Sequence[str], tokens: int) -> list[str]:
    """Return the passages of a text of that many tokens: `texts` over and over, a fact in each of its fifths."""
    count = max(len(FACTS), tokens * _CHARS_A_TOKEN // _PASSAGE)
    passages = [texts[place % len(texts)] for place in range(count)]
    for number, (_, sentence, _) in enumerate(FACTS):
        place = (2 * number + 1) * count // (2 * len(FACTS))
        passages[place] = f"{passages[place]}\n{sentence}"
    return passages


async def _measured(chat: Any, room: int, lengths: Sequence[int], report: Report) -> list[dict[str, Any]]:
    contenders: dict[str, tuple[Drafter, ...]] = {"sections": (Sections(), Prose()), "one_prompt": (Prose(),)}
    texts = _texts()
    rows = []
    for tokens in lengths:
        evidence = evidence_of(padded(texts, tokens), names=[f"{tokens}"] * len(padded(texts, tokens)))
        for name, drafters in contenders.items():
            budget = min(room, SECTION_TOKENS * 2) if name == "sections" else room
            pipeline = _pipeline(chat, budget, evidence, drafters)
            answers = [await _asked(pipeline, question) for question, _, _ in FACTS]
            rows.append(_row(name, tokens, answers))
            report(str(rows[-1]))
    return rows


async def _asked(pipeline: Pipeline, text: str) -> Answer:
    question = Question(text=text, language="en", scope=OPERATOR.scope())
    return await pipeline.answer(question, principal=OPERATOR, domain="general")


def _row(contender: str, tokens: int, answers: Sequence[Answer]) -> dict[str, Any]:
    found = [figure in answer.text for answer, (_, _, figure) in zip(answers, FACTS, strict=True)]
    read = [f"{one.sections.read}/{one.sections.of}" for one in answers if one.sections is not None]
    return {
        "contender": contender,
        "tokens": tokens,
        "found": round(sum(found) / len(FACTS), 2),
        "abstained": round(sum(one.abstained for one in answers) / len(FACTS), 2),
        "sections_read": read,
    }


def _pipeline(chat: Any, budget: int, evidence: Sequence[Evidence], drafters: tuple[Drafter, ...]) -> Pipeline:
    nothing = Unrecorded()
    return Pipeline(
        registry=load_domains(only=["general"]),
        searcher=_Given(evidence),
        chat_factory=lambda: chat,
        ledger=nothing,
        content=nothing,
        versions=dict,
        prompt_tokens=lambda: budget,
        verifier=Verifier(),
        drafters=drafters,
        secret=b"benchmark",
    )


def _texts() -> list[str]:
    """Return the text of the example documents that are PDF files, in passages of whole lines."""
    passages: list[str] = []
    for path in sorted((ROOT / "examples" / "documents").glob("*.pdf")):
        with pypdfium2.PdfDocument(path) as document:
            lines = [line for page in document for line in page.get_textpage().get_text_range().splitlines()]
        here = ""
        for line in lines:
            if len(here) + len(line) > _PASSAGE and here:
                passages.append(here)
                here = ""
            here += f"{line}\n"
        passages.append(here)
    return passages
