"""Fits the coefficients of `polarity` on a set of yes-no-maybe questions with their texts.

    python -m app.answering.choosing.fit DATA --signals signals.jsonl --date 2026-11-25

DATA has the format of med_pubmedqa (items.jsonl: id, question, contexts, answer). The model is the one at
VOUCH_MODEL_URL; what it says of each item is kept in the signals file, and asked only once. Strength of the penalty and
weight of the prior are chosen by cross-validation, and what that says of them is written into the file. The items
themselves are not.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TextIO

import numpy as np
import numpy.typing as npt
from langchain_core.language_models import BaseChatModel
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold

from app.answering.choosing.carrying import carrying
from app.answering.choosing.deciding import decide
from app.answering.choosing.polarity import FEATURES, Polarity, features
from app.answering.evaluation.assistant import evidence_of
from retrieval.evaluation.reading import lines

__all__ = ["fit", "main"]

Matrix = npt.NDArray[np.float64]
Labels = npt.NDArray[np.str_]

_ORDER: Final = tuple(sorted(one.value for one in Polarity))
"""Order of the classes in every matrix of probabilities."""

_PENALTIES: Final = (0.1, 0.3, 1.0, 3.0)
_PRIORS: Final = (0.0, 0.25, 0.5, 0.75)
"""Shares of the logarithm of the class frequencies that are taken off: 1 treats all classes as equally frequent."""

_FOLDS: Final = 10
_REPEATS: Final = 5
_PLACES: Final = 5


def fit(x: Matrix, y: Labels) -> dict[str, Any]:
    """Return coefficients for `polarity.json`, with their cross-validated figures.

    Args:
        x: (items, features) as `features` gives them.
        y: (items,) of "yes", "no", "maybe", each at least ten times.
    """
    tried = [
        {"penalty": penalty, "prior": prior, "accuracy": accuracy, "macro_f1": macro}
        for penalty in _PENALTIES
        for prior, (accuracy, macro) in _validated(x, y, penalty).items()
    ]
    best = max(tried, key=lambda one: one["accuracy"] + one["macro_f1"])
    centre, spread = x.mean(axis=0), np.where(x.std(axis=0) > 0, x.std(axis=0), 1.0)
    model = _trained((x - centre) / spread, y, best["penalty"])
    frequency = {name: float(np.log((y == name).mean())) for name in _ORDER}
    rows = dict(zip(model.classes_, model.coef_, strict=True))
    bias = dict(zip(model.classes_, model.intercept_, strict=True))
    return {
        "features": list(FEATURES),
        "centre": [round(float(value), _PLACES) for value in centre],
        "spread": [round(float(value), _PLACES) for value in spread],
        "weights": {name: [round(float(value), _PLACES) for value in rows[name]] for name in _ORDER},
        "bias": {name: round(float(bias[name]) - best["prior"] * frequency[name], _PLACES) for name in _ORDER},
        "cross_validated": best | {"folds": _FOLDS, "repeats": _REPEATS},
    }


def _trained(x: Matrix, y: Labels, penalty: float) -> LogisticRegression:
    return LogisticRegression(C=penalty, max_iter=5000).fit(x, y)


def _validated(x: Matrix, y: Labels, penalty: float) -> dict[float, tuple[float, float]]:
    """Return accuracy and macro-F1 for each prior, over repeated folds; centre and spread come from the other folds."""
    frequency = np.log([(y == name).mean() for name in _ORDER])
    found: dict[float, list[tuple[float, float]]] = {prior: [] for prior in _PRIORS}
    for repeat in range(_REPEATS):
        scores = np.zeros((len(y), len(_ORDER)))
        for train, test in StratifiedKFold(_FOLDS, shuffle=True, random_state=repeat).split(x, y):
            centre, spread = x[train].mean(axis=0), np.where(x[train].std(axis=0) > 0, x[train].std(axis=0), 1.0)
            model = _trained((x[train] - centre) / spread, y[train], penalty)
            scores[test] = model.predict_log_proba((x[test] - centre) / spread)
        for prior in _PRIORS:
            said = np.array(_ORDER)[(scores - prior * frequency).argmax(axis=1)]
            found[prior].append((float((said == y).mean()), float(f1_score(y, said, average="macro"))))
    return {
        prior: (round(float(np.mean([a for a, _ in runs])), 4), round(float(np.mean([f for _, f in runs])), 4))
        for prior, runs in found.items()
    }


async def _signals(
    chat: BaseChatModel, rows: Sequence[Mapping[str, Any]], held: Mapping[str, dict[str, float]], kept: TextIO
) -> dict[str, dict[str, float]]:
    """Return what the model says of each item, asking for what is not kept yet."""
    known = dict(held)
    room = asyncio.Semaphore(8)

    async def ask(row: Mapping[str, Any]) -> None:
        async with room:
            known[row["id"]] = await decide(
                chat, row["question"], list(Polarity), findings=_findings(row), strength=0.0
            )
        kept.write(json.dumps({"id": row["id"], "scores": known[row["id"]]}) + "\n")

    await asyncio.gather(*(ask(row) for row in rows if row["id"] not in known))
    return known


def _findings(row: Mapping[str, Any]) -> list[str]:
    return [one.text for one in carrying(row["question"], evidence_of(["\n".join(row["contexts"])]))]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command of the module's text."""
    from app.settings import load
    from model.client import chat_model

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--signals", type=Path, required=True)
    parser.add_argument("--date", required=True)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("polarity.json"))
    parser.add_argument("--only-known", action="store_true", help="Fit on the items of the signals file; ask nothing.")
    given = parser.parse_args(arguments)
    rows = list(lines(given.data / "items.jsonl"))
    settings = load()
    chat = chat_model(
        url=settings.model_url, api_key=settings.model_api_key, model=settings.model, max_tokens=1, timeout_s=600
    )
    held = {row["id"]: row["scores"] for row in (lines(given.signals) if given.signals.exists() else ())}
    with given.signals.open("a", encoding="utf-8") as kept:
        known = asyncio.run(_signals(chat, [] if given.only_known else rows, held, kept))
    used = [row for row in rows if row["id"] in known]
    x = np.array([features(_findings(row), {Polarity(k): v for k, v in known[row["id"]].items()}) for row in used])
    body = fit(x, np.array([row["answer"] for row in used]))
    head = {"version": 1, "fitted_on": given.data.name, "items": len(used), "date": given.date, "model": settings.model}
    given.out.write_text(json.dumps(head | body, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
