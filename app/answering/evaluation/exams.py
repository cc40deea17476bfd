"""MMLU and CMMLU: multiple choice without any document, so the model alone is asked (`choices.pick`).

Hendrycks et al., "Measuring Massive Multitask Language Understanding" (ICLR 2021); Li et al., "CMMLU" (2023). A folder
of either set has ``items.jsonl`` with ``id``, ``domain``, ``subject``, ``question``, ``A`` to ``D`` and ``answer``.

    accuracy, accuracy_<domain>     zero-shot; the letter with the best calibrated probability is the right one

The figure says what the model knows. What the assistant shows is not in it: without a passage it shows nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from langchain_core.messages import HumanMessage

from app.answering.evaluation.assistant import Assistant, each
from app.answering.evaluation.choices import first_named, pick, rows_of
from app.answering.evaluation.figures import Row, drawn, result
from model.client import stream_text
from retrieval.language import Language
from retrieval.metrics import mean

__all__ = ["CMMLU", "MMLU", "Exam"]

_LETTERS: Final = ("A", "B", "C", "D")
_NAIVE: Final = 16
"""Items that are also asked for plainly, the reply read for the first letter that it names."""


@dataclass(frozen=True, slots=True)
class Exam:
    """The suite of one set. Call it to run it."""

    name: str
    language: Language

    def __call__(
        self,
        data: Path,
        *,
        assistant: Assistant,
        limit: int | None,
        seed: int,
        report: Callable[[str], object] = print,
    ) -> dict[str, Any]:
        """Measure the choices of the model.

        Raises:
            BadRequest: the folder is not one of the set, or the model tells no probabilities.
            ModelError: from the model.
        """
        started = time.monotonic()
        every = rows_of(data / "items.jsonl", ("id", "domain", "subject", "question", *_LETTERS, "answer"))
        items = drawn(every, limit=limit, seed=seed)

        async def ask(item: Mapping[str, Any]) -> Row:
            said = await pick(assistant, item["question"], _texts(item), language=self.language)
            letter = _LETTERS[_texts(item).index(said)]
            right = float(letter == item["answer"])
            told = {"gold": item["answer"], "said": letter, "subject": item["subject"]}
            return Row(str(item["id"]), {"accuracy": right, f"accuracy_{item['domain']}": right}, told=told)

        rows = each(items, ask, report=report)
        return result(
            self.name,
            data.name,
            rows,
            started=started,
            seed=seed,
            settings={"limit": limit, "asked": "the model, without documents"},
            naive=self._naive(items[:_NAIVE], rows, assistant, report),
        )

    def _naive(
        self,
        items: Sequence[Mapping[str, Any]],
        rows: Sequence[Row],
        assistant: Assistant,
        report: Callable[[str], object],
    ) -> dict[str, Any]:
        async def ask(item: Mapping[str, Any]) -> float:
            lines = [item["question"], *(f"{letter}. {item[letter]}" for letter in _LETTERS), "Answer:"]
            pieces = stream_text(assistant.chat, [HumanMessage("\n".join(lines))], max_tokens=8)
            return float(first_named("".join([piece async for piece in pieces]), _LETTERS) == item["answer"])

        report(f"{len(items)} answers as a tutorial asks for them")
        return {
            "n": len(items),
            "accuracy": round(mean(each(items, ask, report=report)), 4),
            "ours_on_the_same": round(mean([row.figures["accuracy"] for row in rows[: len(items)]]), 4),
        }


def _texts(item: Mapping[str, Any]) -> list[str]:
    """Return the four answers, told apart by their letters where two are alike."""
    texts = [str(item[letter]).strip() for letter in _LETTERS]
    return [
        f"{text} ({letter})" if texts.count(text) > 1 else text for letter, text in zip(_LETTERS, texts, strict=True)
    ]


MMLU: Final = Exam("mmlu", "en")
CMMLU: Final = Exam("cmmlu", "zh")
