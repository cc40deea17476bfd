"""False alarms of model and rival at equal recall, over several generated streams, with an interval.

    ratio = Σ_streams F_model / Σ_streams min(F_order, F_points)

with F the honest transactions of the held-out months that are alerted when the share `RECALL` of the labelled ones is.
Each stream has a world of its own (another seed); model and rival (`classical`) are fitted to its training months, on
the same rows, and counted on its held-out months. Of the rival's two rankings the better one *on the held-out months*
of each stream counts, which favours the rival. Nothing is chosen on these streams: the settings of the fit come from
other seeds, see docs/log.md.

Interval: 95 % percentile bootstrap in two stages (Davison and Hinkley 1997, section 3.8): streams are drawn with
replacement, then within each the accounts with all their transactions, since those of one account or campaign depend on
each other; the rival's better ranking is chosen anew in each resample. Fits are not repeated within a resample; that
another stream gives another fit is in the first stage.

Shapes: n held-out transactions of one stream.

Errors: those of `training`.

Not covered: a campaign over several accounts is one cluster for each of them; what either would do at a bank.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from domains.finance.transactions import classical, training
from domains.finance.transactions.generator import generate
from domains.finance.transactions.typologies import TYPOLOGIES
from domains.finance.transactions.windows import Floats, Ints

__all__ = ["RECALL", "HeldOut", "compare", "interval", "measure", "ratio", "summary"]

RECALL: Final = 0.8
_RESAMPLES: Final = 500
_WORKERS: Final = 2


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The scores that model and rival gave to the held-out transactions of one stream; (n,) each."""

    seed: int
    labels: NDArray[np.int64]
    typology: Sequence[str]
    account: Ints
    """0, 1, …: which transactions are of the same account."""
    model: Floats
    rivals: Mapping[str, Floats]
    """The rival's rankings, by name."""


def measure(seed: int, *, accounts: int) -> HeldOut:
    """Fit model and rival to one stream, and score its held-out months.

    Args:
        seed: Of the stream.
        accounts: How many it has; 4,500 make 500 to 600 labelled transactions in the held-out months.
    """
    stream = generate(accounts=accounts, seed=seed)
    part = training.parts_of(stream.month)
    data = training.prepare(stream.transactions, stream.labels, part)
    engine = classical.tune(*data.of("train"))
    champion = training.fit(data).champion
    features, labels, _ = data.of("test")
    rows = np.flatnonzero(part == "test")
    _, account = np.unique([stream.transactions[row].account for row in rows], return_inverse=True)
    return HeldOut(
        seed=seed,
        labels=labels,
        typology=[stream.typology[row] for row in rows],
        account=account.astype(np.int64),
        model=np.asarray(champion.predict(features, raw_score=True), dtype=np.float64),
        rivals={
            "rules, first that holds": engine.by_order(features),
            "rules, points": engine.by_points(features),
        },
    )


def compare(seeds: Sequence[int], *, accounts: int) -> list[HeldOut]:
    """Measure several streams, two at a time in processes of their own."""
    with ProcessPoolExecutor(_WORKERS, mp_context=get_context("spawn")) as pool:
        return list(pool.map(partial(measure, accounts=accounts), seeds))


def ratio(streams: Sequence[HeldOut]) -> float:
    """Return the model's false positives over the rival's, summed over streams."""
    return _ratio([(_alarms(held), np.ones(len(held.labels))) for held in streams])


def interval(streams: Sequence[HeldOut], *, resamples: int = _RESAMPLES, seed: int = 1) -> tuple[float, float]:
    """Return the bounds of the ratio's 95 % interval."""
    rng = np.random.default_rng(seed)
    ranked = [_alarms(held) for held in streams]
    found = []
    for _ in range(resamples):
        drawn = []
        for at in rng.integers(0, len(streams), len(streams)):
            account = streams[at].account
            number = int(account.max()) + 1
            drawn.append((ranked[at], np.bincount(rng.integers(0, number, number), minlength=number)[account]))
        found.append(_ratio(drawn))
    low, high = np.quantile(found, (0.025, 0.975))
    return float(low), float(high)


def summary(held: HeldOut) -> dict[str, Any]:
    """Return what one stream gave: false positives of each, and the share of each typology that the model catches."""
    ours, *theirs = (one(np.ones(len(held.labels))) for one in _alarms(held))
    fraud = held.labels == 1
    least = np.sort(held.model[fraud])[::-1][int(np.ceil(RECALL * fraud.sum())) - 1]
    kinds = np.array(held.typology)
    return {
        "seed": held.seed,
        "transactions": len(held.labels),
        "fraud": int(fraud.sum()),
        "model": round(ours, 1),
        **{name: round(value, 1) for name, value in zip(held.rivals, theirs, strict=True)},
        "ratio": round(ours / min(theirs), 3) if min(theirs) > 0 else None,
        "auc_model": round(training.auc(held.model, held.labels), 4),
        "caught": {
            name: round(float((held.model[kinds == name] >= least).mean()), 2)
            for name in TYPOLOGIES
            if (kinds == name).any()
        },
    }


def _alarms(held: HeldOut) -> list[training.Alarms]:
    return [training.Alarms(scores, held.labels, recall=RECALL) for scores in (held.model, *held.rivals.values())]


def _ratio(drawn: Sequence[tuple[Sequence[training.Alarms], NDArray[Any]]]) -> float:
    ours = theirs = 0.0
    for (model, *rivals), weights in drawn:
        ours += model(weights)
        theirs += min(rival(weights) for rival in rivals)
    return ours / theirs if theirs > 0 else float("inf")
