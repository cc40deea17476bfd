"""BM25 with the statistics of what a scope may see, so that nobody's ranking says anything of the documents of others.

BM25 weighs a term by how many passages hold it, and a passage by how long it is beside the average. Counted over all
passages, both let a caller notice what others have: put two passages of his own beside each other, and see which comes
first. So they are counted over the visible passages. The library's scores are made for all passages beforehand; term
frequencies are won back from them and weighed anew, for the terms of the query alone:

    score = ln(1 + (N - n + 1/2) / (n + 1/2)) * f / (f + k1 (1 - b + b * length / mean length))

with N visible passages, n of them with the term, f times in this one (Lucene's variant; Kamphuis et al., ECIR 2020).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["scoped_scores"]

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]


def scoped_scores(
    scores: Mapping[str, Any],
    terms: Sequence[int],
    allowed: Flags | None,
    counted: Flags,
    lengths: Floats,
    *,
    k1: float,
    b: float,
) -> Floats:
    """Return the score of each passage, (passages,); 0 for one that is not allowed.

    Args:
        scores: bm25s's sparse matrix of one column a term: `data`, `indices`, `indptr`, `num_docs`.
        terms: numbers of the query's terms, repeats included.
        allowed: one flag a passage: those that are scored; None: those that are counted.
        counted: one flag a passage: those that count, of which the others are fewer.
        lengths: terms of each passage.
        k1: how soon repeats stop to count; that of the matrix.
        b: how much the length counts; that of the matrix.
    """
    total = np.zeros(len(counted), dtype=np.float32)
    visible = int(counted.sum())
    if not visible:
        return total
    norm_all, norm_visible = (
        k1 * (1.0 - b + b * lengths / max(float(mean), 1e-9))
        for mean in (lengths.mean(), lengths @ counted.astype(np.float32) / visible)
    )
    starts = scores["indptr"]
    for term, times in Counter(terms).items():
        if term + 1 >= len(starts):
            continue
        start, stop = int(starts[term]), int(starts[term + 1])
        places = scores["indices"][start:stop]
        seen = counted[places]
        held = int(seen.sum())
        if not held:
            continue
        if allowed is not None:
            seen &= allowed[places]
        places, made = places[seen], scores["data"][start:stop][seen]
        share = made / np.float32(_rarity(int(scores["num_docs"]), stop - start))  # f / (f + norm_all)
        frequent = share * norm_all[places]  # f, times what the next line takes out again
        share = frequent / (frequent + (1.0 - share) * norm_visible[places])  # f / (f + norm_visible)
        total[places] += np.float32(times * _rarity(visible, held)) * share
    return total


def _rarity(passages: int, held: int) -> float:
    return math.log(1.0 + (passages - held + 0.5) / (held + 0.5))
