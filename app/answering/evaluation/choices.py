"""What suites of closed questions share: their files, the model's choice, and figures that are no means of items.

A question without passages cannot be answered by the assistant: it shows nothing that it cannot check. Such a suite
asks the model, through the function that also chooses where there is evidence (`choosing.chosen`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from app.answering.choosing.chosen import chosen
from app.answering.evaluation.assistant import Assistant
from app.errors import BadRequest
from retrieval.evaluation.reading import lines
from retrieval.language import Language

__all__ = ["balanced_accuracy", "bootstrapped", "first_named", "macro_f1", "pick", "rows_of"]

_DRAWS: Final = 1000


def rows_of(path: Path, fields: Sequence[str]) -> list[dict[str, Any]]:
    """Read a file of JSON lines whose rows have these fields.

    Raises:
        BadRequest: there is no such file, or a row lacks a field.
    """
    remedy = f"Give a folder whose {path.name} has, in each line, {', '.join(fields)}."
    try:
        rows = list(lines(path))
    except OSError as error:
        raise BadRequest(f"{path} cannot be read.", remedy=remedy) from error
    except ValueError as error:
        raise BadRequest(f"{path} is no file of JSON lines.", remedy=remedy) from error
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict) or any(field not in row for field in fields):
            raise BadRequest(f"{path.name} lacks a field in line {number}.", remedy=remedy)
    if not rows:
        raise BadRequest(f"{path} is empty.", remedy=remedy)
    return rows


async def pick(
    assistant: Assistant,
    question: str,
    choices: Sequence[str],
    *,
    findings: Sequence[str] | None = None,
    empty: str | None = None,
    language: Language = "en",
) -> str:
    """Return the choice of the model.

    Raises:
        BadRequest: the model tells no probabilities.
        ModelError: from the model.
    """
    scores = await chosen(assistant.chat, question, choices, findings=findings, empty=empty, language=language)
    if not scores:
        raise BadRequest(
            "The model tells no log-probabilities, so it cannot choose.",
            remedy="Serve one that does: `./vouch model serve`, or any server with OpenAI's logprobs.",
        )
    return max(choices, key=lambda one: scores[one])


def first_named(text: str, choices: Sequence[str]) -> str | None:
    """Return the choice that a free reply names first, as a whole word, or None."""
    found = [
        (match.start(), choice)
        for choice in choices
        if (match := re.search(rf"(?<![^\W_]){re.escape(choice)}(?![^\W_])", text, re.IGNORECASE))
    ]
    return min(found)[1] if found else None


def macro_f1(gold: Sequence[str], said: Sequence[str]) -> float:
    """Return the mean F1 over the classes that gold has; what is said beyond them counts against the others' recall."""
    figures = []
    for name in sorted(set(gold)):
        hits = sum(one == other == name for one, other in zip(gold, said, strict=True))
        total = sum(one == name for one in gold) + sum(one == name for one in said)
        figures.append(2 * hits / total if total else 0.0)
    return float(np.mean(figures)) if figures else 0.0


def balanced_accuracy(gold: Sequence[str], said: Sequence[str]) -> float:
    """Return the mean recall over the classes that gold has."""
    recalls = [
        float(np.mean([other == name for one, other in zip(gold, said, strict=True) if one == name]))
        for name in sorted(set(gold))
    ]
    return float(np.mean(recalls)) if recalls else 0.0


def bootstrapped(
    statistic: Callable[[Sequence[str], Sequence[str]], float],
    strata: Mapping[str, Sequence[tuple[str, str]]],
    *,
    seed: int,
) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of the mean of a statistic over strata.

    Args:
        statistic: Of gold and said.
        strata: Pairs of gold and said, by the name of what is drawn by itself (a task, a set); none empty.
        seed: Of 1,000 draws of each stratum with replacement.
    """
    rng = np.random.default_rng(seed)
    means = []
    for _ in range(_DRAWS):
        figures = []
        for pairs in strata.values():
            some = [pairs[place] for place in rng.integers(0, len(pairs), len(pairs))]
            figures.append(statistic([one for one, _ in some], [other for _, other in some]))
        means.append(np.mean(figures))
    low, high = np.quantile(means, [0.025, 0.975]) if strata else (0.0, 0.0)
    return float(low), float(high)
