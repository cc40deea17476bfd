"""A computation as a piece of evidence: cited like a passage, and standing where its first figure stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from app.answering.checking.values import extract, missing
from app.answering.claims import DraftClaim
from app.answering.reckoning.recomputed import recomputed
from app.answering.reckoning.statement import Computation
from app.answering.types import Claim, Verdict
from retrieval.language import Language
from retrieval.types import Evidence, EvidenceKind, Locator

__all__ = ["as_evidence", "redone"]

_FIGURE_MISSING: Final = frozenset({"value_missing", "value_differs"})


def as_evidence(done: Computation, *, id_: str, known: Mapping[str, Evidence]) -> Evidence:
    """Return a computation as evidence.

    Args:
        done: What was computed.
        id_: Its id.
        known: The evidence that its figures are from, by id; at least one piece.
    """
    source = next((known[cite] for cite in done.cites if cite in known), None) or next(iter(known.values()))
    place = Locator(
        document_id=source.locator.document_id,
        document=source.locator.document,
        page=source.locator.page,
        headings=source.locator.headings,
        cell="; ".join(done.cells) or None,
    )
    return Evidence.of(id_, done.text, place, kind=EvidenceKind.COMPUTATION)


def redone(
    draft: DraftClaim, claim: Claim, known: Mapping[str, Evidence], *, language: Language
) -> tuple[DraftClaim, Evidence] | None:
    """Return a struck-out claim with the computation that it states and should have cited; None where there is none.

    Only a claim that lacks exactly one figure is looked at, and only the passages that it cites, or all where it cites
    none. The caller adds the evidence and checks the claim again: nothing is believed here.
    """
    if claim.verdict is Verdict.SUPPORTED or claim.reason not in _FIGURE_MISSING:
        return None
    cited = [known[cite] for cite in draft.cites if cite in known] or list(known.values())
    passages = [item for item in cited if item.kind is not EvidenceKind.COMPUTATION]
    absent = missing(extract(draft.text), "\n".join(item.text for item in passages))
    if len(absent) != 1:
        return None
    done = recomputed(draft.text, absent[0], passages, language=language)
    if done is None:
        return None
    id_ = str(max((int(one) for one in known if one.isdigit()), default=0) + 1)
    return replace(draft, cites=(id_, *done.cites)), as_evidence(done, id_=id_, known=known)
