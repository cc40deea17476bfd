"""Fits when an answer is sure enough to be shown, and bounds how often one that is shown has no right to be.

    python -m app.answering.calibration collect DATA --out signals.jsonl [--limit 120]
    python -m app.answering.calibration stand-ins DATA --out signals.jsonl
    python -m app.answering.calibration fit signals.jsonl --sets faith_mtragun --date 2026-11-25

DATA has the format of MTRAG-UN. `collect` asks each answerable turn twice, over its own passages (an answer is right)
and over what a search finds among those of other conversations of its collection (none is), and each unanswerable turn
over the latter. It keeps the signals of every draft of which a claim is supported, and asks only for what is not kept
yet. `stand-ins` asks no model: the draft is the one sentence of the passages that has most of the question's words and
the sort of thing that it asks for. Its signals are those of a model that copies; of the model's own odds nothing is
known then, and they weigh nothing.

`fit` weighs the signals by a logistic regression. The confidence of each calibration item comes from weights that were
fitted without its conversation, and half of the conversations, drawn with a seed, say where the test of `risk_control`
starts while the other half is tested.

The items are not kept. What "wrong" means here stands in the result: an answer that is shown although the passages do
not hold one. Whether each claim follows from its passage is measured apart (``./vouch eval faithbench``).
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold

from app.answering.checking.support import coverage, informative, sentences
from app.answering.checking.verify import Verifier
from app.answering.drafters.contract import Task as DraftTask
from app.answering.evaluation.assistant import Assistant, each, evidence_of
from app.answering.evaluation.figures import drawn
from app.answering.evaluation.mtragun import Kind, Task, searched, tasks_of
from app.answering.gate import Gate, Judgement
from app.answering.risk_control import at, chosen
from app.answering.signals import NAMES, Similarity, read, typed
from app.answering.types import Claim, Verdict
from app.identity.principal import OPERATOR
from domains.contract import Question, Turn
from domains.followups import stand_alone
from retrieval.evaluation.reading import lines
from retrieval.types import Evidence

__all__ = ["Sample", "calibrated", "collect", "fitted", "main", "samples_of", "stand_ins"]

Matrix = npt.NDArray[np.float64]

TARGET: Final = 0.05
CONFIDENCE: Final = 0.95
_LEAST_SHOWN: Final = 0.9
"""Share of right answers that a threshold must leave where the target cannot be met: a system that shows nothing is
never wrong and of no use."""

_PROMPT_TOKENS: Final = 6000
_FOLDS: Final = 5
_STRENGTH: Final = 0.3
"""Inverse of the penalty. Few items and twelve signals: strong."""

_PLACES: Final = 5
_FOR_SORT: Final = 0.25
"""What it counts that a copied sentence has the sort of thing that is asked for, beside the share of the words."""

_LONGEST_SENTENCE: Final = 400


@dataclass(frozen=True, slots=True)
class Sample:
    """One draft.

    Attributes:
        right: Whether its passages hold an answer.
        group: Its conversation: drafts of one are alike.
        values: The signals, in the order of `signals.NAMES`; NaN for one that could not be read.
    """

    id: str
    group: str
    right: bool
    values: tuple[float, ...]


class _Listening(Gate):
    """A gate that remembers what it judged."""

    def __init__(self, similarity: Similarity | None) -> None:
        super().__init__(similarity=similarity)
        self.judged: Judgement | None = None

    async def judge(
        self, task: DraftTask, claims: Sequence[Claim], evidence: Sequence[Evidence], *, drafter: str | None
    ) -> Judgement:
        self.judged = await super().judge(task, claims, evidence, drafter=drafter)
        return self.judged


def samples_of(tasks: Sequence[Task], everything: Sequence[Task]) -> list[tuple[Task, bool]]:
    """Return the turns to be asked, each with whether its passages hold an answer."""
    answerable = [task for task in tasks if task.kind is Kind.ANSWERABLE and task.contexts]
    open_ones = [task for task in tasks if task.kind in (Kind.ANSWERABLE, Kind.UNANSWERABLE)]
    return [(task, True) for task in answerable] + [(task, False) for task in searched(open_ones, everything)]


def collect(
    data: Path, out: Path, *, assistant: Assistant, similarity: Similarity | None, limit: int | None, seed: int
) -> None:
    """Ask what is not kept yet and append its signals; a draft without a supported claim is kept without any.

    Raises:
        BadRequest: the folder is not one of the set.
        ModelError: the model fails.
    """
    everything = tasks_of(data)
    wanted = samples_of(drawn(everything, limit=limit, seed=seed), everything)
    known = {row["id"] for row in lines(out)} if out.exists() else set()

    async def ask(one: tuple[Task, bool]) -> None:
        task, right = one
        gate = _Listening(similarity)
        await replace(assistant, gate=gate).answer(task.question, evidence_of(task.contexts), history=task.history)
        signals = gate.judged.signals if gate.judged else None
        row = {"id": task.id, "group": task.conversation, "right": right}
        row["values"] = dict(zip(NAMES, signals.values(), strict=True)) if signals else None
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    each([one for one in wanted if one[0].id not in known], ask)


def stand_ins(data: Path, out: Path, *, similarity: Similarity | None) -> None:
    """Write the signals of drafts that are copied sentences, of all turns.

    Raises:
        BadRequest: the folder is not one of the set.
    """
    everything = tasks_of(data)
    with out.open("w", encoding="utf-8") as file:
        for task, right in samples_of(everything, everything):
            evidence = evidence_of(task.contexts)
            asked = Question(task.question, "en", OPERATOR.scope(), tuple(Turn(*turn) for turn in task.history))
            wording = stand_alone(asked) or task.question
            copied = _copied(wording, evidence)
            if copied is None:
                continue
            signals = read(
                wording, [copied], {item.id: item for item in evidence}, language="en", similarity=similarity
            )
            values = dict(zip(NAMES, signals.values(), strict=True))
            row = {"id": task.id, "group": task.conversation, "right": right, "values": values}
            file.write(json.dumps(row) + "\n")


def _copied(question: str, evidence: Sequence[Evidence]) -> Claim | None:
    """Return the sentence that looks most like an answer, as a claim."""
    terms = informative(question)
    found = [
        (coverage(terms, [sentence]) + _FOR_SORT * typed(question, sentence), sentence, item.id)
        for item in evidence
        for sentence in sentences(item.text)
        if len(sentence) <= _LONGEST_SENTENCE
    ]
    if not found or not terms:
        return None
    _, sentence, id_ = max(found, key=lambda one: one[0])
    return Claim(text=sentence, cites=(id_,), verdict=Verdict.SUPPORTED, score=1.0)


def fitted(samples: Sequence[Sample]) -> tuple[dict[str, Any], list[float]]:
    """Return the weights for ``confidence.json`` and each sample's confidence from weights fitted without its group.

    Raises:
        ValueError: the samples are of fewer than five groups or all of one kind.
    """
    x = np.array([sample.values for sample in samples], dtype=np.float64)
    means = np.array([_mean(column[~np.isnan(column)]) for column in x.T])
    x = np.where(np.isnan(x), means, x)
    y = np.array([sample.right for sample in samples])
    groups = [sample.group for sample in samples]
    if len(set(groups)) < _FOLDS or len(set(y.tolist())) < 2:
        raise ValueError("give samples of at least five conversations, of both kinds")
    held = np.zeros(len(y))
    for train, test in GroupKFold(_FOLDS).split(x, y, groups):
        weights, bias = _weights(x[train], y[train])
        held[test] = 1 / (1 + np.exp(-(x[test] @ weights + bias)))
    weights, bias = _weights(x, y)
    body = {
        "weights": {name: round(float(weight), _PLACES) for name, weight in zip(NAMES, weights, strict=True)},
        "means": {name: round(float(mean), _PLACES) for name, mean in zip(NAMES, means, strict=True)},
        "bias": round(float(bias), _PLACES),
        "cross_validated": {"folds": _FOLDS, "auc": round(float(roc_auc_score(y, held)), 4)},
    }
    return body, [float(value) for value in held]


def _mean(read: Matrix) -> float:
    return float(read.mean()) if read.size else 0.0


def _weights(x: Matrix, y: npt.NDArray[np.bool_]) -> tuple[Matrix, float]:
    """Fit on standardised signals, and return weights and bias for the signals as they come."""
    centre, spread = x.mean(axis=0), np.where(x.std(axis=0) > 0, x.std(axis=0), 1.0)
    model = LogisticRegression(C=_STRENGTH, max_iter=5000, class_weight="balanced").fit((x - centre) / spread, y)
    weights = model.coef_[0] / spread
    return weights, float(model.intercept_[0] - weights @ centre)


def calibrated(samples: Sequence[Sample], sure: Sequence[float], *, seed: int) -> dict[str, Any]:
    """Return threshold and bound for ``assurance.json``.

    Args:
        samples: With their groups, of which a half is drawn.
        sure: The confidence of each, from weights fitted without its group.
        seed: Of the draw.
    """
    groups = sorted({sample.group for sample in samples})
    first = set(random.Random(seed).sample(groups, len(groups) // 2))  # noqa: S311 - a draw, not a secret
    tuning = [(value, sample.right) for sample, value in zip(samples, sure, strict=True) if sample.group in first]
    points = [
        (value, not sample.right) for sample, value in zip(samples, sure, strict=True) if sample.group not in first
    ]
    start = float(np.median([value for value, _ in tuning]))
    found = chosen(points, target=TARGET, confidence=CONFIDENCE, start=start)
    if found is None:  # what the data do bear out, at a threshold that the other half chose
        right = sorted((value for value, good in tuning if good), reverse=True)
        place = min(len(right) - 1, int(_LEAST_SHOWN * len(right)))
        found = at(points, round(right[place], 4) if right else 1.0, confidence=CONFIDENCE)
    return {
        "n": found.n,
        "shown": found.shown,
        "wrong": found.wrong,
        "target": TARGET,
        "confidence": CONFIDENCE,
        "threshold": round(found.threshold, 4),
        "bound": round(found.bound, 4),
    }


def _read(path: Path) -> list[Sample]:
    return [
        Sample(row["id"], row["group"], row["right"], tuple(_number(row["values"].get(name)) for name in NAMES))
        for row in lines(path)
        if row["values"]
    ]


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _write(path: Path, body: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _fit(given: argparse.Namespace) -> None:
    samples = _read(given.signals)
    body, sure = fitted(samples)
    head = {"version": given.version, "sets": given.sets, "date": given.date, "n": len(samples), "drafts": given.drafts}
    _write(Path(__file__).with_name("confidence.json"), head | body)
    record = {"version": given.version, "sets": given.sets, "drafts": given.drafts, "languages": ["en"]}
    record |= {"date": given.date}
    general = record | calibrated(samples, sure, seed=given.seed)
    _write(Path(__file__).with_name("assurance.json"), {"domains": {"general": general}})
    print(json.dumps(body | {"assurance": general}, indent=1))


def _stand_in(given: argparse.Namespace) -> None:
    from app.embedders import embedders_for, similarity_of
    from app.settings import load

    stand_ins(given.data, given.out, similarity=similarity_of(embedders_for(load())))


def _collect(given: argparse.Namespace) -> None:
    from app.embedders import common_words, embedders_for, similarity_of
    from app.settings import load
    from domains.registry import load as load_domains
    from model.client import chat_model

    settings = load()
    chat = chat_model(
        url=settings.model_url,
        api_key=settings.model_api_key,
        model=settings.remote_model or settings.model,
        max_tokens=settings.answer_tokens,
        timeout_s=settings.model_timeout_s,
    )
    embedders = embedders_for(settings)
    verifier = Verifier(common=common_words(embedders))
    assistant = Assistant(chat, _PROMPT_TOKENS, load_domains(only=["general"]), verifier)
    similarity = similarity_of(embedders)
    collect(given.data, given.out, assistant=assistant, similarity=similarity, limit=given.limit, seed=given.seed)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command of the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    commands = parser.add_subparsers(required=True)
    asking = commands.add_parser("collect")
    asking.add_argument("data", type=Path)
    asking.add_argument("--out", type=Path, required=True)
    asking.add_argument("--limit", type=int)
    asking.set_defaults(run=_collect)
    copying = commands.add_parser("stand-ins")
    copying.add_argument("data", type=Path)
    copying.add_argument("--out", type=Path, required=True)
    copying.set_defaults(run=_stand_in)
    fitting = commands.add_parser("fit")
    fitting.add_argument("signals", type=Path)
    fitting.add_argument("--sets", nargs="+", required=True)
    fitting.add_argument("--date", required=True)
    fitting.add_argument("--version", default="1")
    fitting.add_argument("--drafts", default="the served model's", help="Whose drafts the signals are of.")
    fitting.set_defaults(run=_fit)
    given = parser.parse_args(arguments)
    given.run(given)


if __name__ == "__main__":
    main()
