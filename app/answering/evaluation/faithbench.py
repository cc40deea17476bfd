"""FaithBench: does the score that claims are checked with tell a faithful summary from one that adds or twists?

Bao et al., "FaithBench: a diverse hallucination benchmark for summarization by modern LLMs" (NAACL 2025). Summaries by
ten models, chosen where published detectors disagree, and read by people; see `summaries` for the format.

    balanced_accuracy         mean of the share of unfaithful summaries (Unwanted, Questionable) that is found and of
                              the share of faithful ones (Benign, Consistent) that is passed, at the shipped threshold
    balanced_accuracy_unwanted    the same where Unwanted alone counts as unfaithful
    auc                       chance that a faithful summary has a higher score than an unfaithful one
    found, passed             the two shares

A summary's score is the mean log-odds of its sentences, each held against the whole source as a claim is against its
passage (`checking.entailment`). The coefficients were fitted on one half of the set: on that half the figures flatter,
and what cross-validation said when they were fitted stands beside them (``cross_validated``). Rivals on the same items:
overlap of word pairs, with the threshold that is best on other sources (eight folds), and the published detectors whose
scores the set holds, at one half. No model runs.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from app.answering.checking.entailment import fitted
from app.answering.checking.signals import Source
from app.answering.evaluation.figures import drawn
from app.answering.evaluation.summaries import DETECTORS, Summary, summaries_of
from app.errors import BadRequest

__all__ = ["auc", "balanced_accuracy", "faithbench", "overlap"]

_WORD: Final = re.compile(r"\w+")
_FOLDS: Final = 8
_DRAWS: Final = 1000
_PLACES: Final = 4
_INTERVALS: Final = "95 %, percentile bootstrap over sources"


@dataclass(frozen=True, slots=True)
class _Scored:
    """A summary with a detector's score, higher for a faithful one, and what it decided."""

    item: Summary
    score: float
    passed: bool


def faithbench(
    data: Path, *, limit: int | None = None, seed: int = 0, report: Callable[[str], object] = print
) -> dict[str, Any]:
    """Measure the entailment score of the checks, and its rivals.

    Args:
        data: A folder of the set.
        limit: Most items.
        seed: Of the draws.
        report: Told of progress.

    Raises:
        BadRequest: the folder is not one of the set, or has items of one kind alone.
    """
    started = time.monotonic()
    items = drawn(summaries_of(data), limit=limit, seed=seed)
    if len({item.faithful for item in items}) < 2:
        raise BadRequest("All of these summaries are of one kind.", remedy="Give more of them: raise --limit.")
    model = fitted()
    sources = {text: Source(text) for text in dict.fromkeys(item.source for item in items)}
    report(f"{len(items)} summaries of {len(sources)} sources")
    begin = time.perf_counter()
    odds = [model.of_all(item.text, sources[item.source]) for item in items]
    taken = time.perf_counter() - begin
    ours = [
        _Scored(item, score - model.faithful_from, score >= model.faithful_from)
        for item, score in zip(items, odds, strict=True)
    ]
    sentences = sum(len(item.sentences) for item in items)
    fit = json.loads(files("app.answering.checking").joinpath("entailment.json").read_text(encoding="utf-8"))
    return {
        "suite": "faithbench",
        "data": data.name,
        "n": len(items),
        "metrics": _figures(ours),
        "intervals": _intervals(ours, seed),
        "intervals_are": _INTERVALS,
        "rivals": _rivals(items),
        "cross_validated": fit.get("cross_validated"),
        "settings": {"seed": seed, "features": list(model.features), "fitted_on": fit.get("fitted_on")},
        "milliseconds_a_claim": round(1000 * taken / max(1, sentences), 2),
        "items": [
            {
                "id": one.item.id,
                "figures": {"right": float(one.passed == one.item.faithful)},
                "score": round(one.score, 4),
            }
            for one in ours
        ],
        "seconds": round(time.monotonic() - started, 1),
    }


def balanced_accuracy(faithful: Sequence[bool], passed: Sequence[bool]) -> float:
    """Return the mean of the shares that are right among the faithful and among the others.

    Raises:
        ValueError: there are none of one kind.
    """
    shares = []
    for kind in (True, False):
        those = [p == f for f, p in zip(faithful, passed, strict=True) if f is kind]
        if not those:
            raise ValueError("balanced accuracy needs items of both kinds")
        shares.append(sum(those) / len(those))
    return sum(shares) / 2


def auc(faithful: Sequence[bool], scores: Sequence[float]) -> float:
    """Return the chance that a faithful item's score is above an unfaithful one's; a tie counts one half.

    Raises:
        ValueError: there are none of one kind.
    """
    good = [score for kind, score in zip(faithful, scores, strict=True) if kind]
    bad = [score for kind, score in zip(faithful, scores, strict=True) if not kind]
    if not good or not bad:
        raise ValueError("the area needs items of both kinds")
    wins = sum((one > other) + 0.5 * (one == other) for one in good for other in bad)
    return wins / (len(good) * len(bad))


def overlap(text: str, source: str) -> float:
    """Return the share of a text's pairs of neighbouring words that its source has."""
    mine, theirs = _pairs(text), _pairs(source)
    return len(mine & theirs) / len(mine) if mine else 0.0


def _pairs(text: str) -> set[tuple[str, str]]:
    words = _WORD.findall(text.lower())
    return set(pairwise(words))


def _figures(scored: Sequence[_Scored]) -> dict[str, float]:
    faithful = [one.item.faithful for one in scored]
    wanted = [one.item.label != "Unwanted" for one in scored]
    passed = [one.passed for one in scored]
    found = {
        "balanced_accuracy": balanced_accuracy(faithful, passed),
        "auc": auc(faithful, [one.score for one in scored]),
        "found": _share([not one.passed for one in scored if not one.item.faithful]),
        "passed": _share([one.passed for one in scored if one.item.faithful]),
    }
    if len(set(wanted)) == len({True, False}):
        found["balanced_accuracy_unwanted"] = balanced_accuracy(wanted, passed)
        found["auc_unwanted"] = auc(wanted, [one.score for one in scored])
    return {name: round(value, _PLACES) for name, value in found.items()}


def _share(flags: Sequence[bool]) -> float:
    return sum(flags) / len(flags)


def _intervals(scored: Sequence[_Scored], seed: int) -> dict[str, list[float]]:
    """Draw whole sources again and again; a draw with one kind of item alone says nothing and is left out."""
    groups: dict[str, list[_Scored]] = {}
    for one in scored:
        groups.setdefault(one.item.source, []).append(one)
    random_ = random.Random(seed)  # noqa: S311 - a bootstrap, not a secret
    names = sorted(groups)
    values = []
    for _ in range(_DRAWS):
        again = [one for name in random_.choices(names, k=len(names)) for one in groups[name]]
        if len({one.item.faithful for one in again}) == len({True, False}):
            values.append(balanced_accuracy([one.item.faithful for one in again], [one.passed for one in again]))
    values.sort()
    edges = [values[int(share * (len(values) - 1))] for share in (0.025, 0.975)] if values else []
    return {"balanced_accuracy": [round(edge, _PLACES) for edge in edges]}


def _rivals(items: Sequence[Summary]) -> dict[str, Any]:
    scores = [overlap(item.text, item.source) for item in items]
    thresholds = _elsewhere(items, scores)
    rivals = {
        "word pairs": _figures(
            [
                _Scored(item, score, score >= threshold)
                for item, score, threshold in zip(items, scores, thresholds, strict=True)
            ]
        )
    }
    for name in DETECTORS:
        told = [_Scored(item, score, score >= 0.5) for item in items if (score := item.detectors.get(name)) is not None]
        if len({one.item.faithful for one in told}) == len({True, False}):
            rivals[name] = _figures(told)
    return rivals


def _elsewhere(items: Sequence[Summary], scores: Sequence[float]) -> list[float]:
    """Return for each item the threshold that is best on the items of other sources."""
    sources = sorted({item.source for item in items})
    fold = {source: place % _FOLDS for place, source in enumerate(sources)}
    best = [
        _best_threshold([(i.faithful, s) for i, s in zip(items, scores, strict=True) if fold[i.source] != held])
        for held in range(_FOLDS)
    ]
    return [best[fold[item.source]] for item in items]


def _best_threshold(known: Sequence[tuple[bool, float]]) -> float:
    """Return the score from which on calling items faithful is most often right; 0.5 where one kind is missing."""
    kinds = [kind for kind, _ in known]
    if len(set(kinds)) < len({True, False}):
        return 0.5
    return max(
        sorted({score for _, score in known}),
        key=lambda least: balanced_accuracy(kinds, [score >= least for _, score in known]),
    )
