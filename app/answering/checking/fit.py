"""Fits the coefficients of `entailment` on sentences of summaries that people read against their sources.

    python -m app.answering.checking.fit FAITHBENCH MTRAGUN --date 2026-11-25

FAITHBENCH has the format of faith_faithbench, MTRAGUN that of faith_mtragun. Which signals are used is chosen by
cross-validation over sources, and so is what is said of the result: the choice is made anew inside each fold
("nested"), since the best of 63 choices looks better on what it was chosen by than it is. The floor is the log-odds
that all but one in a hundred sentences of written answers reach beside the passage that they were written from.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from app.answering.checking.entailment import Entailment
from app.answering.checking.signals import SIGNALS, Source, signals
from app.answering.checking.support import coverage, informative, sentences
from app.answering.evaluation.summaries import Summary, summaries_of
from retrieval.evaluation.reading import lines

__all__ = ["Read", "fit", "floor_of", "main", "read"]

Matrix = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]

_PENALTY: Final = 0.1
_FOLDS: Final = 8
_INNER_FOLDS: Final = 4
_LOST: Final = 0.01
"""Share of true claims that the floor may cost."""

_LEAST_CHARACTERS: Final = 30
_PLACES: Final = 4


@dataclass(frozen=True)
class Read:
    """A set, as numbers.

    Attributes:
        signals: (sentences, signals).
        faithful: (sentences,).
        summary_of: (sentences,): which summary each is of.
        summary_faithful: (summaries,).
        source_of: (summaries,): which source each is of.
    """

    signals: Matrix
    faithful: Flags
    summary_of: Places
    summary_faithful: Flags
    source_of: Places


def read(items: Sequence[Summary]) -> Read:
    """Compute the signals of all sentences."""
    items = [item for item in items if item.sentences]
    sources = {text: Source(text) for text in dict.fromkeys(item.source for item in items)}
    number = {text: place for place, text in enumerate(sources)}
    rows = [
        (place, one.faithful, signals(one.text, sources[item.source]))
        for place, item in enumerate(items)
        for one in item.sentences
    ]
    return Read(
        np.array([row[2] for row in rows]),
        np.array([row[1] for row in rows]),
        np.array([row[0] for row in rows]),
        np.array([item.faithful for item in items]),
        np.array([number[item.source] for item in items]),
    )


def fit(data: Read, *, seed: int = 0) -> dict[str, Any]:
    """Return coefficients for ``entailment.json``, with what cross-validation says of them.

    Args:
        data: Sentences of at least eight sources.
        seed: Of the folds.
    """
    chosen = _chosen(data, _folds(data, _FOLDS, seed))
    odds, faithful = _validated(data, chosen, _folds(data, _FOLDS, seed))
    nested = _nested(data, seed)
    whole = np.ones(len(data.source_of), dtype=bool)
    alone = {name: _auc(data, (place,), seed) for place, name in enumerate(SIGNALS)}
    without = {
        SIGNALS[one]: _auc(data, tuple(p for p in chosen if p != one), seed) for one in chosen if len(chosen) > 1
    }
    added = {SIGNALS[one]: _auc(data, (*chosen, one), seed) for one in range(len(SIGNALS)) if one not in chosen}
    return _trained(data, chosen, whole) | {
        "sources": len(set(data.source_of)),
        "summaries": len(data.source_of),
        "sentences": len(data.faithful),
        "penalty": _PENALTY,
        "cross_validated": {
            "folds": _FOLDS,
            "auc": round(float(roc_auc_score(data.summary_faithful, odds)), _PLACES),
            "balanced_accuracy": round(float(balanced_accuracy_score(data.summary_faithful, faithful)), _PLACES),
            "nested_auc": nested[0],
            "nested_balanced_accuracy": nested[1],
        },
        "auc_of": {"alone": alone, "without": without, "added": added},
    }


def floor_of(model: Entailment, folder: Path) -> dict[str, Any]:
    """Return the floor: what all but 1 % of the sentences of written answers reach beside their own passages."""
    own = sorted(model.log_odds(text, _nearest(text, passages)) for text, passages in _answers(folder))
    return {
        "floor": round(own[int(_LOST * len(own))], _PLACES),
        "floor_set": folder.name,
        "floor_sentences": len(own),
        "floor_costs": _LOST,
    }


def _nearest(text: str, passages: Sequence[str]) -> Source:
    """Return the passage that holds most of a text."""
    terms = informative(text)
    return Source(max(passages, key=lambda one: coverage(terms, [one])))


def _answers(folder: Path) -> Iterator[tuple[str, list[str]]]:
    file = next(iter(sorted(folder.glob("tasks.jsonl*"))))
    for task in lines(file):
        if task["answerability"] != ["ANSWERABLE"] or not task["contexts"]:
            continue
        passages = [one["text"] for one in task["contexts"]]
        for part in sentences(task["targets"][0]["text"]):
            if len(part) >= _LEAST_CHARACTERS:
                yield part, passages


def _folds(data: Read, count: int, seed: int, among: Flags | None = None) -> list[Flags]:
    """Return for each fold which summaries are held out: whole sources, drawn with the seed."""
    sources = np.unique(data.source_of if among is None else data.source_of[among])
    shuffled = np.random.default_rng(seed).permutation(sources)
    return [np.isin(data.source_of, shuffled[fold::count]) for fold in range(count)]


def _trained(data: Read, columns: Sequence[int], among: Flags) -> dict[str, Any]:
    """Fit on the sentences of some summaries."""
    rows = among[data.summary_of]
    x, y = data.signals[rows][:, list(columns)], data.faithful[rows]
    centre, spread = x.mean(axis=0), np.where(x.std(axis=0) > 0, x.std(axis=0), 1.0)
    model = LogisticRegression(C=_PENALTY).fit((x - centre) / spread, y)
    body = {
        "features": [SIGNALS[place] for place in columns],
        "centre": [round(float(value), _PLACES) for value in centre],
        "spread": [round(float(value), _PLACES) for value in spread],
        "weights": [round(float(value), _PLACES) for value in model.coef_[0]],
        "bias": round(float(model.intercept_[0]), _PLACES),
        "faithful_from": 0.0,
    }
    odds = _odds(data, Entailment.of(body))
    good, bad = odds[among & data.summary_faithful].mean(), odds[among & ~data.summary_faithful].mean()
    return body | {"faithful_from": round(float(good + bad) / 2, _PLACES)}


def _odds(data: Read, model: Entailment) -> Matrix:
    """Return the mean log-odds of each summary's sentences, (summaries,)."""
    columns = [SIGNALS.index(name) for name in model.features]
    scaled = (data.signals[:, columns] - np.array(model.centre)) / np.array(model.spread)
    of_sentence = model.bias + scaled @ np.array(model.weights)
    return np.bincount(data.summary_of, of_sentence) / np.bincount(data.summary_of)


def _validated(
    data: Read, columns: Sequence[int], folds: Sequence[Flags], among: Flags | None = None
) -> tuple[Matrix, Flags]:
    """Return of each summary the log-odds above the threshold, and whether it counts as faithful, fitted on others."""
    odds = np.zeros(len(data.source_of))
    for held in folds:
        body = _trained(data, columns, ~held if among is None else ~held & among)
        odds[held] = (_odds(data, Entailment.of(body)) - body["faithful_from"])[held]
    return odds, odds >= 0


def _auc(data: Read, columns: Sequence[int], seed: int) -> float:
    odds, _ = _validated(data, columns, _folds(data, _FOLDS, seed))
    return round(float(roc_auc_score(data.summary_faithful, odds)), _PLACES)


def _chosen(data: Read, folds: Sequence[Flags], among: Flags | None = None) -> tuple[int, ...]:
    """Return the places of the signals whose cross-validated ranking of the summaries is best."""
    seen = np.ones(len(data.source_of), dtype=bool) if among is None else among
    subsets = [one for size in range(1, len(SIGNALS) + 1) for one in combinations(range(len(SIGNALS)), size)]

    def ranks(columns: tuple[int, ...]) -> float:
        odds, _ = _validated(data, columns, folds, among)
        return float(roc_auc_score(data.summary_faithful[seen], odds[seen]))

    return max(subsets, key=ranks)


def _nested(data: Read, seed: int) -> tuple[float, float]:
    """Return AUC and balanced accuracy where the signals are chosen anew for each fold, without it."""
    odds = np.zeros(len(data.source_of))
    for held in _folds(data, _FOLDS, seed):
        columns = _chosen(data, _folds(data, _INNER_FOLDS, seed, ~held), ~held)
        body = _trained(data, columns, ~held)
        odds[held] = (_odds(data, Entailment.of(body)) - body["faithful_from"])[held]
    return (
        round(float(roc_auc_score(data.summary_faithful, odds)), _PLACES),
        round(float(balanced_accuracy_score(data.summary_faithful, odds >= 0)), _PLACES),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command of the module's text."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faithbench", type=Path)
    parser.add_argument("mtragun", type=Path)
    parser.add_argument("--date", required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("entailment.json"))
    given = parser.parse_args(arguments)
    body = fit(read(summaries_of(given.faithbench)), seed=given.seed)
    floor = floor_of(Entailment.of(body), given.mtragun)
    head = {"version": 1, "fitted_on": given.faithbench.name, "date": given.date, "seed": given.seed}
    given.out.write_text(json.dumps(head | body | floor, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
