"""MIRAGE: medical multiple choice, with and without what a search by the question finds.

Xiong et al., "Benchmarking Retrieval-Augmented Generation for Medicine" (ACL 2024). A folder of the set has
``<set>.jsonl`` files with ``id``, ``question``, ``options`` and ``answer``.

    mean_without             mean over the sets of the accuracy of the model alone (`choices.pick`)
    mean_with                the same, the model choosing from sentences that were found
    gain_with_retrieval      their difference

As the set asks, the search sees the question and never the options. The set comes without documents; searched are, by
BM25, those that stand in folders beside it: the answers of MedQuAD (``med_medquad``) and the abstracts of PubMedQA
(``med_pubmedqa``), which the paper's corpus, PubMed, holds as well: its questions are about them. Where neither is
there, only ``mean_without`` is measured. What was found and shares too little with the question is not used, as the
assistant would not answer from it.

These are figures of choosing. An answer that the assistant shows is checked against its passage besides, and options
that no passage holds (the usual case in an exam) are then struck out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from app.answering.checking.support import coverage, informative
from app.answering.choosing.carrying import carrying
from app.answering.evaluation.assistant import Assistant, each, evidence_of
from app.answering.evaluation.choices import pick, rows_of
from app.answering.evaluation.figures import Row, drawn, result
from app.errors import BadRequest
from retrieval.evaluation.reading import lines
from retrieval.lexical import LexicalIndex

__all__ = ["Library", "library_beside", "mirage"]

FOUND: Final = 3
"""Documents that are read for a question."""

LEAST_SHARED: Final = 0.5
"""Share of the question's informative terms that the sentences found must hold to be used."""

_DRAWS: Final = 2000


@dataclass(frozen=True, slots=True)
class Library:
    """Documents, searched by words; `names` are the folders that they come from."""

    names: tuple[str, ...]
    texts: tuple[str, ...]
    index: LexicalIndex

    @classmethod
    def of(cls, names: Sequence[str], texts: Sequence[str]) -> Library:
        """Index documents."""
        index = LexicalIndex()
        index.build(range(len(texts)), texts)
        return cls(tuple(names), tuple(texts), index)

    def findings(self, question: str) -> list[str] | None:
        """Return the sentences of the best documents that carry an answer, or None where they hardly fit."""
        found = self.index.search(question, FOUND, None)
        sentences = carrying(question, evidence_of([self.texts[place] for place, _ in found]))
        texts = [sentence.text for sentence in sentences]
        return texts if texts and coverage(informative(question), texts) >= LEAST_SHARED else None


def library_beside(data: Path) -> Library | None:
    """Return what stands in the folders beside a set, or None."""
    names, texts = [], []
    answers, abstracts = data.parent / "med_medquad" / "corpus.jsonl.gz", data.parent / "med_pubmedqa" / "items.jsonl"
    if answers.is_file():
        names.append("med_medquad")
        texts += [f"{row['focus']}\n{row['answer']}" for row in lines(answers)]
    if abstracts.is_file():
        names.append("med_pubmedqa")
        texts += ["\n".join(row["contexts"]) for row in lines(abstracts)]
    return Library.of(names, texts) if texts else None


def mirage(
    data: Path, *, assistant: Assistant, limit: int | None, seed: int, report: Callable[[str], object] = print
) -> dict[str, Any]:
    """Measure choosing with and without retrieval.

    Args:
        data: A folder of the set.
        assistant: Lends the model.
        limit: Most items; a fifth of them of each of five sets.
        seed: Of the draw.
        report: Told of progress.

    Raises:
        BadRequest: the folder is not one of the set, or the model tells no probabilities.
        ModelError: from the model.
    """
    started = time.monotonic()
    items = _items(data, limit=limit, seed=seed)
    report("reading what there is to search")
    library = library_beside(data)

    async def ask(item: Mapping[str, Any]) -> Row:
        options = item["options"]
        findings = library.findings(item["question"]) if library else None
        bare = await pick(assistant, item["question"], list(options.values()))
        read = (
            bare
            if findings is None
            else await pick(assistant, item["question"], list(options.values()), findings=findings)
        )
        letters = {text: letter for letter, text in options.items()}
        figures = {"without": float(letters[bare] == item["answer"])}
        if library:
            figures |= {"with": float(letters[read] == item["answer"]), "used": float(findings is not None)}
        told = {"set": item["set"], "gold": item["answer"], "without": letters[bare], "with": letters[read]}
        return Row(f"{item['set']}/{item['id']}", figures, told=told)

    rows = each(items, ask, report=report)
    metrics, edges = _means(rows, seed=seed)
    return result(
        "mirage",
        data.name,
        rows,
        started=started,
        seed=seed,
        settings={"limit": limit, "corpus": list(library.names) if library else [], "found": FOUND},
        metrics=metrics,
        edges=edges,
        sets=_by_set(rows),
        naive={"without": "mean_without is the model alone, which is what a pipeline without search does"},
    )


def _items(data: Path, *, limit: int | None, seed: int) -> list[dict[str, Any]]:
    files = sorted(data.glob("*.jsonl"))
    if not files:
        raise BadRequest(f"{data} holds no file of MIRAGE.", remedy="Give a folder with files such as medqa.jsonl.")
    each_limit = None if limit is None else max(1, limit // len(files))
    items: list[dict[str, Any]] = []
    for path in files:
        rows = rows_of(path, ("id", "question", "options", "answer"))
        items += [{**row, "set": path.stem} for row in drawn(rows, limit=each_limit, seed=seed)]
    for item in items:
        options = {letter: str(text).strip() for letter, text in item["options"].items()}
        held = list(options.values())
        item["options"] = {key: f"{text} ({key})" if held.count(text) > 1 else text for key, text in options.items()}
    return items


def _by_set(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for name in dict.fromkeys(row.told["set"] for row in rows):
        own = [row.figures for row in rows if row.told["set"] == name]
        found[name] = {"n": len(own)} | {
            key: round(float(np.mean([figures[key] for figures in own])), 4) for key in own[0]
        }
    return found


def _means(rows: Sequence[Row], *, seed: int) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    """Return the means over sets and their intervals, each set drawn by itself and both figures of an item together."""
    keys = [key for key in ("without", "with") if key in rows[0].figures]
    sets = [
        np.array([[row.figures[key] for key in keys] for row in rows if row.told["set"] == name])  # (items, keys)
        for name in dict.fromkeys(row.told["set"] for row in rows)
    ]
    rng = np.random.default_rng(seed)
    drawn_ = np.array(
        [
            np.mean([own[rng.integers(0, len(own), len(own))].mean(axis=0) for own in sets], axis=0)
            for _ in range(_DRAWS)
        ]
    )  # (draws, keys)
    means = np.mean([own.mean(axis=0) for own in sets], axis=0)  # (keys,)
    metrics = {f"mean_{key}": float(value) for key, value in zip(keys, means, strict=True)}
    columns = {f"mean_{key}": drawn_[:, place] for place, key in enumerate(keys)}
    if len(keys) > 1:
        metrics["gain_with_retrieval"] = float(means[1] - means[0])
        columns["gain_with_retrieval"] = drawn_[:, 1] - drawn_[:, 0]
    edges = {name: tuple(map(float, np.quantile(column, [0.025, 0.975]))) for name, column in columns.items()}
    return metrics, {name: (low, high) for name, (low, high) in edges.items()}
