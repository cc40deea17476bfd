"""Reads FaithBench: summaries, and what people found in them that does not follow from the source.

Bao et al., "FaithBench: a diverse hallucination benchmark for summarization by modern LLMs" (NAACL 2025). A folder of
the set has ``samples.jsonl`` with ``id``, ``source``, ``summary``, ``annotations`` (spans of the summary with labels),
``worst_label`` and ``metadata``, of which the published detectors' scores are read and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.answering.checking.support import sentences
from app.errors import BadRequest
from retrieval.evaluation.reading import lines

__all__ = ["DETECTORS", "Sentence", "Summary", "summaries_of"]

DETECTORS: Final = (
    "hhemv1",
    "hhem-2.1",
    "hhem-2.1-english",
    "trueteacher",
    "true_nli",
    "gpt-3.5-turbo",
    "gpt-4-turbo",
    "gpt_4o",
)
"""Detectors whose scores, 0 to 1 and higher for a faithful summary, stand in the set's metadata."""

_BAD: Final = frozenset({"Unwanted", "Questionable"})


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of a summary; `faithful` unless an unwanted or questionable span touches it."""

    text: str
    faithful: bool


@dataclass(frozen=True, slots=True)
class Summary:
    """One item; `label` is its worst one: Consistent, Benign, Questionable or Unwanted."""

    id: str
    source: str
    text: str
    label: str
    sentences: tuple[Sentence, ...]
    detectors: Mapping[str, float]

    @property
    def faithful(self) -> bool:
        """Whether it is neither questionable nor unwanted."""
        return self.label not in _BAD


def summaries_of(folder: Path) -> list[Summary]:
    """Return the items of a folder.

    Raises:
        BadRequest: the folder is not one of the set.
    """
    file = folder / "samples.jsonl"
    if not file.exists():
        raise BadRequest(f"{folder} has no samples.jsonl.", remedy="Give a folder of FaithBench with --data.")
    try:
        return [_summary(record) for record in lines(file)]
    except (KeyError, TypeError, AttributeError) as error:
        raise BadRequest(
            f"A line of {file} is no item of FaithBench.",
            remedy="It needs id, source, summary, annotations and worst_label.",
        ) from error


def _summary(record: Mapping[str, Any]) -> Summary:
    spans = [
        (int(span["summary_start"]), int(span["summary_end"]))
        for span in record["annotations"]
        if span["summary_start"] is not None and _BAD & {str(label).partition(".")[0] for label in span["label"]}
    ]
    found, at = [], 0
    for part in sentences(record["summary"]):
        start = record["summary"].index(part, at)
        at = start + len(part)
        found.append(Sentence(part, not any(begin < at and end > start for begin, end in spans)))
    scores = record.get("metadata") or {}
    detectors = {name: float(scores[name]) for name in DETECTORS if scores.get(name) is not None}
    return Summary(
        str(record["id"]), record["source"], record["summary"], record["worst_label"], tuple(found), detectors
    )
