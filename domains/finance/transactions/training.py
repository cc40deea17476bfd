"""Fits champion, challenger, calibration and drift baseline to labelled transactions, split in time.

    .venv/bin/python -m domains.finance.transactions.training FOLDER [--csv LABELLED.csv] [--accounts N] [--seed S]

The features are computed by the same code that serves, event by event, so that nothing of the future is in them. Of
the honest transactions of the training months one in `EVERY` is kept, with weight `EVERY`; every fraud is kept. The
champion is gradient boosting (Friedman 2001; LightGBM, Ke et al. 2017) with `CHAMPION`; the challenger is shallower
and has more trees.

Split in time: training, then calibration, then held-out; for the generator by its months, for a real set by the order
of the file: the first 10 % warms up, 50 % trains, 15 % calibrates, 25 % is held out.

Not covered: labels that come late (a real set should end months before today), people's feedback on alerts.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import lightgbm
import numpy as np
from numpy.typing import NDArray

from domains.finance.modelcard import TrainingData
from domains.finance.models import SavedModel
from domains.finance.transactions.calibration import Calibration, brier, ece
from domains.finance.transactions.card import card
from domains.finance.transactions.drift import Baseline
from domains.finance.transactions.event import Transaction, parse
from domains.finance.transactions.features import FEATURES, NAMES
from domains.finance.transactions.generator import CALIBRATION, HELD_OUT, TRAINING, generate
from domains.finance.transactions.labelled import read_csv
from domains.finance.transactions.model import save_model
from domains.finance.transactions.stored import Nothing
from domains.finance.transactions.tracking import Tracker
from domains.finance.transactions.windows import Floats

__all__ = ["CHAMPION", "EVERY", "Alarms", "Dataset", "Fitted", "auc", "false_positives", "fit", "parts_of", "prepare"]

EVERY: Final = 4
_ROWS: Final = 16_384
_BLOCK: Final = 2_048
_COMMON: Final[dict[str, str | int | float | bool | None]] = {
    "objective": "binary",
    "min_data_in_leaf": 20,
    "feature_fraction": 0.3,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "max_bin": 63,
    "verbose": -1,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 2,
    "seed": 1,
}
CHAMPION: Final[dict[str, str | int | float | bool | None]] = {
    **_COMMON,
    "num_leaves": 16,
    "max_depth": 6,
    "learning_rate": 0.06,
}
"""16 leaves: the cost of exact SHAP values grows with leaves times depth squared; 31 leaves were five times as slow."""
CHALLENGER: Final[dict[str, str | int | float | bool | None]] = {
    **_COMMON,
    "num_leaves": 8,
    "max_depth": 3,
    "learning_rate": 0.1,
}
_TREES: Final = 120
_HOW: Final = {
    "auc": "Mann-Whitney, ties half; no interval: events of one campaign depend on each other",
    "brier": "mean squared difference of probability and label",
    "brier_of_base_rate": "the same for a constant probability",
    "ece": "ten bins of equal numbers",
    "false_positives_at_recall_0.8": "honest transactions alerted when 0.8 of the labelled ones are",
}


@dataclass(frozen=True, slots=True)
class Dataset:
    """What models are fitted to and measured on: the rows that are kept, and what each stands for.

    `features` is (n, F), in float32 to save memory.
    """

    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    weights: Floats
    part: NDArray[np.str_]
    """"train", "calibrate" or "test"."""

    def of(self, part: str) -> tuple[NDArray[np.float32], NDArray[np.int64], Floats]:
        """Return features, labels and weights of one part."""
        rows = self.part == part
        return self.features[rows], self.labels[rows], self.weights[rows]


@dataclass(frozen=True, slots=True)
class Fitted:
    """Boosters and what was measured."""

    champion: Any
    challenger: Any
    calibration: Calibration
    challenger_calibration: Calibration
    baseline: Baseline
    figures: Mapping[str, float]

    def save(self, folder: Path, *, data: TrainingData, fitted: date) -> SavedModel:
        """Write the model's folder."""
        return save_model(
            folder,
            card=card(data=data, fitted=fitted, figures=self.figures, how=_HOW, settings=CHAMPION | {"trees": _TREES}),
            champion=self.champion,
            challenger=self.challenger,
            calibrations={"champion": self.calibration, "challenger": self.challenger_calibration},
            baseline=self.baseline,
        )


def prepare(
    transactions: Sequence[Transaction],
    labels: NDArray[np.int64],
    part: NDArray[np.str_],
    *,
    report: Callable[[str], None] = lambda _line: None,
) -> Dataset:
    """Let transactions go by in order and keep the features of those that are needed.

    Args:
        transactions: In the order of their times.
        labels: (n,), 1 for fraud.
        part: (n,), "warm", "train", "calibrate" or "test".
        report: Told how far it is.
    """
    tracker = Tracker(Nothing(), rows=_ROWS)
    legit = np.cumsum((labels == 0) & (part == "train"))
    keep = (part != "warm") & ((part != "train") | (labels == 1) | (legit % EVERY == 0))
    kept = np.empty((int(keep.sum()), len(FEATURES)), dtype=np.float32)
    at = 0
    for start in range(0, len(transactions), _BLOCK):
        events = [parse(transaction) for transaction in transactions[start : start + _BLOCK]]
        seen = tracker.observe(events, first=start).features[keep[start : start + _BLOCK]]
        kept[at : at + len(seen)] = seen
        at += len(seen)
        if start % (20 * _BLOCK) == 0:
            report(f"{start} of {len(transactions)} transactions")
    weights = np.where((part == "train") & (labels == 0), float(EVERY), 1.0)
    return Dataset(kept, labels[keep], weights[keep], part[keep])


def fit(data: Dataset) -> Fitted:
    """Fit champion and challenger on "train", calibrate on "calibrate", measure on "test".

    Raises:
        ModelUnusable: the calibration month lacks one of the two kinds.
    """
    features, labels, weights = data.of("train")
    whole = lightgbm.Dataset(features, labels, weight=weights, feature_name=list(NAMES), free_raw_data=False)
    champion = lightgbm.train(CHAMPION, whole, _TREES)
    challenger = lightgbm.train(CHALLENGER, whole, _TREES)
    middle, middle_labels, _ = data.of("calibrate")
    calibration = Calibration.fit(_raw(champion, middle), middle_labels)
    other = Calibration.fit(_raw(challenger, middle), middle_labels)
    usual = np.flatnonzero((labels == 0) | (np.cumsum(labels) % EVERY == 0))  # fraud in its own proportion again
    values = np.column_stack([features[usual], _raw(champion, features[usual])])
    test, test_labels, _ = data.of("test")
    raw, other_raw = _raw(champion, test), _raw(challenger, test)
    probability, base_rate = calibration(raw), float(test_labels.mean())
    figures = {
        "transactions_train": float(weights.sum()),
        "fraud_train": float(labels.sum()),
        "transactions_test": float(len(test)),
        "fraud_test": float(test_labels.sum()),
        "auc": auc(raw, test_labels),
        "challenger_auc": auc(other_raw, test_labels),
        "false_positives_at_recall_0.8": false_positives(raw, test_labels, recall=0.8),
        "challenger_false_positives_at_recall_0.8": false_positives(other_raw, test_labels, recall=0.8),
        "brier": brier(probability, test_labels),
        "brier_of_base_rate": brier(np.full(len(test), base_rate), test_labels),
        "ece": ece(probability, test_labels),
    }
    return Fitted(champion, challenger, calibration, other, Baseline.fit(values.astype(np.float64)), figures)


def _raw(booster: Any, features: NDArray[np.float32]) -> Floats:
    return np.asarray(booster.predict(features, raw_score=True, num_threads=2), dtype=np.float64)


def auc(scores: Floats, labels: NDArray[np.int64]) -> float:
    """Return the area under the ROC curve: the share of pairs in the right order, ties half (Mann-Whitney)."""
    order = np.argsort(scores, kind="stable")
    _, inverse, counts = np.unique(scores[order], return_inverse=True, return_counts=True)
    rank = np.cumsum(counts) - (counts - 1) / 2  # mean rank of each value, from 1
    positive = labels[order] == 1
    n1, n0 = int(positive.sum()), int((~positive).sum())
    if n1 == 0 or n0 == 0:
        return float("nan")
    return float((rank[inverse][positive].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))


class Alarms:
    """Honest transactions alerted at a recall, counted again for other weights without sorting again.

    Alerts are taken from the highest score down. Where several have the same score, as many of them as are needed are
    taken, in proportion: the expectation over a random order.
    """

    def __init__(self, scores: Floats, labels: NDArray[np.int64], *, recall: float) -> None:
        values, place = np.unique(-scores, return_inverse=True)
        fraud = labels == 1
        self._number, self._recall = len(values), recall
        self._place, self._fraud, self._honest = place, fraud, ~fraud

    def __call__(self, weights: NDArray[Any]) -> float:
        """Count with each transaction (n,) so many times."""
        caught = np.cumsum(np.bincount(self._place, weights=weights * self._fraud, minlength=self._number))
        alarms = np.cumsum(np.bincount(self._place, weights=weights * self._honest, minlength=self._number))
        wanted = self._recall * float(caught[-1])
        at = int(np.searchsorted(caught, wanted - 1e-9))
        if at >= self._number:
            return float("inf")
        before, alarms_before = (caught[at - 1], alarms[at - 1]) if at else (0.0, 0.0)
        if caught[at] == before:  # there is no fraud at all
            return 0.0
        share = (wanted - before) / (caught[at] - before)
        return float(alarms_before + share * (alarms[at] - alarms_before))


def false_positives(scores: Floats, labels: NDArray[np.int64], *, recall: float) -> float:
    """Return how many honest transactions are alerted when the share `recall` of the fraud is, see `Alarms`."""
    return Alarms(scores, labels, recall=recall)(np.ones(len(labels)))


def parts_of(month: NDArray[np.int64]) -> NDArray[np.str_]:
    """Return the part that each month of the generator belongs to."""
    names = np.full(len(month), "warm", dtype="<U9")
    for months, name in ((TRAINING, "train"), (CALIBRATION, "calibrate"), (HELD_OUT, "test")):
        names[np.isin(month, months)] = name
    return names


def _digest(transactions: Sequence[Transaction], labels: NDArray[np.int64]) -> str:
    found = hashlib.sha256()
    for transaction, label in zip(transactions, labels, strict=True):
        found.update(f"{transaction.model_dump_json(exclude_defaults=True)} {label}\n".encode())
    return found.hexdigest()


def _in_order(number: int) -> NDArray[np.str_]:
    share = np.arange(number) / max(number, 1)
    return np.select([share < 0.1, share < 0.6, share < 0.75], ["warm", "train", "calibrate"], "test").astype("<U9")


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit a model from the command line."""
    parser = argparse.ArgumentParser(description="Fit the transaction risk model.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--csv", type=Path, help="a labelled set, see domains/finance/transactions/labelled.py")
    parser.add_argument("--accounts", type=int, default=4_000)
    parser.add_argument("--seed", type=int, default=2026)
    chosen = parser.parse_args(arguments)
    if chosen.csv is not None:
        real = read_csv(chosen.csv)
        transactions, labels, part = real.transactions, real.labels, _in_order(len(real.labels))
        name = chosen.csv.name
    else:
        stream = generate(accounts=chosen.accounts, seed=chosen.seed)
        transactions, labels, part = stream.transactions, stream.labels, parts_of(stream.month)
        name = f"generated, {chosen.accounts} accounts, seed {chosen.seed}"
    fitted = fit(prepare(transactions, labels, part, report=print))
    data = TrainingData(
        name=name,
        digest=_digest(transactions, labels),
        rows=len(transactions),
        first=transactions[0].time.date(),
        last=transactions[-1].time.date(),
    )
    saved = fitted.save(chosen.folder, data=data, fitted=datetime.now(tz=UTC).date())
    for name, value in fitted.figures.items():
        print(f"{name:42} {value:.6g}")
    print(f"model {saved.digest}")


if __name__ == "__main__":
    main()
