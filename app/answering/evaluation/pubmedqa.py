"""PubMedQA (PQA-L): yes, no or maybe, from the abstract without its conclusion, through the whole pipeline.

Jin et al., "PubMedQA: A Dataset for Biomedical Research Question Answering" (EMNLP 2019). A folder of the set has
``items.jsonl`` with ``id``, ``question``, ``contexts``, ``answer`` and ``official_split``.

    accuracy        the choice that is shown is the right one; an answer that abstains is wrong
    macro_f1        mean F1 of the three classes; a constant "yes" has 0.53 and 0.24
    …_test          the same on the items of the official test split, which alone compares with papers
    answered        share of items where a choice was shown with a sentence that passed the checks
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from app.answering.evaluation.assistant import Assistant, each, evidence_of
from app.answering.evaluation.choices import bootstrapped, first_named, macro_f1, rows_of
from app.answering.evaluation.figures import Row, drawn, result
from retrieval.metrics import mean

__all__ = ["CHOICES", "pubmedqa"]

CHOICES: Final = ("yes", "no", "maybe")
_NAIVE: Final = 24
"""Items that the naive pipeline answers as well."""

_NOTHING: Final = "abstained"
_FIELDS: Final = ("id", "question", "contexts", "answer")


def pubmedqa(
    data: Path, *, assistant: Assistant, limit: int | None, seed: int, report: Callable[[str], object] = print
) -> dict[str, Any]:
    """Measure the choices of the pipeline, and on the first items of the draw those of the naive one.

    Raises:
        BadRequest: the folder is not one of the set.
        ModelError: from the model.
    """
    started = time.monotonic()
    items = drawn(rows_of(data / "items.jsonl", _FIELDS), limit=limit, seed=seed)

    async def ask(item: Mapping[str, Any]) -> Row:
        answer = await assistant.answer(item["question"], evidence_of([_text(item)]), language="en", choices=CHOICES)
        said = answer.short or _NOTHING
        figures = {"accuracy": float(said == item["answer"]), "answered": float(not answer.abstained)}
        if item.get("official_split") == "test":
            figures["accuracy_test"] = figures["accuracy"]
        told = {"gold": item["answer"], "said": said, "shown": answer.text, "reason": answer.reason}
        return Row(str(item["id"]), figures, told=told | {"seconds": round(sum(answer.seconds.values()), 2)})

    rows = each(items, ask, report=report)
    pairs = {"macro_f1": _pairs(rows), "macro_f1_test": _pairs([row for row in rows if "accuracy_test" in row.figures])}
    pairs = {name: held for name, held in pairs.items() if held}
    return result(
        "pubmedqa",
        data.name,
        rows,
        started=started,
        seed=seed,
        settings={"limit": limit, "choices": list(CHOICES)},
        metrics={name: macro_f1(*zip(*held, strict=True)) for name, held in pairs.items()},
        edges={name: bootstrapped(macro_f1, {"": held}, seed=seed) for name, held in pairs.items()},
        naive=_naive(items[:_NAIVE], rows, assistant, report),
    )


def _naive(
    items: Sequence[Mapping[str, Any]], rows: Sequence[Row], assistant: Assistant, report: Callable[[str], object]
) -> dict[str, Any]:
    async def ask(item: Mapping[str, Any]) -> str:
        reply = await assistant.naive(f"{item['question']} Answer yes, no or maybe.", [_text(item)])
        return first_named(reply, CHOICES) or _NOTHING

    report(f"{len(items)} answers of the naive pipeline")
    said = each(items, ask, report=report)
    gold = [item["answer"] for item in items]
    ours = _pairs(rows[: len(items)])
    return {
        "n": len(items),
        "accuracy": round(mean([float(one == other) for one, other in zip(gold, said, strict=True)]), 4),
        "macro_f1": round(macro_f1(gold, said), 4),
        "ours_on_the_same": {
            "accuracy": round(mean([float(one == other) for one, other in ours]), 4),
            "macro_f1": round(macro_f1(gold, [other for _, other in ours]), 4),
        },
    }


def _text(item: Mapping[str, Any]) -> str:
    """Return the abstract as one passage: its sections, in their order."""
    return "\n".join(item["contexts"])


def _pairs(rows: Sequence[Row]) -> list[tuple[str, str]]:
    return [(str(row.told["gold"]), str(row.told["said"])) for row in rows]
